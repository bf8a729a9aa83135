// SPDX-License-Identifier: GPL-2.0
/*
 * A pager: whoever has the descriptor that UPADEV_ADMIT returned. This file knows who it is, and
 * which threads wait for pages that are away; paging.c does what it asks for.
 *
 * A touch finds UPADEV_SHADOW_AWAY, gets into the list, gives up mmap_lock and sleeps, as with
 * userfaultfd. It looks at the shadow entry after it is in the list and its state is set; whoever
 * changes an entry looks into the list afterwards. So one of them sees the other. Then the kernel
 * repeats the fault from the start: nothing that was known before is relied upon. The list is of
 * threads, so that it is bounded without memory of its own, and first come is first told.
 *
 * The pager's file does not hold the region: a pager that hangs keeps no frames of the dead. Nor
 * can it delay the owner: it holds nothing of the region while it copies user memory, and whatever
 * it does to the region it does under mmap_lock, and only after it was seen there to be admitted
 * still. UPADEV_REVOKE takes its right away and then that lock for writing, once.
 */
#include <linux/anon_inodes.h>
#include <linux/compat.h>
#include <linux/file.h>
#include <linux/memcontrol.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "region.h"

#define UPA_FAULTS_AT_ONCE 16U /* told by one read() */

/**
 * struct upa_pager - what is behind a pager's descriptor
 * @lock: of @region
 * @region: that it may act on; NULL once it was revoked, or the region has ended
 * @events: who waits for a touch to be told
 * @pending: there is one
 */
struct upa_pager {
	spinlock_t lock;
	struct upa_region *region;
	wait_queue_head_t events;
	bool pending;
};

/**
 * struct upa_away - of a region that has had a pager
 * @lock: of what follows; the lock of the pager is taken under it
 * @unread: threads that wait and of which no pager knows, oldest first
 * @told: the others
 * @pager: who is admitted
 * @wait: threads wait also without one
 */
struct upa_away {
	spinlock_t lock;
	struct list_head unread;
	struct list_head told;
	struct upa_pager *pager;
	bool wait;
};

/**
 * struct upa_waiter - a thread that waits for a page, on its stack
 * @link: in one of the lists, until it has taken itself out
 * @task: itself
 * @page: that it has touched
 * @word: the shadow entry that said that the page is away
 * @write: the touch was a store
 * @leave: it is to look at everything again; written under the lock
 */
struct upa_waiter {
	struct list_head link;
	struct task_struct *task;
	u64 page;
	u32 word;
	bool write;
	bool leave;
};

static bool upa_has_changed(const struct upa_region *r, const struct upa_waiter *w)
{
	return upa_number(r, w->page) != w->word;
}

/* Says whether there is anything to read. */
static void upa_announce(struct upa_away *a)
{
	struct upa_pager *p = a->pager;

	lockdep_assert_held(&a->lock);
	if (!p)
		return;
	WRITE_ONCE(p->pending, !list_empty(&a->unread));
	if (p->pending)
		wake_up_interruptible_poll(&p->events, EPOLLIN | EPOLLRDNORM);
}

static void upa_send_off(struct list_head *waiters)
{
	struct upa_waiter *w;

	list_for_each_entry (w, waiters, link) {
		WRITE_ONCE(w->leave, true);
		wake_up_process(w->task);
	}
}

/* Nobody is the pager any more. Threads that wait are told to the next one, or wait no more. */
static void upa_dismiss(struct upa_away *a)
{
	struct upa_pager *p = a->pager;

	lockdep_assert_held(&a->lock);
	if (p) {
		a->pager = NULL;
		/* Whoever finds no region under this lock may free the pager. */
		spin_lock(&p->lock);
		p->region = NULL;
		wake_up_poll(&p->events, EPOLLIN | EPOLLHUP);
		spin_unlock(&p->lock);
	}
	list_splice_init(&a->told, &a->unread); /* they came first */
	if (!a->wait)
		upa_send_off(&a->unread);
}

/*
 * Sleeps until the page is back, or there is nobody to wait for. VM_FAULT_SIGBUS: there is nobody,
 * and mmap_lock is still held; else it is not, unless the caller has asked not to wait.
 */
