"""The native source beside Spark's own: the same options, the same columns, the same records, the same checkpoints."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as sf

from tests.harness import topics
from tests.support import kafka
from tests.support.proof import scan_metric
from tests.support.streams import rows_read, write_available

COLUMNS = ("key", "value", "topic", "partition", "offset", "timestamp", "timestampType")
OURS, SPARKS = "firesteel", "kafka"


@pytest.fixture(scope="module")
def mixed(bootstrap: str) -> str:
    """Records of every kind over three partitions: nulls, empty ones, headers, odd bytes, times of their own.

    Idempotent: the filters below count on the order, which a repeated request would change.
    """
    topic = kafka.new_topic(bootstrap, "mixed", partitions=3)
    producer = Producer(
        {"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 5, "compression.type": "lz4"}
    )
    for i in range(3_000):
        producer.produce(
            topic,
            key=None if i % 7 == 0 else b"" if i % 11 == 0 else f"k{i}".encode(),
            value=None if i % 13 == 0 else b"" if i % 17 == 0 else bytes([i % 256, 0, 255]) * (i % 40),
            partition=i % 3,
            timestamp=1_700_000_000_000 + 1000 * i,
            headers=[("a", b"1"), ("a", None), ("ü", str(i).encode())] if i % 5 == 0 else None,
        )
        producer.poll(0)
    assert producer.flush(30) == 0
    return topic


def read(spark: SparkSession, source: str, bootstrap: str, topic: str, **options: Any) -> DataFrame:
    """A batch read with the same options for either source."""
    chosen = {} if "assign" in options or "subscribePattern" in options else {"subscribe": topic}
    reader = spark.read.format(source).option("kafka.bootstrap.servers", bootstrap)
    return reader.options(**chosen, **{name: str(value) for name, value in options.items()}).load()


def stream(spark: SparkSession, source: str, bootstrap: str, topic: str, **options: Any) -> DataFrame:
    """A stream from the topic's start with the same options for either source."""
    reader = spark.readStream.format(source).option("kafka.bootstrap.servers", bootstrap).option("subscribe", topic)
    return reader.options(**{"startingOffsets": "earliest", **{k: str(v) for k, v in options.items()}}).load()


def rows(df: DataFrame) -> list[Row]:
    """All rows, in the order of the log."""
    return df.orderBy("topic", "partition", "offset").collect()


