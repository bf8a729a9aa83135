# SPDX-License-Identifier: Apache-2.0
"""run.py: runs one test in a folder of its own, and leaves nothing of it behind: no process, no mount, no loop device.

Tests start daemons in sessions of their own, and LTP's that need a file system mount an image in their folder. Both are
recognised by the folder's name, which is in every environment below the test.
"""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import threading

PREFIX = "upa-suite-"
_running = set()
_lock = threading.Lock()
_stopped = threading.Event()


class Stopped(Exception):
    """No more tests run: end_all() was called."""


def _kill_group(child):
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def end_all():
    """Ends the tests that run now, and begins no other."""
    _stopped.set()
    with _lock:
        for child in _running:
            _kill_group(child)


def _processes_with(folder):
    mark = b"TMPDIR=" + os.fsencode(folder)
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                yield int(entry.name)
        except OSError:
            continue


def _end_daemons(folder):
    # Whoever forks meanwhile is met in the next round.
    for _ in range(5):
        found = list(_processes_with(folder))
        for process in found:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if not found:
            return


def _unmount(folder):
    """Unmounts what is mounted below the folder, the innermost first, and frees loop devices with an image there."""
    below = [point for line in pathlib.Path("/proc/self/mounts").read_text(errors="replace").splitlines()
             if (point := line.split()[1]).startswith(folder + "/")]
    for point in sorted(below, key=len, reverse=True):
        subprocess.run(["umount", "-l", point], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    for backing in pathlib.Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            is_ours = backing.read_text(errors="replace").startswith(folder + "/")
        except OSError:
            continue
        if is_ours:
            subprocess.run(["losetup", "-d", f"/dev/{backing.parts[3]}"], stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, check=False)


def _remove(folder):
    _end_daemons(folder)
    _unmount(folder)
    shutil.rmtree(folder, ignore_errors=True)


def run(program, environment, seconds):
    """Runs a test; its exit status (negative: a signal; None: it did not end within `seconds`) and its output."""
    folder = tempfile.mkdtemp(prefix=PREFIX)
    output = tempfile.TemporaryFile()
    try:
        # Its output goes to a file: a pipe has an end only when the last daemon is gone.
        with _lock:
            if _stopped.is_set():
                raise Stopped
            child = subprocess.Popen([program], cwd=folder, env=environment | {"TMPDIR": folder},
                                     stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                     start_new_session=True)
            _running.add(child)
        try:
            status = child.wait(seconds)
        except subprocess.TimeoutExpired:
            status = None
        with _lock:
            _running.discard(child)
            _kill_group(child)
        child.wait()
        output.seek(0)
        text = output.read().decode(errors="replace")
        # Colours, where a test writes them to whatever it is given.
        return status, re.sub(r"\x1b\[[0-9;]*m", "", text)
    finally:
        output.close()
        _remove(folder)
