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
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming.readwriter import DataStreamWriter

from benches.common import spark as sessions
from benches.common.cpu import peak_rss_bytes, tree_seconds
from benches.common.progress import kept_rate
from benches.common.worker import requests
from benches.peers import contender, native
from benches.peers.decoded import from_json


def frame(spark: SparkSession, job: dict[str, Any], case: str, topic: str) -> DataFrame:
    """What the contender reads in a case."""
    place = (spark, job["bootstrap"], topic, job["max_offsets"])
    ours = job["contender"] == native.NAME
    if case in ("read", "value"):
        records = native.read(*place) if ours else sessions.stream(*place)
        return records.select("value") if case == "value" else records
    if case == "decode":
        return native.decoded(*place) if ours else from_json(sessions.stream(*place))
    model = job["models"][case]
    if ours:
        return native.scored(*place, model)
    return contender(job["contender"]).score(sessions.stream(*place), model)


def writer(df: DataFrame, job: dict[str, Any], sink: str, topic: str) -> DataStreamWriter:
    """The noop sink, or records of JSON: by our sink for us, by Spark's for the others."""
    if not sink:
        return df.writeStream.format("noop")
    scores = df.select("event_id", "ts", "score")
    if job["contender"] == native.NAME:
        chosen = scores.writeStream.format("firesteel").option("valueFormat", "json")
        chosen = chosen.option("exactlyOnce", "true") if sink == "kafka once" else chosen
    else:
        chosen = scores.select(F.to_json(F.struct("*")).alias("value")).writeStream.format("kafka")
    return chosen.option("kafka.bootstrap.servers", job["bootstrap"]).option("topic", topic)


def run(make: Callable[[], DataStreamWriter]) -> list[dict[str, Any]]:
    """Runs an AvailableNow stream to its end; gives its progress."""
    folder = tempfile.mkdtemp(prefix="firesteel-bench-")
    try:
        query = make().option("checkpointLocation", folder).trigger(availableNow=True).start()
        query.awaitTermination()
        return [json.loads(p.json) for p in query.recentProgress]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Answers requests until the benchmark ends this process."""
    job = json.loads(Path(sys.argv[1]).read_text())
    spark = sessions.for_contender(job["contender"], job["jars"])
    for request in requests(job):
        case, _, sink = request.subject.partition(">")
        topic = job["topic"] if request.action == "measure" else job["warm_topic"]
        df = frame(spark, job, case, topic)
        before = tree_seconds(os.getpid())
        progress = run(lambda df=df, sink=sink: writer(df, job, sink, job["out_topic"]))  # type: ignore[misc]
        cpu = tree_seconds(os.getpid()) - before
        rate = kept_rate(progress)
        rate["cpu_s_per_million_rows"] = cpu / (rate["rows_total"] / 1e6)
        rate["peak_rss_mib"] = peak_rss_bytes(os.getpid()) / 2**20
        request.answer(rate)


if __name__ == "__main__":
    main()
