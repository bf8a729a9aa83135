/* SPDX-License-Identifier: Apache-2.0 */
/* What makes UPA stand aside. */
#define _GNU_SOURCE
#include "preload/stand_aside/reasons.h"

static void nothing(void)
{
}

static void limit(int resource, int more)
{
	struct rlimit l = { 8192 * MIB, 8192 * MIB };
	struct rlimit64 l64 = { 8192 * MIB, 8192 * MIB };

	CHECK(!(more ? prlimit64(0, resource, &l64, NULL) : setrlimit(resource, &l)));
}

void limit_addresses(void)
{
	limit(RLIMIT_AS, 0);
}
void limit_data(void)
{
	limit(RLIMIT_DATA, 1);
}
static void limit_by_pid(void)
{
	struct rlimit l = { 8192 * MIB, 8192 * MIB };

	CHECK(!prlimit(getpid(), RLIMIT_AS, &l, NULL));
}

/* It is there already, and says so when it has been limited. */
static void limit_another(void)
{
	struct rlimit l = { 8192 * MIB, 8192 * MIB };
	int ends[2], status;
	char go = 0;
	pid_t child;

	CHECK(!pipe(ends));
	child = fork();
	if (!child)
		_exit(read(ends[0], &go, 1) == 1 ? 0 : 1);
	CHECK(child > 0 && !prlimit(child, RLIMIT_AS, &l, NULL) && !prlimit(child, RLIMIT_DATA, &l, NULL));
	CHECK(write(ends[1], &go, 1) == 1 && waitpid(child, &status, 0) == child && !status);
}

/* As programs do that start others: the limit is the child's, whose memory is the parent's until it runs another. */
static void limit_child(bool exceeds)
{
	int status;
	pid_t child = vfork();

	if (!child) {
		limit(RLIMIT_AS, 0);
		limit(RLIMIT_DATA, 1);
		if (exceeds && mmap(NULL, 16384 * MIB, PROT_NONE, ANON | MAP_NORESERVE, -1, 0) != MAP_FAILED)
			_exit(1);
		execl("/bin/true", "true", NULL);
		_exit(2);
	}
	CHECK(child > 0 && waitpid(child, &status, 0) == child && !status);
}

static void limit_a_child(void)
{
	limit_child(false);
}
static void refuse_a_child(void)
{
	limit_child(true);
}

/* From outside, so that nobody sees it but by what is refused then. */
void refuse(void)
{
	struct rlimit64 l = { 8192 * MIB, 8192 * MIB };

	CHECK(!bare(SYS_prlimit64, 0, RLIMIT_AS, (long)&l, 0, 0, 0));
	CHECK(mmap(NULL, 16384 * MIB, PROT_NONE, ANON | MAP_NORESERVE, -1, 0) == MAP_FAILED && errno == ENOMEM);
}
void lock_all(void)
{
	CHECK(!mlockall(MCL_CURRENT));
}
void announce_filter(void)
{
	CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

/* As a privileged program may, without announcing it. It fails: what is tried counts. */
static void filter_at_once(void)
{
	CHECK(prctl(PR_SET_SECCOMP, 99, 0, 0, 0) == -1);
}

void send_without_copying(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	CHECK(fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)) && !close(fd));
}

/* Fails, since there is no such descriptor: what is announced counts. */
static void handle_faults(void)
{
	struct uffdio_register r = { { 0, 0 }, UFFDIO_REGISTER_MODE_MISSING, 0 };

	CHECK(ioctl(-1, UFFDIO_REGISTER, &r) == -1);
}

static void begin_to_handle_faults(void)
{
	struct uffdio_api api = { .api = UFFD_API };

	CHECK(ioctl(-1, UFFDIO_API, &api) == -1);
}

/* Nothing is sealed: an empty range, or no such call. */
static void seal(void)
{
	long result = syscall(462 /* SYS_mseal */, NULL, 0, 0);

	CHECK(!result || errno == ENOSYS || errno == EPERM);
}

static void pin(void)
{
	CHECK(syscall(SYS_io_setup, 0, NULL) == -1);
}

static void pin_by_sockets(void)
{
	CHECK(setsockopt(-1, 283 /* SOL_XDP */, 4 /* XDP_UMEM_REG */, NULL, 0) == -1);
}

/* RDMA_VERBS_IOCTL, which needs no header here. */
static void pin_by_devices(void)
{
	CHECK(ioctl(-1, _IOWR(0x1b, 1, char[24]), NULL) == -1);
}

