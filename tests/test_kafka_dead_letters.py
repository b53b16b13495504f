"""`deadLetterTopic`: rejected records go to a topic, each once, whatever is read again, killed or taken away."""

from __future__ import annotations

import json
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame, Row, SparkSession

from tests.harness import gaps
from tests.support import checkpoints, kafka
from tests.support.places import FULL, ROOT
from tests.support.proof import scan_metric
from tests.support.submit import SparkProgram

pytestmark = pytest.mark.faults

SCHEMA = "id BIGINT NOT NULL, amount DOUBLE, name STRING, odd BOOLEAN"
PARTITIONS = 3
RECORDS = 4_000
BATCH = 500
KILLS = 20 if FULL else 3
SEED = 20261124

#: What record i is rejected for, by i modulo 20.
REASONS = {3: "TOMBSTONE", 7: "MALFORMED", 11: "WRONG_TYPE", 19: "REQUIRED_MISSING"}


def record(i: int) -> bytes | None:
    match REASONS.get(i % 20):
        case "TOMBSTONE":
            return None
        case "MALFORMED":
            return b'{"id": %d' % i
        case "WRONG_TYPE":
            return json.dumps({"id": i, "amount": "much"}).encode()
        case "REQUIRED_MISSING":
            return json.dumps({"amount": i}).encode()
        case _:
            name = None if i % 4 == 0 else f"n{i}"
            return json.dumps({"id": i, "amount": i / 4, "name": name, "odd": i % 2 == 1}).encode()


BAD = [i for i in range(RECORDS) if i % 20 in REASONS]
GOOD = [i for i in range(RECORDS) if i % 20 not in REASONS]


@pytest.fixture(scope="module")
def filled(bootstrap: str) -> str:
    """Record i in partition i modulo 3, at offset i / 3."""
    topic = kafka.new_topic(bootstrap, "mixed", partitions=PARTITIONS)
    kafka.produce(bootstrap, topic, map(record, range(RECORDS)), partitions=PARTITIONS)
    return topic


@pytest.fixture
def letters(bootstrap: str) -> str:
    return kafka.new_topic(bootstrap, "letters", partitions=2)


def source(reader: Any, bootstrap: str, topic: str, letters: str | None, **options: Any) -> DataFrame:
    chosen = {"kafka.bootstrap.servers": bootstrap, "subscribe": topic, "startingOffsets": "earliest"}
    chosen |= {"schema": SCHEMA} if "pipeline" not in options else {}
    chosen |= {"deadLetterTopic": letters} if letters else {}
    frame: DataFrame = reader.format("firesteel").options(**chosen, **{k: str(v) for k, v in options.items()}).load()
    return frame


def found(spark: SparkSession, bootstrap: str, letters: str) -> list[Row]:
    """What a reader of committed records sees."""
    reader = spark.read.format("kafka").option("kafka.bootstrap.servers", bootstrap).option("subscribe", letters)
    reader = reader.option("includeHeaders", "true").option("kafka.isolation.level", "read_committed")
    return reader.load().select("key", "value", "headers").collect()


def headers(row: Row) -> dict[str, str | None]:
    pairs = [(h.key, None if h.value is None else bytes(h.value).decode()) for h in row.headers]
    assert [key for key, _ in pairs] == [
        f"firesteel.{name}" for name in ("topic", "partition", "offset", "stage", "code", "message")
    ]
    return dict(pairs)


def assert_each_once(spark: SparkSession, bootstrap: str, topic: str, letters: str, times: int = 1) -> None:
    """Every bad record is there, with its bytes, its place and the reason, and nothing else is."""
    rows = found(spark, bootstrap, letters)
    seen: Counter[int] = Counter()
    for row in rows:
        said = headers(row)
        assert said["firesteel.topic"] == topic
        i = int(said["firesteel.offset"] or -1) * PARTITIONS + int(said["firesteel.partition"] or -1)
        seen[i] += 1
        assert row.key is None
        assert (None if row.value is None else bytes(row.value)) == record(i)
        assert said["firesteel.code"] == REASONS[i % 20]
        assert said["firesteel.stage"] == ("clean" if said["firesteel.code"] == "REQUIRED_MISSING" else "decode")
        assert said["firesteel.message"]
    assert sorted(seen) == BAD, f"{len(seen)} of {len(BAD)} dead letters are there"
    assert set(seen.values()) == {times}


