"""StreamJob as a user starts it, and what it leaves on disk: checkpoint, scores, rejected rows, progress."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from tests.support.submit import submit_command

MAIN = "io.firesteel.spark.StreamJob"


@dataclass(frozen=True)
class Job:
    """A topic through a pipeline to two Parquet sinks, everything below one folder."""

    pipeline: Path
    bootstrap: str
    topic: str
    folder: Path
    jar: Path
    connector: Sequence[Path]
    batch_rows: int | None = None

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint"

    @property
    def scores(self) -> Path:
        return self.folder / "scores"

    @property
    def rejected(self) -> Path:
        return self.folder / "rejected"

    @property
    def events(self) -> Path:
        """Spark's own event log: the plans that really ran stand in it."""
        return self.folder / "events"

    def command(self, *options: str, master: str = "local[2]") -> list[str]:
        """The command line, from spark-submit to the last option."""
        self.events.mkdir(exist_ok=True)
        conf = {
            "spark.eventLog.enabled": "true",
            "spark.eventLog.compress": "false",
            "spark.eventLog.dir": self.events.as_uri(),
        }
        command = submit_command(master=master, jars=self.connector, conf=conf)
        command += ["--class", MAIN, str(self.jar)]
        command += ["--pipeline", str(self.pipeline), "--bootstrap-servers", self.bootstrap, "--topic", self.topic]
        command += ["--checkpoint", str(self.checkpoint), "--output-parquet", str(self.scores)]
        command += ["--rejected-parquet", str(self.rejected), "--progress-file", str(self.folder / "progress.jsonl")]
        if self.batch_rows is not None:
            command += ["--max-offsets-per-trigger", str(self.batch_rows)]
        return [*command, *options]

    def start_over(self) -> None:
        """Forget the query: checkpoint and output begin again from nothing."""
        for folder in (self.checkpoint, self.scores, self.rejected):
            shutil.rmtree(folder, ignore_errors=True)

    def progress(self) -> list[dict[str, Any]]:
        """The micro-batches that the job has reported, over all its runs since the folder was made."""
        lines = (self.folder / "progress.jsonl").read_text().splitlines()
        return [line for line in map(json.loads, lines) if line["event"] == "batch"]

    def assert_rejected(self, spark: SparkSession, rows: int) -> None:
        """Hold that the sink of rejected rows has so many, each place of the topic once."""
        table = spark.read.parquet(str(self.rejected))
        assert table.count() == rows
        assert table.select("topic", "partition", "offset").distinct().count() == rows

    def assert_native(self) -> None:
        """Hold that native code stood in the plans that ran: the source with the pipeline in it, or the operator."""
        logs = [path for path in self.events.rglob("*") if path.is_file() and not path.name.endswith(".crc")]
        native = ("firesteel subscribe", "FiresteelEval")
        assert any(name in path.read_text(errors="replace") for path in logs for name in native), f"not in {logs}"
