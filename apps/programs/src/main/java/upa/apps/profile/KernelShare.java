package upa.apps.profile;

import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * What a program's time goes into, from samples of its call chains in the kernel: how many in each kind of work on
 * memory, and how many in all.
 *
 * @param samples by kind of work; kinds without any are left out
 * @param total all samples, in user mode and in the kernel
 */
public record KernelShare(Map<KernelShare.Work, Long> samples, long total) {

    /** Kinds of work on memory. */
    public enum Work {
        /** Making pages read zero. */
        CLEARING("clearing pages"),
        /** The rest of page faults. */
        FAULTS("page faults"),
        /** munmap, mremap and the heap's shrinking. */
        UNMAPPING("unmapping"),
        /** madvise, which gives memory back. */
        MADVISE("madvise"),
        /** mmap, mprotect and the heap's growing. */
        MAPPING("mapping"),
        /** Page tables copied by fork. */
        FORK("fork"),
        /** All memory freed as a process ends. */
        EXIT("exit");

        private final String title;

        Work(String title) {
            this.title = title;
        }

        public String title() {
            return title;
        }
    }

    /** Functions of the kernel that say what a chain is about; the innermost that is known decides. */
    private static final Map<String, Work> FUNCTIONS = functions();

    private static Map<String, Work> functions() {
        Map<String, Work> map = new LinkedHashMap<>();
        List.of(
                        "exc_page_fault",
                        "asm_exc_page_fault",
                        "do_user_addr_fault",
                        "do_page_fault",
                        "handle_mm_fault",
                        "faultin_page")
                .forEach(f -> map.put(f, Work.FAULTS));
        List.of(
                        "__x64_sys_munmap",
                        "__vm_munmap",
                        "do_vmi_munmap",
                        "do_mas_munmap",
                        "do_munmap",
                        "do_vmi_align_munmap",
                        "vms_complete_munmap_vmas",
                        "do_brk_munmap",
                        "__x64_sys_mremap",
                        "__do_sys_mremap",
                        "move_page_tables")
                .forEach(f -> map.put(f, Work.UNMAPPING));
        List.of("do_madvise", "__x64_sys_madvise", "madvise_vma_behavior").forEach(f -> map.put(f, Work.MADVISE));
        List.of("do_mmap", "ksys_mmap_pgoff", "vm_mmap_pgoff", "__x64_sys_brk", "__do_sys_brk", "do_mprotect_pkey")
                .forEach(f -> map.put(f, Work.MAPPING));
        List.of("dup_mm", "dup_mmap", "copy_page_range").forEach(f -> map.put(f, Work.FORK));
        List.of("exit_mmap", "mmput", "__mmput").forEach(f -> map.put(f, Work.EXIT));
        return map;
    }

    /** The kind of work of a call chain in the kernel, innermost function first; empty if it is not about memory. */
    public static Optional<Work> work(List<String> functions) {
        boolean clears = functions.stream()
                .limit(3)
                .anyMatch(f -> f.startsWith("clear_page")
                        || f.startsWith("clear_huge_page")
                        || f.startsWith("clear_subpage")
                        || f.startsWith("clear_user_highpage")
                        || f.startsWith("folio_zero_user"));
        return functions.stream()
                .map(FUNCTIONS::get)
                .filter(work -> work != null)
                .findFirst()
                .map(work -> work == Work.FAULTS && clears ? Work.CLEARING : work);
    }

    /**
     * Reads what {@code perf script -F comm,ip,sym} prints: a line with the name of the process, then one per function,
     * then an empty one.
     *
     * @param lines of output
     * @param ignored a process that does not count
     */
    public static KernelShare parse(Stream<String> lines, String ignored) {
        Map<Work, Long> samples = new EnumMap<>(Work.class);
        long[] total = {0};
        List<String> functions = new java.util.ArrayList<>();
        boolean[] counts = {false};
        Runnable end = () -> {
            if (counts[0]) {
                total[0]++;
                work(functions).ifPresent(work -> samples.merge(work, 1L, Long::sum));
            }
            counts[0] = false;
            functions.clear();
        };
        lines.forEach(line -> {
            if (line.isBlank()) {
                end.run();
            } else if (Character.isWhitespace(line.charAt(0))) {
                String[] words = line.strip().split(" ", 2);
                functions.add(words.length > 1 ? words[1].replaceAll("\\.(isra|part|constprop)\\.[0-9]+.*$", "") : "");
            } else {
                end.run();
                counts[0] = !line.strip().equals(ignored);
            }
        });
        end.run();
        return new KernelShare(samples, total[0]);
    }

    /** The part of all samples that is work on memory, from 0 to 1. */
    public double share() {
        return share(Work.values());
    }

    /** The part of all samples that is work of these kinds, from 0 to 1. */
    public double share(Work... kinds) {
        return total == 0
                ? 0
                : Stream.of(kinds).mapToLong(w -> samples.getOrDefault(w, 0L)).sum() / (double) total;
    }
}
