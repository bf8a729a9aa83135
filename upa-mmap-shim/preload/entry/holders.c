/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls by which somebody else comes to work on the program's pages, for longer than the call takes: the network, a
 * disk, a device, a guest, who handles page faults. What is unmapped then is not free for UPA to hand out.
 */
#define _GNU_SOURCE
#include <linux/userfaultfd.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "entry/entry.h"
#include "entry/symbols.h"
#include "gate.h"
#include "os/filter.h"
#include "stand_aside.h"

#ifndef SOL_XDP
#define SOL_XDP 283
#endif
#ifndef SYS_mseal
#define SYS_mseal 462
#endif

/* Pages on their way out by MSG_ZEROCOPY belong to the network until it says so: no reuse can be safe. */
EXPORT int setsockopt(int fd, int level, int option, const void *value, socklen_t length)
{
	if (level == SOL_SOCKET && option == SO_ZEROCOPY)
		stand_aside(ASIDE_ZEROCOPY);
	if (level == SOL_XDP)
		stand_aside(ASIDE_PINNED);
	return (int)entry_result(ENTRY_NEXT(setsockopt,
					    os_call(SYS_setsockopt, fd, level, option, (long)value, length, 0), fd,
					    level, option, value, length));
}

/* libaio's name. What is under way when its pages are unmapped goes on, and may be a read into them. */
EXPORT int io_setup(int most, void *context)
{
	stand_aside(ASIDE_PINNED);
	return (int)os_call(SYS_io_setup, most, (long)context, 0, 0, 0, 0);
}

/*
 * Memory that was handed out from the region may be there, and read zero, though the program has never touched it:
 * the kernel's would be missing. A page to which the program has written zeros is taken for such a one.
 */
static void empty_untouched(const struct uffdio_register *wanted)
{
	static const char zeros[4096];
	char *at, *end, *from;

	if (!entry_readable(wanted) || !entry_readable(&wanted->mode) ||
	    !(wanted->mode & UFFDIO_REGISTER_MODE_MISSING) || (wanted->range.start | wanted->range.len) % sizeof(zeros))
		return;
	at = (char *)wanted->range.start;
	end = at + wanted->range.len;
	for (from = at; at < end; at += sizeof(zeros)) {
		unsigned char resident = 0;

		if (gate_knows(at) && !os_resident(at, sizeof(zeros), &resident) && resident && entry_readable(at) &&
		    !memcmp(at, zeros, sizeof(zeros)))
			continue;
		if (at > from)
			os_madvise(from, (size_t)(at - from), MADV_DONTNEED);
		from = at + sizeof(zeros);
	}
	if (at > from)
		os_madvise(from, (size_t)(at - from), MADV_DONTNEED);
}

/* Does the structure that a program hands to the kernel have this word there? Who has a filter is not asked. */
static bool says(const uint32_t *structure, size_t word, uint32_t value)
{
	return os_filtered() || (entry_readable(structure + word) && structure[word] == value);
}

/* NVIDIA's driver takes memory of the program's, for CUDA too, by one of three calls, as an object of a class. */
static bool hands_to_nvidia(unsigned long request, const uint32_t *structure)
{
	if (_IOC_TYPE(request) != 'F' || _IOC_DIR(request) != (_IOC_READ | _IOC_WRITE))
		return false;
	switch (_IOC_NR(request)) {
	case 0x27: /* NV_ESC_RM_ALLOC_MEMORY */
	case 0x2b: /* NV_ESC_RM_ALLOC */ return says(structure, 3, 0x71 /* NV01_MEMORY_SYSTEM_OS_DESCRIPTOR */);
	case 0x4a: /* NV_ESC_RM_VID_HEAP_CONTROL */
		return says(structure, 2, 27 /* NVOS32_FUNCTION_ALLOC_OS_DESCRIPTOR */);
	default: return false;
	}
}

/*
 * By which memory of the program's is handed to a device, or to a guest or a server in the kernel. It is worked on
 * until it is taken back, or until the kernel unmaps it. libc has no headers of most; structures are as long as they
 * are.
 */
static bool hands_over(unsigned long request, const void *argument)
{
	switch (request) {
	case _IOWR('V', 8, char[20]):     /* VIDIOC_REQBUFS */
	case _IOWR('V', 92, char[256]):   /* VIDIOC_CREATE_BUFS */
	case _IO(';', 113):               /* VFIO_IOMMU_MAP_DMA */
	case _IO(';', 133):               /* IOMMU_IOAS_MAP */
	case _IO(0xb6, 0x43):             /* DFL_FPGA_PORT_DMA_MAP */
	case _IOWR('d', 0x44, char[40]):  /* DRM_IOCTL_HL_MEMORY, of Gaudi */
	case _IOWR('H', 5, char[40]):     /* HL_IOCTL_MEMORY, the same before 6.7 */
	case _IOWR('d', 0x48, char[24]):  /* DRM_IOCTL_ETNAVIV_GEM_USERPTR */
	case _IOWR('d', 0x4e, char[32]):  /* DRM_IOCTL_IVPU_BO_CREATE_FROM_USERPTR */
	case _IOWR('d', 0x51, char[24]):  /* DRM_IOCTL_AMDGPU_GEM_USERPTR */
	case _IOWR('d', 0x6d, char[24]):  /* DRM_IOCTL_RADEON_GEM_USERPTR */
	case _IOWR('d', 0x73, char[24]):  /* DRM_IOCTL_I915_GEM_USERPTR */
	case _IOWR('K', 0x16, char[40]):  /* AMDKFD_IOC_ALLOC_MEMORY_OF_GPU */
	case _IOWR(0xa5, 40, char[32]):   /* GENWQE_PIN_MEM */
	case _IOW(0xae, 0x46, char[32]):  /* KVM_SET_USER_MEMORY_REGION */
	case _IOW(0xae, 0x49, char[160]): /* KVM_SET_USER_MEMORY_REGION2 */
	case _IOW(0xae, 0x23, char[24]):  /* NE_SET_USER_MEMORY_REGION, of Nitro Enclaves */
	case _IOW(0xa2, 0x41, char[32]):  /* ACRN_IOCTL_SET_MEMSEG */
	case _IOW(0xb8, 2, char[32]):     /* MSHV_SET_GUEST_MEMORY */
	case _IO(0xaf, 1):                /* VHOST_SET_OWNER: what vDPA gets then comes by write() */
	case _IOW(0xaf, 3, char[8]):      /* VHOST_SET_MEM_TABLE */
	case _IOW(0x81, 0x18, char[48]): /* VDUSE_IOTLB_REG_UMEM */ return true;
	default:
		/* RDMA_VERBS_IOCTL: libibverbs makes such calls on a device that it has opened, the first at once. */
		return (_IOC_TYPE(request) == 0x1b && _IOC_DIR(request) == (_IOC_READ | _IOC_WRITE)) ||
		       hands_to_nvidia(request, argument);
	}
}