def assert_good(frame: DataFrame) -> None:
    rows = sorted(frame.collect(), key=lambda row: row.id)
    expected = [(i, i / 4, None if i % 4 == 0 else f"n{i}", i % 2 == 1) for i in GOOD]
    assert [(r.id, r.amount, r.name, r.odd) for r in rows] == expected


def drained(frame: DataFrame, folder: Path) -> None:
    """To Parquet, to the end of the topic. Other than Spark's file sink, this runs a batch that comes again."""

    def batch(rows: DataFrame, number: int) -> None:
        rows.write.mode("overwrite").parquet(str(folder / "out" / f"batch_id={number}"))

    writer = frame.writeStream.trigger(availableNow=True).option("checkpointLocation", str(folder / "checkpoint"))
    query = writer.foreachBatch(batch).start()
    try:
        assert query.awaitTermination(120), f"the stream did not end in time: {query.lastProgress}"
    finally:
        query.stop()


@pytest.mark.parametrize("options", [{}, {"batchRows": 10}, {"minPartitions": 7}], ids=str)
def test_a_batch_read_gives_the_good_rows_and_sends_the_others(
    spark: SparkSession, bootstrap: str, filled: str, letters: str, options: dict[str, Any]
) -> None:
    frame = source(spark.read, bootstrap, filled, letters, **options)
    assert frame.columns == ["id", "amount", "name", "odd"], "no column _rejected"
    assert len(frame.collect()) == len(GOOD)
    assert (scan_metric(frame, "rowsRead"), scan_metric(frame, "rowsOut"), scan_metric(frame, "deadLetters")) == (
        RECORDS,
        len(GOOD),
        len(BAD),
    )
    assert_each_once(spark, bootstrap, filled, letters)
    assert_good(frame)
    assert_each_once(spark, bootstrap, filled, letters, times=2)  # At least once: a second read is a second read.


def test_the_same_rows_are_rejected_whatever_columns_are_wanted(
    spark: SparkSession, bootstrap: str, filled: str, letters: str
) -> None:
    frame = source(spark.read, bootstrap, filled, letters)
    assert frame.count() == len(GOOD)
    assert_each_once(spark, bootstrap, filled, letters)
    assert sorted(row.id for row in frame.select("id").collect()) == GOOD
    assert_each_once(spark, bootstrap, filled, letters, times=2)


def test_a_pipelines_rejected_rows_go_there_too(
    spark: SparkSession, bootstrap: str, filled: str, letters: str, tmp_path: Path
) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(
        f"name: p\ninput: {{format: json, schema: '{SCHEMA.rsplit(',', 1)[0]}'}}\n"
        "features: {double: amount * 2}\noutput: [id, double]\n"
    )
    frame = source(spark.readStream, bootstrap, filled, letters, pipeline=file, maxOffsetsPerTrigger=BATCH)
    drained(frame, tmp_path)
    rows = spark.read.parquet(str(tmp_path / "out")).orderBy("id").collect()
    assert [(row.id, row.double) for row in rows] == [(i, i / 2) for i in GOOD]
    assert_each_once(spark, bootstrap, filled, letters)


def test_a_stream_sends_each_once_also_if_its_last_commit_is_lost(
    spark: SparkSession, bootstrap: str, filled: str, letters: str, tmp_path: Path
) -> None:
    frame = source(spark.readStream, bootstrap, filled, letters, maxOffsetsPerTrigger=BATCH)
    drained(frame, tmp_path)
    assert_good(spark.read.parquet(str(tmp_path / "out")))
    assert_each_once(spark, bootstrap, filled, letters)
    for _ in range(2):
        forgotten = checkpoints.forget_last_commit(tmp_path / "checkpoint")
        drained(frame, tmp_path)
        assert checkpoints.committed(tmp_path / "checkpoint") == forgotten
        assert_each_once(spark, bootstrap, filled, letters)


