"""Windows behind any stream, with the keys' histories in Spark's state store: the same bytes as from one pass."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

import firesteel
from tests.support import checkpoints, kafka, native, streams
from tests.support.places import FULL
from tests.support.windows import log
from tests.support.windows.log import SEED, TWO_KEYS, found, same, scored, values, write

EVENTS = 6_000


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("windows") / "windows.yaml"
    file.write_text(TWO_KEYS)
    return file


@pytest.fixture(scope="module")
def topic(bootstrap: str) -> str:
    return log.filled(bootstrap, "windows-any", EVENTS, 3)


@pytest.fixture(scope="module")
def expected(
    bootstrap: str, topic: str, pipeline: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, Any]]:
    rows = scored(bootstrap, topic, pipeline, tmp_path_factory.mktemp("scored"))
    assert log.codes(rows) == log.CODES
    return rows


def transformed(spark: SparkSession, bootstrap: str, topic: str, pipeline: Path, **options: Any) -> DataFrame:
    """From Spark's own source; from ours in tests/test_windows_determinism.py."""
    reader = spark.readStream.format("kafka").option("kafka.bootstrap.servers", bootstrap).option("subscribe", topic)
    reader = reader.option("startingOffsets", "earliest").options(**{k: str(v) for k, v in options.items()})
    return firesteel.Pipeline.load(str(pipeline)).transform(reader.load())


@pytest.mark.parametrize("limit", [None, 1_000, 200])
def test_any_micro_batches_give_the_same_bytes(
    spark: SparkSession,
    bootstrap: str,
    topic: str,
    pipeline: Path,
    expected: Any,
    tmp_path: Path,
    limit: int | None,
) -> None:
    options = {"maxOffsetsPerTrigger": limit} if limit else {}
    streams.write_available(transformed(spark, bootstrap, topic, pipeline, **options), tmp_path)
    same(found(spark, tmp_path), expected)


def test_a_query_that_stops_anywhere_goes_on_with_its_state(
    spark: SparkSession, bootstrap: str, topic: str, pipeline: Path, expected: Any, tmp_path: Path
) -> None:
    chance = random.Random(SEED)
    checkpoint = tmp_path / "checkpoint"
    for _ in range(12 if FULL else 4):
        limit = chance.choice([300, 700])
        df = native.slowed(transformed(spark, bootstrap, topic, pipeline, maxOffsetsPerTrigger=limit), 1)
        with native.running(df, tmp_path, every="0 seconds") as query:
            native.in_a_batch(query, tmp_path, after=checkpoints.committed(checkpoint) + 1)
            time.sleep(chance.uniform(0, 0.3))
        if chance.random() < 0.5:
            checkpoints.forget_last_commit(checkpoint)
    streams.write_available(transformed(spark, bootstrap, topic, pipeline), tmp_path)
    same(found(spark, tmp_path), expected)


def test_a_batch_that_was_not_noted_as_done_is_done_again(
    spark: SparkSession, bootstrap: str, pipeline: Path, tmp_path: Path
) -> None:
    name = kafka.new_topic(bootstrap, "windows-any-forgotten", partitions=2)
    for part in range(3):
        write(bootstrap, name, values(300, first=300 * part))
        df = transformed(spark, bootstrap, name, pipeline, maxOffsetsPerTrigger=120)
        streams.write_available(df, tmp_path)
        assert checkpoints.forget_last_commit(tmp_path / "checkpoint") > 2 * part
    streams.write_available(transformed(spark, bootstrap, name, pipeline), tmp_path)
    same(found(spark, tmp_path), scored(bootstrap, name, pipeline, tmp_path / "scored"))


def test_a_pipeline_that_was_changed_keeps_what_it_knows(
    spark: SparkSession, bootstrap: str, pipeline: Path, tmp_path: Path
) -> None:
    name = kafka.new_topic(bootstrap, "windows-any-evolved", partitions=2)
    write(bootstrap, name, values(1_000))
    file = tmp_path / "changing.yaml"
    file.write_text(TWO_KEYS.replace("      top: max(amount)\n", "").replace("customer_top_1h, ", ""))
    streams.write_available(transformed(spark, bootstrap, name, file), tmp_path)
    write(bootstrap, name, values(100, first=1_000))
    file.write_text(TWO_KEYS)
    everything = scored(bootstrap, name, file, tmp_path / "scored")
    streams.write_available(transformed(spark, bootstrap, name, file), tmp_path)
    rows = [row for row in found(spark, tmp_path, mergeSchema=True) if row.get("id", -1) >= 1_000]
    assert len(rows) > 60
    same(rows, [row for row in everything if row.get("id", -1) >= 1_000])

    other = TWO_KEYS.replace("key: [place, customer]", "key: [customer, place]")
    file.write_text(other.replace("place_customer_", "customer_place_"))
    write(bootstrap, name, values(10, first=1_100))
    with native.running(transformed(spark, bootstrap, name, file), tmp_path) as query:
        message = native.failure_of(query, seconds=60)
    assert "STATE_INCOMPATIBLE" in message
    assert "place Utf8" in message


def test_what_a_stream_needs_is_said(
    spark: SparkSession, bootstrap: str, topic: str, pipeline: Path, tmp_path: Path
) -> None:
    key = "spark.sql.streaming.stateStore.providerClass"
    before = spark.conf.get(key) or ""
    spark.conf.unset(key)
    spark.conf.set(key, "org.apache.spark.sql.execution.streaming.state.HDFSBackedStateStoreProvider")
    try:
        with pytest.raises(firesteel.PipelineError, match=r"WINDOWS_NEED_ROCKSDB.*RocksDBStateStoreProvider"):
            transformed(spark, bootstrap, topic, pipeline)
    finally:
        spark.conf.set(key, before)

    name = kafka.new_topic(bootstrap, "windows-any-buckets", partitions=1)
    write(bootstrap, name, values(100))
    streams.write_available(transformed(spark, bootstrap, name, pipeline), tmp_path)
    write(bootstrap, name, values(100, first=100))
    spark.conf.set("spark.firesteel.windows.buckets", 17)
    try:
        with native.running(transformed(spark, bootstrap, name, pipeline), tmp_path) as query:
            message = native.failure_of(query, seconds=60)
    finally:
        spark.conf.unset("spark.firesteel.windows.buckets")
    assert "STATE_INCOMPATIBLE" in message
    assert "spark.firesteel.windows.buckets=64" in message
