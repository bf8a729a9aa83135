package upa.apps.profile;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Map;
import org.junit.jupiter.api.Test;
import upa.apps.profile.KernelShare.Work;

class KernelShareTest {

    private static final String SCRIPT = """
        python3
        \tffffffff81 clear_page_erms
        \tffffffff82 get_page_from_freelist
        \tffffffff83 do_anonymous_page
        \tffffffff84 handle_mm_fault
        \tffffffff85 asm_exc_page_fault

        python3
        \tffffffff81 mas_walk
        \tffffffff82 lock_vma_under_rcu
        \tffffffff83 exc_page_fault
        \tffffffff84 asm_exc_page_fault

        python3
        \tffffffff81 free_unref_folios
        \tffffffff82 vms_complete_munmap_vmas.part.0
        \tffffffff83 __x64_sys_munmap
        \tffffffff84 do_syscall_64

        python3
        \tffffffff81 vfs_read
        \tffffffff82 do_syscall_64

        python3
        \t         7f1 [unknown]

        upa-measure
        \tffffffff81 handle_mm_fault

        python3 -c
        \tffffffff81 zap_pte_range
        \tffffffff82 madvise_vma_behavior
        """;

    @Test
    void samplesAreSortedByWhatTheKernelDoes() {
        KernelShare share = KernelShare.parse(SCRIPT.lines(), "upa-measure");
        assertEquals(6, share.total());
        assertEquals(Map.of(Work.CLEARING, 1L, Work.FAULTS, 1L, Work.UNMAPPING, 1L, Work.MADVISE, 1L), share.samples());
        assertEquals(4 / 6.0, share.share(), 1e-12);
        assertEquals(2 / 6.0, share.share(Work.CLEARING, Work.FAULTS), 1e-12);
    }

    @Test
    void nothingIsNoShare() {
        assertEquals(0, KernelShare.parse("".lines(), "x").share());
    }
}
