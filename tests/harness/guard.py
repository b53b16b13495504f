"""Runs one program and ends it when standard input closes, that is, when whoever started this is gone.

The operating system closes the pipe of a process that dies, however it dies. So a program under this guard never
outlives the demo or the test that started it, not even after `kill -9`. Run as
`python guard.py GRACE_S PROGRAM ARGUMENT...`; it exits as the program did.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time

POLL_S = 0.1


def main(grace_s: float, command: list[str]) -> int:
    """Run until the program ends by itself, standard input closes or SIGTERM comes; then leave nothing behind."""
    asked_to_stop = False

    def on_sigterm(_signal: int, _frame: object) -> None:
        nonlocal asked_to_stop
        asked_to_stop = True

    signal.signal(signal.SIGTERM, on_sigterm)
    # Ctrl-C is for who started us; we hear of it when the pipe closes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    while child.poll() is None and not asked_to_stop:
        readable, _, _ = select.select([sys.stdin], [], [], POLL_S)
        if readable and not os.read(sys.stdin.fileno(), 4096):
            break
    if child.poll() is None:
        _signal_group(child.pid, signal.SIGTERM)
        deadline = time.monotonic() + grace_s
        while child.poll() is None and time.monotonic() < deadline:
            time.sleep(POLL_S)
    # Also when the program ended by itself: it may have left children.
    _signal_group(child.pid, signal.SIGKILL)
    status = child.wait()
    return status if status >= 0 else 128 - status


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2:]))
