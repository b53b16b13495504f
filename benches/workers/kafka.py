"""One contender of the Kafka benchmark in one Spark session; see ``throughput`` for why a process each.

A request's subject is a case: ``read`` (all columns of the records into the noop sink), ``value`` (the value alone),
``decode``, a model's name, or a model's name with ``>kafka`` (scores as JSON to a topic) or ``>kafka once``.
"""

from __future__ import annotations

import functools
import json
import sys
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.readwriter import DataStreamWriter

from benches.common import spark as sessions
from benches.common.progress import kept_rate
from benches.common.worker import requests
from benches.peers import native
from benches.peers.decoded import from_json
from benches.workers import streams
from benches.workers.costs import MIB, costed


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


def timed(sink: DataStreamWriter) -> dict[str, Any]:
    """The rate of one run."""
    return kept_rate(streams.run(sink))


def main() -> None:
    """Answers requests until the benchmark ends this process."""
    job = json.loads(Path(sys.argv[1]).read_text())
    spark = sessions.for_contender(job["contender"], job["jars"])
    heap_mib = spark._jvm.java.lang.Runtime.getRuntime().maxMemory() / MIB  # type: ignore[union-attr]
    for request in requests(job):
        case, _, sink = request.subject.partition(">")
        topic = job["topic"] if request.action == "measure" else job["warm_topic"]
        df = frame(spark, job, case, topic)
        rate = costed(spark, functools.partial(timed, writer(df, job, sink)))
        rate["heap_mib"] = heap_mib
        request.answer(rate)


if __name__ == "__main__":
    main()
