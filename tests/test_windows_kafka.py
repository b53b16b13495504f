"""Windows beside Kafka's partitions: the same bytes as from one pass over the log, whatever happens on the way.

What is right is what `firesteel score` makes of the same records, partition by partition;
tests/test_windows_*.py compare that with pandas and published results.
"""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from tests.harness import topics
from tests.support import checkpoints, kafka, native, streams
from tests.support.native import stream
from tests.support.places import FULL
from tests.support.windows import log
from tests.support.windows.log import PIPELINE, SEED, found, same, scored, values, write

EVENTS = 6_000


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("windows") / "windows.yaml"
    file.write_text(PIPELINE)
    return file


@pytest.fixture(scope="module")
def topic(bootstrap: str) -> str:
    return log.filled(bootstrap, "windows", EVENTS, 3)


@pytest.fixture(scope="module")
def expected(
    bootstrap: str, topic: str, pipeline: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, Any]]:
    rows = scored(bootstrap, topic, pipeline, tmp_path_factory.mktemp("scored"))
    assert len(rows) == EVENTS
    assert log.codes(rows) == log.CODES
    return rows


@pytest.mark.parametrize("limit", [None, 1_000, 100])
def test_any_micro_batches_give_the_same_bytes(
    spark: SparkSession, bootstrap: str, topic: str, pipeline: Path, expected: Any, tmp_path: Path, limit: int | None
) -> None:
    options = {"pipeline": pipeline, "batchRows": 97} | ({"maxOffsetsPerTrigger": limit} if limit else {})
    streams.write_available(stream(spark, bootstrap, topic, **options), tmp_path)
    same(found(spark, tmp_path), expected)


def test_a_batch_read_gives_the_same_bytes(
    spark: SparkSession, bootstrap: str, topic: str, pipeline: Path, expected: Any, tmp_path: Path
) -> None:
    reader = spark.read.format("firesteel").option("kafka.bootstrap.servers", bootstrap).option("subscribe", topic)
    reader.option("pipeline", str(pipeline)).load().write.parquet(str(tmp_path / "out"))
    same(found(spark, tmp_path), expected)


def test_a_query_that_stops_anywhere_goes_on_with_its_state(
    spark: SparkSession, bootstrap: str, topic: str, pipeline: Path, expected: Any, tmp_path: Path
) -> None:
    """In the middle of batches, with other limits each time, now and then without the last commit."""
    chance = random.Random(SEED)
    checkpoint = tmp_path / "checkpoint"
    for _ in range(20 if FULL else 5):
        options = {"maxOffsetsPerTrigger": chance.choice([60, 200]), "snapshotEvents": chance.choice([100, 1_000_000])}
        df = stream(spark, bootstrap, topic, pipeline=pipeline, batchRows=20, **options)
        with native.running(native.slowed(df, 1), tmp_path, every="0 seconds") as query:
            native.in_a_batch(query, tmp_path, after=checkpoints.committed(checkpoint) + 2)
            time.sleep(chance.uniform(0, 0.2))
        if chance.random() < 0.5:
            checkpoints.forget_last_commit(checkpoint)
    streams.write_available(stream(spark, bootstrap, topic, pipeline=pipeline), tmp_path)
    same(found(spark, tmp_path), expected)


def test_snapshots_shorten_the_way_back_and_old_ones_go(
    spark: SparkSession, bootstrap: str, topic: str, pipeline: Path, expected: Any, tmp_path: Path
) -> None:
    options = {"pipeline": pipeline, "maxOffsetsPerTrigger": 300, "snapshotEvents": 100}
    with native.running(stream(spark, bootstrap, topic, **options), tmp_path, every="0 seconds") as query:
        native.until(lambda: streams.rows_read(query) == EVENTS, query, seconds=60, what="the end of the topic")
        folders = tmp_path / "checkpoint" / "sources" / "0" / "windows"
        native.until(lambda: len(list(folders.glob("*/*.arrow"))) >= 3, query, seconds=20, what="snapshots")
    kept = {folder.name: sorted(int(file.stem) for file in folder.glob("*.arrow")) for folder in folders.iterdir()}
    assert set(kept) == {f"{topic}-{partition}" for partition in range(3)}
    assert all(1 <= len(versions) <= 5 for versions in kept.values()), kept
    assert not list(folders.glob("*/.*.tmp"))
    same(found(spark, tmp_path), expected)

    # A snapshot that is taken up: the log before it is gone, and nobody misses it. For a torn one an older is taken.
    for folder in folders.iterdir():
        *older, newest = sorted(folder.glob("*.arrow"), key=lambda file: int(file.stem))
        if older:
            newest.write_bytes(newest.read_bytes()[:-100])
    write(bootstrap, topic, values(300, first=EVENTS))
    everything = scored(bootstrap, topic, pipeline, tmp_path / "scored")
    topics.delete_records(bootstrap, topic, {partition: min(kept[f"{topic}-{partition}"]) for partition in range(3)})
    streams.write_available(stream(spark, bootstrap, topic, **options), tmp_path)
    same(found(spark, tmp_path), everything)


