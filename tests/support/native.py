"""Streams of the native source that run until told to stop, fail in time, or read slowly."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from tests.support import checkpoints


def stream(spark: SparkSession, bootstrap: str, topic: str, **options: Any) -> DataFrame:
    """The topic from its start; names with underscores for dots start with `kafka_`."""
    reader = spark.readStream.format("firesteel").option("kafka.bootstrap.servers", bootstrap)
    reader = reader.option("subscribe", topic).option("startingOffsets", "earliest")
    return reader.options(**{named(name): text(value) for name, value in options.items()}).load()


def named(name: str) -> str:
    """`kafka_isolation_level` as the option is spelled: a keyword of Python has no dots."""
    if name == "pollTimeoutMs":
        return "kafkaConsumer.pollTimeoutMs"
    return name.replace("_", ".") if name.startswith("kafka_") else name


def text(value: Any) -> str:
    """As options are written."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def slowed(df: DataFrame, millis: int) -> DataFrame:
    """The same rows, each of which takes so long."""
    sleep = f"java_method('java.lang.Thread', 'sleep', CAST({millis} AS BIGINT))"
    return df.where(f"{sleep} <> ''")


@contextlib.contextmanager
def running(df: DataFrame, folder: Path, *, every: str = "200 milliseconds") -> Iterator[StreamingQuery]:
    """A query into Parquet in `folder`/out with its checkpoint beside it, stopped at the end of the block."""
    query = (
        df.writeStream.format("parquet")
        .option("checkpointLocation", str(folder / "checkpoint"))
        .trigger(processingTime=every)
        .start(str(folder / "out"))
    )
    try:
        yield query
    finally:
        query.stop()


def written(spark: SparkSession, folder: Path) -> DataFrame:
    """What the query's sink holds."""
    return spark.read.parquet(str(folder / "out"))


def until(done: Callable[[], bool], query: StreamingQuery, *, seconds: float, what: str) -> None:
    """Wait while the query runs well; fail with its failure, or when time is up."""
    end = time.monotonic() + seconds
    while not done():
        assert query.exception() is None, query.exception()
        assert query.isActive, f"the query ended before {what}"
        assert time.monotonic() < end, f"no {what} within {seconds} s: {query.status} {query.lastProgress}"
        time.sleep(0.02)


def in_a_batch(query: StreamingQuery, folder: Path, *, after: int, seconds: float = 60) -> None:
    """Wait until a batch is in progress that comes after batch `after`."""
    checkpoint = folder / "checkpoint"
    until(
        lambda: checkpoints.committed(checkpoint) >= after and checkpoints.is_mid_batch(checkpoint),
        query,
        seconds=seconds,
        what="batch in progress",
    )


def failure_of(query: StreamingQuery, *, seconds: float) -> str:
    """The message of the failure that ends the query, which must come in time."""
    end = time.monotonic() + seconds
    while query.isActive:
        assert time.monotonic() < end, f"still running after {seconds} s: {query.status} {query.lastProgress}"
        time.sleep(0.05)
    ended = query.exception()
    assert ended is not None, "the query ended without a failure"
    return str(ended)


def failure(df: Callable[[], DataFrame], folder: Path, *, seconds: float) -> str:
    """Read all there is; the message of the failure, at the start or later, which must come in time."""
    try:
        query = (
            df()
            .writeStream.format("parquet")
            .option("checkpointLocation", str(folder / "checkpoint"))
            .trigger(availableNow=True)
            .start(str(folder / "out"))
        )
    except PySparkException as refused:
        return str(refused)
    try:
        return failure_of(query, seconds=seconds)
    finally:
        query.stop()
