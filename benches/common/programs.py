"""Benchmarks that are programs of their own (Rust, Java): how they are run."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from typing import Any

from benches.common.paths import ROOT, TARGET

TIMEOUT_S = 3600


def run(command: Sequence[str], *, stdout: int | None = None) -> bytes:
    """Runs a program in the repository's root; a failure ends the benchmark with the command's name."""
    done = subprocess.run(command, stdout=stdout, stdin=subprocess.DEVNULL, cwd=ROOT, timeout=TIMEOUT_S, check=False)
    if done.returncode != 0:
        raise SystemExit(f"benches: {' '.join(command[:9])} … failed with {done.returncode}")
    return done.stdout or b""


def printed_json(command: Sequence[str]) -> dict[str, Any]:
    """Runs a program whose standard output is one JSON object; its messages go to standard error."""
    text = run(command, stdout=subprocess.PIPE).decode()
    return dict(json.loads(text[text.index("{") :]))


def cargo_run(package: str, *arguments: str, example: str | None = None) -> list[str]:
    """The command that builds and runs a program of the workspace, in the one profile that everything shares."""
    command = ["cargo", "run", "--quiet", "--release", "--target", TARGET, "-p", package]
    if example is not None:
        command += ["--example", example]
    return [*command, "--", *arguments]
