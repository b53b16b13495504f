"""One contender of the Kafka benchmark in one Spark session; see ``throughput`` for why a process each.

A request's subject is a case: ``read`` (all columns of the records into the noop sink), ``value`` (the value alone),
``decode``, a model's name, or a model's name with ``>kafka`` (scores as JSON to a topic) or ``>kafka once``.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.readwriter import DataStreamWriter

from benches.common import spark as sessions
from benches.common.cpu import peak_rss_bytes, reset_peak, tree_seconds
from benches.common.progress import kept_rate
from benches.common.worker import requests
from benches.peers import native
from benches.peers.decoded import from_json
from benches.workers import streams

#: The JVM gives the pages of a shrunk heap back in the background.
GIVE_BACK_S = 1.0
MIB = 2**20


def frame(spark: SparkSession, job: dict[str, Any], case: str, topic: str) -> DataFrame:
    """What the contender reads in a case."""
    place = (spark, job["bootstrap"], topic, job["max_offsets"])
    ours = job["contender"] == native.NAME
    if case in ("read", "value"):
        records = native.read(*place) if ours else sessions.stream(*place)
        return records.select("value") if case == "value" else records
    if case == "decode":
        return native.decoded(*place) if ours else from_json(sessions.stream(*place))
    return streams.scored(spark, job, topic, job["models"][case], max_offsets=job["max_offsets"])


def writer(df: DataFrame, job: dict[str, Any], sink: str) -> DataStreamWriter:
    """The noop sink, or records of JSON: by our sink for us, by Spark's for the others."""
    if not sink:
        return df.writeStream.format("noop")
    return streams.to_kafka(df, job, job["out_topic"], once=sink == "kafka once")


def run(make: Callable[[], DataStreamWriter]) -> list[dict[str, Any]]:
    """Runs an AvailableNow stream to its end; gives its progress."""
    folder = tempfile.mkdtemp(prefix="firesteel-bench-")
    try:
        query = make().option("checkpointLocation", folder).trigger(availableNow=True).start()
        query.awaitTermination()
        return [json.loads(p.json) for p in query.recentProgress]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def forget_peak(spark: SparkSession) -> float:
    """Makes the kernel count the peak of the next case alone; gives what the processes hold now, in MiB.

    A heap that an earlier case has grown would count for this one too: a full collection shrinks it first.
    """
    spark._jvm.java.lang.System.gc()  # type: ignore[union-attr]
    time.sleep(GIVE_BACK_S)
    reset_peak(os.getpid())
    return peak_rss_bytes(os.getpid()) / MIB


def main() -> None:
    """Answers requests until the benchmark ends this process."""
    job = json.loads(Path(sys.argv[1]).read_text())
    spark = sessions.for_contender(job["contender"], job["jars"])
    heap_mib = spark._jvm.java.lang.Runtime.getRuntime().maxMemory() / MIB  # type: ignore[union-attr]
    for request in requests(job):
        case, _, sink = request.subject.partition(">")
        topic = job["topic"] if request.action == "measure" else job["warm_topic"]
        df = frame(spark, job, case, topic)
        rss_before = forget_peak(spark)
        cpu_before = tree_seconds(os.getpid())
        progress = run(lambda df=df, sink=sink: writer(df, job, sink))  # type: ignore[misc]
        cpu = tree_seconds(os.getpid()) - cpu_before
        rate = kept_rate(progress)
        rate["cpu_s_per_million_rows"] = cpu / (rate["rows_total"] / 1e6)
        rate["rss_before_mib"] = rss_before
        rate["peak_rss_mib"] = peak_rss_bytes(os.getpid()) / MIB
        rate["heap_mib"] = heap_mib
        request.answer(rate)


if __name__ == "__main__":
    main()