static void pin_for_a_guest(void)
{
	CHECK(ioctl(-1, _IOW(0xae, 0x46, char[32]) /* KVM_SET_USER_MEMORY_REGION */, NULL) == -1);
}

/* liburing makes its system calls itself. Without UPA, and without liburing, there is no such function. */
static void pin_by_a_library(void)
{
	int (*begin)(unsigned, void *, unsigned) = (__typeof__(begin))dlsym(RTLD_DEFAULT, "io_uring_queue_init");

	CHECK(!begin || begin(0, NULL, 0) < 0);
}

static void make_data_executable(void)
{
	CHECK(personality(READ_IMPLIES_EXEC) != -1);
}

static void begin_a_stack(void)
{
	CHECK(mmap((void *)(1ul << 44), PAGE, RW, ANON | MAP_GROWSDOWN, -1, 0) != MAP_FAILED);
}

static void *page_of_a_file(void)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	void *page = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);

	CHECK(page != MAP_FAILED && !close(fd));
	return page;
}

static void lock_a_page(void)
{
	CHECK(!mlock(page_of_a_file(), PAGE));
}
static void lock_a_page_on_fault(void)
{
	CHECK(!mlock2(page_of_a_file(), PAGE, MLOCK_ONFAULT));
}

/* Also where the kernel has none of it yet. */
static void guard_a_page(void)
{
	if (madvise(page_of_a_file(), PAGE, MADV_GUARD_INSTALL))
		CHECK(errno == EINVAL);
}

static void key_a_page(void)
{
	if (pkey_mprotect(page_of_a_file(), PAGE, PROT_READ, 0))
		CHECK(errno == EINVAL || errno == ENOSYS || errno == ENOSPC);
}

static void splice_a_page(void)
{
	struct iovec vector = { page_of_a_file(), PAGE };
	int pipes[2];

	CHECK(!pipe(pipes) && vmsplice(pipes[1], &vector, 1, 0) == (ssize_t)PAGE);
}

static void no_huge_pages(void)
{
	if (madvise(page_of_a_file(), PAGE, MADV_NOHUGEPAGE))
		CHECK(errno == EINVAL);
}

/* What is none: other resources, other sockets' options, other advice, no limit. */
static void harmless(void)
{
	struct rlimit files, none = { RLIM_INFINITY, RLIM_INFINITY };
	int fd = socket(AF_INET, SOCK_STREAM, 0), pipes[2], one = 1, bytes;

	CHECK(!getrlimit(RLIMIT_NOFILE, &files) && !setrlimit(RLIMIT_NOFILE, &files));
	CHECK(!setrlimit(RLIMIT_AS, &none) && !prlimit(0, RLIMIT_AS, NULL, &none));
	CHECK(!setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) && !close(fd));
	CHECK(!pipe(pipes) && !ioctl(pipes[0], FIONREAD, &bytes));
	CHECK(ioctl(pipes[0], _IO(0x1b, 1), NULL) == -1); /* another driver's: of this type, but not both ways */
	CHECK(!prctl(PR_SET_NAME, "harmless", 0, 0, 0));
	CHECK(personality(0xffffffff) != -1 && personality((unsigned)personality(0xffffffff)) != -1);
	CHECK(!madvise(page_of_a_file(), PAGE, MADV_WILLNEED));
	/* Refused, but by no limit. */
	CHECK(mmap(NULL, 1ul << 47, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == ENOMEM);
}

const struct reason reasons[] = {
	{ "none", nothing },
	{ "harmless", harmless },
	{ "limited-addresses", limit_addresses },
	{ "limited-data", limit_data },
	{ "limited-by-pid", limit_by_pid },
	{ "limited-another", limit_another },
	{ "refused", refuse },
	{ "limited-child", limit_a_child },
	{ "refused-child", refuse_a_child },
	{ "locked-whole", lock_all },
	{ "filtered", announce_filter },
	{ "filtered-at-once", filter_at_once },
	{ "zerocopy", send_without_copying },
	{ "faults", handle_faults },
	{ "faults-begun", begin_to_handle_faults },
	{ "sealed", seal },
	{ "pinned", pin },
	{ "pinned-by-sockets", pin_by_sockets },
	{ "pinned-by-devices", pin_by_devices },
	{ "pinned-for-a-guest", pin_for_a_guest },
	{ "pinned-by-a-library", pin_by_a_library },
	{ "executable", make_data_executable },
	{ "growing", begin_a_stack },
	{ "locked", lock_a_page },
	{ "locked-on-fault", lock_a_page_on_fault },
	{ "guarded", guard_a_page },
	{ "keyed", key_a_page },
	{ "spliced", splice_a_page },
	{ "no-huge-pages", no_huge_pages },
};