OPTIONS: dict[str, dict[str, Any]] = {
    "everything": {},
    "with headers": {"includeHeaders": "true"},
    "a stretch": {
        "startingOffsets": {"0": 10, "1": -2, "2": 999},
        "endingOffsets": {"0": 20, "1": -1, "2": 1000},
    },
    "from a time": {"startingTimestamp": 1_700_000_000_000 + 2_500_500},
    "between times": {"startingTimestamp": 1_700_000_100_000, "endingTimestamp": 1_700_000_200_000},
    "times by partition": {"startingOffsetsByTimestamp": {"0": 1_700_000_100_000, "1": 0, "2": 1_700_002_990_000}},
    "more tasks than partitions": {"minPartitions": 7},
    "few records in a task": {"maxRecordsPerPartition": 123},
    "small batches": {"batchRows": 10},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_a_batch_read_gives_what_sparks_source_gives(
    spark: SparkSession, bootstrap: str, mixed: str, name: str
) -> None:
    """Record by record, for every way to say what is read."""
    options = {k: json.dumps({mixed: v}) if isinstance(v, dict) else v for k, v in OPTIONS[name].items()}
    sparks = {k: v for k, v in options.items() if k != "batchRows"}
    ours = read(spark, OURS, bootstrap, mixed, **options)
    theirs = read(spark, SPARKS, bootstrap, mixed, **sparks)
    assert [(f.name, f.dataType) for f in ours.schema] == [(f.name, f.dataType) for f in theirs.schema]
    found = rows(ours)
    assert found
    assert found == rows(theirs)


def test_assign_and_pattern_choose_what_sparks_source_chooses(spark: SparkSession, bootstrap: str, mixed: str) -> None:
    """Single partitions, and topics by a pattern."""
    for options in ({"assign": json.dumps({mixed: [0, 2]})}, {"subscribePattern": f"{mixed[:-2]}.."}):
        found = rows(read(spark, OURS, bootstrap, mixed, **options))
        assert found
        assert found == rows(read(spark, SPARKS, bootstrap, mixed, **options))


def test_only_wanted_columns_are_made_and_batches_stay_columns(
    spark: SparkSession, bootstrap: str, mixed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The plan reads two columns, in batches; a count reads none."""
    df = read(spark, OURS, bootstrap, mixed).where("partition = 1").select("offset")
    assert df.count() == 1000
    df.explain()
    plan = capsys.readouterr().out
    assert "ColumnarToRow" in plan
    assert "firesteel" in plan
    scan = next(line for line in plan.splitlines() if "BatchScan" in line)
    assert "value" not in scan
    assert read(spark, OURS, bootstrap, mixed).count() == 3000


#: Of `mixed`, whose record i has offset i // 3 and second i: a condition, and how many records are left to read.
FILTERS = {
    "partition = 1": 1000,
    "partition IN (0, 2) AND offset < 10": 20,
    "offset BETWEEN 990 AND 2000 AND key IS NOT NULL": 30,
    "offset = 7 OR partition = 0 AND offset > 990": 1 + 1 + 993,
    "partition = 0 AND offset >= 990 OR partition = 1 AND offset <= 4": 15,
    "timestamp >= timestamp_millis(1700002985000)": 15,
    "timestamp > timestamp_millis(1700002985000) AND partition >= 1 AND value IS NOT NULL": 10,
    "timestamp = timestamp_micros(1700002985000000)": 15,
    "timestamp < timestamp_millis(1700000010000)": 3000,
    "topic = 'another'": 0,
    "timestamp > timestamp_millis(1700009999000)": 0,
    "offset > 989.5 AND partition < 2L": 20,
    "offset > 989.5D": 3000,
}


@pytest.mark.parametrize("condition", FILTERS)
def test_filters_read_less_and_give_the_same(spark: SparkSession, bootstrap: str, mixed: str, condition: str) -> None:
    """The rows of Spark's source under the same condition, out of fewer records."""
    ours = read(spark, OURS, bootstrap, mixed).where(condition)
    found = sorted(ours.collect(), key=lambda row: (row.partition, row.offset))
    assert found == rows(read(spark, SPARKS, bootstrap, mixed).where(condition))
    assert scan_metric(ours, "rowsRead") == FILTERS[condition]
    counted = read(spark, OURS, bootstrap, mixed, minPartitions=5).where(condition)
    assert counted.count() == len(found)


def test_times_that_go_back_lose_no_record(spark: SparkSession, bootstrap: str) -> None:
    """Producers give the times: a later record may be older. Only what is before the first match is not read."""
    topic = kafka.new_topic(bootstrap, "times")
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True})
    seconds = [5, 1, 9, 2, 8, 3, 7, 4, 6, 0]
    for second in seconds:
        producer.produce(topic, value=b"x", timestamp=1_700_000_000_000 + 1000 * second)
        assert producer.flush(30) == 0, "a batch of its own"
    for second in range(11):
        for operator in (">=", ">", "=", "<", "<="):
            condition = f"timestamp {operator} timestamp_millis({1_700_000_000_000 + 1000 * second})"
            ours = read(spark, OURS, bootstrap, topic).where(condition).select("offset", "timestamp")
            wanted = [i for i, of in enumerate(seconds) if _holds(of, operator, second)]
            assert sorted(row.offset for row in ours.collect()) == wanted, condition
            if operator == ">=":
                assert scan_metric(ours, "rowsRead") == (len(seconds) - wanted[0] if wanted else 0)


def _holds(left: int, operator: str, right: int) -> bool:
    return {">=": left >= right, ">": left > right, "=": left == right, "<": left < right, "<=": left <= right}[
        operator
    ]


