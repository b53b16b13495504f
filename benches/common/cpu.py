"""CPU time and memory of a process and everything below it, from /proc: figures that a busy machine cannot spoil as it
spoils wall time."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
#: What reading or writing a file of /proc says when its process is gone.
_GONE = (FileNotFoundError, ProcessLookupError)


def tree_seconds(root: int) -> float:
    """User plus system seconds of `root`, its living descendants, and the dead ones that were waited for."""
    return sum(int(ticks) for stat in _tree(root).values() for ticks in stat[11:15]) / _TICKS


def peak_rss_bytes(root: int) -> int:
    """Highest resident memory of `root` and its living descendants since :func:`reset_peak`, in bytes.

    Each process counts at its own peak. They are added up, so memory that forked processes share counts for each.
    """
    total = 0
    for pid in _tree(root):
        with contextlib.suppress(*_GONE):
            status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
            total += int(status.get("VmHWM", "0 kB").split()[0]) * 1024
    return total


def reset_peak(root: int) -> None:
    """Sets the peaks of `root` and its living descendants back to what they hold now (``man 5 proc``, clear_refs).

    Raises OSError where the kernel does not know this: the peaks of earlier work would pass for those of later work.
    """
    for pid in _tree(root):
        with contextlib.suppress(*_GONE):
            Path(f"/proc/{pid}/clear_refs").write_text("5")


def _tree(root: int) -> dict[int, list[str]]:
    """`root` and everything below it: process ids and the fields of ``/proc/PID/stat`` after the name."""
    stats: dict[int, list[str]] = {}
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(*_GONE):
            # The name in parentheses may hold spaces: everything of interest comes after the last one.
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            stats[int(entry.name)] = fields
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found: dict[int, list[str]] = {}
    todo = [root]
    while todo:
        pid = todo.pop()
        if pid in stats:
            found[pid] = stats[pid]
            todo.extend(children.get(pid, []))
    return found
