// SPDX-License-Identifier: GPL-2.0
/*
 * For the test `secondary`: a stand-in for a device or a guest that shares an address space. A
 * process that opens /dev/upa_notifier has one, until it is closed. write() says which addresses it
 * has translations of, two __u64: start and end; read() how often it was told since to drop some of
 * them, a __u64.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

struct notifier {
	struct mmu_notifier notifier;
	u64 range[2];
	atomic64_t told;
};

static int invalidate(struct mmu_notifier *notifier, const struct mmu_notifier_range *range)
{
	struct notifier *n = container_of(notifier, struct notifier, notifier);

	if (range->start < READ_ONCE(n->range[1]) && range->end > READ_ONCE(n->range[0]))
		atomic64_inc(&n->told);
	return 0;
}

static const struct mmu_notifier_ops operations = {
	.invalidate_range_start = invalidate,
};

static int notifier_open(struct inode *inode, struct file *file)
{
	struct notifier *n = kzalloc(sizeof(*n), GFP_KERNEL);
	int ret;

	if (!n)
		return -ENOMEM;
	n->notifier.ops = &operations;
	ret = mmu_notifier_register(&n->notifier, current->mm);
	if (ret)
		kfree(n);
	else
		file->private_data = n;
	return ret;
}

static int notifier_release(struct inode *inode, struct file *file)
{
	struct notifier *n = file->private_data;

	mmu_notifier_unregister(&n->notifier, n->notifier.mm);
	kfree(n);
	return 0;
}

static ssize_t notifier_write(struct file *file, const char __user *user, size_t bytes, loff_t *at)
{
	struct notifier *n = file->private_data;
	u64 range[2];

	if (bytes != sizeof(range))
		return -EINVAL;
	if (copy_from_user(range, user, sizeof(range)))
		return -EFAULT;
	WRITE_ONCE(n->range[0], range[0]);
	WRITE_ONCE(n->range[1], range[1]);
	atomic64_set(&n->told, 0);
	return bytes;
}

static ssize_t notifier_read(struct file *file, char __user *user, size_t bytes, loff_t *at)
{
	struct notifier *n = file->private_data;
	u64 told = atomic64_read(&n->told);

	if (bytes != sizeof(told))
		return -EINVAL;
	return copy_to_user(user, &told, sizeof(told)) ? -EFAULT : bytes;
}

static const struct file_operations notifier_operations = {
	.owner = THIS_MODULE,
	.open = notifier_open,
	.release = notifier_release,
	.read = notifier_read,
	.write = notifier_write,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "upa_notifier",
	.fops = &notifier_operations,
	.mode = 0600,
};

module_misc_device(device);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("A stand-in for a secondary MMU, for tests of upa");
