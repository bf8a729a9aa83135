#!/usr/bin/env python3
"""as_without_test.py UPA: a program under `./upa run` is what it is without: process, terminal, status, streams.

And `./upa run` works from wherever the project lies, and with whatever is in the environment. Skipped (status 77) where
UPA is not built, since it would be now.
"""
import json
import os
import pty
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

UPA = os.path.abspath(sys.argv[1])
ROOT = os.path.dirname(UPA)
SECONDS = 60
LIBRARY = "libupa_mmap.so"
# What `./upa run` needs of the project: itself, what is built, and the sources that say whether that is fresh.
NEEDED = ["upa", "apps/launcher", "CMakeLists.txt", "CMakePresets.json", "kernel-ext/include", "upa-mmap-shim",
          "build/stamp/run", "build/release/bin/upa-run", "build/release/lib"]
MAPPED = ["sh", "-c", "cat /proc/self/maps"]


def run(*command, upa=UPA, **options):
    """Runs a command under UPA; what it prints and its status are in the result."""
    return subprocess.run([upa, "run", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          **{"timeout": SECONDS, "stdin": subprocess.DEVNULL, **options})


def setUpModule():
    # What has been built otherwise may count as old, and is built here, with a line that says so.
    run("--", "true", timeout=600)


class AsWithout(unittest.TestCase):
    def test_status(self):
        for script, status in (("exit 7", 7), ("kill -9 $$", -9), ("kill -TERM $$", -15), ("kill -SEGV $$", -11),
                               (":", 0)):
            result = run("--", "sh", "-c", script)
            self.assertEqual((result.returncode, result.stderr), (status, ""), script)

    def test_process(self):
        with subprocess.Popen([UPA, "run", "--", "sh", "-c", "echo $$ $0; exec ls /proc/self/fd"], text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
            said = process.communicate(timeout=SECONDS)[0].split()
        self.assertEqual(said[:2], [str(process.pid), "sh"])
        # Standard streams, and the folder that ls reads.
        self.assertEqual(said[2:], ["0", "1", "2", "3"])

    def test_streams(self):
        with tempfile.TemporaryFile("w+") as given:
            given.write("given\n")
            given.seek(0)
            result = run("--", "sh", "-c", "cat; echo out; echo err >&2", stdin=given)
        self.assertEqual((result.stdout, result.stderr), ("given\nout\n", "err\n"))

    def test_closed_streams(self):
        """What is closed stays closed: the launcher's shell must not leave its script there."""
        # Standard error goes to a file, so that it can be closed as well.
        script = "import os; os.write(9, repr([fd for fd in range(9) if os.path.lexists('/proc/self/fd/%d' % fd)])" \
                 ".encode())"
        for closed in ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)):
            with tempfile.TemporaryFile("w+") as open_ones:
                redirections = "".join(" %d>&-" % fd for fd in closed)
                for command in ("/usr/bin/python3", "'%s' run -- /usr/bin/python3" % UPA):
                    subprocess.run(["sh", "-c", "%s -c \"$1\" 9>&%d%s" % (command, open_ones.fileno(), redirections),
                                    "sh", script], pass_fds=[open_ones.fileno()], timeout=SECONDS, check=True)
                open_ones.seek(0)
                said = open_ones.read()
            self.assertEqual(said[:len(said) // 2], said[len(said) // 2:], closed)

    def test_reader_that_has_gone(self):
        """What UPA writes raises no signal, and the program's own writes raise theirs."""
        for options, command, status in (((), ["sh", "-c", "exit 3"], 3), (("--stats",), ["sh", "-c", "exit 3"], 3),
                                         (("--stats",), ["sh", "-c", "ulimit -v 8000000; exec perl -e 'exit 4'"], 4),
                                         ((), ["sh", "-c", "echo text >&2; exit 5"], -signal.SIGPIPE)):
            reader, writer = os.pipe()
            os.close(reader)
            result = subprocess.run([UPA, "run", *options, "--", *command], stdin=subprocess.DEVNULL, stderr=writer,
                                    timeout=SECONDS, check=False)
            os.close(writer)
            self.assertEqual(result.returncode, status, (options, command))

    def test_limit_on_files(self):
        """Programs that write no file run under a limit of nothing, statistics or not."""
        with tempfile.TemporaryDirectory() as folder:
            target = os.path.join(folder, "stats")
            for options, said in ((("--stats",), "^upa: sh, process"),
                                  (("--stats=" + target,), "^upa: cannot write statistics file=.*ulimit -f"),
                                  ((), "^$")):
                result = run(*options, "--", "sh", "-c", "exit 6", preexec_fn=lambda: resource.setrlimit(
                    resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY)))
                self.assertEqual(result.returncode, 6, (options, result.stderr))
                self.assertRegex(result.stderr, said)

    def test_ignored_signals_stay_ignored(self):
        script = "grep SigIgn /proc/self/status"
        for ignored in ((), (signal.SIGPIPE,), (signal.SIGXFSZ,), (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGHUP)):
            def ignore(ignored=ignored):
                for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGHUP):
                    signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)
            with_upa = run("--", "sh", "-c", script, restore_signals=False, preexec_fn=ignore).stdout
            without = subprocess.run(["sh", "-c", script], stdout=subprocess.PIPE, text=True, restore_signals=False,
                                     preexec_fn=ignore, check=True).stdout
            self.assertEqual(with_upa, without, ignored)

    def test_started_by_another_shell(self):
        for shell in ("sh", "bash"):
            result = subprocess.run([shell, UPA, "run", "--", "echo", "ran"], stdout=subprocess.PIPE, text=True,
                                    timeout=SECONDS, check=True)
            self.assertEqual(result.stdout, "ran\n", shell)

    def test_environment(self):
        script = "import os; print(sorted(k + '=' + v for k, v in os.environ.items() if k not in %r))"
        # PWD and SHLVL are what any shell adds; of these, and of UPA's own, nothing is asked.
        ours = ("LD_PRELOAD", "ASAN_OPTIONS", "UPA_LAUNCHED", "_", "PWD", "SHLVL")
        command = ["/usr/bin/python3", "-c", script % (ours,)]
        environment = {"PATH": os.environ["PATH"], "A B": "c d", "EMPTY": "", "CDPATH": "/tmp", "GLOBIGNORE": "*",
                       "BASH_FUNC_exec%%": "() { echo taken; }", "BASH_ENV": "/dev/stdin", "POSIXLY_CORRECT": "1"}
        without = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
        self.assertEqual(run("--", *command, env=environment).stdout, without)

    def test_exported_options_of_the_shell(self):
        result = run("--", "bash", "-c", "[[ ! -o privileged ]]", env={**os.environ, "SHELLOPTS": "braceexpand"})
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_preloaded_before_stays(self):
        library = os.path.join(ROOT, "build/release/lib/libupa.so")
        result = run("--", "sh", "-c", "echo $LD_PRELOAD", env={**os.environ, "LD_PRELOAD": library})
        self.assertEqual(result.stdout.strip().split(":")[1:], [library])

    def test_within_another(self):
        """The inner one says what is preloaded; what others preload stays, once."""
        other = os.path.realpath(os.path.join(ROOT, "build/release/lib/libupa.so"))
        name = os.path.basename(other)
        said = "echo $LD_PRELOAD; echo $ASAN_OPTIONS; exit 3"
        for outer, inner, names in ((["--strict"], [], [LIBRARY]), ([], ["--no-upa"], []),
                                    (["--malloc", other], ["--no-upa"], [name]),
                                    (["--malloc", other], [], [LIBRARY, name])):
            with self.subTest((outer, inner)):
                result = run(*outer, "--", UPA, "run", *inner, "--", "sh", "-c", said)
                self.assertEqual((result.returncode, result.stderr), (3, ""))
                preloaded, options = result.stdout.split("\n")[:2]
                self.assertEqual([os.path.basename(path) for path in preloaded.split(":") if path], names)
                self.assertEqual(options, "verify_asan_link_order=0")
        maps = run("--", UPA, "run", "--no-upa", "--", *MAPPED)
        self.assertEqual(maps.returncode, 0, maps.stderr)
        self.assertNotIn(LIBRARY, maps.stdout)

    def test_no_locale_and_no_working_directory(self):
        """What bash says of them is said once, before our script runs: of us there is no word."""
        gone = tempfile.mkdtemp()
        environment = {**os.environ, "LC_ALL": "xx_XX.UTF-8"}
        for arguments, status, last in ((["--version"], 0, ""), (["frobnicate"], 2, "upa: unknown command=frobnicate"),
                                        (["run", "--", "/bin/true"], 0, ""),
                                        (["run", "--frobnicate"], 2, "upa: run has no option=--frobnicate")):
            with self.subTest(arguments):
                script = "rmdir '%s'; exec '%s' \"$@\"" % (gone, UPA)
                os.makedirs(gone, exist_ok=True)
                result = subprocess.run(["sh", "-c", script, "sh", *arguments], cwd=gone, env=environment,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, timeout=SECONDS, check=False)
                self.assertEqual(result.returncode, status, result.stderr)
                lines = result.stderr.splitlines()
                ours = [line for line in lines if "setlocale" not in line and "shell-init" not in line]
                self.assertEqual([line.split(":")[:2] for line in ours],
                                 [last.split(":")[:2]] if last else [], lines)
                self.assertLessEqual(len(lines) - len(ours), 2, lines)

    def test_limits_under_which_nothing_can_be_asked(self):
        """Where the library cannot be tried first, the program is run all the same."""
        for number, value in ((resource.RLIMIT_NOFILE, 4), (resource.RLIMIT_NOFILE, 5), (resource.RLIMIT_NOFILE, 6),
                              (resource.RLIMIT_NPROC, 0)):
            def limit(number=number, value=value):
                if number == resource.RLIMIT_NPROC and os.getuid() == 0:
                    os.setgroups([])
                    os.setgid(65533)
                    os.setuid(65533)
                resource.setrlimit(number, (value, value))
            result = run("--", "/bin/sh", "-c", "exit 7", cwd="/", preexec_fn=limit)
            self.assertEqual((result.returncode, result.stdout, result.stderr), (7, "", ""), (number, value))

    def test_programs_that_cannot_be_executed(self):
        with tempfile.TemporaryDirectory() as folder:
            for content, status, said in (
                    (b"#!/no/such/interpreter\n", 127, "what its first line, or as a binary its header, names"),
                    (b"\x7fELF\x02\x01\x01\0\0\0", 126, "Exec format error"), (b"\0", 126, "Exec format error"),
                    (b"", 0, "")):
                path = os.path.join(folder, "program")
                with open(path, "wb") as file:
                    file.write(content)
                os.chmod(path, 0o755)
                result = run("--", path)
                self.assertEqual(result.returncode, status, result.stderr)
                self.assertRegex(result.stderr,
                                 r"^upa: cannot execute program=[^\n]*%s[^\n]*\n$" % said if said else "^$")

    def test_names_of_programs(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("a=b", "with space", "-dash", "$x;y"):
                path = os.path.join(folder, name)
                with open(path, "w", encoding="utf-8") as file:
                    file.write("echo ran\n")  # no "#!": sh runs it, as from every shell
                os.chmod(path, 0o755)
                self.assertEqual(run("--", name, env={**os.environ, "PATH": folder + ":" + os.environ["PATH"]}).stdout,
                                 "ran\n", name)
                self.assertEqual(run("--", "./" + name, cwd=folder).stdout, "ran\n", name)


class Terminal(unittest.TestCase):
    """A session with a terminal, whose leader runs the program as a foreground job and tells what comes of it."""

    def setUp(self):
        self.reports, report = os.pipe()
        self.leader, self.terminal = pty.fork()
        if self.leader == 0:
            self.lead(report)
        os.close(report)
        self.output = b""

    def command(self):
        # The signal must not come while a shell starts sleep as its child: sh may then go on, with UPA or without.
        return {
            "test_is_a_terminal": ["sh", "-c", "test -t 0 && test -t 1 && test -t 2 && echo terminal"],
            "test_ctrl_c": ["sh", "-c", "echo ready; exec sleep 100"],
            "test_ctrl_c_caught": ["sh", "-c", "trap 'exit 5' INT; echo ready; while :; do sleep 0.05; done"],
            "test_ctrl_z": ["sh", "-c", "echo ready; exec sleep 100"],
            "test_hang_up": ["sh", "-c", "echo ready; exec sleep 100"],
        }[self._testMethodName]

    def lead(self, report):
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        job = os.fork()
        if job == 0:
            os.setpgid(0, 0)
            os.tcsetpgrp(0, os.getpid())
            signal.signal(signal.SIGTTOU, signal.SIG_DFL)
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
            os.execv(UPA, [UPA, "run", "--", *self.command()])
        while True:
            _, status = os.waitpid(job, os.WUNTRACED)
            os.write(report, b"%d %d\n" % (job, status))
            if not os.WIFSTOPPED(status):
                os._exit(0)

    def tearDown(self):
        os.close(self.terminal)
        os.close(self.reports)
        try:
            os.kill(self.leader, signal.SIGKILL)
        except ProcessLookupError:
            pass
        os.waitpid(self.leader, 0)

    def wait_for(self, text):
        end = time.monotonic() + SECONDS
        while text not in self.output:
            self.assertTrue(select.select([self.terminal], [], [], max(0, end - time.monotonic()))[0], self.output)
            self.output += os.read(self.terminal, 4096)

    def job(self):
        """The process and what has become of it, as waitpid() says."""
        self.assertTrue(select.select([self.reports], [], [], SECONDS)[0], self.output)
        return map(int, os.read(self.reports, 100).split())

    def test_is_a_terminal(self):
        self.wait_for(b"terminal")
        _, status = self.job()
        self.assertEqual(status, 0)

    def test_ctrl_c(self):
        self.wait_for(b"ready")
        os.write(self.terminal, b"\x03")
        _, status = self.job()
        self.assertTrue(os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGINT, status)

    def test_ctrl_c_caught(self):
        self.wait_for(b"ready")
        os.write(self.terminal, b"\x03")
        _, status = self.job()
        self.assertEqual(os.waitstatus_to_exitcode(status), 5)

    def test_ctrl_z(self):
        self.wait_for(b"ready")
        os.write(self.terminal, b"\x1a")
        process, status = self.job()
        self.assertTrue(os.WIFSTOPPED(status) and os.WSTOPSIG(status) == signal.SIGTSTP, status)
        os.killpg(process, signal.SIGCONT)
        os.write(self.terminal, b"\x03")
        _, status = self.job()
        self.assertTrue(os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGINT, status)

    def test_hang_up(self):
        self.wait_for(b"ready")
        process = int(subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.leader)], stdout=subprocess.PIPE,
                                     check=True).stdout)
        os.killpg(process, signal.SIGHUP)
        _, status = self.job()
        self.assertTrue(os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGHUP, status)


