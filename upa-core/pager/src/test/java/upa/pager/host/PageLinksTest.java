package upa.pager.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import upa.policy.PageList;
import upa.policy.PolicyContext;
import upa.policy.PolicyException;

class PageLinksTest {
    private static final int PAGES = 3 * 512 + 7;

    private static List<Integer> forwards(PageList list) {
        List<Integer> pages = new ArrayList<>();
        for (int page = list.first(); page != PageList.NONE; page = list.next(page)) {
            pages.add(page);
        }
        return pages;
    }

    private static List<Integer> backwards(PageList list) {
        List<Integer> pages = new ArrayList<>();
        for (int page = list.last(); page != PageList.NONE; page = list.previous(page)) {
            pages.addFirst(page);
        }
        return pages;
    }

    @Test
    void behavesAsListsOfWhichAPageIsInOne() {
        for (long seed = 0; seed < 20; seed++) {
            Random random = new Random(seed);
            PageLinks links = new PageLinks(PAGES);
            PageList[] lists = {links.list(), links.list(), links.list()};
            List<List<Integer>> model = List.of(new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
            int[] marks = new int[PAGES];
            for (int step = 0; step < 4000; step++) {
                int which = random.nextInt(3);
                Integer page = random.nextInt(seed % 2 == 0 ? 40 : PAGES);
                boolean known = model.stream().anyMatch(l -> l.contains(page));
                switch (random.nextInt(6)) {
                    case 0 -> {
                        lists[which].addFirst(page);
                        model.forEach(l -> l.remove(page));
                        model.get(which).addFirst(page);
                    }
                    case 1 -> {
                        lists[which].addLast(page);
                        model.forEach(l -> l.remove(page));
                        model.get(which).addLast(page);
                    }
                    case 2 -> {
                        boolean was = model.get(which).remove(page);
                        assertEquals(was, lists[which].remove(page));
                        marks[page] = was ? 0 : marks[page];
                    }
                    case 3 -> {
                        List<Integer> m = model.get(which);
                        int first = m.isEmpty() ? PageList.NONE : m.removeFirst();
                        assertEquals(first, lists[which].removeFirst());
                        if (first >= 0) {
                            marks[first] = 0;
                        }
                    }
                    case 4 -> {
                        List<Integer> m = model.get(which);
                        int last = m.isEmpty() ? PageList.NONE : m.removeLast();
                        assertEquals(last, lists[which].removeLast());
                        if (last >= 0) {
                            marks[last] = 0;
                        }
                    }
                    default -> {
                        int mark = random.nextInt(PolicyContext.MAX_MARK + 1);
                        links.mark(page, mark);
                        marks[page] = known ? mark : 0;
                    }
                }
                assertEquals(marks[page], links.mark(page), "step=" + step);
                for (int l = 0; l < 3; l++) {
                    assertEquals(model.get(l).contains(page), lists[l].contains(page));
                    assertEquals(model.get(l).size(), lists[l].size());
                }
                if (step % 50 == 0) {
                    for (int l = 0; l < 3; l++) {
                        assertEquals(model.get(l), forwards(lists[l]));
                        assertEquals(model.get(l), backwards(lists[l]));
                    }
                }
            }
        }
    }

    @Test
    void memoryFollowsTheBlocksInUse() {
        PageLinks links = new PageLinks(PolicyContext.MAX_PAGES);
        PageList list = links.list();
        assertEquals(0, links.bytes());
        int last = PolicyContext.MAX_PAGES - 1;
        list.addLast(last);
        list.addLast(0);
        list.addLast(511);
        assertEquals(2 * 4096, links.bytes());
        assertEquals(List.of(last, 0, 511), forwards(list));
        assertTrue(list.remove(0));
        assertEquals(2 * 4096, links.bytes());
        assertTrue(list.remove(511));
        assertTrue(list.remove(last));
        assertEquals(0, links.bytes());
        assertTrue(list.isEmpty());
    }

    @Test
    void pagesOutOfRangeAreInNoList() {
        PageLinks links = new PageLinks(PAGES);
        PageList list = links.list();
        for (int page : new int[] {-1, PAGES, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
            list.addFirst(page);
            list.addLast(page);
            links.mark(page, 3);
            assertFalse(list.contains(page));
            assertFalse(list.remove(page));
            assertEquals(0, links.mark(page));
            assertEquals(PageList.NONE, list.next(page));
            assertEquals(PageList.NONE, list.previous(page));
        }
        assertEquals(0, list.size());
        assertThrows(IllegalArgumentException.class, () -> new PageLinks(PolicyContext.MAX_PAGES + 1));
    }

    @Test
    void marksAreCutToTheirRange() {
        PageLinks links = new PageLinks(8);
        links.list().addLast(3);
        links.mark(3, 99);
        assertEquals(PolicyContext.MAX_MARK, links.mark(3));
        links.mark(3, -1);
        assertEquals(0, links.mark(3));
    }

    @Test
    void thereAreSevenLists() {
        PageLinks links = new PageLinks(8);
        for (int i = 0; i < PageList.MAX_LISTS; i++) {
            links.list().addLast(i);
        }
        PolicyException e = assertThrows(PolicyException.class, links::list);
        assertEquals("a policy has at most lists=7", e.getMessage());
    }

    @Test
    void whoHasBeenRevokedCannotGoOn() {
        PageLinks links = new PageLinks(8);
        PageList list = links.list();
        list.addLast(1);
        links.revoke();
        assertThrows(RevokedException.class, () -> list.next(1));
        assertThrows(RevokedException.class, () -> list.addLast(2));
        assertThrows(RevokedException.class, () -> links.mark(1));
    }
}
