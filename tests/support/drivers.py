"""Runs a driver program of tests/drivers in a process of its own and reads the one JSON line that it prints."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support import submit
from tests.support.places import ROOT


def answer_of(
    driver: str, *arguments: object, folder: Path, env: Mapping[str, str] | None = None, timeout_s: float = 150
) -> dict[str, Any]:
    """Run it to the end, within the time limit; fail with its output if it did not end well."""
    command = [sys.executable, str(ROOT / "tests" / "drivers" / f"{driver}.py"), *map(str, arguments)]
    with submit.SparkProgram(command, folder / f"{driver}.log", name=driver, env=env) as program:
        lines = [line for line in program.finish(timeout_s).splitlines() if line.startswith("{")]
        assert lines, program.tail(60)
        answer: dict[str, Any] = json.loads(lines[-1])
        return answer