def test_filters_hold_in_a_stream_too(spark: SparkSession, bootstrap: str, mixed: str, tmp_path: Path) -> None:
    """Spark hands a stream no filters: all records are read, and Spark sieves them."""
    condition = "partition = 1 AND offset >= 990 AND timestamp > timestamp_millis(1700002980000)"
    query = write_available(stream(spark, OURS, bootstrap, mixed).where(condition), tmp_path)
    assert rows_read(query) == 3000
    found = rows(spark.read.parquet(str(tmp_path / "out")))
    assert found
    assert found == rows(read(spark, SPARKS, bootstrap, mixed).where(condition))


@pytest.mark.parametrize("limit", [None, 700])
def test_a_stream_gives_every_record_once(
    spark: SparkSession, bootstrap: str, mixed: str, tmp_path: Path, limit: int | None
) -> None:
    """With and without a limit, the offsets of every micro-batch are those of Spark's source."""
    options = {} if limit is None else {"maxOffsetsPerTrigger": limit}
    ends = {}
    for source in (OURS, SPARKS):
        query = write_available(stream(spark, source, bootstrap, mixed, **options), tmp_path / source)
        assert rows_read(query) == 3000
        ends[source] = [
            (p["sources"][0]["startOffset"], p["sources"][0]["endOffset"]) for p in map(_json, query.recentProgress)
        ]
    assert ends[OURS] == ends[SPARKS]
    ours, theirs = (rows(spark.read.parquet(str(tmp_path / source / "out"))) for source in (OURS, SPARKS))
    assert len(ours) == 3000
    assert ours == theirs


@pytest.mark.parametrize(("first", "second"), [(SPARKS, OURS), (OURS, SPARKS)])
def test_either_source_goes_on_with_the_others_checkpoint(
    spark: SparkSession, bootstrap: str, tmp_path: Path, first: str, second: str
) -> None:
    """One word changes, under a checkpoint that is there: nothing is lost, nothing comes twice."""
    topic = kafka.new_topic(bootstrap, "switch", partitions=2)
    total = 0
    for turn, source in enumerate((first, second, first)):
        total += kafka.produce(bootstrap, topic, _numbered(1000 * turn, 500), partitions=2)
        write_available(stream(spark, source, bootstrap, topic, maxOffsetsPerTrigger=150), tmp_path)
    out = spark.read.parquet(str(tmp_path / "out"))
    assert out.count() == total == out.select("partition", "offset").distinct().count()


def test_a_checkpoint_before_the_first_batch_is_the_others_too(
    spark: SparkSession, bootstrap: str, tmp_path: Path
) -> None:
    """The place where a query began is kept as Spark keeps it: a query that never read starts there, not at the end."""
    topic = kafka.new_topic(bootstrap, "begin")
    kafka.produce(bootstrap, topic, _numbered(0, 10))
    for first, second in ((OURS, SPARKS), (SPARKS, OURS)):
        folder = tmp_path / first
        empty = stream(spark, first, bootstrap, topic, startingOffsets="latest")
        write_available(empty, folder)
        before = kafka.produce(bootstrap, topic, _numbered(10, 7))
        write_available(stream(spark, second, bootstrap, topic, startingOffsets="latest"), folder)
        assert spark.read.schema(empty.schema).parquet(str(folder / "out")).count() == before


def test_new_partitions_are_found_while_a_stream_runs(spark: SparkSession, bootstrap: str, tmp_path: Path) -> None:
    """Records of a partition that was added after the start come too, from its first."""
    topic = kafka.new_topic(bootstrap, "grows")
    kafka.produce(bootstrap, topic, _numbered(0, 100))
    query = (
        stream(spark, OURS, bootstrap, topic)
        .writeStream.format("parquet")
        .option("checkpointLocation", str(tmp_path / "checkpoint"))
        .trigger(processingTime="200 milliseconds")
        .start(str(tmp_path / "out"))
    )
    try:
        _until(lambda: rows_read(query) >= 100, query)
        topics.add_partitions(bootstrap, topic, 3)
        kafka.produce(bootstrap, topic, _numbered(100, 300), partitions=3)
        _until(lambda: rows_read(query) >= 400, query)
    finally:
        query.stop()
    assert spark.read.parquet(str(tmp_path / "out")).count() == 400