class Statistics(unittest.TestCase):
    """What --stats prints, and that it prints nothing into what belongs to a program."""

    SERVED = "/usr/bin/python3 -c 'block = bytearray(50 << 20)'"

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def test_many_shells_are_one_line(self):
        script = "for i in $(seq 50); do sh -c :; done; exec " + self.SERVED
        before = set(os.listdir("/dev/shm"))
        lines = run("--stats", "--", "sh", "-c", script).stderr.splitlines()
        self.assertEqual([line.split(",")[0] for line in lines if line.startswith("upa: ")],
                         ["upa: python3", "upa: nothing"], lines)
        # 50 shells, seq, and what became python3.
        self.assertRegex(lines[-1],
                         r"^upa: nothing, or next to nothing, from UPA in 5[1-4] other programs, \d+ page faults$")
        self.assertIn("mmap, larger", "\n".join(lines))
        left = {name for name in set(os.listdir("/dev/shm")) - before if name.startswith("upa-stats-")}
        self.assertEqual(left, set())

    def test_what_a_shell_captures(self):
        script = "said=$(%s 2>&1); echo \"[$said]\"; :" % self.SERVED
        result = run("--stats", "--", "sh", "-c", script)
        self.assertEqual(result.stdout, "[]\n")
        self.assertIn("upa: 1 more had another standard error: --stats=FILE has their tables", result.stderr)

    def test_file(self):
        script = "echo err >&2; " + self.SERVED + " 2>/dev/null; :"
        result = run("--stats=table", "--", "sh", "-c", script, cwd=self.folder)
        self.assertEqual((result.returncode, result.stderr), (0, "err\n"))
        with open(os.path.join(self.folder, "table"), encoding="utf-8") as file:
            text = file.read()
        self.assertEqual(text.count("upa: python3"), 1, text)
        self.assertNotIn("another standard error", text)

    def test_json(self):
        result = run("--stats=json:" + os.path.join(self.folder, "j"), "--", "sh", "-c", self.SERVED + "; :")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        with open(os.path.join(self.folder, "j"), encoding="utf-8") as file:
            programs = {found["program"]: found for found in map(json.loads, file)}
        self.assertEqual(sorted(programs), ["python3", "sh"])
        self.assertGreaterEqual(programs["python3"]["handed_out_bytes"], 50 << 20)
        self.assertEqual(programs["python3"]["mmap, larger"]["served"], 1)

    def test_json_of_a_program_that_is_called_anything(self):
        for name, said in ((b'a"b\\c', "a?b?c"), (b"a\nb", "a?b"), (b"a\xffb", "a?b"), ("größe".encode(), "größe"),
                           (b"\xc0\x80\xed\xa0\x80\xf5", "??????"), ("€🙂".encode(), "€🙂"),
                           ("é".encode() * 10, "é" * 7 + "?")):
            program = os.path.join(self.folder.encode(), name)
            shutil.copy(shutil.which("true"), program)
            subprocess.run([UPA, "run", "--stats=json:" + os.path.join(self.folder, "j"), "--", program], check=True,
                           timeout=SECONDS)
            with open(os.path.join(self.folder, "j"), encoding="utf-8") as file:
                self.assertEqual(json.load(file)["program"], said, name)

    def test_what_cannot_be(self):
        for target, status, text in (("", 2, "option --stats needs json, json:FILE or FILE"),
                                     ("json:", 2, "option --stats needs json, json:FILE or FILE"),
                                     ("/no/such/file", 1, "cannot write statistics file=/no/such/file: ")):
            result = run("--stats=" + target, "--", "true")
            self.assertEqual(result.returncode, status)
            self.assertRegex(result.stderr, "^upa: " + text + "[^\n]*\n$")

    def test_what_is_the_programs(self):
        """Its output, a pipe: nothing is emptied, nothing written there, and the program is not run."""
        output = os.path.join(self.folder, "output")
        with open(output, "w", encoding="utf-8") as file:
            file.write("kept\n")
        os.mkfifo(os.path.join(self.folder, "pipe"))
        for target in (output, "json:" + output, "/dev/stdout", "/dev/fd/1", os.path.join(self.folder, "pipe")):
            with open(output, "a", encoding="utf-8") as file:
                result = subprocess.run([UPA, "run", "--stats=" + target, "--", "echo", "ran"], stdout=file,
                                        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=SECONDS,
                                        check=False)
            self.assertEqual(result.returncode, 1, target)
            self.assertRegex(result.stderr,
                             r"^upa: cannot write statistics file=\S+: it is (a pipe|the standard)[^\n]*\n$")
        result = run("--stats=/dev/stdout", "--", "echo", "ran")
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        with open(output, encoding="utf-8") as file:
            self.assertEqual(file.read(), "kept\n")

    def test_what_cannot_be_written_is_said(self):
        for options, variables, text in ((["--stats=/dev/full"], {}, "file=/dev/full: no room"),
                                         ([], {"UPA_STATS": "/no/such/file"}, "file=/no/such/file: there is no such"),
                                         ([], {"UPA_STATS": "json:/"}, "file=/: it is a directory")):
            result = run(*options, "--", "/usr/bin/env", "true", env={**os.environ, **variables})
            self.assertEqual(result.returncode, 0)
            self.assertIn("upa: cannot write statistics " + text, result.stderr)

    def test_what_was_killed_leaves_nothing_for_ever(self):
        script = "echo $UPA_STATS_REST; kill -9 $$"
        left = run("--stats", "--", "sh", "-c", script).stdout.strip()
        self.assertTrue(os.path.exists(left))
        run("--stats", "--", "true")
        self.assertFalse(os.path.exists(left))


