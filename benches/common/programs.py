"""Benchmarks that are programs of their own (Rust, Java): run one, take the JSON that it prints."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from benches.common.paths import ROOT, TARGET
from benches.common.report import Figure

TIMEOUT_S = 1800


def printed_json(command: Sequence[str], env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Runs a program in the repository's root; its standard output is one JSON object, its messages go to stderr."""
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        timeout=TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"benches: {' '.join(command[:6])} failed with {done.returncode}")
    text = done.stdout.decode()
    return dict(json.loads(text[text.index("{") :]))


def cargo_run(package: str, *arguments: str, example: str | None = None) -> list[str]:
    """The command that builds and runs a program of the workspace, in the one profile that everything shares."""
    command = ["cargo", "run", "--quiet", "--release", "--target", TARGET, "-p", package]
    if example is not None:
        command += ["--example", example]
    return [*command, "--", *arguments]


def figures(printed: Mapping[str, Any]) -> list[Figure]:
    """The figures of a program that prints ``{"figures": [{case, who, unit, values}]}``."""
    return [Figure(f["case"], f["who"], f["unit"], tuple(f["values"])) for f in printed["figures"]]