def test_without_snapshot_and_log_the_error_says_what_is_lost(
    spark: SparkSession, bootstrap: str, pipeline: Path, tmp_path: Path
) -> None:
    name = kafka.new_topic(bootstrap, "windows-lost", partitions=1)
    write(bootstrap, name, values(200))
    streams.write_available(stream(spark, bootstrap, name, pipeline=pipeline), tmp_path)
    write(bootstrap, name, values(50, first=200))
    topics.delete_records(bootstrap, name, {0: 200})
    with native.running(stream(spark, bootstrap, name, pipeline=pipeline), tmp_path) as query:
        message = native.failure_of(query, seconds=60)
    assert "OFFSETS_LOST" in message
    assert name in message


def test_keys_that_are_not_in_their_partition_are_refused(
    spark: SparkSession, bootstrap: str, pipeline: Path, tmp_path: Path
) -> None:
    name = kafka.new_topic(bootstrap, "windows-spread", partitions=3)
    write(bootstrap, name, values(200), partitioner="consistent")
    with native.running(stream(spark, bootstrap, name, pipeline=pipeline), tmp_path) as query:
        message = native.failure_of(query, seconds=60)
    assert "MISPLACED_KEY" in message
    assert f"{name}-" in message
    assert "stateKeys=trust" in message
    trusted = tmp_path / "trusted"
    streams.write_available(stream(spark, bootstrap, name, pipeline=pipeline, stateKeys="trust"), trusted)
    same(found(spark, trusted), scored(bootstrap, name, pipeline, tmp_path / "scored"))


def test_a_pipeline_that_was_changed_keeps_what_it_knows(spark: SparkSession, bootstrap: str, tmp_path: Path) -> None:
    """A feature more, over a column that events carry already: as if it had always been there. Another key: refused."""
    name = kafka.new_topic(bootstrap, "windows-evolved", partitions=2)
    write(bootstrap, name, values(1_000))
    file, options = tmp_path / "changing.yaml", {"snapshotEvents": 1, "maxOffsetsPerTrigger": 100}
    small = PIPELINE.replace("      top: max(amount)\n", "").replace("customer_top_1h, ", "")
    file.write_text(small)
    with native.running(stream(spark, bootstrap, name, pipeline=file, **options), tmp_path, every="0 seconds") as query:
        native.until(lambda: streams.rows_read(query) == 1_000, query, seconds=60, what="the end of the topic")
        folders = tmp_path / "checkpoint" / "sources" / "0" / "windows"
        native.until(lambda: len(list(folders.glob("*/*.arrow"))) >= 2, query, seconds=20, what="snapshots")
    versions = {p: max(int(file.stem) for file in folders.glob(f"{name}-{p}/*.arrow")) for p in range(2)}
    write(bootstrap, name, values(100, first=1_000))
    file.write_text(PIPELINE)
    everything = scored(bootstrap, name, file, tmp_path / "scored")
    topics.delete_records(bootstrap, name, versions)
    streams.write_available(stream(spark, bootstrap, name, pipeline=file), tmp_path)
    rows = [row for row in found(spark, tmp_path, mergeSchema=True) if row.get("id", -1) >= 1_000]
    assert len(rows) > 60
    same(rows, [row for row in everything if row.get("id", -1) >= 1_000])

    file.write_text(PIPELINE.replace("key: customer", "key: [customer, place]").replace("customer_", "customer_place_"))
    write(bootstrap, name, values(10, first=1_100))
    with native.running(stream(spark, bootstrap, name, pipeline=file, stateKeys="trust"), tmp_path) as query:
        message = native.failure_of(query, seconds=60)
    assert "STATE_INCOMPATIBLE" in message
    assert "customer Int64" in message


def test_windows_where_rows_have_no_order_are_refused_with_advice(
    spark: SparkSession, bootstrap: str, topic: str, pipeline: Path, tmp_path: Path
) -> None:
    with pytest.raises(PySparkException, match="WINDOWS_NEED_ORDER"):
        spark.sql(f"SELECT firesteel_pipeline('{pipeline}', struct(CAST('' AS BINARY) AS value))")
    two = tmp_path / "two.yaml"
    two.write_text(
        PIPELINE.replace("features:", "  - {key: place, time: ts, over: 1 day, compute: {nb: count(*)}}\nfeatures:")
    )
    with pytest.raises(PySparkException, match=r"WINDOWS_NEED_ORDER.*windows\[1\] has the key place"):
        stream(spark, bootstrap, topic, pipeline=two).schema  # noqa: B018
    with pytest.raises(PySparkException, match="minPartitions"):
        streams.write_available(stream(spark, bootstrap, topic, pipeline=pipeline, minPartitions=9), tmp_path)
