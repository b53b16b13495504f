"""From a topic to scores, and from scores to a topic: natively for ``native``, with Spark's source and sink for the
others. And how a stream is run to the end of its topic."""

from __future__ import annotations

import json
import shutil
import tempfile
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming.readwriter import DataStreamWriter

from benches.common import spark as sessions
from benches.peers import contender, native


def scored(
    spark: SparkSession,
    job: dict[str, Any],
    topic: str,
    model: str,
    *,
    max_offsets: int | None = None,
    tasks: int | None = None,
) -> DataFrame:
    """A topic from its start as the contender's stream of scores.

    Parameters
    ----------
    max_offsets
        Most offsets of a micro-batch; no limit without it.
    tasks
        Spark's source makes a task of each partition; with this they are put together into so many. Our source deals
        the partitions out to as many tasks as there are cores by itself.
    """
    place = (spark, job["bootstrap"], topic, max_offsets)
    if job["contender"] == native.NAME:
        return native.scored(*place, model)
    records = sessions.stream(*place)
    return contender(job["contender"]).score(records if tasks is None else records.coalesce(tasks), model)


def to_kafka(df: DataFrame, job: dict[str, Any], topic: str, *, once: bool = False) -> DataStreamWriter:
    """Scores as JSON records of a topic; `once` is for our sink only. Who marks rejected rows leaves them out."""
    if "_rejected" in df.columns:
        import firesteel

        df = firesteel.accepted(df)
    scores = df.select("event_id", "ts", "score")
    if job["contender"] == native.NAME:
        chosen = scores.writeStream.format("firesteel").option("valueFormat", "json")
        chosen = chosen.option("exactlyOnce", "true") if once else chosen
    else:
        chosen = scores.select(F.to_json(F.struct("*")).alias("value")).writeStream.format("kafka")
    return chosen.option("kafka.bootstrap.servers", job["bootstrap"]).option("topic", topic)


def run(writer: DataStreamWriter, checkpoint: str | None = None) -> list[dict[str, Any]]:
    """Runs an AvailableNow stream to its end; gives its progress. Without a `checkpoint` it has one for itself."""
    folder = checkpoint or tempfile.mkdtemp(prefix="firesteel-bench-")
    try:
        query = writer.option("checkpointLocation", folder).trigger(availableNow=True).start()
        query.awaitTermination()
        return [json.loads(p.json) for p in query.recentProgress]
    finally:
        if checkpoint is None:
            shutil.rmtree(folder, ignore_errors=True)
