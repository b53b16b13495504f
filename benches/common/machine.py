"""Which machine, which versions, which command: what a reader needs to repeat a figure or to doubt it."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def _output(*command: str) -> str:
    """First line that a command prints on either stream; empty if it cannot run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, cwd=ROOT, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (done.stdout or done.stderr).strip().partition("\n")[0]


@functools.cache
def describe() -> dict[str, Any]:
    """CPU model, cores, memory, kernel, and the load before the run (other people's work shows there)."""
    cpu = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(pages / 2**30),
        "kernel": platform.release(),
        "load_before": [round(x, 2) for x in os.getloadavg()],
    }


@functools.cache
def versions() -> dict[str, str]:
    """Versions of everything that takes part."""
    found = {
        "firesteel": _output("git", "describe", "--always", "--dirty"),
        "java": _output("java", "-version"),
        "rustc": _output("rustc", "--version"),
        "python": platform.python_version(),
    }
    for package in ("pyspark", "onnxruntime", "pandas", "pyarrow", "numpy", "lightgbm", "scikit-learn"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def command() -> str:
    """What to type to get the same run."""
    arguments = sys.argv[1:]
    return "python -m benches.run " + " ".join(shlex.quote(a) for a in arguments)
