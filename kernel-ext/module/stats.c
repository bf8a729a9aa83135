// SPDX-License-Identifier: GPL-2.0
/*
 * What the regions of this machine hold and have done, for whoever administers it: a line for each
 * in debugfs (upa/regions). A process asks for its own by UPADEV_STATS.
 */
#include <linux/debugfs.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/seq_file.h>

#include "region.h"

static LIST_HEAD(upa_all);
static DEFINE_MUTEX(upa_all_lock); /* held while a line is written, never while it is copied out */
static struct dentry *upa_directory;

static const char *const upa_mode_names[] = {
	[UPADEV_GUARDED] = "guarded",
	[UPADEV_RAW_PTE] = "raw-pte",
	[UPADEV_RAW_PMD] = "raw-pmd",
};

static void *upa_regions_start(struct seq_file *seq, loff_t *at)
{
	mutex_lock(&upa_all_lock);
	return seq_list_start_head(&upa_all, *at);
}

static void *upa_regions_next(struct seq_file *seq, void *at, loff_t *index)
{
	return seq_list_next(at, &upa_all, index);
}

static void upa_regions_stop(struct seq_file *seq, void *at)
{
	mutex_unlock(&upa_all_lock);
}

static int upa_regions_show(struct seq_file *seq, void *at)
{
	struct upa_region *r = list_entry(at, struct upa_region, all_link);
	const struct upa_counters *c = &r->count;

	if (at == &upa_all) {
		seq_puts(seq, "owner mode pages frames max_frames charged gone faults fault_pages");
		seq_puts(seq, " bad_faults maps map_pages unmaps unmap_pages shootdowns");
		seq_puts(seq, " shared_shootdowns reclaimed block_entries");
		seq_puts(seq, " away_faults paged_in paged_out\n");
		return 0;
	}
	seq_printf(seq, "%d %s %llu %llu %llu %llu %llu", r->owner, upa_mode_names[r->mode],
		   r->pages, READ_ONCE(r->frames), r->max_frames, READ_ONCE(r->charged_pages),
		   upa_gone_pages(r));
	seq_printf(seq, " %lld %lld %lld", atomic64_read(&c->faults),
		   atomic64_read(&c->fault_pages), atomic64_read(&c->bad_faults));
	seq_printf(seq, " %lld %lld %lld %lld", atomic64_read(&c->map_calls),
		   atomic64_read(&c->map_pages), atomic64_read(&c->unmap_calls),
		   atomic64_read(&c->unmap_pages));
	seq_printf(seq, " %lld %lld %lld %lld", atomic64_read(&c->shootdowns),
		   atomic64_read(&c->shared_shootdowns), atomic64_read(&c->reclaimed_pages),
		   atomic64_read(&c->block_entries));
	seq_printf(seq, " %lld %lld %lld\n", atomic64_read(&c->away_faults),
		   atomic64_read(&c->paged_in), atomic64_read(&c->paged_out));
	return 0;
}

static const struct seq_operations upa_regions_sops = {
	.start = upa_regions_start,
	.next = upa_regions_next,
	.stop = upa_regions_stop,
	.show = upa_regions_show,
};
DEFINE_SEQ_ATTRIBUTE(upa_regions);

/* A region that is ready is shown until it ends. */
void upa_stats_add(struct upa_region *r)
{
	mutex_lock(&upa_all_lock);
	list_add_tail(&r->all_link, &upa_all);
	mutex_unlock(&upa_all_lock);
}

void upa_stats_remove(struct upa_region *r)
{
	if (!r->ready)
		return;
	mutex_lock(&upa_all_lock);
	list_del(&r->all_link);
	mutex_unlock(&upa_all_lock);
}

/* Without debugfs there are no statistics, and nothing else is missing. */
void upa_stats_init(void)
{
	upa_directory = debugfs_create_dir("upa", NULL);
	debugfs_create_file("regions", 0400, upa_directory, NULL, &upa_regions_fops);
}

void upa_stats_exit(void)
{
	debugfs_remove_recursive(upa_directory);
}
