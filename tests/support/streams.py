"""Runs a stream over everything that a topic holds now, to its end, within a time limit."""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql.streaming.query import StreamingQuery


def write_available(df: DataFrame, folder: Path, *, timeout_s: int = 180) -> StreamingQuery:
    """Write a streaming DataFrame to Parquet in `folder`/out with its checkpoint beside it; wait for the end."""
    query = (
        df.writeStream.format("parquet")
        .option("checkpointLocation", str(folder / "checkpoint"))
        .trigger(availableNow=True)
        .start(str(folder / "out"))
    )
    try:
        assert query.awaitTermination(timeout_s), f"the stream did not end within {timeout_s} s: {query.lastProgress}"
    finally:
        query.stop()
    return query


def rows_read(query: StreamingQuery) -> int:
    """Rows that the source gave, over all micro-batches of the query."""
    return sum(batch_rows(query))


def batch_rows(query: StreamingQuery) -> list[int]:
    """Rows of each of the query's last micro-batches, of which Spark remembers a hundred."""
    return [progress["numInputRows"] for progress in query.recentProgress]
