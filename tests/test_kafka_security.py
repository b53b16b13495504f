"""Spark reads through every protected listener with the options of Kafka's Java client, and nobody else does.

The same tests for Spark's own source and ours: a user changes one word.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from tests.harness import topics
from tests.harness.access import ACCESSES, REFUSABLE, Access
from tests.harness.broker import Broker
from tests.harness.passwords import CANARY
from tests.harness.topics import Record
from tests.support import sources, streams
from tests.support.kafka import new_topic

PARTITIONS = 2
RECORDS = [
    Record(i % PARTITIONS, i // PARTITIONS, f"k{i}".encode(), f"value {i}".encode(), (), 1_700_000_000_000 + i)
    for i in range(50)
]
#: A query with wrong credentials ends within this time, whatever the source's own timeouts are set to below.
REFUSED_S = 45.0
#: What Python gets when a query fails.
FAILURES = (PySparkException, Py4JJavaError)
#: How soon a refused client gives up: Kafka's own default is a minute.
IMPATIENT = {"kafka.default.api.timeout.ms": "5000", "kafka.request.timeout.ms": "4000", "fetchOffset.numRetries": "1"}


@pytest.fixture(scope="module")
def topic(secured_broker: Broker) -> str:
    """A topic that holds RECORDS."""
    name = new_topic(secured_broker.bootstrap, "guarded", partitions=PARTITIONS)
    topics.write(secured_broker.bootstrap, name, RECORDS)
    return name


@pytest.fixture(params=sources.BOTH)
def source(request: pytest.FixtureRequest, spark: SparkSession) -> str:
    """The name of a source; skips where there is none of that name."""
    return sources.required(spark, request.param)


def options(access: Access, topic: str, **more: str) -> dict[str, str]:
    return {**access.spark(), "subscribe": topic, "startingOffsets": "earliest", **more}


def read_records(df: DataFrame) -> list[Record]:
    rows = df.select("partition", "offset", "key", "value", "timestamp").collect()
    found = [
        Record(row.partition, row.offset, bytes(row.key), bytes(row.value), (), round(row.timestamp.timestamp() * 1000))
        for row in rows
    ]
    return sorted(found, key=lambda record: (record.partition, record.offset))


def in_order(records: list[Record]) -> list[Record]:
    return sorted(records, key=lambda record: (record.partition, record.offset))


@pytest.mark.parametrize("name", ACCESSES)
def test_a_batch_reads_everything(
    spark: SparkSession, secured_broker: Broker, topic: str, source: str, name: str
) -> None:
    df = spark.read.format(source).options(**options(secured_broker.access(name), topic)).load()
    assert read_records(df) == in_order(RECORDS)


@pytest.mark.parametrize("name", ["tls-jks", "mtls-pem-encrypted", "scram-sha-512", "oauthbearer"])
@pytest.mark.parametrize("exactly_once", ["false", "true"])
def test_the_sink_writes_everything(
    spark: SparkSession, secured_broker: Broker, topic: str, name: str, exactly_once: str, tmp_path: Path
) -> None:
    access = secured_broker.access(name)
    copy = new_topic(secured_broker.bootstrap, "guarded-copy", partitions=PARTITIONS)
    rows = spark.readStream.format("firesteel").options(**options(access, topic)).load().select("key", "value")
    writer = rows.writeStream.format("firesteel").options(**access.spark()).option("topic", copy)
    writer = writer.option("exactlyOnce", exactly_once).option("kafka.transaction.timeout.ms", "60000")
    query = writer.trigger(availableNow=True).option("checkpointLocation", str(tmp_path / "checkpoint")).start()
    assert query.awaitTermination(60)
    written = spark.read.format("firesteel").options(**options(access, copy)).load().select("key", "value").collect()
    assert sorted((bytes(r.key), bytes(r.value)) for r in written) == sorted((r.key, r.value) for r in RECORDS)


@pytest.mark.parametrize("name", ["mtls-pem-inline", "scram-sha-512", "oauthbearer"])
def test_a_stream_reads_everything(
    spark: SparkSession, secured_broker: Broker, topic: str, source: str, name: str, tmp_path: Path
) -> None:
    limited = options(secured_broker.access(name), topic, maxOffsetsPerTrigger="20")
    query = streams.write_available(spark.readStream.format(source).options(**limited).load(), tmp_path)
    assert streams.rows_read(query) == len(RECORDS)
    assert read_records(spark.read.parquet(str(tmp_path / "out"))) == in_order(RECORDS)


def test_options_are_read_whatever_their_case(
    spark: SparkSession, secured_broker: Broker, topic: str, source: str
) -> None:
    # Spark keeps options without regard to case; Kafka's own names are all lower case.
    shouted = {key.upper(): value for key, value in options(secured_broker.access("scram-sha-256"), topic).items()}
    assert spark.read.format(source).options(**shouted).load().count() == len(RECORDS)


@pytest.mark.parametrize("name", REFUSABLE)
def test_wrong_credentials_end_the_query_and_are_not_shown(
    spark: SparkSession, secured_broker: Broker, topic: str, source: str, name: str
) -> None:
    access = secured_broker.secured.wrong_access(name)
    began = time.monotonic()
    with pytest.raises(FAILURES) as refused:
        spark.read.format(source).options(**options(access, topic, **IMPATIENT)).load().collect()
    assert time.monotonic() - began < REFUSED_S
    text = everything_said(refused.value)
    assert CANARY not in text, place_of_leak(text)
    if source == sources.OURS:
        # A token that was refused was refused elsewhere.
        place = secured_broker.secured.tokens.url if name == "oauthbearer" else access.bootstrap
        assert place in text, text[:2000]
        if "scram" in name or name == "plain":
            assert "KAFKA_AUTHENTICATION" in text, text[:2000]


def test_a_stream_with_a_wrong_password_fails_and_does_not_show_it(
    spark: SparkSession, secured_broker: Broker, topic: str, source: str, tmp_path: Path
) -> None:
    access = secured_broker.secured.wrong_access("scram-sha-512")
    df = spark.readStream.format(source).options(**options(access, topic, **IMPATIENT)).load()
    writer = df.writeStream.format("parquet").option("checkpointLocation", str(tmp_path / "checkpoint"))
    began = time.monotonic()
    query: StreamingQuery = writer.trigger(availableNow=True).start(str(tmp_path / "out"))
    try:
        while query.isActive:
            assert time.monotonic() - began < REFUSED_S, f"still running after {REFUSED_S} s: {query.status}"
            time.sleep(0.2)
    finally:
        query.stop()
    failure = query.exception()
    assert failure is not None, "the query ended without an error"
    text = everything_said(failure)
    assert CANARY not in text, place_of_leak(text)


def everything_said(failure: Any) -> str:
    """The message of an exception with all its causes, as Python and Java would print it."""
    if failure is None:
        return ""
    said = [str(failure), repr(failure)]
    java = getattr(failure, "_origin", None) or getattr(failure, "java_exception", None)
    seen = 0
    while java is not None and seen < 20:
        said.append(str(java.toString()))
        java, seen = java.getCause(), seen + 1
    return "\n".join(said)


def place_of_leak(text: str) -> str:
    """What surrounds a secret, for the message of a failed test; the secret itself is one of the harness."""
    at = text.find(CANARY)
    return f"a secret is shown: …{text[max(0, at - 200) : at + 40]}…"
