/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scenarios of the manual pages mmap, munmap, mremap, madvise, mprotect, mincore, mlock, msync, brk, fork, vfork
 * (conformance.h).
 *
 *   conformance          all of them
 *   conformance quick    but for those that take minutes under emulation
 *   conformance strict   also what UPA is free to differ in: whether a page faults after munmap
 */
#define _GNU_SOURCE
#include "preload/conformance/conformance.h"

const char *scenario;
sigjmp_buf escape;
volatile sig_atomic_t fault_expected;

static void on_fault(int signal)
{
	if (!fault_expected) {
		static const char text[] = "unexpected fault\n";

		if (write(2, text, sizeof(text) - 1) < 0 || write(2, scenario, strlen(scenario)) < 0)
			_exit(4);
		_exit(3);
	}
	fault_expected = 0;
	siglongjmp(escape, signal);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_fault };
	static const struct {
		const char *name;
		void (*run)(void);
	} scenarios[] = {
#define SCENARIO(function) { #function, function }
		SCENARIO(break_moves),
		SCENARIO(protected_heap),
		SCENARIO(zeros_after_reuse),
		SCENARIO(errors_of_mmap),
		SCENARIO(hints),
		SCENARIO(holes),
		SCENARIO(replaced_by_file),
		SCENARIO(none_and_back),
		SCENARIO(shared_anonymous),
		SCENARIO(other_flags),
		SCENARIO(protection),
		SCENARIO(advice),
		SCENARIO(purge_of_what_is_not_ordinary),
		SCENARIO(fork_advice),
		/* It ends all purging without the kernel. */
		SCENARIO(purge_around_guards),
		SCENARIO(remapping),
		SCENARIO(moved_smaller),
		SCENARIO(residency),
		SCENARIO(unlocked_by_unmapping),
		SCENARIO(copy_on_write),
		SCENARIO(vfork_child),
		SCENARIO(threads_and_forks),
		SCENARIO(in_signal_handlers),
		SCENARIO(spliced),
		SCENARIO(library_memory),
		SCENARIO(odd_protections),
		SCENARIO(odd_advice),
		SCENARIO(odd_locks),
		SCENARIO(odd_questions),
		SCENARIO(odd_unmapping),
		SCENARIO(odd_moves),
		SCENARIO(odd_places),
		SCENARIO(odd_huge_pages),
		SCENARIO(odd_pointers),
		SCENARIO(limits),
	};

	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(*scenarios); i++) {
		scenario = scenarios[i].name;
		/* Under emulation these two take minutes. */
		if (argc > 1 && !strcmp(argv[1], "quick") &&
		    (scenarios[i].run == threads_and_forks || scenarios[i].run == in_signal_handlers))
			continue;
		scenarios[i].run();
		fflush(stdout);
	}
	if (argc > 1 && !strcmp(argv[1], "strict")) {
		scenario = "after_munmap";
		after_munmap();
		scenario = "many_holes";
		/* Without MADV_GUARD_INSTALL (Linux 6.13) the number of holes is half as high. */
		if (!madvise(NULL, 0, 102))
			many_holes();
	}
	return 0;
}
