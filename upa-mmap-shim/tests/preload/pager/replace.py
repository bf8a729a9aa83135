#!/usr/bin/env python3
"""replace.py SOCKET PID COUNT: sets one policy after the other for a process under `upa run --policy`, by the socket of
its pager. Exit status 0, or 1 and a line."""
import socket
import sys

POLICIES = ["clock", "s3-fifo", "sieve", "fifo", "2q", "stride+clock", "working-set", "when age>1s: move to lz4"]


def main():
    path, pid, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    for i in range(count):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as pager:
            pager.connect(path)
            pager.send(f"set {pid} {POLICIES[i % len(POLICIES)]}".encode())
            answer = pager.recv(65536).decode()
        if not answer.startswith("0\n"):
            print(f"replacement {i}: {answer}")
            return 1
    return 0


sys.exit(main())