def test_consumers_go_on_between_batches_and_leave_with_the_query(
    spark: SparkSession, bootstrap: str, mixed: str, tmp_path: Path
) -> None:
    """The tasks of a later batch use the consumers of the one before; a stopped query leaves none."""
    jvm: Any = spark._jvm
    reader = jvm.io.firesteel.spark.bridge.KafkaReader
    assert reader.idleConsumers() == 0
    seen: list[int] = []
    query = (
        stream(spark, OURS, bootstrap, mixed, maxOffsetsPerTrigger=300)
        .writeStream.foreachBatch(lambda df, _: seen.append(df.count() * 0 + reader.idleConsumers()))
        .option("checkpointLocation", str(tmp_path / "checkpoint"))
        .trigger(availableNow=True)
        .start()
    )
    assert query.awaitTermination(120)
    assert len(seen) >= 10
    assert max(seen) <= 2, "one for each task at most"
    assert min(seen) >= 1, "nobody waits for the next batch's tasks"
    _until(lambda: reader.idleConsumers() == 0, query)


def test_progress_tells_the_lag(spark: SparkSession, bootstrap: str, mixed: str, tmp_path: Path) -> None:
    """In rows, as Spark's source tells it, and in seconds."""
    query = write_available(stream(spark, OURS, bootstrap, mixed, maxOffsetsPerTrigger=1000), tmp_path)
    first = _json(query.recentProgress[0])["sources"][0]["metrics"]
    assert int(first["maxOffsetsBehindLatest"]) > 0
    assert sum(json.loads(first["offsetsBehindLatest"])[mixed].values()) == 2001, "shares are rounded down"
    assert float(first["maxSecondsBehindLatest"]) >= 0
    last = _json(query.recentProgress[-1])["sources"][0]["metrics"]
    assert last["maxOffsetsBehindLatest"] == "0"
    assert float(last["maxSecondsBehindLatest"]) == 0


SCHEMA = "id BIGINT NOT NULL, amount DOUBLE, name STRING, at TIMESTAMP"


@pytest.fixture(scope="module")
def json_topic(bootstrap: str) -> str:
    """JSON records, every tenth of them bad in some way."""
    topic = kafka.new_topic(bootstrap, "json", partitions=2)
    kafka.produce(bootstrap, topic, (_json_record(i) for i in range(2000)), partitions=2)
    return topic


def _json_record(i: int) -> bytes | None:
    if i % 40 == 7:
        return None
    if i % 40 == 17:
        return b'{"id": '
    if i % 40 == 27:
        return json.dumps({"id": i, "amount": "much"}).encode()
    if i % 40 == 37:
        return json.dumps({"amount": 1.0}).encode()
    return json.dumps({"id": i, "amount": i / 4, "name": f"n{i}", "at": "2026-01-02T03:04:05Z", "more": [1]}).encode()


def test_schema_gives_decoded_columns_and_rejected_rows(spark: SparkSession, bootstrap: str, json_topic: str) -> None:
    """One row for every record: decoded, or rejected with its place and the reason."""
    df = read(spark, OURS, bootstrap, json_topic, schema=SCHEMA)
    assert df.columns == ["id", "amount", "name", "at", "_rejected"]
    assert df.count() == 2000
    good = df.where("_rejected IS NULL").orderBy("id").collect()
    assert [(r.id, r.amount, r.name) for r in good] == [(i, i / 4, f"n{i}") for i in range(2000) if i % 10 != 7]
    codes = df.where("_rejected IS NOT NULL").groupBy("_rejected.code").count().collect()
    assert {r.code: r["count"] for r in codes} == {
        "TOMBSTONE": 50,
        "MALFORMED": 50,
        "WRONG_TYPE": 50,
        "REQUIRED_MISSING": 50,
    }
    places = df.where("_rejected IS NOT NULL").select("_rejected.topic", "_rejected.partition", "_rejected.offset")
    assert places.distinct().count() == 200


