"""The same bytes from windows for micro-batches of 1, 7, 1,000 and 100,000 records in 1, 3 and 8 partitions, every way.

One answer holds for all micro-batches and, but with `order`, for all numbers of partitions and both homes of state:
that of one pass over the records as they were written. Under kill -9: tests/test_windows_kills.py.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from tests.support import kafka, streams
from tests.support.places import FULL, ONLY_IN_FULL
from tests.support.windows import log, ways
from tests.support.windows.logs import Logs
from tests.support.windows.outcome import Outcome, assert_right
from tests.support.windows.ways import WAYS, Way

PARTITIONS = (1, pytest.param(3, marks=ONLY_IN_FULL), 8)
#: Events in the topic, by how many of them a micro-batch takes.
EVENTS = {7: 700 if FULL else 70, 1_000: 6_000, 100_000: 120_000}
#: Events that come one by one.
SINGLE_EVENTS = 90 if FULL else 30


@pytest.fixture(scope="module")
def logs(bootstrap: str, tmp_path_factory: pytest.TempPathFactory) -> Logs:
    return Logs(bootstrap, tmp_path_factory.mktemp("logs"))


@contextlib.contextmanager
def every_way(
    spark: SparkSession, logs: Logs, topic: str, partitions: int, folder: Path, trigger: dict[str, Any], **options: int
) -> Iterator[dict[Way, StreamingQuery]]:
    """A query on each way, at the same time: small micro-batches are mostly waiting."""
    with contextlib.ExitStack() as stack:
        queries: dict[Way, StreamingQuery] = {}
        for way in WAYS:
            df = ways.rows(spark, logs.bootstrap, topic, logs.pipeline(way, partitions), way, **options)
            writer = df.writeStream.format("parquet").trigger(**trigger)
            queries[way] = writer.start(str(folder / way / "out"), checkpointLocation=str(folder / way / "checkpoint"))
            stack.callback(queries[way].stop)
        yield queries


def assert_all_right(spark: SparkSession, logs: Logs, topic: str, partitions: int, folder: Path) -> dict[Way, Outcome]:
    """Every way's sink holds what one pass gives."""
    return {
        way: assert_right(spark, folder / way / "out", logs.right(way, topic, partitions), waits=way == "ordered")
        for way in WAYS
    }


@pytest.mark.parametrize("partitions", PARTITIONS)
@pytest.mark.parametrize("size", EVENTS)
@pytest.mark.timeout(600)
def test_any_micro_batches_of_any_partitions_give_the_same_bytes(
    spark: SparkSession, logs: Logs, tmp_path: Path, partitions: int, size: int
) -> None:
    """The source shares a limit among partitions and rounds up what is less than a record: 7 in 8 are 8 or 9."""
    topic = logs.topic(partitions, EVENTS[size])
    with every_way(
        spark, logs, topic, partitions, tmp_path, {"availableNow": True}, maxOffsetsPerTrigger=size
    ) as queries:
        for query in queries.values():
            assert query.awaitTermination(150)
            assert size - partitions < max(streams.batch_rows(query)) < size + partitions
    for ours in assert_all_right(spark, logs, topic, partitions, tmp_path).values():
        assert size < 1_000 or ours.codes == log.CODES


@pytest.mark.parametrize("partitions", PARTITIONS)
def test_a_record_at_a_time_gives_the_same_bytes(
    spark: SparkSession, logs: Logs, tmp_path: Path, partitions: int
) -> None:
    """The next record is written when every way is done with the one before it."""
    topic = kafka.new_topic(logs.bootstrap, "windows-single", partitions=partitions)
    with every_way(spark, logs, topic, partitions, tmp_path, {"processingTime": "0 seconds"}) as queries:

        def all_are_done() -> None:
            for query in queries.values():
                query.processAllAvailable()

        log.write(logs.bootstrap, topic, log.values(SINGLE_EVENTS), after_each=all_are_done)
        for query in queries.values():
            assert [rows for rows in streams.batch_rows(query) if rows] == [1] * SINGLE_EVENTS
    for ours in assert_all_right(spark, logs, topic, partitions, tmp_path).values():
        # With `order` some wait for partitions that have few records.
        assert ours.rows.count(b"\n") > SINGLE_EVENTS / 3