def test_a_batch_that_is_read_often_sends_each_once(
    spark: SparkSession, bootstrap: str, filled: str, letters: str, tmp_path: Path
) -> None:
    """By several actions, by one that stops early, by a union of the batch with itself."""
    counts: list[tuple[int, int, int]] = []

    def batch(rows: DataFrame, _number: int) -> None:
        first = len(rows.limit(1).collect())
        counts.append((first, rows.count(), rows.select("id").union(rows.select("id")).distinct().count()))

    frame = source(spark.readStream, bootstrap, filled, letters, maxOffsetsPerTrigger=BATCH, batchRows=20)
    writer = frame.writeStream.trigger(availableNow=True).option("checkpointLocation", str(tmp_path / "checkpoint"))
    query = writer.foreachBatch(batch).start()
    assert query.awaitTermination(120)
    assert sum(n for _, n, _ in counts) == len(GOOD)
    assert all(first == 1 and n == both for first, n, both in counts)
    assert_each_once(spark, bootstrap, filled, letters)


def test_what_stops_early_sends_nothing(
    spark: SparkSession, bootstrap: str, filled: str, letters: str, tmp_path: Path
) -> None:
    def batch(rows: DataFrame, _number: int) -> None:
        assert len(rows.limit(1).collect()) == 1

    frame = source(spark.readStream, bootstrap, filled, letters, batchRows=20)
    writer = frame.writeStream.trigger(availableNow=True).option("checkpointLocation", str(tmp_path / "checkpoint"))
    assert writer.foreachBatch(batch).start().awaitTermination(60)
    assert found(spark, bootstrap, letters) == []


def test_many_letters_do_not_wait_in_memory(spark: SparkSession, bootstrap: str, letters: str, tmp_path: Path) -> None:
    """More than a task holds: its transaction begins before the end, and is still one."""
    topic = kafka.new_topic(bootstrap, "bad", partitions=1)
    count = 50_000
    kafka.produce(bootstrap, topic, (b"bad-%d" % i for i in range(count)))
    frame = source(spark.readStream, bootstrap, topic, letters)
    for _ in range(2):
        drained(frame, tmp_path)
        values = Counter(bytes(row.value) for row in found(spark, bootstrap, letters))
        assert values == Counter(b"bad-%d" % i for i in range(count))
        checkpoints.forget_last_commit(tmp_path / "checkpoint")


def test_a_repeated_batch_that_rejects_other_rows_is_refused(
    spark: SparkSession, bootstrap: str, filled: str, letters: str, tmp_path: Path
) -> None:
    frame = source(spark.readStream, bootstrap, filled, letters)
    drained(frame, tmp_path)
    checkpoints.forget_last_commit(tmp_path / "checkpoint")
    reader = {"kafka.bootstrap.servers": bootstrap, "subscribe": filled, "startingOffsets": "earliest"}
    reader |= {"schema": SCHEMA.replace("id BIGINT NOT NULL", "id BIGINT"), "deadLetterTopic": letters}
    # The other task is killed while it has a transaction, at another point each time; whatever it holds must go.
    for _ in range(4):
        with pytest.raises(StreamingQueryException, match="REPLAY_DIFFERS"):
            drained(spark.readStream.format("firesteel").options(**reader).load(), tmp_path)
    reader["onReplayDiffers"] = "keepCommitted"
    drained(spark.readStream.format("firesteel").options(**reader).load(), tmp_path)
    assert_each_once(spark, bootstrap, filled, letters)