def test_a_column_that_is_not_wanted_is_not_decoded(spark: SparkSession, bootstrap: str, json_topic: str) -> None:
    """`amount` is bad in some records; a query that never asks for it gets their `id`."""
    df = read(spark, OURS, bootstrap, json_topic, schema="id BIGINT, amount DOUBLE")
    assert df.where("id % 40 = 27").select("id").count() == 50
    assert len(df.where("id % 40 = 27").select("id", "amount").collect()) == 0


def test_csv_columns_are_the_same_alone_and_together(spark: SparkSession, bootstrap: str, tmp_path: Path) -> None:
    """A CSV field is known by its place, so a query for one column still reads whole lines; batch and stream."""
    topic = kafka.new_topic(bootstrap, "csv")
    kafka.produce(bootstrap, topic, (f"{i},{i / 2},n{i}".encode() for i in range(50)))
    options = {"schema": "id BIGINT, half DOUBLE, name STRING", "valueFormat": "csv"}
    whole = read(spark, OURS, bootstrap, topic, **options)
    assert [(r.id, r.half, r.name) for r in whole.orderBy("id").collect()] == [(i, i / 2, f"n{i}") for i in range(50)]
    assert [r.name for r in whole.select("name").orderBy("name").collect()] == sorted(f"n{i}" for i in range(50))
    write_available(stream(spark, OURS, bootstrap, topic, **options).select("half"), tmp_path)
    out = spark.read.parquet(str(tmp_path / "out"))
    assert sorted(r.half for r in out.collect()) == [i / 2 for i in range(50)]


def test_a_stream_reads_no_more_than_its_query_wants(spark: SparkSession, bootstrap: str, json_topic: str) -> None:
    """Spark prunes no streams; the source does: the plan reads `id`, and a bad `amount` harms nobody."""
    df = stream(spark, OURS, bootstrap, json_topic, schema="id BIGINT, amount DOUBLE").where("id % 40 = 27")
    query = df.select("id").writeStream.format("memory").queryName("narrow").trigger(availableNow=True).start()
    try:
        assert query.awaitTermination(60)
        assert rows_read(query) == 2000
        assert spark.table("narrow").count() == 50
        plan = query._jsq.explainInternal(False)
    finally:
        query.stop()
    scan = next(line for line in plan.splitlines() if "MicroBatchScan" in line)
    assert "id#" in scan
    assert "amount#" not in scan


def test_a_pipeline_in_the_source_gives_the_bits_of_one_behind_it(
    spark: SparkSession, bootstrap: str, json_topic: str, tmp_path: Path
) -> None:
    """The same rows and the same rejected rows as `Pipeline.transform` on Spark's own source, batch and stream."""
    import firesteel

    file = tmp_path / "p.yaml"
    file.write_text(
        f"name: p\ninput: {{format: json, schema: '{SCHEMA}'}}\n"
        "clean: [{check: amount < 400}]\n"
        "features: {double: amount * 2, hour: hour(at)}\noutput: [id, double, hour]\n"
    )
    behind = firesteel.Pipeline.load(str(file)).transform(read(spark, SPARKS, bootstrap, json_topic))
    inside = read(spark, OURS, bootstrap, json_topic, pipeline=file)
    order = [sf.col("id"), sf.col("_rejected.partition"), sf.col("_rejected.offset")]
    expected = behind.orderBy(*order).collect()
    assert len(expected) == 2000
    assert inside.orderBy(*order).collect() == expected
    query = write_available(
        stream(spark, OURS, bootstrap, json_topic, pipeline=file, maxOffsetsPerTrigger=301), tmp_path
    )
    assert rows_read(query) == 2000
    assert spark.read.parquet(str(tmp_path / "out")).orderBy(*order).collect() == expected


def _numbered(start: int, count: int) -> Iterable[bytes]:
    return (str(i).encode() for i in range(start, start + count))


def _json(progress: Any) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(progress.json)
    for source in parsed["sources"]:
        for name in ("startOffset", "endOffset"):
            if isinstance(source[name], str):
                source[name] = json.loads(source[name])
    return parsed


def _until(done: Any, query: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert query.exception() is None, query.exception()
        assert time.monotonic() < end, f"not within {seconds} s: {query.lastProgress}"
        time.sleep(0.1)
