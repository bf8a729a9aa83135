#!/usr/bin/env python3
"""interrupt_test.py UPA: `./upa vm` that is interrupted, at whatever it does, leaves no process and holds no lock.

Skipped (status 77) without QEMU. What it had fetched by then stays, and is not fetched again.
"""
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
import unittest

UPA = os.path.abspath(sys.argv[1])
ROOT = os.path.dirname(UPA)
SECONDS = 60


def processes_of(session):
    """Those of a session that are alive, by name."""
    alive = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                command, rest = file.read().rsplit(")", 1)
        except OSError:
            continue
        state, _, _, its_session = rest.split()[:4]
        if int(its_session) == session and state not in "ZX":
            alive.append(command)
    return alive


def heed_signals():
    """What was started in the background, or by nohup, ignores some, and so would all that it starts."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class Interrupted(unittest.TestCase):
    def interrupt(self, number, whole_group, delay):
        # The group is the session's, as that of a shell's job in the foreground.
        with subprocess.Popen([UPA, "vm", "--", "sleep", "1000"], start_new_session=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              preexec_fn=heed_signals) as process:
            time.sleep(delay)
            self.assertIsNone(process.poll(), "it has ended by itself")
            (os.killpg if whole_group else os.kill)(process.pid, number)
            self.assertEqual(process.wait(SECONDS), -number)
            end = time.monotonic() + SECONDS
            while processes_of(process.pid) and time.monotonic() < end:
                time.sleep(0.1)
            self.assertEqual(processes_of(process.pid), [])
        for name in ("build/vm/lock", "build/lock"):
            if os.path.exists(os.path.join(ROOT, name)):
                with open(os.path.join(ROOT, name), "r", encoding="utf-8") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def test_interrupted(self):
        for delay in (0.3, 1.5, 6):
            for number, whole_group in ((signal.SIGINT, True), (signal.SIGTERM, False), (signal.SIGHUP, False)):
                with self.subTest(delay=delay, signal=number.name):
                    self.interrupt(number, whole_group, delay)


if __name__ == "__main__":
    if not shutil.which("qemu-system-x86_64") or not shutil.which("busybox"):
        print("skipped: no QEMU")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1], verbosity=1)
