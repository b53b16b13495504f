"""Spark's standalone cluster on this machine: a master and its workers, started by class.

The pyspark package has no start scripts for them, but it has the classes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.harness.ports import free_ports
from tests.support.submit import SparkProgram, spark_class

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Cluster:
    """A running master and its workers."""

    url: str
    workers: Sequence[SparkProgram]

    def executors(self) -> list[psutil.Process]:
        """The executors that the workers run now."""
        found = []
        for process in (process for worker in self.workers for process in worker.descendants()):
            with contextlib.suppress(psutil.NoSuchProcess):
                if "org.apache.spark.executor.CoarseGrainedExecutorBackend" in process.cmdline():
                    found.append(process)
        return found

    def kill_executors(self, most: int | None = None) -> int:
        """SIGKILL to so many executors, by default to all; returns how many it were."""
        killed = 0
        for process in self.executors()[:most]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
                killed += 1
        return killed


@contextlib.contextmanager
def standalone(folder: Path, *, workers: int = 1, cores: int = 2, memory: str = "2g") -> Iterator[Cluster]:
    """Start a master and workers of so many cores and so much memory each, and wait until all have registered."""
    port, master_ui = free_ports(2)
    url = f"spark://{HOST}:{port}"
    env = {"SPARK_DAEMON_MEMORY": "512m"}
    master = spark_class(
        "org.apache.spark.deploy.master.Master", "--host", HOST, "--port", str(port), "--webui-port", str(master_ui)
    )
    with contextlib.ExitStack() as running:
        started = running.enter_context(SparkProgram(master, folder / "master.log", name="Spark master", env=env))
        started.wait_until(lambda: "New state: ALIVE" in started.output(), timeout_s=60, what="a master in charge")
        joined = []
        for number, web_ui in enumerate(free_ports(workers)):
            worker = spark_class(
                "org.apache.spark.deploy.worker.Worker",
                *("--host", HOST, "--webui-port", str(web_ui)),
                *("--cores", str(cores), "--memory", memory, "--work-dir", str(folder / "work"), url),
            )
            program = SparkProgram(worker, folder / f"worker-{number}.log", name="Spark worker", env=env)
            joined.append(running.enter_context(program))
        for program in joined:
            program.wait_until(
                lambda program=program: "Successfully registered with master" in program.output(),  # type: ignore[misc]
                timeout_s=60,
                what="a registered worker",
            )
        yield Cluster(url, joined)
