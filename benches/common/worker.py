"""Worker programs: a job file in, a result file out, a process of their own that never outlives the benchmark."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benches.common.paths import ROOT, WORK
from tests.harness.process import Program

POLL_S = 0.05
READY = "ready"
RESULT = "result"


@dataclass
class Worker:
    """A running worker. Its log lies in build/bench and is shown when it fails."""

    program: Program
    folder: Path
    asked: int = 0

    def wait_until_ready(self, timeout_s: float) -> None:
        """Waits until the worker says that it is ready."""
        self._wait_for(self.folder / READY, timeout_s)

    def ask(self, action: str, subject: str, timeout_s: float) -> dict[str, Any]:
        """Sends a request to a worker that takes them and waits for the answer."""
        _write(self.folder / f"{self.asked}.request", {"action": action, "subject": subject})
        answer = self.folder / f"{self.asked}.answer"
        self.asked += 1
        self._wait_for(answer, timeout_s)
        return dict(json.loads(answer.read_text()))

    def result(self, timeout_s: float) -> dict[str, Any]:
        """Waits for the end of a worker that has one result, and gives it."""
        self._wait_for(self.folder / RESULT, timeout_s)
        self.program.wait(timeout_s)
        return dict(json.loads((self.folder / RESULT).read_text()))

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
    """Starts ``benches.workers.<module>`` on a job; it finds its ``folder`` and its ``contender`` in there."""
    folder = WORK / f"{module}-{contender}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    spec = folder / "job.json"
    spec.write_text(json.dumps({**job, "contender": contender, "folder": str(folder)}, indent=1))
    command = [sys.executable, "-m", f"benches.workers.{module}", str(spec)]
    with Program(f"{contender} ({module})", command, folder / "log", env=environment(), cwd=ROOT) as program:
        yield Worker(program, folder)


def environment() -> dict[str, str]:
    """Spark's Python workers must find both packages; everything stays on the loopback interface."""
    return {
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'python'}",
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "OMP_NUM_THREADS": "1",
    }


@dataclass(frozen=True)
class Request:
    """What a worker is asked to do, and with what."""

    action: str
    subject: str
    answer_file: Path

    def answer(self, content: dict[str, Any]) -> None:
        """Ends the request."""
        _write(self.answer_file, content)


def requests(job: dict[str, Any]) -> Iterator[Request]:
    """In a worker: its requests, one after the other, until the benchmark ends it."""
    folder = Path(job["folder"])
    for number in itertools.count():
        file = folder / f"{number}.request"
        while not file.exists():
            time.sleep(POLL_S)
        yield Request(**json.loads(file.read_text()), answer_file=folder / f"{number}.answer")


def say_ready(job: dict[str, Any]) -> None:
    """In a worker: what :meth:`Worker.wait_until_ready` waits for."""
    _write(Path(job["folder"]) / READY, {})


def write_result(job: dict[str, Any], result: dict[str, Any]) -> None:
    """In a worker: what :meth:`Worker.result` waits for."""
    _write(Path(job["folder"]) / RESULT, result)


def _write(path: Path, content: dict[str, Any]) -> None:
    """The file appears complete or not at all."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content))
    part.rename(path)