class Places(unittest.TestCase):
    """Where the project lies, and what is in the environment."""

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        os.chmod(self.folder, 0o755)

    def project(self, name):
        """A copy of what is needed."""
        place = os.path.join(self.folder, name)
        for part in NEEDED:
            source, target = os.path.join(ROOT, part), os.path.join(place, part)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if os.path.isdir(source):
                shutil.copytree(source, target)
            else:
                shutil.copy2(source, target)
        # The stamp is the newest of all, also among copies of folders.
        os.utime(os.path.join(place, "build/stamp/run"))
        return place

    def assert_served(self, result):
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn(LIBRARY, result.stdout)

    def test_path(self):
        for name in ("my upa", "a:b", "$LIB", "tab\tand;semicolon", "plain"):
            with self.subTest(name):
                place = self.project(name)
                environment = {**os.environ, "XDG_RUNTIME_DIR": self.folder}
                self.assert_served(run("--", *MAPPED, upa=os.path.join(place, "upa"), env=environment))
                self.assert_served(run("--", *MAPPED, upa="./upa", cwd=place, env=environment))

    def test_link_of_somebody_elses_is_not_used(self):
        place = self.project("my upa")
        mine = os.path.join(self.folder, "upa-%d" % os.geteuid())
        os.mkdir(mine, 0o700)
        os.chmod(mine, 0o777)
        result = run("--", *MAPPED, upa=os.path.join(place, "upa"), env={**os.environ, "XDG_RUNTIME_DIR": self.folder})
        self.assert_served(result)
        self.assertNotIn(mine, result.stdout)
        self.assertEqual(os.listdir(mine), [])

    def test_malloc_library_with_a_space(self):
        library = os.path.join(self.folder, "my malloc.so")
        shutil.copy(os.path.join(ROOT, "build/release/lib/libupa.so"), library)
        result = run("--malloc", library, "--", *MAPPED, env={**os.environ, "XDG_RUNTIME_DIR": self.folder})
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn("my malloc.so", result.stdout)

    def test_symbolic_link(self):
        link = os.path.join(self.folder, "upa")
        os.symlink(UPA, link)
        self.assert_served(run("--", *MAPPED, upa=link))

    def test_from_path(self):
        self.assert_served(run("--", *MAPPED, upa="upa", env={**os.environ, "PATH": ROOT + ":" + os.environ["PATH"]}))

    def test_path_without_build_tools(self):
        tools = os.path.join(self.folder, "bin")
        os.mkdir(tools)
        for tool in ("bash", "sh", "cat"):
            os.symlink(shutil.which(tool), os.path.join(tools, tool))
        self.assert_served(run("--", *MAPPED, env={"PATH": tools}))

    def test_changed_source_without_build_tools(self):
        place = self.project("old")
        tools = os.path.join(self.folder, "bin")
        os.mkdir(tools)
        for tool in ("bash", "sh", "cat"):
            os.symlink(shutil.which(tool), os.path.join(tools, tool))
        os.utime(os.path.join(place, "upa-mmap-shim/preload/start.c"), (2e9, 2e9))
        result = run("--", *MAPPED, upa=os.path.join(place, "upa"), env={"PATH": tools})
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn(LIBRARY, result.stdout)
        self.assertRegex(result.stderr, r"^upa: cannot build without .*: running what was built before[^\n]*\n$")

    @unittest.skipIf(os.getuid() != 0, "needs root to be somebody else")
    def test_checkout_that_is_read_only(self):
        place = self.project("shared")
        for user in (None, 65534):
            def become(user=user):
                if user:
                    os.setgroups([])
                    os.setgid(user)
                    os.setuid(user)
            self.assert_served(run("--", *MAPPED, upa=os.path.join(place, "upa"), preexec_fn=become, cwd="/"))

    def test_cdpath(self):
        for name in ("here/sub", "other/sub"):
            os.makedirs(os.path.join(self.folder, name))
        result = run("--trace", "sub/t", "--", "true", cwd=os.path.join(self.folder, "here"),
                     env={**os.environ, "CDPATH": os.path.join(self.folder, "other")})
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))
        self.assertTrue(os.path.exists(os.path.join(self.folder, "here/sub/t")))
        self.assertEqual(os.listdir(os.path.join(self.folder, "other/sub")), [])

    def test_cdpath_of_other_commands(self):
        os.makedirs(os.path.join(self.folder, "apps"))
        result = subprocess.run(["./upa", "--version"], cwd=ROOT, env={**os.environ, "CDPATH": self.folder + ":/"},
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=SECONDS, check=False)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertRegex(result.stdout, r"^upa \d+\.\d+\.\d+\n$")


if __name__ == "__main__":
    if not os.path.exists(os.path.join(ROOT, "build/release/bin/upa-run")) or \
            not os.path.exists(os.path.join(ROOT, "build/stamp/run")):
        print("skipped: UPA is not built")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1], verbosity=1)
