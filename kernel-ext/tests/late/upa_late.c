// SPDX-License-Identifier: GPL-2.0
/*
 * For the test `paging_race`: a thread that comes late. The one named upa-late is held up where
 * it is about to take the second spin lock in a row from functions whose names begin with @callers,
 * once, until @go is written, or ten seconds have passed. @there says that it is there.
 */
#include <linux/delay.h>
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/module.h>

#define PATIENCE 10000 /* ms */

static char *callers = "";
static bool there, go;

module_param(callers, charp, 0400);
module_param(there, bool, 0400);
module_param(go, bool, 0600);

static int before_lock(struct kprobe *probe, struct pt_regs *regs)
{
	static unsigned int in_a_row; /* of one thread */
	char caller[KSYM_SYMBOL_LEN];
	unsigned int i;

	if (there || strcmp(current->comm, "upa-late"))
		return 0;
	sprint_symbol(caller, regs_get_kernel_stack_nth(regs, 0));
	in_a_row = strncmp(caller, callers, strlen(callers)) ? 0 : in_a_row + 1;
	if (in_a_row < 2)
		return 0;
	WRITE_ONCE(there, true);
	for (i = 0; i < PATIENCE && !READ_ONCE(go); i++)
		mdelay(1);
	return 0;
}

static struct kprobe probe = {
	.symbol_name = "_raw_spin_lock",
	.pre_handler = before_lock,
};

static int __init late_init(void)
{
	return register_kprobe(&probe);
}

static void __exit late_exit(void)
{
	unregister_kprobe(&probe);
}

module_init(late_init);
module_exit(late_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Holds a thread up, for tests of upa");