@pytest.mark.timeout(1800 if FULL else 600)
def test_killed_at_random_points_each_is_there_once(
    spark: SparkSession, bootstrap: str, filled: str, letters: str, jar: Path, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "checkpoint"

    def program(name: str) -> SparkProgram:
        command = [sys.executable, str(ROOT / "tests" / "drivers" / "dead_letters.py"), bootstrap, filled, letters]
        command += [str(tmp_path), f"maxOffsetsPerTrigger={BATCH}", "--jar", str(jar), "--schema", SCHEMA]
        return SparkProgram(command, tmp_path / f"{name}.log", name="dead_letters")

    pauses = random.Random(SEED)
    for kill in range(KILLS):
        before = checkpoints.planned(checkpoint)
        if before >= RECORDS // BATCH - 2:
            break
        with program(f"killed-{kill}") as running:
            running.wait_until(lambda: checkpoints.planned(checkpoint) > before, timeout_s=90, what="a batch")  # noqa: B023
            time.sleep(pauses.uniform(0, 0.8))
            running.kill()
    with program("finished") as running:
        running.finish(150)
    assert_each_once(spark, bootstrap, filled, letters)
    forgotten = checkpoints.forget_last_commit(checkpoint)
    with program("again") as running:
        running.finish(150)
    assert checkpoints.committed(checkpoint) == forgotten
    assert_each_once(spark, bootstrap, filled, letters)
    assert_good(spark.read.parquet(str(tmp_path / "out")))


def java_hash(text: str) -> int:
    """`String.hashCode`, but for its sign."""
    code = 0
    for character in text:
        code = (code * 31 + ord(character)) % 2**32
    return code


@pytest.mark.parametrize("whose", ["the planner's", "a task's", "another query's"])
def test_a_transaction_that_a_dead_writer_left_open_is_ended_or_outwaited(
    spark: SparkSession, bootstrap: str, filled: str, letters: str, tmp_path: Path, whose: str
) -> None:
    """A kill between a marker and its commit hides the plan behind an open transaction, for ten minutes by default."""
    frame = source(spark.readStream, bootstrap, filled, letters)
    drained(frame, tmp_path)
    checkpoints.forget_last_commit(tmp_path / "checkpoint")
    query = checkpoints.query_id(tmp_path / "checkpoint")
    partition = java_hash(f"{query}/deadletters-0/plan") % 16
    writer = {"the planner's": f"{query}/deadletters-0/plan", "a task's": f"{query}/deadletters-0/1"}.get(whose, "else")
    # Of a batch that has not been: it must not count. No brokers' patience for our own; a little for the other's.
    marker = b'{"version": 1, "epoch": 99, "tasks": 3, "rows": 0, "ordered": "0", "unordered": "0"}'
    with gaps.open_transaction(
        bootstrap,
        "firesteel-markers",
        [marker],
        partition=partition,
        key=writer.encode(),
        transactional_id="firesteel-" + writer.replace("/", "-"),
        timeout_ms=6_000 if writer == "else" else 600_000,
    ):
        drained(frame, tmp_path)
    assert_each_once(spark, bootstrap, filled, letters)


WRONG: dict[str, tuple[dict[str, str], str]] = {
    "no schema": ({"deadLetterTopic": "x"}, "deadLetterTopic belongs to schema, pipeline, or valueFormat"),
    "empty": ({"deadLetterTopic": " ", "schema": SCHEMA}, "deadLetterTopic names no topic"),
    "markers alone": ({"markerTopic": "m", "schema": SCHEMA}, "markerTopic belongs to deadLetterTopic"),
    "empty markers": ({"markerTopic": "", "deadLetterTopic": "x", "schema": SCHEMA}, "markerTopic is empty"),
    "what to do": (
        {"onReplayDiffers": "stop", "deadLetterTopic": "x", "schema": SCHEMA},
        "onReplayDiffers: wanted fail or keepCommitted",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_options_are_named(spark: SparkSession, bootstrap: str, filled: str, name: str) -> None:
    options, message = WRONG[name]
    reader = spark.read.format("firesteel").option("kafka.bootstrap.servers", bootstrap).option("subscribe", filled)
    with pytest.raises(Exception, match=f"WRONG_OPTION: {message}"):
        reader.options(**options).load().collect()


def test_a_topic_that_is_read_or_not_there_is_refused(
    spark: SparkSession, bootstrap: str, filled: str, tmp_path: Path
) -> None:
    with pytest.raises(Exception, match=f"deadLetterTopic: {filled} is among the topics that are read"):
        source(spark.read, bootstrap, filled, filled).collect()
    with pytest.raises(Exception, match="UNKNOWN_TOPIC"):
        source(spark.read, bootstrap, filled, "nowhere-at-all").collect()
    with pytest.raises(StreamingQueryException, match="UNKNOWN_TOPIC"):
        drained(source(spark.readStream, bootstrap, filled, "nowhere-at-all"), tmp_path)
