"""spark-submit and other programs of the installed pyspark: bounded, killable, and never left behind."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil
import pyspark

from tests.harness.process import Program
from tests.support.places import ROOT

SPARK_HOME = Path(pyspark.__file__).resolve().parent


class SparkProgram(Program):
    """A program with what Spark's scripts need in its environment; which can be killed as by a power cut."""

    def __init__(
        self, command: Sequence[str], log: Path, *, name: str = "spark-submit", env: Mapping[str, str] | None = None
    ) -> None:
        settings = {
            "SPARK_HOME": str(SPARK_HOME),
            "PYSPARK_PYTHON": sys.executable,
            "PYSPARK_DRIVER_PYTHON": sys.executable,
            "PYTHONPATH": str(ROOT / "python"),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_LOCAL_HOSTNAME": "127.0.0.1",
        }
        super().__init__(name, command, log, env={**settings, **(env or {})}, cwd=log.parent, grace_s=5.0)

    def __enter__(self) -> SparkProgram:
        return self

    def descendants(self) -> list[psutil.Process]:
        """The program's processes and those that they have started."""
        return psutil.Process(self._guard.pid).children(recursive=True)

    def wait_until(self, condition: Callable[[], bool], *, timeout_s: float, what: str) -> None:
        """Wait for a condition while the program lives; fail with the log's tail if it ends or time is up."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            if self.status is not None:
                raise AssertionError(f"{self.name} ended with {self.status} before {what}\n{self.tail(60)}")
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.name}: no {what} within {timeout_s} s\n{self.tail(60)}")
            time.sleep(0.02)

    def finish(self, timeout_s: float) -> str:
        """Wait for a good end; returns the output."""
        code = self.wait(timeout_s)
        assert code == 0, f"{self.name} ended with {code}\n{self.tail(80)}"
        return self.output()

    def output(self) -> str:
        """All that the program has said so far."""
        return self.log.read_text(errors="replace")


def submit_command(
    *, master: str, jars: Sequence[Path], conf: Mapping[str, str] | None = None, memory: str = "1g"
) -> list[str]:
    """The start of a spark-submit command line that is small and stays on this machine."""
    settings = {
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.session.timeZone": "UTC",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        **(conf or {}),
    }
    command = [str(SPARK_HOME / "bin" / "spark-submit"), "--master", master, "--driver-memory", memory]
    command += ["--jars", ",".join(map(str, jars))] if jars else []
    for key, value in settings.items():
        command += ["--conf", f"{key}={value}"]
    return command


def spark_class(name: str, *arguments: str) -> list[str]:
    """The command that starts one of Spark's own main classes."""
    return [str(SPARK_HOME / "bin" / "spark-class"), name, *arguments]
