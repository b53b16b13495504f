"""Streams through windows in a process of their own (tests/drivers/windows_queries.py) that is killed and goes on."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support import checkpoints
from tests.support.places import ROOT
from tests.support.submit import SparkProgram
from tests.support.windows.ways import Way

PATH = {"PYTHONPATH": f"{ROOT}:{ROOT / 'python'}"}


@dataclass
class Query:
    """A stream of a topic, its checkpoint and its sink (in `folder`); options may change from run to run."""

    bootstrap: str
    topic: str
    file: Path
    way: Way
    folder: Path
    partitions: int
    sink: str = "parquet"
    slow_ms: int = 0
    options: dict[str, Any] = field(default_factory=dict)
    kills_in_a_batch: int = 0

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def batches(self) -> int:
        """How many micro-batches are done."""
        return checkpoints.committed(self.checkpoint) + 1

    @property
    def is_in_a_batch(self) -> bool:
        """Whether a micro-batch is planned and not done."""
        return checkpoints.is_mid_batch(self.checkpoint)


@dataclass
class Driver:
    """Runs queries together, each time in a new JVM."""

    jar: Path
    queries: Sequence[Query]
    folder: Path
    runs: int = 0

    def run_until(self, moment: Callable[[], bool], *, pause_s: float = 0, timeout_s: float = 240) -> None:
        """Run them until the moment has come and a pause is over, then kill the JVM as by a power cut."""
        with self._program(to_the_end=False) as program:
            program.wait_until(moment, timeout_s=timeout_s, what="the moment of the kill")
            time.sleep(pause_s)
            program.kill()
            assert program.status == 128 + signal.SIGKILL
        for query in self.queries:
            query.kills_in_a_batch += query.is_in_a_batch

    def finish(self, *, timeout_s: float = 240) -> None:
        """Run them to the end of their topics."""
        with self._program(to_the_end=True) as program:
            program.finish(timeout_s)

    def _program(self, *, to_the_end: bool) -> SparkProgram:
        self.runs += 1
        plan = self.folder / f"run-{self.runs}.json"
        queries = [vars(query) for query in self.queries]
        plan.write_text(json.dumps({"jar": self.jar, "queries": queries, "to_the_end": to_the_end}, default=str))
        command = [sys.executable, str(ROOT / "tests" / "drivers" / "windows_queries.py"), str(plan)]
        return SparkProgram(command, plan.with_suffix(".log"), name="windows_queries", env=PATH)