/* Who handles page faults wants the kernel's, from the first call of userfaultfd's on. */
EXPORT int ioctl(int fd, unsigned long request, ...)
{
	va_list arguments;
	unsigned long argument;

	va_start(arguments, request);
	argument = va_arg(arguments, unsigned long);
	va_end(arguments);
	if (request == UFFDIO_API || request == UFFDIO_REGISTER)
		stand_aside(ASIDE_FAULTS);
	if (hands_over(request, (const void *)argument))
		stand_aside(ASIDE_PINNED);
	if (request == UFFDIO_REGISTER)
		empty_untouched((const struct uffdio_register *)argument);
	return (int)entry_result(ENTRY_NEXT(ioctl, os_call(SYS_ioctl, fd, (long)request, (long)argument, 0, 0, 0), fd,
					    request, argument));
}

/* libc's since glibc 2.41. */
int mseal(void *address, size_t length, unsigned long flags);

EXPORT int mseal(void *address, size_t length, unsigned long flags)
{
	stand_aside(ASIDE_SEALED);
	return (int)entry_result(os_call(SYS_mseal, (long)address, (long)length, (long)flags, 0, 0, 0));
}

/* ---- libraries that make their system calls themselves ------------------------------------------------ */

/*
 * The next function of this name, looked for when it is called: few programs have one. Without one, what a kernel says
 * that has no such thing.
 */
#define BEGINS(name, none, ...)                                                                                        \
	({                                                                                                             \
		__typeof__(&name) next_one = (__typeof__(&name))symbol_next(&next, #name);                             \
                                                                                                                       \
		stand_aside(ASIDE_PINNED);                                                                             \
		next_one ? next_one(__VA_ARGS__) : (none);                                                             \
	})

struct io_uring;
struct io_uring_params;
int io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags);
int io_uring_queue_init_params(unsigned entries, struct io_uring *ring, struct io_uring_params *parameters);
int io_uring_queue_init_mem(unsigned entries, struct io_uring *ring, struct io_uring_params *parameters, void *memory,
			    size_t bytes);
int io_uring_queue_init_try_nosqarr(unsigned entries, struct io_uring *ring, unsigned flags);
int io_uring_queue_mmap(int fd, struct io_uring_params *parameters, struct io_uring *ring);
int io_uring_setup(unsigned entries, struct io_uring_params *parameters);

EXPORT int io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags)
{
	return BEGINS(io_uring_queue_init, -ENOSYS, entries, ring, flags);
}

EXPORT int io_uring_queue_init_params(unsigned entries, struct io_uring *ring, struct io_uring_params *parameters)
{
	return BEGINS(io_uring_queue_init_params, -ENOSYS, entries, ring, parameters);
}

EXPORT int io_uring_queue_init_mem(unsigned entries, struct io_uring *ring, struct io_uring_params *parameters,
				   void *memory, size_t bytes)
{
	return BEGINS(io_uring_queue_init_mem, -ENOSYS, entries, ring, parameters, memory, bytes);
}

EXPORT int io_uring_queue_init_try_nosqarr(unsigned entries, struct io_uring *ring, unsigned flags)
{
	return BEGINS(io_uring_queue_init_try_nosqarr, -ENOSYS, entries, ring, flags);
}

EXPORT int io_uring_queue_mmap(int fd, struct io_uring_params *parameters, struct io_uring *ring)
{
	return BEGINS(io_uring_queue_mmap, -ENOSYS, fd, parameters, ring);
}

EXPORT int io_uring_setup(unsigned entries, struct io_uring_params *parameters)
{
	return BEGINS(io_uring_setup, -ENOSYS, entries, parameters);
}

/* libibverbs from before 2018 makes no ioctl(). */
struct ibv_context;
struct ibv_device;
struct ibv_context *ibv_open_device(struct ibv_device *device);

EXPORT struct ibv_context *ibv_open_device(struct ibv_device *device)
{
	return BEGINS(ibv_open_device, (errno = ENOSYS, NULL), device);
}

ENTRY_IS_OWN(ioctl);
ENTRY_IS_OWN(setsockopt);
