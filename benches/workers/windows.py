"""One contender of the benchmark `windows`; see ``throughput`` for why a process each.

A request names an action (``check``, ``warm`` or ``measure``, each with payments of its own) and a case: ``stream``,
a topic to its end, or ``batch``, a Parquet file.
"""

from __future__ import annotations

import functools
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession

from benches import make_payments
from benches.common import spark as sessions
from benches.common.progress import kept_rate
from benches.common.worker import Request, requests
from benches.payments import COLUMNS, difference, reference
from benches.peers.windows import contender
from benches.workers import streams
from benches.workers.costs import costed

#: The contender that needs no Spark.
PANDAS = "pandas"


def stream(spark: SparkSession, job: dict[str, Any], action: str) -> DataFrame:
    """The contender's features of a topic."""
    peer = contender(job["contender"])
    max_offsets = job["check_max_offsets"] if action == "check" else job["max_offsets"]
    place = (spark, job["bootstrap"], job["topics"][action], max_offsets)
    return peer.stream(*place) if hasattr(peer, "stream") else peer.features(sessions.stream(*place))


def batch(spark: SparkSession, job: dict[str, Any], action: str) -> DataFrame:
    """The contender's features of a file."""
    return contender(job["contender"]).training_set(spark.read.parquet(job["files"][action]))


def check(spark: SparkSession | None, job: dict[str, Any], case: str) -> dict[str, Any]:
    """How far the contender's features of the small file or topic are from their definition."""
    file = job["files"]["check"]
    return dict(difference(computed(spark, job, case, file), reference(pq.read_table(file))))


def computed(spark: SparkSession | None, job: dict[str, Any], case: str, file: str) -> pa.Table:
    """The contender's features of the small file or topic."""
    if spark is None:
        return pa.Table.from_pandas(contender(PANDAS).training_set(file))
    folder = tempfile.mkdtemp(prefix="firesteel-bench-")
    try:
        out = str(Path(folder) / "features")
        if case == "stream":
            df = stream(spark, job, "check").select(*COLUMNS)
            streams.run(df.writeStream.format("parquet").option("path", out))
        else:
            batch(spark, job, "check").select(*COLUMNS).write.parquet(out)
        return pq.read_table(out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def timed_stream(spark: SparkSession, job: dict[str, Any], action: str) -> dict[str, Any]:
    """A topic to its end, into the noop sink."""
    return kept_rate(streams.run(stream(spark, job, action).writeStream.format("noop")))


def timed_batch(spark: SparkSession | None, job: dict[str, Any], action: str) -> dict[str, Any]:
    """A file into the noop sink, or with pandas into memory; reading it counts."""
    rows = make_payments.rows(job["files"][action])
    started = time.monotonic()
    if spark is None:
        contender(PANDAS).training_set(job["files"][action])
    else:
        batch(spark, job, action).write.format("noop").mode("overwrite").save()
    seconds = time.monotonic() - started
    return {"rows_per_s": rows / seconds, "rows": rows, "rows_total": rows, "seconds": seconds}


def answer(spark: SparkSession | None, job: dict[str, Any], request: Request) -> dict[str, Any]:
    """Does what is asked."""
    if request.action == "check":
        return check(spark, job, request.subject)
    if request.subject == "batch":
        return costed(spark, functools.partial(timed_batch, spark, job, request.action))
    if spark is None:
        raise ValueError(f"{job['contender']} takes no part in {request.subject}")
    return costed(spark, functools.partial(timed_stream, spark, job, request.action))


def main() -> None:
    """Answers requests until the benchmark ends this process."""
    job = json.loads(Path(sys.argv[1]).read_text())
    name = job["contender"]
    spark = None if name == PANDAS else sessions.for_contender(name, job["jars"], sessions.STATE)
    for request in requests(job):
        request.answer(answer(spark, job, request))


if __name__ == "__main__":
    main()
