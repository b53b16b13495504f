"""CPU time and memory of a process and everything below it, from /proc: figures that a busy machine cannot spoil as it
spoils wall time."""

from __future__ import annotations

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def tree_seconds(root: int) -> float:
    """User plus system seconds of `root`, its living descendants, and the dead ones that were waited for."""
    parent: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # The name in parentheses may hold spaces: everything of interest comes after the last one.
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(entry.name)
        parent[pid] = int(fields[1])
        ticks[pid] = sum(int(x) for x in fields[11:15])
    return sum(ticks.get(pid, 0) for pid in _tree(root, parent)) / _TICKS


def peak_rss_bytes(root: int) -> int:
    """Highest resident memory of `root` and its living descendants, each at its own peak, added up."""
    parent: dict[int, int] = {}
    peak: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            status = dict(line.split(":", 1) for line in (entry / "status").read_text().splitlines() if ":" in line)
        except OSError:
            continue
        parent[int(entry.name)] = int(status["PPid"])
        peak[int(entry.name)] = int(status.get("VmHWM", "0 kB").split()[0]) * 1024
    return sum(peak[pid] for pid in _tree(root, parent) if pid in peak)


def _tree(root: int, parent: dict[int, int]) -> list[int]:
    """`root` and everything below it."""
    children: dict[int, list[int]] = {}
    for pid, above in parent.items():
        children.setdefault(above, []).append(pid)
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo.extend(children.get(pid, []))
    return found