const size_t reason_count = sizeof(reasons) / sizeof(*reasons);

/* Numbers and sizes as the kernel's headers have them, or NVIDIA's. */
const struct request requests[] = {
	{ "RDMA_VERBS_IOCTL", _IOWR(0x1b, 1, char[24]), { 0 }, true },
	{ "RDMA that only reads", _IOR(0x1b, 1, char[24]), { 0 }, false },
	{ "VIDIOC_REQBUFS", 0xc0145608, { 0 }, true },
	{ "VIDIOC_CREATE_BUFS", 0xc100565c, { 0 }, true },
	{ "VIDIOC_QUERYCAP", 0x80685600, { 0 }, false },
	{ "VFIO_IOMMU_MAP_DMA", 0x3b71, { 0 }, true },
	{ "VFIO_IOMMU_GET_INFO", 0x3b70, { 0 }, false },
	{ "IOMMU_IOAS_MAP", 0x3b85, { 0 }, true },
	{ "DFL_FPGA_PORT_DMA_MAP", 0xb643, { 0 }, true },
	{ "DRM_IOCTL_HL_MEMORY", 0xc0286444, { 0 }, true },
	{ "HL_IOCTL_MEMORY", 0xc0284805, { 0 }, true },
	{ "DRM_IOCTL_ETNAVIV_GEM_USERPTR", 0xc0186448, { 0 }, true },
	{ "DRM_IOCTL_IVPU_BO_CREATE_FROM_USERPTR", 0xc020644e, { 0 }, true },
	{ "DRM_IOCTL_AMDGPU_GEM_USERPTR", 0xc0186451, { 0 }, true },
	{ "DRM_IOCTL_RADEON_GEM_USERPTR", 0xc018646d, { 0 }, true },
	{ "DRM_IOCTL_I915_GEM_USERPTR", 0xc0186473, { 0 }, true },
	{ "AMDKFD_IOC_ALLOC_MEMORY_OF_GPU", 0xc0284b16, { 0 }, true },
	{ "GENWQE_PIN_MEM", 0xc020a528, { 0 }, true },
	{ "KVM_SET_USER_MEMORY_REGION", 0x4020ae46, { 0 }, true },
	{ "KVM_SET_USER_MEMORY_REGION2", 0x40a0ae49, { 0 }, true },
	{ "KVM_CREATE_VM", 0xae01, { 0 }, false },
	{ "NE_SET_USER_MEMORY_REGION", 0x4018ae23, { 0 }, true },
	{ "ACRN_IOCTL_SET_MEMSEG", 0x4020a241, { 0 }, true },
	{ "MSHV_SET_GUEST_MEMORY", 0x4020b802, { 0 }, true },
	{ "VHOST_SET_OWNER", 0xaf01, { 0 }, true },
	{ "VHOST_SET_MEM_TABLE", 0x4008af03, { 0 }, true },
	{ "VDUSE_IOTLB_REG_UMEM", 0x40308118, { 0 }, true },
	{ "NV_ESC_RM_ALLOC_MEMORY of the program's", _IOWR('F', 0x27, char[56]), { 0, 0, 0, 0x71 }, true },
	{ "NV_ESC_RM_ALLOC_MEMORY of the driver's", _IOWR('F', 0x27, char[56]), { 0x71, 0x71, 0x71, 0x3e }, false },
	{ "NV_ESC_RM_ALLOC of the program's", _IOWR('F', 0x2b, char[48]), { 0, 0, 0, 0x71 }, true },
	{ "NV_ESC_RM_ALLOC of the driver's", _IOWR('F', 0x2b, char[32]), { 0, 0, 0, 0x40 }, false },
	{ "NV_ESC_RM_VID_HEAP_CONTROL of the program's", _IOWR('F', 0x4a, char[184]), { 0, 0, 27, 0 }, true },
	{ "NV_ESC_RM_VID_HEAP_CONTROL of the driver's", _IOWR('F', 0x4a, char[184]), { 27, 27, 2, 27 }, false },
	{ "NV_ESC_RM_FREE", _IOWR('F', 0x29, char[16]), { 0, 0, 27, 0x71 }, false },
	{ "of another driver", _IOWR('G', 0x27, char[56]), { 0, 0, 27, 0x71 }, false },
	{ "of a frame buffer", _IOR('F', 0x27, char[56]), { 0, 0, 27, 0x71 }, false },
	{ "TIOCGWINSZ", TIOCGWINSZ, { 0 }, false },
};

const size_t request_count = sizeof(requests) / sizeof(*requests);
