"""`format("firesteel")` writes to a real broker: beside Spark's own sink, under kills, and with all that can be wrong.

At least once: every record as Spark's sink writes it. Exactly once: a copied topic holds each record once, whatever was
killed, repeated or taken away in between.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from pyspark.errors import AnalysisException, StreamingQueryException
from pyspark.sql import DataFrame, Row, SparkSession

from tests.harness import topics
from tests.harness.ports import free_ports
from tests.support import checkpoints, kafka
from tests.support.places import FULL, ROOT
from tests.support.submit import SparkProgram

pytestmark = pytest.mark.faults

PARTITIONS = 2
RECORDS = 40_000
BATCH = 4_000
KILLS = 30 if FULL else 3
SEED = 20261123


def read(spark: SparkSession, bootstrap: str, topic: str, isolation: str = "read_committed") -> DataFrame:
    reader = spark.read.format("kafka").option("kafka.bootstrap.servers", bootstrap).option("subscribe", topic)
    return reader.option("includeHeaders", "true").option("kafka.isolation.level", isolation).load()


def counted(spark: SparkSession, bootstrap: str, topic: str) -> Counter[str]:
    rows = read(spark, bootstrap, topic).selectExpr("CAST(value AS STRING) v").collect()
    return Counter(row.v for row in rows)


def written(frame: DataFrame, kind: str, bootstrap: str, topic: str | None, **options: str) -> None:
    writer = frame.write.format(kind).option("kafka.bootstrap.servers", bootstrap)
    (writer.option("topic", topic) if topic else writer).options(**options).save()


def comparable(row: Row) -> tuple[object, ...]:
    headers = tuple((h.key, None if h.value is None else bytes(h.value)) for h in row.headers or ())
    partition = row.partition if row.key is not None or b"to" in bytes(row.value or b"") else None
    return (partition, row.key and bytes(row.key), row.value and bytes(row.value), headers)


def test_writes_keys_headers_topics_and_partitions_as_sparks_sink_does(spark: SparkSession, bootstrap: str) -> None:
    pair = [kafka.new_topic(bootstrap, stem, partitions=5) for stem in ("theirs", "ours")]
    for kind, topic in zip(("kafka", "firesteel"), pair, strict=True):
        frame = spark.sql("""
            SELECT IF(id % 5 = 0, NULL, CONCAT('key-', id)) AS key,
              IF(id % 7 = 0, NULL, CONCAT('value-', id)) AS value,
              IF(id % 3 = 0, NULL, array(named_struct('key', 'h', 'value', CAST(CAST(id AS STRING) AS BINARY)),
                named_struct('key', 'h', 'value', CAST(NULL AS BINARY)))) AS headers
            FROM range(3000)""")
        written(frame, kind, bootstrap, topic)
        frame = spark.sql(f"""
            SELECT '{topic}' AS topic, CAST(CAST(id AS STRING) AS BINARY) AS key, CONCAT('to-', id) AS value,
              CAST(id % 5 AS INT) AS partition FROM range(100)""")
        written(frame, kind, bootstrap, None)
    theirs, ours = (Counter(map(comparable, read(spark, bootstrap, topic).collect())) for topic in pair)
    assert sum(theirs.values()) == 3100
    assert ours == theirs


def test_values_as_json_are_those_of_to_json(spark: SparkSession, bootstrap: str) -> None:
    topic = kafka.new_topic(bootstrap, "json", partitions=1)
    frame = spark.sql("""
        SELECT CONCAT('k', id) AS key, id, IF(id % 2 = 0, NULL, id / 8) AS x,
          TIMESTAMP'2024-02-29 01:02:03.456789' AS t, CAST(id AS DECIMAL(9, 2)) AS d, array(id) AS a, 'ä"' AS s
        FROM range(1000)""")
    written(frame, "firesteel", bootstrap, topic, valueFormat="json")
    expected = frame.selectExpr("to_json(struct(id, x, t, d, a, s)) AS v").collect()
    assert counted(spark, bootstrap, topic) == Counter(row.v for row in expected)


def test_an_id_header_names_the_place_of_the_source(spark: SparkSession, bootstrap: str) -> None:
    topic = kafka.new_topic(bootstrap, "ids", partitions=1)
    frame = spark.sql("""
        SELECT CAST(id AS STRING) AS value, named_struct('topic', 'in', 'partition', 3, 'offset', id) AS _source
        FROM range(50)""")
    written(frame, "firesteel", bootstrap, topic, idHeader="firesteel-id")
    found = {(row.headers[0].key, bytes(row.headers[0].value)) for row in read(spark, bootstrap, topic).collect()}
    assert found == {("firesteel-id", f"in/3/{i}".encode()) for i in range(50)}


def test_a_stream_gives_every_row_an_id_that_comes_again(spark: SparkSession, bootstrap: str, tmp_path: Path) -> None:
    source, sink = (kafka.new_topic(bootstrap, stem, partitions=2) for stem in ("plain", "numbered"))
    kafka.produce(bootstrap, source, (b"record-%d" % i for i in range(1000)), partitions=2)
    # Spark's own source may give a partition to another task when a batch is repeated; ours does not.
    options = kafka.source_options(bootstrap, source)
    rows = spark.readStream.format("firesteel").options(**options).load().select("value")
    for _ in range(2):
        writer = rows.writeStream.format("firesteel").trigger(availableNow=True).option("topic", sink)
        writer = writer.option("kafka.bootstrap.servers", bootstrap).option("idHeader", "id")
        query = writer.option("checkpointLocation", str(tmp_path / "checkpoint")).start()
        assert query.awaitTermination(60)
        checkpoints.forget_last_commit(tmp_path / "checkpoint")
    found = Counter((bytes(row.headers[0].value), bytes(row.value)) for row in read(spark, bootstrap, sink).collect())
    assert set(found.values()) == {2}, "at least once: the batch was repeated, each row under the id that it had"
    assert {name for name, _ in found} == {f"{query.id}/0/{p}/{row}".encode() for p in (0, 1) for row in range(500)}


@dataclass
class Copy:
    """A topic, its copy, and the query between them, in a process of its own."""

    bootstrap: str
    source: str
    sink: str
    folder: Path
    jars: str
    options: list[str] = field(default_factory=lambda: ["exactlyOnce=true", "kafka.transaction.timeout.ms=60000"])

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint"

    def program(self, name: str, *more: str) -> SparkProgram:
        command = [sys.executable, str(ROOT / "tests" / "drivers" / "kafka_sink.py"), self.bootstrap, self.source]
        command += [self.sink, str(self.checkpoint), *self.options, "--jars", self.jars, "--rows", str(BATCH), *more]
        return SparkProgram(command, self.folder / f"{name}.log", name="kafka_sink")

    def finish(self, name: str, *more: str) -> str:
        with self.program(name, *more) as program:
            return program.finish(150)

    def fails(self, name: str, condition: str, *more: str, within_s: float = 120) -> str:
        with self.program(name, *more) as program:
            assert program.wait(within_s) != 0, program.tail(40)
            assert condition in program.output(), program.tail(60)
            return program.output()


@pytest.fixture(scope="module")
def filled(bootstrap: str) -> str:
    topic = kafka.new_topic(bootstrap, "records", partitions=PARTITIONS)
    kafka.produce(bootstrap, topic, (b"record-%d" % i for i in range(RECORDS)), partitions=PARTITIONS)
    return topic


@pytest.fixture
def copy(bootstrap: str, filled: str, jar: Path, kafka_connector: list[Path], tmp_path: Path) -> Copy:
    sink = kafka.new_topic(bootstrap, "copy", partitions=3)
    return Copy(bootstrap, filled, sink, tmp_path, ",".join(map(str, [jar, *kafka_connector])))


def assert_each_once(spark: SparkSession, copy: Copy, count: int = RECORDS) -> None:
    found = counted(spark, copy.bootstrap, copy.sink)
    twice = [value for value, times in found.items() if times > 1]
    missing = [i for i in range(count) if f"record-{i}" not in found]
    assert not twice, f"{len(twice)} records are there twice, such as {twice[:3]}"
    assert not missing, f"{len(missing)} records are missing, such as {missing[:3]}"
    assert len(found) == count


@pytest.mark.timeout(7200 if FULL else 900)
def test_killed_at_random_points_each_record_is_there_once(copy: Copy, spark: SparkSession) -> None:
    pauses = random.Random(SEED)
    for kill in range(KILLS):
        before = checkpoints.planned(copy.checkpoint)
        if before >= RECORDS // BATCH - 2:
            break
        with copy.program(f"killed-{kill}") as program:
            program.wait_until(lambda: checkpoints.planned(copy.checkpoint) > before, timeout_s=90, what="a batch")  # noqa: B023
            time.sleep(pauses.uniform(0, 0.6))
            program.kill()
    copy.finish("finished")
    assert_each_once(spark, copy)
    # What a driver's death between the sink and the commit log leaves behind.
    forgotten = checkpoints.forget_last_commit(copy.checkpoint)
    copy.finish("again")
    assert checkpoints.committed(copy.checkpoint) == forgotten
    assert_each_once(spark, copy)


@pytest.mark.timeout(600)
def test_a_repeated_batch_with_other_rows_or_tasks_is_refused(copy: Copy, spark: SparkSession) -> None:
    copy.finish("first")
    checkpoints.forget_last_commit(copy.checkpoint)
    copy.fails("other-rows", "REPLAY_DIFFERS", "--expression", "concat('changed-', value)")
    copy.fails("other-tasks", "TASKS_CHANGED", "--tasks", "1")
    copy.options.append("onReplayDiffers=keepCommitted")
    copy.finish("kept", "--expression", "concat('changed-', value)")
    assert_each_once(spark, copy)


@pytest.mark.timeout(600)
def test_a_checkpoint_that_was_set_back_is_refused(copy: Copy, spark: SparkSession) -> None:
    copy.finish("first")
    last = checkpoints.committed(copy.checkpoint)
    checkpoints.forget_last_commit(copy.checkpoint)
    checkpoints.forget_last_commit(copy.checkpoint)
    for name in (f"{last}", f".{last}.crc"):
        (copy.checkpoint / "offsets" / name).unlink(missing_ok=True)
    copy.fails("set-back", "EPOCH_ALREADY_PASSED")
    assert_each_once(spark, copy)


@pytest.mark.timeout(600)
def test_a_task_that_fails_in_the_middle_leaves_nothing_behind(copy: Copy, spark: SparkSession) -> None:
    marker = copy.folder / "failed"
    copy.finish("failing", "--fail-once", str(marker), "--master", "local[2,4]")
    assert marker.exists(), "no task has failed"
    assert_each_once(spark, copy)
    ends = sum(topics.end_offsets(copy.bootstrap, copy.sink).values())
    everything = read(spark, copy.bootstrap, copy.sink, "read_uncommitted").count()
    assert everything >= RECORDS
    assert ends > everything, "transactions end in records of their own"


@pytest.mark.timeout(600)
def test_two_drivers_on_one_checkpoint_write_each_record_once(copy: Copy, spark: SparkSession) -> None:
    with copy.program("one") as one, copy.program("two") as two:
        statuses = [program.wait(200) for program in (one, two)]
    if 0 not in statuses:
        # They may shut each other out; the next start must find its way.
        copy.finish("after")
    assert_each_once(spark, copy)


@pytest.mark.timeout(600)
def test_without_its_markers_a_query_goes_on_with_new_ones(copy: Copy, spark: SparkSession) -> None:
    copy.options.append(f"markerTopic=markers-{copy.sink}")
    copy.finish("first")
    admin = AdminClient({"bootstrap.servers": copy.bootstrap})
    admin.delete_topics([f"markers-{copy.sink}"])[f"markers-{copy.sink}"].result(30)
    more = (b"record-%d" % i for i in range(RECORDS, RECORDS + 100))
    own = kafka.new_topic(copy.bootstrap, "more", partitions=PARTITIONS)
    kafka.produce(copy.bootstrap, own, more, partitions=PARTITIONS)
    copy.finish("second")
    assert_each_once(spark, copy)


def test_a_marker_topic_that_forgets_is_refused(copy: Copy) -> None:
    topic = kafka.new_topic(copy.bootstrap, "forgetful")
    copy.options.append(f"markerTopic={topic}")
    copy.fails("forgetful", "MARKER_TOPIC")


def test_a_transaction_longer_than_the_brokers_allow_is_refused(copy: Copy) -> None:
    copy.options.append("kafka.transaction.timeout.ms=3600000")
    copy.fails("long", "TRANSACTION_TIMEOUT")


def test_wrong_places_are_told_in_time(spark: SparkSession, bootstrap: str, tmp_path: Path) -> None:
    frame = spark.sql("SELECT 'v' AS value")
    nobody = f"127.0.0.1:{free_ports(1)[0]}"
    for servers, topic, condition in (
        (nobody, "t", "KAFKA_UNREACHABLE"),
        (bootstrap, "no-such-topic", "UNKNOWN_TOPIC"),
    ):
        started = time.monotonic()
        with pytest.raises(Exception, match=condition):
            written(frame, "firesteel", servers, topic)
        assert time.monotonic() - started < 45
        stream = spark.readStream.format("rate").load().selectExpr("CAST(value AS STRING) AS value").writeStream
        stream = stream.format("firesteel").option("kafka.bootstrap.servers", servers).option("topic", topic)
        started = time.monotonic()
        query = stream.option("checkpointLocation", str(tmp_path / condition)).option("exactlyOnce", "true").start()
        with pytest.raises(StreamingQueryException, match=condition):
            query.awaitTermination(90)
        assert time.monotonic() - started < 90


def test_exactly_once_is_refused_for_a_batch(spark: SparkSession, bootstrap: str) -> None:
    with pytest.raises(AnalysisException, match="exactlyOnce belongs to streaming queries"):
        written(spark.sql("SELECT 'v' AS value"), "firesteel", bootstrap, "t", exactlyOnce="true")
