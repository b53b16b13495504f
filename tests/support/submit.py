"""spark-submit and other programs of the installed pyspark, each in a process group of its own, always bounded."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyspark

from support.places import ROOT

SPARK_HOME = Path(pyspark.__file__).resolve().parent


@dataclass(frozen=True)
class Program:
    """A running Spark program and the file that takes its output."""

    process: subprocess.Popen[bytes]
    log: Path

    def kill(self) -> None:
        """End the program and its children by SIGKILL, as a machine that loses power would."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=30)

    def wait(self, timeout_s: float) -> int:
        """Wait for the end; on a timeout kill it and fail with the log's tail."""
        try:
            return self.process.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still running after {timeout_s} s\n{self.tail()}") from None

    def wait_until(self, condition: Callable[[], bool], *, timeout_s: float, what: str) -> None:
        """Wait for a condition while the program lives; fail with the log's tail if it ends or time is up."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            if self.process.poll() is not None:
                raise AssertionError(f"ended with {self.process.returncode} before {what}\n{self.tail()}")
            if time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"no {what} within {timeout_s} s\n{self.tail()}")
            time.sleep(0.02)

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def tail(self, lines: int = 60) -> str:
        return "\n".join(self.output().splitlines()[-lines:])


@contextlib.contextmanager
def program(arguments: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> Iterator[Program]:
    """Start a program; whatever happens, nothing of it is left at the end."""
    environment = {
        **os.environ,
        "SPARK_HOME": str(SPARK_HOME),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "PYTHONPATH": str(ROOT / "python"),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_HOSTNAME": "127.0.0.1",
        **(env or {}),
    }
    with log.open("ab") as sink:
        process = subprocess.Popen(
            list(arguments),
            stdout=sink,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=environment,
            cwd=log.parent,
            start_new_session=True,
        )
    started = Program(process, log)
    try:
        yield started
    finally:
        started.kill()


def submit_arguments(
    *, master: str, jars: Sequence[Path], conf: Mapping[str, str] | None = None, memory: str = "1g"
) -> list[str]:
    """The start of a spark-submit command line that is small, local to this machine and quiet."""
    settings = {
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.session.timeZone": "UTC",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        **(conf or {}),
    }
    arguments = [str(SPARK_HOME / "bin" / "spark-submit"), "--master", master, "--driver-memory", memory]
    arguments += ["--jars", ",".join(map(str, jars))]
    for key, value in settings.items():
        arguments += ["--conf", f"{key}={value}"]
    return arguments


def spark_class(name: str, *arguments: str) -> list[str]:
    """The command that starts one of Spark's own main classes."""
    return [str(SPARK_HOME / "bin" / "spark-class"), name, *arguments]
