"""Spark's standalone cluster on this machine: a master and one worker, started by class.

The pyspark package has no start scripts for them, but it has the classes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.harness.ports import free_ports
from tests.support.submit import SparkProgram, spark_class

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Cluster:
    """A running master and its one worker."""

    url: str
    worker: SparkProgram

    def kill_executors(self) -> int:
        """SIGKILL to the executors that the worker runs now; returns how many there were."""
        killed = 0
        for process in self.worker.descendants():
            with contextlib.suppress(psutil.NoSuchProcess):
                if "org.apache.spark.executor.CoarseGrainedExecutorBackend" in process.cmdline():
                    process.kill()
                    killed += 1
        return killed


@contextlib.contextmanager
def standalone(folder: Path, *, cores: int = 2, memory: str = "2g") -> Iterator[Cluster]:
    """Start a master and a worker, and wait until the one has registered with the other."""
    port, master_ui, worker_ui = free_ports(3)
    url = f"spark://{HOST}:{port}"
    env = {"SPARK_DAEMON_MEMORY": "512m"}
    master = spark_class(
        "org.apache.spark.deploy.master.Master", "--host", HOST, "--port", str(port), "--webui-port", str(master_ui)
    )
    worker = spark_class(
        "org.apache.spark.deploy.worker.Worker",
        *("--host", HOST, "--webui-port", str(worker_ui)),
        *("--cores", str(cores), "--memory", memory, "--work-dir", str(folder / "work"), url),
    )
    with SparkProgram(master, folder / "master.log", name="Spark master", env=env) as started:
        started.wait_until(lambda: "New state: ALIVE" in started.output(), timeout_s=60, what="a master in charge")
        with SparkProgram(worker, folder / "worker.log", name="Spark worker", env=env) as joined:
            joined.wait_until(
                lambda: "Successfully registered with master" in joined.output(),
                timeout_s=60,
                what="a registered worker",
            )
            yield Cluster(url, joined)
