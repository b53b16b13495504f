"""The native source with very many keys: ``fill`` reads a topic to its end, ``recover`` goes on where it ended.

The two are asked of different processes: what the first one held in memory is gone for the second.
"""

from __future__ import annotations

import functools
import json
import sys
import time
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from benches.common import spark as sessions
from benches.common.progress import kept_rate
from benches.common.worker import requests
from benches.payments import COUNTS
from benches.peers.windows import native
from benches.workers import streams
from benches.workers.costs import costed


def fill(spark: SparkSession, job: dict[str, Any], subject: str) -> dict[str, Any]:
    """Reads a topic to its end into the noop sink; the checkpoint stays."""
    place = job["places"][subject]
    df = native.stream(spark, job["bootstrap"], place["topic"], job["max_offsets"])
    writer = df.writeStream.format("noop")
    return costed(spark, lambda: _filled(streams.run(writer, place["checkpoint"])))


def _filled(progress: list[dict[str, Any]]) -> dict[str, Any]:
    """The rate, and what the source says of its state at the end. Few keys are read in one batch, which counts."""
    batches = sum(1 for p in progress if p["numInputRows"] > 0)
    rate = kept_rate(progress, dropped=min(1, batches - 1))
    return {**rate, "source_metrics": progress[-1]["sources"][0].get("metrics")}


def recover(spark: SparkSession, job: dict[str, Any], subject: str) -> dict[str, Any]:
    """Seconds from the start of the query to the end of its first batch; what that batch saw of the state."""
    place = job["places"][subject]
    seen: list[dict[str, Any]] = []
    df = native.stream(spark, job["bootstrap"], place["topic"], job["max_offsets"])
    writer = df.writeStream.foreachBatch(functools.partial(_look, seen, time.monotonic()))
    streams.run(writer, place["checkpoint"])
    return seen[0]


def _look(seen: list[dict[str, Any]], started: float, batch: DataFrame, _number: int) -> None:
    fewest = batch.agg(F.count("*").alias("rows"), F.min(COUNTS[-1]).alias("fewest"), F.max(COUNTS[-1]).alias("most"))
    found = fewest.collect()[0].asDict()
    if found["rows"]:
        seen.append({**found, "seconds": time.monotonic() - started})


def main() -> None:
    """Answers requests until the benchmark ends this process."""
    job = json.loads(Path(sys.argv[1]).read_text())
    spark = sessions.for_contender(job["contender"], job["jars"])
    for request in requests(job):
        request.answer({"fill": fill, "recover": recover}[request.action](spark, job, request.subject))


if __name__ == "__main__":
    main()