vm_fault_t upa_away_fault(struct upa_region *r, struct vm_fault *vmf, u64 page, u32 word)
{
	struct upa_away *a = smp_load_acquire(&r->away); /* pairs with the release in upa_admit() */
	struct upa_waiter w = {
		.task = current,
		.page = page,
		.word = word,
		.write = vmf->flags & FAULT_FLAG_WRITE,
	};
	struct file *file = vmf->vma->vm_file;
	unsigned int state = TASK_KILLABLE;

	if (!a || !(vmf->flags & FAULT_FLAG_ALLOW_RETRY) || !(vmf->flags & FAULT_FLAG_KILLABLE))
		return VM_FAULT_SIGBUS;
	/*
	 * A signal handler can run if the touch was made outside the kernel. Inside it is only
	 * repeated: with a signal pending it would go round for ever.
	 */
	if (vmf->flags & FAULT_FLAG_INTERRUPTIBLE && vmf->flags & FAULT_FLAG_USER)
		state = TASK_INTERRUPTIBLE;
	spin_lock(&a->lock);
	if (!a->pager && !a->wait) {
		spin_unlock(&a->lock);
		return VM_FAULT_SIGBUS;
	}
	if (vmf->flags & FAULT_FLAG_RETRY_NOWAIT) {
		spin_unlock(&a->lock);
		return VM_FAULT_RETRY;
	}
	list_add_tail(&w.link, &a->unread);
	upa_announce(a);
	spin_unlock(&a->lock);
	atomic64_inc(&r->count.away_faults);
	get_file(file); /* hence the region: without mmap_lock the mapping may go */
	mmap_read_unlock(vmf->vma->vm_mm);
	for (;;) {
		set_current_state(state);
		if (READ_ONCE(w.leave) || upa_has_changed(r, &w) ||
		    signal_pending_state(state, current))
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	spin_lock(&a->lock);
	list_del(&w.link);
	upa_announce(a);
	spin_unlock(&a->lock);
	fput(file);
	return VM_FAULT_RETRY;
}

static void upa_wake_changed(const struct upa_region *r, struct list_head *waiters)
{
	struct upa_waiter *w;

	list_for_each_entry (w, waiters, link)
		if (upa_has_changed(r, w))
			wake_up_process(w->task);
}

/* Shadow entries have changed: those that were waited for are touched again. */
void upa_away_look(struct upa_region *r)
{
	struct upa_away *a = smp_load_acquire(&r->away);

	smp_mb(); /* the entries, then the lists: see the top of this file */
	spin_lock(&a->lock);
	upa_wake_changed(r, &a->unread);
	upa_wake_changed(r, &a->told);
	spin_unlock(&a->lock);
}

/* The data is mapped no more: threads that wait for a page of it get a SIGSEGV. */
void upa_away_unmapped(struct upa_region *r)
{
	struct upa_away *a = smp_load_acquire(&r->away);

	if (!a)
		return;
	spin_lock(&a->lock);
	upa_send_off(&a->unread);
	upa_send_off(&a->told);
	spin_unlock(&a->lock);
}

/* Of a pager that is still admitted: its region, held until upa_put(). Else NULL. */
static struct upa_region *upa_pager_enter(struct upa_pager *p)
{
	struct upa_region *r;

	spin_lock(&p->lock);
	r = p->region;
	if (r)
		refcount_inc(&r->users);
	spin_unlock(&p->lock);
	return r;
}

/* May the pager act still? What it does under the owner's mmap_lock after this, it may. */
bool upa_is_admitted(const struct upa_pager *p)
{
	return READ_ONCE(p->region);
}

/*
 * A pager begins to work: the region and the owner's address space stay, and what is allocated is
 * the owner's. No user memory is copied until upa_visit_end().
 */
int upa_visit_begin(struct upa_pager *p, struct upa_visit *v)
{
	struct upa_region *r = upa_pager_enter(p);

	if (!r)
		return -ESHUTDOWN;
	if (!mmget_not_zero(r->mm)) {
		upa_put(r);
		return -ESRCH;
	}
	v->region = r;
	v->group = get_mem_cgroup_from_mm(r->mm);
	v->before = set_active_memcg(v->group);
	return 0;
}

void upa_visit_end(struct upa_visit *v)
{
	set_active_memcg(v->before);
	mem_cgroup_put(v->group);
	mmput(v->region->mm);
	upa_put(v->region);
}

/* The owner's mmap_lock, with the pager admitted and the data mapped. */
int upa_visit_lock(struct upa_pager *p, struct upa_region *r)
{
	int ret = 0;

	if (fatal_signal_pending(current) || mmap_read_lock_killable(r->mm))
		return -EINTR;
	if (!upa_is_admitted(p))
		ret = -ESHUTDOWN;
	else if (!upa_data_vma(r))
		ret = -ENXIO;
	if (ret)
		mmap_read_unlock(r->mm);
	return ret;
}

/*
 * Takes back what a pager has done to a shadow entry, if it may still act, whatever signal it has
 * got meanwhile. Under this lock, since to wait for mmap_lock it would have to be alive.
 */
void upa_pager_undo(struct upa_pager *p, u64 page, u32 now, u32 before)
{
	struct upa_region *r = upa_pager_enter(p);

	if (!r)
		return;
	spin_lock(&r->away->lock);
	if (r->away->pager == p)
		cmpxchg(&r->shadow[page], now, before);
	spin_unlock(&r->away->lock);
	upa_away_look(r);
	upa_put(r);
}

/* Moves up to @limit touches from unread to told. */
static unsigned int upa_tell(struct upa_pager *p, struct upa_away *a, struct upadev_fault *faults,
			     unsigned int limit)
{
	unsigned int n = 0;

	spin_lock(&a->lock);
	while (a->pager == p && n < limit && !list_empty(&a->unread)) {
		struct upa_waiter *w = list_first_entry(&a->unread, struct upa_waiter, link);

		faults[n++] = (struct upadev_fault){
			.page = w->page,
			.word = w->word,
			.flags = w->write ? UPADEV_FAULT_WRITE : 0,
		};
		list_move_tail(&w->link, &a->told);
	}
	upa_announce(a);
	spin_unlock(&a->lock);
	return n;
}

/* What was told did not arrive: all that is told is told again. */
static void upa_untell(struct upa_pager *p)
{
	struct upa_region *r = upa_pager_enter(p);

	if (!r)
		return;
	spin_lock(&r->away->lock);
	list_splice_init(&r->away->told, &r->away->unread);
	upa_announce(r->away);
	spin_unlock(&r->away->lock);
	upa_put(r);
}

static ssize_t upa_pager_read(struct file *file, char __user *user, size_t bytes, loff_t *at)
{
	struct upa_pager *p = file->private_data;
	struct upadev_fault faults[UPA_FAULTS_AT_ONCE];
	size_t limit = min_t(size_t, bytes / sizeof(*faults), UPA_FAULTS_AT_ONCE);
	unsigned int n;

	if (!limit)
		return -EINVAL;
	for (;;) {
		struct upa_region *r = upa_pager_enter(p);

		if (!r)
			return 0;
		n = upa_tell(p, r->away, faults, limit);
		upa_put(r);
		if (n)
			break;
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		if (wait_event_interruptible(p->events,
					     READ_ONCE(p->pending) || !READ_ONCE(p->region)))
			return -ERESTARTSYS;
	}
	if (copy_to_user(user, faults, n * sizeof(*faults))) {
		upa_untell(p);
		return -EFAULT;
	}
	return n * sizeof(*faults);
}

static __poll_t upa_pager_poll(struct file *file, poll_table *wait)
{
	struct upa_pager *p = file->private_data;

	poll_wait(file, &p->events, wait);
	if (!READ_ONCE(p->region))
		return EPOLLIN | EPOLLRDNORM | EPOLLHUP;
	return READ_ONCE(p->pending) ? EPOLLIN | EPOLLRDNORM : 0;
}

static long upa_pager_ioctl(struct file *file, unsigned int call, unsigned long argument)
{
	struct upa_pager *p = file->private_data;
	void __user *user = (void __user *)argument;

	switch (call) {
	case UPADEV_PAGE_IN:
		return upa_paging(p, user, false);
	case UPADEV_PAGE_OUT:
		return upa_paging(p, user, true);
	case UPADEV_MAP:
		return upa_batch_call(NULL, p, user, true);
	case UPADEV_UNMAP:
		return upa_batch_call(NULL, p, user, false);
	case UPADEV_HARVEST:
		return upa_harvest_call(NULL, p, user);
	default:
		return -ENOTTY;
	}
}

static int upa_pager_release(struct inode *inode, struct file *file)
{
	struct upa_pager *p = file->private_data;
	struct upa_region *r = upa_pager_enter(p);

	if (r) {
		spin_lock(&r->away->lock);
		if (r->away->pager == p) /* else it was revoked just now */
			upa_dismiss(r->away);
		spin_unlock(&r->away->lock);
		upa_put(r);
	}
	kfree(p);
	return 0;
}

static const struct file_operations upa_pager_operations = {
	.owner = THIS_MODULE,
	.read = upa_pager_read,
	.poll = upa_pager_poll,
	.unlocked_ioctl = upa_pager_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.release = upa_pager_release,
	.llseek = noop_llseek,
};

/* The file of a new pager, which may do nothing yet. */
static struct file *upa_pager_file(void)
{
	struct upa_pager *p = kzalloc(sizeof(*p), GFP_KERNEL_ACCOUNT);
	struct file *file;

	if (!p)
		return ERR_PTR(-ENOMEM);
	spin_lock_init(&p->lock);
	init_waitqueue_head(&p->events);
	file = anon_inode_getfile("[upa-pager]", &upa_pager_operations, p, O_RDWR | O_CLOEXEC);
	if (IS_ERR(file))
		kfree(p);
	return file;
}

/* What pagers need of the region, if it is not there. */
static struct upa_away *upa_make_away(struct upa_region *r)
{
	struct upa_away *a;

	if (mutex_lock_killable(&r->create_lock))
		return ERR_PTR(-EINTR);
	a = r->away;
	if (!a) {
		a = kzalloc(sizeof(*a), GFP_KERNEL_ACCOUNT);
		if (a) {
			spin_lock_init(&a->lock);
			INIT_LIST_HEAD(&a->unread);
			INIT_LIST_HEAD(&a->told);
			/* Pairs with the acquire of those who look whether there is any. */
			smp_store_release(&r->away, a);
		}
	}
	mutex_unlock(&r->create_lock);
	return a ?: ERR_PTR(-ENOMEM);
}

static int upa_pager_flags(const struct upadev_pager __user *user, bool *wait)
{
	struct upadev_pager request;

	if (copy_from_user(&request, user, sizeof(request)))
		return -EFAULT;
	if (request.flags & ~UPADEV_PAGER_WAIT || request.pad ||
	    memchr_inv(request.reserved, 0, sizeof(request.reserved)))
		return -EINVAL;
	*wait = request.flags & UPADEV_PAGER_WAIT;
	return 0;
}

/* Makes a pager of the owner's, whose descriptor it returns. */
long upa_admit(struct upa_region *r, const struct upadev_pager __user *user)
{
	struct upa_pager *p;
	struct upa_away *a;
	struct file *file;
	bool wait;
	int ret, fd;

	if (r->mode != UPADEV_GUARDED || r->gone)
		return -EOPNOTSUPP;
	ret = upa_pager_flags(user, &wait);
	if (ret)
		return ret;
	a = upa_make_away(r);
	if (IS_ERR(a))
		return PTR_ERR(a);
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	file = upa_pager_file();
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	p = file->private_data;
	spin_lock(&a->lock);
	ret = a->pager ? -EBUSY : 0;
	if (!ret) {
		p->region = r; /* nobody else knows the pager yet */
		a->pager = p;
		a->wait = wait;
		upa_announce(a);
	}
	spin_unlock(&a->lock);
	if (ret) {
		put_unused_fd(fd);
		fput(file);
		return ret;
	}
	fd_install(fd, file);
	return fd;
}

long upa_revoke(struct upa_region *r, const struct upadev_pager __user *user)
{
	struct upa_away *a = smp_load_acquire(&r->away);
	bool wait;
	int ret;

	if (r->mode != UPADEV_GUARDED || r->gone)
		return -EOPNOTSUPP;
	ret = upa_pager_flags(user, &wait);
	if (ret)
		return ret;
	if (!a)
		return -ENOENT;
	spin_lock(&a->lock);
	a->wait = wait;
	upa_dismiss(a);
	spin_unlock(&a->lock);
	/* What it is doing just now, it does under this lock. */
	if (mmap_write_lock_killable(r->mm))
		return -EINTR;
	mmap_write_unlock(r->mm);
	return 0;
}

/* The region ends: nobody waits, since who waits holds the file. */
void upa_pager_forget(struct upa_region *r)
{
	if (!r->away)
		return;
	spin_lock(&r->away->lock);
	upa_dismiss(r->away);
	spin_unlock(&r->away->lock);
}
