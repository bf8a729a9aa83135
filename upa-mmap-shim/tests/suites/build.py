# SPDX-License-Identifier: Apache-2.0
"""build.py: brings the suites' sources here and compiles their tests, each a program of its own with the system's libc.

What does not compile that way (tests of glibc's internals, for instance) is left out; the number of programs is
printed.
"""
import concurrent.futures
import contextlib
import fcntl
import os
import pathlib
import re
import shutil
import subprocess
import tarfile

LINK = ["-pthread", "-lrt", "-ldl", "-lm"]
# The newest that there is: what is older than the running kernel knows less of it.
KERNEL_SOURCES = ("linux-source-6.12", "linux-source-6.1")


class Failure(Exception):
    """What the caller has to be told, in one line."""


def quiet(command, **options):
    """Whether the command succeeds, in time if `timeout` is given."""
    try:
        return subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False, **options).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def in_parallel(function, items):
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return [result for result in pool.map(function, items) if result]


@contextlib.contextmanager
def building(work):
    """One run of the suites builds at a time; another waits for it."""
    work.mkdir(parents=True, exist_ok=True)
    with open(work / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def prime(source, work):
    library = work / "prime.so"
    work.mkdir(parents=True, exist_ok=True)
    fresh = library.with_suffix(".new")
    # -O0: a compiler knows that memory which is freed unread need not be written.
    if not quiet(["gcc", "-O0", "-shared", "-fPIC", source, "-o", fresh]):
        raise Failure(f"cannot compile source={source}")
    # Another run of the suites may be loading it.
    fresh.replace(library)
    return library


def debian_packages(names, folder):
    """Unpacks binary packages of Debian's in `folder`, without installing them; False if one is not to be had."""
    if folder.exists():
        return True
    fresh = folder.with_suffix(".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    if not quiet(["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", *names], cwd=fresh):
        return False
    for package in fresh.glob("*.deb"):
        if not quiet(["dpkg-deb", "-x", package, fresh]):
            raise Failure(f"cannot unpack package={package.name}")
        package.unlink()
    fresh.rename(folder)
    return True


def script(path, text):
    """A test that takes arguments, or more than one program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(f"#!/bin/sh\n{text}\n")
    fresh.chmod(0o755)
    # Another run of the suites may have it open.
    fresh.replace(path)
    return path


def debian_source(package, work):
    """Downloads Debian's source package with an apt state of our own and returns its upstream tarball, or None."""
    folder = work / "sources" / package
    found = list(folder.glob("*.orig.tar.*"))
    if found:
        return found[0]
    state = folder / "apt"
    for name in ("state/lists/partial", "cache/archives/partial", "sources"):
        (state / name).mkdir(parents=True, exist_ok=True)
    for path in pathlib.Path("/etc/apt/sources.list.d").glob("*.sources"):
        lines = ["Types: deb-src" if line.startswith("Types:") else line for line in path.read_text().splitlines()]
        (state / "sources" / path.name).write_text("\n".join(lines) + "\n")
    for path in [pathlib.Path("/etc/apt/sources.list"), *pathlib.Path("/etc/apt/sources.list.d").glob("*.list")]:
        if path.exists():
            lines = ["deb-src" + line[3:] for line in path.read_text().splitlines() if line.startswith("deb ")]
            (state / "sources" / path.name).write_text("\n".join(lines) + "\n")
    apt = ["apt-get", "-qq", "-o", f"Dir::State={state}/state", "-o", f"Dir::Cache={state}/cache",
           "-o", "Dir::Etc::SourceList=/dev/null", "-o", f"Dir::Etc::SourceParts={state}/sources",
           "-o", "APT::Sandbox::User=root"]
    quiet([*apt, "update"])
    # Not every mirror has the newest.
    said = subprocess.run(["apt-cache", *apt[2:], "showsrc", package], capture_output=True, text=True, check=False)
    versions = [line.split()[1] for line in said.stdout.splitlines() if line.startswith("Version: ")]
    for wanted in [package, *(f"{package}={version}" for version in reversed(versions))]:
        if quiet([*apt, "source", "--download-only", wanted], cwd=folder):
            break
    return next(iter(folder.glob("*.orig.tar.*")), None)


def unpack(tarball, folder, wanted):
    """Unpacks the members whose path below the tarball's top folder begins with one of `wanted`."""
    if folder.exists():
        return
    fresh = folder.with_suffix(".new")
    shutil.rmtree(fresh, ignore_errors=True)
    with tarfile.open(tarball) as archive:
        members = []
        for member in archive:
            below = member.name.partition("/")[2]
            if below and below.startswith(wanted):
                member.name = below
                members.append(member)
        archive.extractall(fresh, members)
    fresh.rename(folder)


def compile_tests(sources, folder, name_of, flags, libraries=(), near=False, wanted=lambda name: True):
    """Compiles each source to a program, if its name is wanted; returns the programs that there are."""
    folder.mkdir(parents=True, exist_ok=True)

    def one(source):
        program = folder / name_of(source)
        if program.exists():
            return program
        here = {"cwd": source.parent} if near else {}
        command = ["gcc", "-O2", "-w", "-D_GNU_SOURCE", *flags, source, "-o", program, *libraries, *LINK]
        return program if quiet(command, timeout=120, **here) else None

    return sorted(in_parallel(one, [source for source in sources if wanted(name_of(source))]))


class Suite:
    """What suites have in common: a name, and how many seconds one of its tests may take on a busy machine."""
    seconds = 120

    def build(self, work, ltp, wanted):
        """(None, programs), of names that are wanted at least, or the reason why there are none, and an empty list."""
        raise NotImplementedError


class Glibc(Suite):
    """Tests of malloc, threads, processes and memory calls, with glibc's own support library, compiled from source."""
    name = "glibc"
    folders = ("malloc", "nptl", "sysdeps/pthread", "posix", "misc", "stdlib", "io", "rt", "signal", "setjmp", "dlfcn",
               "libio", "sysdeps/unix/sysv/linux")
    # Libraries of tests.
    left_out = ("*-aux", "*-aux-*", "*-mod", "*-mod[0-9]*", "*[0-9]mod", "*[0-9]mod[0-9]", "*-lib", "*-lib[0-9]*")
    # Headers of its own that the support library and the tests include.
    headers = ("array_length.h", "intprops.h", "intprops-internal.h", "verify.h", "libc-diag.h", "libc-pointer-arith.h",
               "alloc_buffer.h", "scratch_buffer.h", "file_change_detection.h", "libc-misc.h", "stap-probe.h",
               "dynarray.h")
    # What its build would define.
    definitions = """
#include <limits.h>
#include <linux/limits.h>
#include <elf.h>
#define libc_hidden_proto(...)
#define libc_hidden_def(...)
#define attribute_hidden
#define attribute_relro
#define weak_alias(name, alias)
#define __set_errno(value) (errno = (value))
#define TIMEOUTFACTOR 4
#define DEFAULT_STACK_PERMS (PF_R | PF_W)
#define PREPARE_TIME64 1
"""
    paths = ("SRCDIR", "SLIBDIR", "SBINDIR", "ROOTSBINDIR", "OBJDIR", "OBJDIR_ELF_LDSO", "LIBDIR", "BINDIR",
             "COMPLOCALEDIR", "SYSCONFDIR", "INSTDIR")

    def build(self, work, _ltp, wanted):
        tarball = debian_source("glibc", work)
        if not tarball:
            return "no source package glibc in this machine's package sources", []
        source = work / "sources" / "glibc" / "tree"
        unpack(tarball, source, (*self.folders, "support/", "include/", "test-skeleton.c"))
        overlay = self.overlay(source, work / "glibc-overlay")
        flags = ["-std=gnu11", f"-I{overlay}", f"-I{source}/support", "-include", overlay / "definitions.h",
                 *(f'-D{path}_PATH="/nonexistent"' for path in self.paths)]
        library = self.support(source, work / "glibc-support", flags)
        sources = [path for folder in self.folders for pattern in ("tst-*.c", "bug-*.c")
                   for path in (source / folder).glob(pattern)
                   if not any(path.match(f"{pattern}.c") for pattern in self.left_out)]
        flags += ["-I.", f"-I{source}/sysdeps/pthread", f"-I{source}/sysdeps/unix/sysv/linux/x86"]

        def name_of(path):
            return str(path.parent.relative_to(source)).replace("/", "_") + "__" + path.stem

        return None, compile_tests(sources, work / "glibc", name_of, flags, [library], near=True,
                                   wanted=wanted)

    def overlay(self, source, folder):
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "malloc").mkdir(parents=True)
        (folder / "support").symlink_to(source / "support")
        (folder / "test-skeleton.c").symlink_to(source / "test-skeleton.c")
        for name in self.headers:
            if (source / "include" / name).exists():
                (folder / name).symlink_to(source / "include" / name)
        for name in ("dynarray-skeleton.c", "dynarray.h", "alloc_buffer.h", "scratch_buffer.h"):
            (folder / "malloc" / name).symlink_to(source / "malloc" / name)
        (folder / "definitions.h").write_text(self.definitions)
        (folder / "stackinfo.h").write_text("#define _STACK_GROWS_DOWN 1\n")
        (folder / "config.h").write_text("")
        (folder / "allocate_once.h").write_text("#define allocate_once(p, f, d, c) (*(p) ? *(p) : (*(p) = (f)(c)))\n")
        return folder

    def support(self, source, folder, flags):
        folder.mkdir(parents=True, exist_ok=True)

        def one(path):
            built = folder / (path.stem + ".o")
            command = ["gcc", "-O2", "-w", "-D_GNU_SOURCE", *flags, "-c", path, "-o", built]
            return built if built.exists() or quiet(command) else None

        left_out = ("tst-", "README", "support-", "test-driver", "links-dso")
        objects = in_parallel(one, [path for path in (source / "support").glob("*.c")
                                    if not path.name.startswith(left_out)
                                    and not path.stem.endswith(("-container", "_main"))
                                    or path.stem == "support_test_main"])
        library = folder / "libsupport.a"
        library.unlink(missing_ok=True)
        if not quiet(["ar", "rcs", library, *objects]):
            raise Failure("cannot make glibc's support library")
        return library


class Selftests(Suite):
    """The kernel's own tests of what concerns memory and processes; none that set clocks or machine-wide values."""
    name = "selftests"
    folders = ("mm", "vm", "mincore", "futex/functional", "sigaltstack", "clone3", "exec", "kcmp", "membarrier",
               "memfd", "pidfd", "pid_namespace", "proc", "prctl", "ptrace", "rlimits", "seccomp", "splice", "core",
               "cachestat", "ipc")
    # Huge pages, KSM, compaction and drop_caches are the machine's; helpers are no tests.
    left_out = ("compaction_test", "hugepage-*", "hugetlb*", "map_hugetlb", "thuge-gen", "transhuge-stress",
                "write_to_hugetlbfs", "charge_reserved_hugetlb", "seccomp_benchmark", "ksm_*", "khugepaged",
                "split_huge_page_test", "cow", "gup_test", "hmm-tests", "uffd-common", "vm_util", "thp_settings",
                "common", "fuse_*", "disable-tsc-*")
    # What tests in a folder are linked with, and tests that take arguments.
    helpers = {"mm": ("vm_util.c", "thp_settings.c"), "vm": ("vm_util.c",), "memfd": ("common.c",)}
    arguments = {"uffd-stress": ("anon 20 16", "shmem 20 16", "shmem-private 20 16")}

    def tree(self, work):
        """The folder of the kernel's sources, or None."""
        for package in KERNEL_SOURCES:
            folder = work / "sources" / package
            if (folder / "tree").exists():
                return folder / "tree"
            folder.mkdir(parents=True, exist_ok=True)
            if not quiet(["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", package], cwd=folder):
                continue
            downloaded = next(folder.glob("*.deb"))
            if not quiet(["dpkg-deb", "-x", downloaded, folder / "package"]):
                raise Failure(f"cannot unpack package={downloaded.name}")
            unpack(next((folder / "package").glob("usr/src/linux-source-*.tar.xz")), folder / "tree",
                   ("Makefile", "scripts/", "include/", "arch/x86/", "usr/include/", "tools/testing/selftests/",
                    "tools/include/", "tools/arch/x86/include/", "mm/gup_test.h"))
            shutil.rmtree(folder / "package")
            downloaded.unlink()
            return folder / "tree"
        return None

    def build(self, work, _ltp, wanted):
        source = self.tree(work)
        if not source:
            return f"none of the packages {' '.join(KERNEL_SOURCES)} in this machine's package sources", []
        if not (source / "usr/include/linux/mman.h").exists() and \
                not quiet(["make", "-s", "headers_install", f"INSTALL_HDR_PATH={source}/usr"], cwd=source):
            return "the kernel's headers cannot be made: rsync or make is missing", []
        tests = source / "tools/testing/selftests"
        # What its Makefile finds out: that liburing is not taken.
        for folder in (tests / "mm", tests / "vm"):
            if folder.exists():
                (folder / "local_config.h").write_text("")
        flags = ["-mxsave", f"-I{source}", f"-I{source}/usr/include", f"-I{tests}", f"-I{source}/tools/include",
                 f"-I{source}/tools/arch/x86/include", f"-I{tests}/futex/include"]

        def name_of(path):
            return str(path.parent.relative_to(tests)).replace("/", "_") + "__" + path.stem

        programs = []
        folder = work / "selftests" / source.parent.name
        for name in self.folders:
            near = tests / name
            helpers = [near / helper for helper in self.helpers.get(name, ()) if (near / helper).exists()]
            sources = [path for path in near.glob("*.c")
                       if not any(path.match(f"{pattern}.c") for pattern in self.left_out)]
            programs += compile_tests([path for path in sources if not path.name.startswith("uffd-")], folder, name_of,
                                      flags, [*helpers, "-lcap"], wanted=wanted)
            uffd = [path for path in near.glob("uffd-*.c") if path.name != "uffd-common.c"]
            # Some of these are asked for with arguments as part of their names.
            for program in compile_tests(uffd, folder, name_of, flags, [near / "uffd-common.c", *helpers]):
                words = self.arguments.get(program.name.partition("__")[2])
                programs += [program] if not words else [
                    script(program.with_name(f"{program.name}-{word.replace(' ', '-')}"), f"exec {program} {word}")
                    for word in words]
        return None, programs


class OpenPosix(Suite):
    """The Open POSIX test suite, which LTP carries: memory calls, threads, processes, asynchronous I/O."""
    name = "posix"
    interfaces = ("mmap", "munmap", "mlock", "mlockall", "munlock", "munlockall", "shm_*", "fork", "pthread_*",
                  "sig*", "aio_*", "lio_listio", "sem_*", "mq_*", "timer_*", "kill*", "raise", "sched_*", "nanosleep",
                  "clock_[!s]*", "getpid")

    def build(self, work, ltp, wanted):
        if not ltp:
            return "no checkout named: --ltp DIR", []
        suite = ltp / "testcases/open_posix_testsuite"
        root = suite / "conformance/interfaces"
        sources = [path for pattern in self.interfaces for folder in root.glob(pattern)
                   for path in folder.glob("[0-9]*.c")
                   if "buildonly" not in path.name]
        flags = ["-std=gnu99", "-D_POSIX_C_SOURCE=200809L", "-D_XOPEN_SOURCE=700", f"-I{suite}/include"]
        libraries = sorted((suite / "lib").glob("*.c"))

        def name_of(path):
            return f"{path.parent.name}__{path.stem}"

        return None, compile_tests(sources, work / "posix", name_of, flags, libraries, wanted=wanted)


class Ltp(Suite):
    """LTP's tests of system calls that concern memory, processes and threads."""
    name = "ltp"
    seconds = 300
    calls = ("abort alarm arch_prctl brk cacheflush cachestat capget capset clone clone3 close_range cma "
             "copy_file_range dup dup2 dup3 epoll_create1 epoll_ctl epoll_pwait epoll_wait eventfd eventfd2 execl "
             "execle execlp execv execve execveat execvp exit exit_group fallocate fcntl fork ftruncate futex "
             "get_mempolicy get_robust_list getcontext getcpu getitimer getpagesize getpgid getpid getppid "
             "getpriority getrlimit getrusage getsid gettid io_cancel io_destroy io_getevents io_pgetevents "
             "io_setup io_submit io_uring ioprio kcmp kill landlock madvise mallinfo mallinfo2 mallopt mbind "
             "membarrier memcmp memcpy memfd_create memset migrate_pages mincore mlock mlock2 mlockall mmap "
             "modify_ldt move_pages mprotect mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink mremap mseal "
             "msgctl msgget msgrcv msgsnd msync munlock munlockall munmap nanosleep nice pause personality "
             "pidfd_getfd pidfd_open pidfd_send_signal pipe pipe2 pkeys poll ppoll prctl pread preadv preadv2 "
             "process_madvise process_vm_readv process_vm_writev pselect ptrace pwrite pwritev pwritev2 read "
             "readahead readv remap_file_pages rt_sigaction rt_sigprocmask rt_sigqueueinfo rt_sigsuspend "
             "rt_sigtimedwait rt_tgsigqueueinfo sbrk sched_get_priority_max sched_get_priority_min "
             "sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval "
             "sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp select semctl "
             "semget semop sendfile set_mempolicy set_robust_list set_thread_area set_tid_address setitimer setns "
             "setpgid setpriority setresuid setrlimit setsid setuid shmat shmctl shmdt shmget sigaction "
             "sigaltstack sighold signal signalfd signalfd4 sigpending sigprocmask sigrelse sigsuspend "
             "sigtimedwait sigwait sigwaitinfo splice tee tgkill timer_create timer_delete timer_getoverrun "
             "timer_gettime timer_settime timerfd tkill unshare userfaultfd vfork vmsplice wait wait4 waitid "
             "waitpid write writev").split()
    memory = ("mmapstress", "mtest05", "mtest06", "mtest07", "page", "shmt", "vma", "vmtests", "mem", "../../misc/math",
              "../ipc/pipeio", "../sched/clisrv", "../sched/pthreads", "../../cve")
    lists = ("mm", "syscalls", "syscalls-ipc", "sched", "ipc", "math", "cve")
    # Machine-wide settings, swap, huge pages, all of memory, or no end.
    left_out = ("*hugetlb*", "*_child", "*helper*", "max_map_count", "min_free_kbytes", "overcommit_memory", "*swap*",
                "mmap1", "mmap3", "mtest01", "mmapstress04",
                "userfaultfd06", "move_pages*")

    def build(self, work, ltp, _wanted):
        if not ltp:
            return "no checkout named: --ltp DIR", []
        if not (ltp / "include/mk/config.mk").exists() and not (
                quiet(["make", "autotools"], cwd=ltp) and quiet(["./configure"], cwd=ltp)):
            return f"ltp={ltp} cannot be configured: autoconf, automake and pkg-config are needed", []
        folders = [ltp / "testcases/kernel/syscalls" / name for name in self.calls]
        folders += [ltp / "testcases/kernel/mem" / name for name in self.memory]
        folders = [folder for folder in folders if (folder / "Makefile").exists()]
        commands = self.commands(ltp / "runtest")
        programs = []
        for folder in folders:
            quiet(["make", "-k", f"-j{os.cpu_count()}"], cwd=folder)
            for path in sorted(folder.iterdir()):
                if path.is_file() and os.access(path, os.X_OK) and not path.suffix \
                        and not any(path.match(pattern) for pattern in self.left_out):
                    programs += self.tests(path, commands.get(path.name, [path.name]), work / "ltp")
        return None, programs

    def commands(self, lists):
        """By program, how LTP's own lists call it: with which arguments, and how often."""
        found = {}
        for name in self.lists:
            for line in (lists / name).read_text().splitlines() if (lists / name).exists() else ():
                words = line.split("#")[0].strip().split(None, 1)
                if len(words) == 2 and (match := re.search(r"(?:^|; *)([\w-]+)( [^;|&]*)?$", words[1].strip())):
                    commands = found.setdefault(match[1], [])
                    if words[1].strip() not in commands:
                        commands.append(words[1].strip())
        return found

    @staticmethod
    def tests(program, commands, folder):
        """The program itself where it is called without arguments, else a script for each way to call it."""
        return [program if command == program.name else
                script(folder / re.sub(r"[^\w.=-]+", "_", command)[:100], f"PATH={program.parent}:$PATH\n{command}")
                for command in commands]


class CPython(Suite):
    """CPython's own tests of what maps memory, makes threads and processes, and moves large blocks."""
    name = "cpython"
    seconds = 600
    interpreter = "/usr/bin/python3"
    modules = ("array buffer bytes bz2 capi concurrent_futures ctypes faulthandler fcntl fork1 gc hashlib io json "
               "list lzma marshal memoryio memoryview mmap multiprocessing_fork multiprocessing_main_handling os "
               "pickle posix queue resource select shelve signal sort struct subprocess thread threadedtempfile "
               "threading threading_local threadsignals tracemalloc unicode wait3 wait4 weakref zlib").split()

    def build(self, work, _ltp, _wanted):
        if not pathlib.Path(self.interpreter).exists():
            return f"no {self.interpreter}", []
        said = subprocess.run([self.interpreter, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
                              capture_output=True, text=True, check=True)
        version = said.stdout.strip()
        names = [f"libpython{version}-{part}" for part in ("stdlib", "testsuite")]
        folder = work / "sources" / "cpython"
        if not debian_packages(names, folder):
            return f"no packages {' '.join(names)} in this machine's package sources", []
        library = folder / "usr/lib" / f"python{version}"
        python = self.environment(work / "cpython" / "environment", version, library)
        return None, [script(work / "cpython" / f"test_{module}",
                             f"export PYTHONDONTWRITEBYTECODE=1\nexec {python} -m test -v test_{module}")
                      for module in self.modules if (library / "test" / f"test_{module}.py").exists()
                      or (library / "test" / f"test_{module}").is_dir()]


    def environment(self, folder, version, library):
        """An interpreter that finds its tests also where -I makes it ignore PYTHONPATH."""
        packages = folder / "lib" / f"python{version}" / "site-packages"
        packages.mkdir(parents=True, exist_ok=True)
        (packages / "tests.pth").write_text(f"import sys; sys.path.insert(0, {str(library)!r})\n")
        (folder / "pyvenv.cfg").write_text("home = /usr/bin\n")
        python = folder / "bin" / f"python{version}"
        python.parent.mkdir(exist_ok=True)
        if not python.exists():
            python.symlink_to(f"/usr/bin/python{version}")
        return python


class Mimalloc(Suite):
    """The stress test that mimalloc brings, on malloc() as a program has it, with more and with fewer threads."""
    name = "mimalloc"
    arguments = ("1 50 20", "4 25 10", "16 10 10")

    def build(self, work, _ltp, _wanted):
        tarball = debian_source("mimalloc", work)
        if not tarball:
            return "no source package mimalloc in this machine's package sources", []
        source = work / "sources" / "mimalloc" / "tree"
        unpack(tarball, source, ("test/", "include/"))
        programs = compile_tests([source / "test" / "test-stress.c"], work / "mimalloc", lambda path: ".stress",
                                 ["-DUSE_STD_MALLOC", "-fno-builtin", f"-I{source}/include"])
        return None, [script(work / "mimalloc" / f"stress-{words.replace(' ', '-')}", f"exec {program} {words}")
                      for program in programs for words in self.arguments]


class Jemalloc(Suite):
    """jemalloc's own unit and integration tests, statically linked with it: its memory comes from mmap()."""
    name = "jemalloc"
    seconds = 240

    def build(self, work, _ltp, _wanted):
        tarball = debian_source("jemalloc", work)
        if not tarball:
            return "no source package jemalloc in this machine's package sources", []
        source = work / "sources" / "jemalloc" / "tree"
        unpack(tarball, source, ("",))
        if not (source / "Makefile").exists() and not quiet(["./configure", "--disable-cxx"], cwd=source):
            return "jemalloc cannot be configured", []
        quiet(["make", "-k", f"-j{os.cpu_count()}", "tests"], cwd=source)
        # Its own script knows which settings each test needs.
        return None, [script(work / "jemalloc" / f"{kind}_{path.name}",
                             f"cd {source} && exec sh test/test.sh test/{kind}/{path.name}")
                      for kind in ("unit", "integration") for path in sorted((source / "test" / kind).iterdir())
                      if path.is_file() and os.access(path, os.X_OK) and not path.suffix]


class Redis(Suite):
    """Redis' own tests, with the server of this machine's package."""
    name = "redis"
    seconds = 600
    server = pathlib.Path("/usr/bin/redis-server")
    units = ("unit/type/string unit/type/list unit/type/hash unit/type/set unit/type/zset unit/type/stream unit/dump "
             "unit/expire unit/scan unit/sort unit/multi unit/other unit/scripting unit/bitops unit/geo "
             "unit/hyperloglog unit/info unit/maxmemory integration/rdb integration/aof "
             "integration/replication").split()
    ports = 32

    def build(self, work, _ltp, _wanted):
        if not self.server.exists() or not shutil.which("tclsh"):
            return "the packages redis-server and tcl are needed", []
        tarball = debian_source("redis", work)
        if not tarball:
            return "no source package redis in this machine's package sources", []
        source = work / "sources" / "redis" / "tree"
        unpack(tarball, source, ("tests/", "runtest", "redis.conf"))

        def test(number, unit):
            base = 23000 + number * self.ports
            return script(work / "redis" / unit.replace("/", "_"),
                          f"cp -r {source}/. . && mkdir -p src && ln -sf /usr/bin/redis-* src/ &&\n"
                          f"exec tclsh tests/test_helper.tcl --single {unit} --clients 1 "
                          f"--baseport {base} --portcount {self.ports}")

        return None, [test(*numbered) for numbered in enumerate(self.units)
                      if (source / "tests" / f"{numbered[1]}.tcl").exists()]


class PostgreSql(Suite):
    """PostgreSQL's regression tests: a server of its own for each part of their schedule, run by the user postgres."""
    name = "postgresql"
    seconds = 600
    # What later tests build on.
    first = ("test_setup copy copyselect copydml insert create_misc create_operator create_type create_schema "
             "create_index")
    parts = 5
    port = 25400

    def build(self, work, _ltp, _wanted):
        servers = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"))
        if not servers or not shutil.which("setpriv"):
            return "the package postgresql is needed", []
        bin_folder = servers[-1].parent
        version = bin_folder.parent.name
        tarball = debian_source(f"postgresql-{version}", work)
        headers = work / "sources" / f"postgresql-server-dev-{version}"
        if not tarball or not debian_packages([f"postgresql-server-dev-{version}", "libpq-dev"], headers):
            return f"no source package postgresql-{version} in this machine's package sources", []
        source = work / "sources" / f"postgresql-{version}" / "tree"
        unpack(tarball, source, ("src/test/regress/", "src/include/"))
        tests = source / "src/test/regress"
        if not (tests / "regress.so").exists() and not quiet(
                ["gcc", "-O2", "-w", "-fPIC", "-shared", f"-I{source}/src/include",
                 f"-I{headers}/usr/include/postgresql/{version}/server", f"-I{headers}/usr/include/postgresql",
                 tests / "regress.c", "-o", tests / "regress.so"]):
            return "the server's headers do not fit", []
        pg_regress = bin_folder.parent / "lib/pgxs/src/test/regress/pg_regress"
        lines = [line.partition(":")[2].split() for line in (tests / "parallel_schedule").read_text().splitlines()
                 if line.startswith("test:")]
        first = self.first.split()
        names = [name for line in lines for name in line if name not in first]
        size = -(-len(names) // self.parts)

        def test(number):
            chosen = " ".join(first + names[number * size:(number + 1) * size])
            # As nobody's but root's child the server would refuse to run, and root owns the folder.
            return script(work / "postgresql" / f"part{number + 1}",
                          f"chown postgres . && export HOME=$PWD LANG=C && "
                          f"setpriv --reuid=postgres --regid=postgres --clear-groups {pg_regress} "
                          f"--bindir={bin_folder} --inputdir={tests} --outputdir=$PWD --dlpath={tests} "
                          f"--temp-instance=$PWD/server --port={self.port + number} --no-locale --encoding=UTF8 "
                          f"{chosen}")

        return None, [test(number) for number in range(self.parts)]


SUITES = (Glibc(), Selftests(), OpenPosix(), Ltp(), CPython(), Mimalloc(), Jemalloc(), Redis(), PostgreSql())
