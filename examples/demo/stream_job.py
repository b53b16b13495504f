"""Starts StreamJob through spark-submit and follows its progress file."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyspark
from tqdm import tqdm

from tests.harness.process import Program, ProgramError

ROOT = Path(__file__).resolve().parents[2]
JAR = ROOT / "build" / "dist" / "firesteel-spark_2.13-0.1.0.jar"
SPARK_HOME = Path(pyspark.__file__).resolve().parent
POLL_S = 0.2
TIMEOUT_S = 600.0


@dataclass(frozen=True)
class StreamJob:
    """What to read, how to score, where to write."""

    bootstrap: str
    topic: str
    scores_topic: str
    rejected_topic: str
    pipeline: Path
    out: Path
    cores: int
    batch_rows: int
    connector: list[Path]

    @property
    def progress(self) -> Path:
        """File of one JSON line per micro-batch."""
        return self.out / "progress.jsonl"

    def command(self) -> list[str]:
        """The command line, as a user would type it."""
        settings = {
            "spark.ui.enabled": "false",
            "spark.log.level": "WARN",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.sql.shuffle.partitions": str(self.cores),
            "spark.local.dir": str(self.out / "spark-tmp"),
            "spark.sql.warehouse.dir": str(self.out / "spark-tmp" / "warehouse"),
        }
        options = {
            "--pipeline": self.pipeline,
            "--bootstrap-servers": self.bootstrap,
            "--topic": self.topic,
            "--checkpoint": self.out / "checkpoint",
            "--max-offsets-per-trigger": self.batch_rows,
            "--output-parquet": self.out / "scores",
            "--output-topic": self.scores_topic,
            "--output-key": "customer_id",
            "--rejected-parquet": self.out / "rejected",
            "--rejected-topic": self.rejected_topic,
            "--progress-file": self.progress,
        }
        return [
            str(SPARK_HOME / "bin" / "spark-submit"),
            *("--master", f"local[{self.cores}]", "--driver-memory", "2g"),
            *("--class", "io.firesteel.spark.StreamJob", "--jars", ",".join(map(str, self.connector))),
            *(part for key, value in settings.items() for part in ("--conf", f"{key}={value}")),
            str(JAR),
            *(str(part) for pair in options.items() for part in pair),
        ]


def run(job: StreamJob, *, total_rows: int) -> list[dict[str, Any]]:
    """Run the job to its end under a progress bar; returns the progress line of every micro-batch."""
    environment = {"SPARK_HOME": str(SPARK_HOME), "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
    batches: list[dict[str, Any]] = []
    with Program("the streaming job", job.command(), job.out / "spark.log", env=environment, cwd=job.out) as spark:
        with tqdm(total=total_rows, unit=" rows", desc="scoring", unit_scale=True, dynamic_ncols=True) as bar:
            for event in follow(job.progress, spark):
                if event["event"] == "started":
                    for guarantee in event["guarantees"]:
                        bar.write(f"           {guarantee}")
                elif event["event"] == "batch":
                    batches.append(event)
                    bar.set_postfix(
                        lag=f"{event.get('lag_rows', 0):,}", rejected=sum(b["rows_rejected"] for b in batches)
                    )
                    bar.update(event["rows_in"])
        status = spark.wait(60)
    if status != 0:
        errors = [line for line in spark.tail(400).splitlines() if line.startswith("error: ")]
        what = errors[-1].removeprefix("error: ") if errors else spark.tail()
        raise ProgramError(f"the streaming job ended with status {status}: {what} (all of it in {spark.log})")
    return batches


def follow(path: Path, writer: Program) -> Iterator[dict[str, Any]]:
    """The events of a progress file as they are appended, until the query or its process ends."""
    deadline = time.monotonic() + TIMEOUT_S
    read = 0
    while True:
        # Before the read: what a program wrote before it ended is seen by the read below.
        ended = writer.status is not None
        text = path.read_bytes()[read:] if path.exists() else b""
        complete = text[: text.rfind(b"\n") + 1]
        read += len(complete)
        for line in complete.splitlines():
            event = json.loads(line)
            yield event
            if event["event"] == "ended":
                return
        if ended:
            return
        if time.monotonic() > deadline:
            raise ProgramError(f"{writer.name} did not end within {TIMEOUT_S:.0f} s\n{writer.tail()}")
        time.sleep(POLL_S)
