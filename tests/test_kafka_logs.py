"""What a log can hold, read by the native source: gaps, transactions, poison, records that are gone, another topic.

Every test compares what comes with the log as Kafka's ordinary client reads it, record by record.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from pyspark.sql import DataFrame, SparkSession

from tests.harness import gaps, topics
from tests.harness.gaps import Transaction
from tests.support import golden, kafka, native, small, streams
from tests.support.native import stream, written
from tests.support.points import Points
from tests.support.records import assert_each_once, log_of

pytestmark = pytest.mark.faults

COMMITTED = {"kafka_isolation_level": "read_committed"}
#: An error that needs the broker's answers, not its silence.
TOLD_S = 45.0


def batch(spark: SparkSession, bootstrap: str, topic: str, **options: Any) -> DataFrame:
    reader = spark.read.format("firesteel").option("kafka.bootstrap.servers", bootstrap).option("subscribe", topic)
    return reader.options(**{native.named(name): native.text(value) for name, value in options.items()}).load()


def values(stem: str, count: int) -> list[bytes]:
    return [f"{stem} {i}".encode() for i in range(count)]


def commits(stem: str, count: int) -> Transaction:
    return Transaction(values(stem, count), commits=True)


def aborts(stem: str, count: int) -> Transaction:
    return Transaction(values(stem, count), commits=False)


@pytest.fixture(scope="module")
def transactional(bootstrap: str) -> str:
    """Two partitions: transactions between each other, stretches of nothing but aborted ones and markers, an end."""
    topic = kafka.new_topic(bootstrap, "transactions", partitions=2)
    gaps.transactions(bootstrap, topic, [commits("a", 40), aborts("b", 40), commits("c", 20)], partitions=2)
    gaps.transactions(bootstrap, topic, [aborts("d", 60)], partitions=2)
    for turn in range(10):
        gaps.transactions(bootstrap, topic, [aborts(f"e{turn}", 2)], partitions=2)
    gaps.transactions(bootstrap, topic, [commits("f", 1)], partitions=2)
    gaps.transactions(bootstrap, topic, [aborts("g", 20), commits("h", 11)], partitions=2)
    return topic


@pytest.mark.parametrize("limit", [None, 1000, 9])
@pytest.mark.parametrize("committed", [True, False], ids=["read_committed", "default"])
def test_transactions_come_as_the_isolation_level_says(
    spark: SparkSession, bootstrap: str, transactional: str, tmp_path: Path, committed: bool, limit: int | None
) -> None:
    """Also in batches of nothing but aborted records and markers, and where a batch ends in markers."""
    log = log_of(bootstrap, transactional, committed=committed)
    assert len(log) == (72 if committed else 212)
    options: dict[str, Any] = dict(COMMITTED) if committed else {}
    options |= {} if limit is None else {"maxOffsetsPerTrigger": limit}
    streams.write_available(stream(spark, bootstrap, transactional, **options), tmp_path, timeout_s=120)
    assert_each_once(written(spark, tmp_path), transactional, log)


@pytest.mark.parametrize("committed", [True, False], ids=["read_committed", "default"])
def test_a_batch_read_of_transactions_ends_and_is_right(
    spark: SparkSession, bootstrap: str, transactional: str, committed: bool
) -> None:
    """Whole, and cut into stretches that hold no record at all."""
    log = log_of(bootstrap, transactional, committed=committed)
    options = COMMITTED if committed else {}
    for cut in ({}, {"minPartitions": 16}, {"maxRecordsPerPartition": 7}):
        assert_each_once(batch(spark, bootstrap, transactional, **options, **cut), transactional, log)


def test_an_open_transaction_holds_back_committed_reads_until_it_ends(
    spark: SparkSession, bootstrap: str, tmp_path: Path
) -> None:
    """A running query gets what lies before it at once, and the rest when it ends; the default gets all at once."""
    topic = kafka.new_topic(bootstrap, "open")
    kafka.produce(bootstrap, topic, values("before", 10))
    df = stream(spark, bootstrap, topic, **COMMITTED)
    with native.running(df, tmp_path) as query:
        with gaps.open_transaction(bootstrap, topic, values("open", 5)) as producer:
            kafka.produce(bootstrap, topic, values("behind", 10))
            native.until(lambda: streams.rows_read(query) == 10, query, seconds=30, what="what lies before")
            time.sleep(1.5)
            assert streams.rows_read(query) == 10
            assert batch(spark, bootstrap, topic, **COMMITTED).count() == 10
            assert_each_once(batch(spark, bootstrap, topic), topic, log_of(bootstrap, topic))
            producer.commit_transaction(30)
        native.until(lambda: streams.rows_read(query) == 25, query, seconds=30, what="the rest")
        with gaps.open_transaction(bootstrap, topic, values("gone", 5)):
            time.sleep(0.5)
        kafka.produce(bootstrap, topic, values("last", 3))
        native.until(lambda: streams.rows_read(query) == 28, query, seconds=30, what="what comes after an abort")
    assert_each_once(written(spark, tmp_path), topic, log_of(bootstrap, topic, committed=True))


def test_a_compacted_topic_gives_what_is_left_once(spark: SparkSession, bootstrap: str, tmp_path: Path) -> None:
    """In ranges that are nothing but gaps, too; as stream and as batch."""
    topic = f"compacted-{tmp_path.name}"
    gaps.compacted(bootstrap, topic, keys=20, rounds=16)
    log = log_of(bootstrap, topic)
    ends = topics.end_offsets(bootstrap, topic)
    assert len(log) < ends[0] / 3, "there are no gaps to speak of"
    for limit in (None, 100, 9):
        options = {} if limit is None else {"maxOffsetsPerTrigger": limit}
        folder = tmp_path / f"{limit}"
        streams.write_available(stream(spark, bootstrap, topic, **options), folder)
        assert_each_once(written(spark, folder), topic, log)
    for cut in ({}, {"minPartitions": 30}, {"maxRecordsPerPartition": 4}, {"batchRows": 3}):
        assert_each_once(batch(spark, bootstrap, topic, **cut), topic, log)


POISON: list[bytes | None] = [
    None,
    b"",
    b"{",
    b"\xff\xfe\x00",
    b"[1, 2]",
    b'{"id": "seven", "x": 1, "y": 1}',
    b'{"id": 1e400, "x": 1, "y": 1}',
    b'{"id": 1, "x": {}, "y": 1}',
    b'{"id": 1, "x": 1, "y": "\\ud800"}',
    b"[" * 100_000,
    b"x" * 1_000_000,
    b'{"id": 99999999999999999999, "x": 1, "y": 1}',
]


@pytest.mark.parametrize("way", ["schema", "pipeline"])
def test_poison_in_the_middle_is_rejected_and_all_others_are_right(
    spark: SparkSession, bootstrap: str, tmp_path: Path, way: str
) -> None:
    """Each bad record is one rejected row that names its place; the good ones around it have their right bits."""
    points = Points(0, 3_000)
    files = small.write(tmp_path)
    records: list[bytes | None] = []
    bad = {int(i) for i in points.ids[points.bad]}
    poisoned: set[int] = set()
    for i, record in enumerate(points.records()):
        if i % 97 == 50:
            poisoned.add(len(records))
            records.append(POISON[i // 97 % len(POISON)])
        if i in bad:
            poisoned.add(len(records))
        records.append(record)
    topic = kafka.new_topic(bootstrap, "poison", partitions=3)
    assert kafka.produce(bootstrap, topic, records, partitions=3) == len(records)

    how = {"schema": "id BIGINT NOT NULL, x DOUBLE, y DOUBLE"} if way == "schema" else {"pipeline": files.pipeline}
    query = streams.write_available(stream(spark, bootstrap, topic, maxOffsetsPerTrigger=500, **how), tmp_path)
    assert streams.rows_read(query) == len(records)
    out = written(spark, tmp_path)
    rejected = out.where("_rejected IS NOT NULL").select("_rejected.partition", "_rejected.offset", "_rejected.topic")
    places = rejected.collect()
    assert {row.topic for row in places} == {topic}
    assert sorted((row.offset * 3 + row.partition) for row in places) == sorted(poisoned)
    good = out.where("_rejected IS NULL").toArrow().sort_by("id")
    assert good["id"].to_pylist() == points.ids[~points.bad].tolist()
    if way == "pipeline":
        golden.assert_same_bits(good["score"].to_numpy(), points.scores(files), "score")
    else:
        wanted = points.features()[~points.bad]
        assert good["x"].to_pylist() == wanted[:, 0].tolist()
        assert good["y"].to_pylist() == wanted[:, 1].tolist()


@pytest.mark.parametrize("limit", [None, 10])
def test_records_deleted_beyond_the_checkpoint_are_named_and_passed_over_if_wanted(
    spark: SparkSession, bootstrap: str, tmp_path: Path, limit: int | None
) -> None:
    topic = kafka.new_topic(bootstrap, "deleted", partitions=2)
    options: dict[str, Any] = {} if limit is None else {"maxOffsetsPerTrigger": limit}
    kafka.produce(bootstrap, topic, values("read", 100), partitions=2)
    before = log_of(bootstrap, topic)
    streams.write_available(stream(spark, bootstrap, topic, **options), tmp_path)
    kafka.produce(bootstrap, topic, values("later", 100), partitions=2)
    topics.delete_records(bootstrap, topic, {1: 80})

    said = native.failure(lambda: stream(spark, bootstrap, topic, **options), tmp_path, seconds=TOLD_S)
    for word in ("OFFSETS_LOST", f"{topic}-1", "50", "80", "failOnDataLoss"):
        assert word in said, said[:1500]
    go_on = stream(spark, bootstrap, topic, failOnDataLoss=False, **options)
    streams.write_available(go_on, tmp_path, timeout_s=60)
    assert_each_once(written(spark, tmp_path), topic, {**before, **log_of(bootstrap, topic)})


def test_a_topic_made_anew_under_a_checkpoint_is_told(spark: SparkSession, bootstrap: str, tmp_path: Path) -> None:
    topic = kafka.new_topic(bootstrap, "anew", partitions=2)
    kafka.produce(bootstrap, topic, values("old", 100), partitions=2)
    old = log_of(bootstrap, topic)
    streams.write_available(stream(spark, bootstrap, topic), tmp_path)
    topics.delete(bootstrap, topic)
    said = native.failure(lambda: stream(spark, bootstrap, topic), tmp_path, seconds=TOLD_S)
    assert "UNKNOWN_TOPIC" in said
    assert topic in said

    make_anew(bootstrap, topic)
    kafka.produce(bootstrap, topic, values("new", 10), partitions=2)
    said = native.failure(lambda: stream(spark, bootstrap, topic), tmp_path, seconds=TOLD_S)
    for word in ("OFFSETS_LOST", f"{topic}-0", "made anew", "failOnDataLoss"):
        assert word in said, said[:1500]
    # As with Spark's source: on from the end of what is there.
    streams.write_available(stream(spark, bootstrap, topic, failOnDataLoss=False), tmp_path, timeout_s=60)
    assert_each_once(written(spark, tmp_path), topic, old)


def test_a_topic_deleted_under_a_running_query_ends_it_in_time(
    spark: SparkSession, bootstrap: str, tmp_path: Path
) -> None:
    topic = kafka.new_topic(bootstrap, "vanishes", partitions=2)
    kafka.produce(bootstrap, topic, values("old", 100), partitions=2)
    with native.running(stream(spark, bootstrap, topic, pollTimeoutMs=8000), tmp_path) as query:
        native.until(lambda: streams.rows_read(query) == 100, query, seconds=60, what="all records")
        topics.delete(bootstrap, topic)
        said = native.failure_of(query, seconds=TOLD_S)
    assert topic in said, said[:1500]
    assert "UNKNOWN_TOPIC" in said or "OFFSETS_LOST" in said, said[:1500]


def make_anew(bootstrap: str, topic: str) -> None:
    """Create a topic that was deleted a moment ago: the broker may still be about it."""
    deadline = time.monotonic() + 30
    while True:
        try:
            topics.create(bootstrap, topic, partitions=2)
            return
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def test_a_slow_reader_holds_no_more_than_it_may(spark: SparkSession, bootstrap: str, tmp_path: Path) -> None:
    """The process grows by what may be fetched ahead, not by what the topic holds; shown by a wide limit beside it."""
    topic = kafka.new_topic(bootstrap, "slow", partitions=4)
    # Nothing to compress: what is fetched is as large as what is kept.
    chunk = random.Random(1).randbytes(100_000)
    kafka.produce(bootstrap, topic, (b"%d" % i + chunk for i in range(2_500)), partitions=4)
    grown = {}
    for prefetch in ("1m", "1g"):
        options = {"prefetchBytes": prefetch, "batchRows": 10, "kafka_queued_min_messages": 100_000}
        df = native.slowed(stream(spark, bootstrap, topic, **options), 3).select("topic", "partition", "offset")
        _jvm(spark).System.gc()
        with sampled(spark) as sizes:
            query = streams.write_available(df, tmp_path / prefetch, timeout_s=60)
        assert streams.rows_read(query) == 2_500
        grown[prefetch] = (max(sizes) - sizes[0]) >> 20
    print(f"growth in MiB: {grown}")
    assert grown["1m"] < 90, grown
    assert grown["1g"] > 150, f"the measure sees nothing: {grown}"


@contextmanager
def sampled(spark: SparkSession) -> Iterator[list[int]]:
    """Resident bytes of Spark's process: now, and ten times a second inside the block."""
    jvm = psutil.Process(_jvm(spark).java.lang.ProcessHandle.current().pid())
    sizes, ended = [jvm.memory_info().rss], threading.Event()

    def watch() -> None:
        while not ended.wait(0.1):
            sizes.append(jvm.memory_info().rss)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield sizes
    finally:
        ended.set()
        thread.join()


def _jvm(spark: SparkSession) -> Any:
    """The session's gateway to Java, which the types of PySpark call optional."""
    return spark._jvm
