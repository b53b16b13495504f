"""Worker programs: a job file in, a result file out, a process of their own that never outlives the benchmark."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benches.common.paths import ROOT, WORK
from tests.harness.process import Program

POLL_S = 0.05


@dataclass(frozen=True)
class Worker:
    """A running worker. Its log lies in build/bench and is shown when it fails."""

    program: Program
    ready_file: Path
    result_file: Path

    def wait_until_ready(self, timeout_s: float) -> None:
        """Waits until the worker says that it is ready."""
        self._wait_for(self.ready_file, timeout_s)

    def result(self, timeout_s: float) -> dict[str, Any]:
        """Waits for the worker's end and gives its result."""
        self._wait_for(self.result_file, timeout_s)
        self.program.wait(timeout_s)
        return dict(json.loads(self.result_file.read_text()))

    def _wait_for(self, file: Path, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not file.exists():
            ended = self.program.status
            if (ended is not None and not file.exists()) or time.monotonic() > deadline:
                why = f"still runs after {timeout_s:.0f} s" if ended is None else f"ended with {ended}"
                raise SystemExit(f"benches: {self.program.name} {why}; {self.program.log}:\n{self.program.tail(40)}")
            time.sleep(POLL_S)


@contextlib.contextmanager
def started(module: str, contender: str, job: dict[str, Any]) -> Iterator[Worker]:
    """Starts ``benches.workers.<module>`` on a job; it finds ``ready`` and ``result`` (paths to create) in there."""
    spec, result, ready, log = (WORK / f"{module}-{contender}.{end}" for end in ("job", "result", "ready", "log"))
    for old in (result, ready, log):
        old.unlink(missing_ok=True)
    spec.write_text(json.dumps({**job, "result": str(result), "ready": str(ready)}, indent=1))
    command = [sys.executable, "-m", f"benches.workers.{module}", str(spec)]
    with Program(f"{contender} ({module})", command, log, env=environment(), cwd=ROOT) as program:
        yield Worker(program, ready, result)


def environment() -> dict[str, str]:
    """Spark's Python workers must find both packages; everything stays on the loopback interface."""
    return {
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'python'}",
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "OMP_NUM_THREADS": "1",
    }


def write_result(job: dict[str, Any], result: dict[str, Any]) -> None:
    """What a worker calls at its end; the file appears complete or not at all."""
    path = Path(job["result"])
    part = path.with_suffix(".part")
    part.write_text(json.dumps(result))
    part.rename(path)
