"""Wrong use of our Kafka source: an error that names the option or the place and what to do, in time, never a hang.

Each message must name what the user can find in the own program: the option as typed, the topic, the address.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from tests.harness import topics
from tests.harness.broker import Broker
from tests.harness.passwords import CANARY
from tests.harness.ports import HOST, HeldPorts
from tests.harness.topics import Record
from tests.support import sources
from tests.support.kafka import new_topic

FAILURES = (PySparkException, Py4JJavaError)
#: An option that is wrong by itself is refused before anything is asked of a broker.
AT_ONCE_S = 10.0
#: A broker that must answer first, or does not.
ASKED_S = 75.0
RECORDS = 20


@pytest.fixture
def source(spark: SparkSession) -> str:
    """Our source; skips while the jar has none."""
    return sources.required(spark, sources.OURS)


@pytest.fixture(scope="module")
def topic(bootstrap: str) -> str:
    """A topic whose first five of twenty records are gone."""
    name = new_topic(bootstrap, "bad-input")
    topics.write(bootstrap, name, [Record(0, -1, None, f"{i}".encode()) for i in range(RECORDS)])
    topics.delete_records(bootstrap, name, {0: 5})
    return name


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Hold that the block ends in time, whatever its end."""
    began = time.monotonic()
    try:
        yield
    finally:
        took = time.monotonic() - began
        assert took < seconds, f"it took {took:.0f} s, not {seconds:.0f}"


def failure(spark: SparkSession, source: str, options: dict[str, str], *, seconds: float) -> str:
    """Read a batch; returns the message of its error, which must come in time."""
    with within(seconds), pytest.raises(FAILURES) as failed:
        spark.read.format(source).options(**options).load().collect()
    return str(failed.value)


def stream_failure(spark: SparkSession, source: str, options: dict[str, str], folder: Path, *, seconds: float) -> str:
    """Start a stream; returns the message of its error, which must come in time."""
    began = time.monotonic()
    try:
        query = (
            spark.readStream.format(source)
            .options(**options)
            .load()
            .writeStream.format("noop")
            .option("checkpointLocation", str(folder / "checkpoint"))
            .trigger(availableNow=True)
            .start()
        )
    except FAILURES as refused:
        assert time.monotonic() - began < seconds
        return str(refused)
    try:
        while query.isActive:
            assert time.monotonic() - began < seconds, f"still running after {seconds} s: {query.status}"
            time.sleep(0.1)
    finally:
        query.stop()
    ended = query.exception()
    assert ended is not None, "the stream ended without an error"
    return str(ended)


def test_an_address_where_nobody_listens_is_named(spark: SparkSession, source: str) -> None:
    ports = HeldPorts(1)
    try:
        nobody = f"{HOST}:{ports.numbers[0]}"
        options = {"kafka.bootstrap.servers": nobody, "subscribe": "t", "kafka.default.api.timeout.ms": "5000"}
        said = failure(spark, source, options, seconds=ASKED_S)
    finally:
        ports.close()
    assert "KAFKA_UNREACHABLE" in said
    assert nobody in said
    assert "kafka.bootstrap.servers" in said


def test_a_broker_that_answers_nothing_is_not_waited_for_without_end(spark: SparkSession, source: str) -> None:
    with Broker(heap="512m") as broker:
        name = new_topic(broker.bootstrap, "silent")
        broker.pause()
        options = {"kafka.bootstrap.servers": broker.bootstrap, "subscribe": name}
        said = failure(spark, source, {**options, "kafka.default.api.timeout.ms": "5000"}, seconds=ASKED_S)
        assert "KAFKA_UNREACHABLE" in said
        assert broker.bootstrap in said
        # And when it wakes up all is well.
        broker.resume()
        assert spark.read.format(source).options(**options).load().count() == 0


@pytest.mark.parametrize("streaming", [False, True], ids=["batch", "stream"])
def test_an_unknown_topic_is_named(
    spark: SparkSession, source: str, bootstrap: str, streaming: bool, tmp_path: Path
) -> None:
    options = {"kafka.bootstrap.servers": bootstrap, "subscribe": "no-such-topic", "startingOffsets": "earliest"}
    if streaming:
        said = stream_failure(spark, source, options, tmp_path, seconds=ASKED_S)
    else:
        said = failure(spark, source, options, seconds=ASKED_S)
    assert "UNKNOWN_TOPIC" in said
    assert "no-such-topic" in said
    assert bootstrap in said


def test_wrong_credentials_name_the_address_and_the_options(
    spark: SparkSession, source: str, secured_broker: Broker
) -> None:
    access = secured_broker.secured.wrong_access("scram-sha-512")
    said = failure(spark, source, {**access.spark(), "subscribe": "t"}, seconds=ASKED_S)
    assert "KAFKA_AUTHENTICATION" in said
    assert access.bootstrap in said
    assert "kafka.sasl.jaas.config" in said
    assert CANARY not in said


def test_a_listener_with_tls_asked_without_it_says_so(spark: SparkSession, source: str, secured_broker: Broker) -> None:
    address = secured_broker.access("tls-pem").bootstrap
    options = {"kafka.bootstrap.servers": address, "subscribe": "t", "kafka.default.api.timeout.ms": "5000"}
    said = failure(spark, source, options, seconds=ASKED_S)
    assert address in said
    assert "kafka.security.protocol" in said


@dataclass(frozen=True)
class Wrong:
    """Options that can never work, and what the refusal must say."""

    options: dict[str, str | None]
    says: tuple[str, ...]


WRONG = {
    "misspelled option": Wrong({"startingOffset": "earliest"}, ("startingOffset", "startingOffsets")),
    "misspelled limit": Wrong({"maxOffsetPerTrigger": "10"}, ("maxOffsetPerTrigger", "maxOffsetsPerTrigger")),
    "misspelled client setting": Wrong(
        {"kafka.sasl.mechanisn": "PLAIN"}, ("kafka.sasl.mechanisn", "kafka.sasl.mechanism")
    ),
    "no servers": Wrong({"kafka.bootstrap.servers": None}, ("kafka.bootstrap.servers",)),
    "no topic": Wrong({"subscribe": None}, ("subscribe", "subscribePattern", "assign")),
    "two ways to a topic": Wrong({"subscribePattern": "t.*"}, ("subscribe", "subscribePattern")),
    "empty topic": Wrong({"subscribe": ""}, ("subscribe",)),
    "pattern that is none": Wrong({"subscribe": None, "subscribePattern": "t(("}, ("subscribePattern", "t((")),
    "assign that is no JSON": Wrong({"subscribe": None, "assign": "t:0"}, ("assign", "t:0")),
    "starting word": Wrong({"startingOffsets": "first"}, ("startingOffsets", "first", "earliest")),
    "starting JSON": Wrong({"startingOffsets": '{"t":{"0":"x"}}'}, ("startingOffsets",)),
    "a batch that starts at the end": Wrong({"startingOffsets": "latest"}, ("startingOffsets", "latest")),
    "a batch that ends at the start": Wrong({"endingOffsets": "earliest"}, ("endingOffsets", "earliest")),
    "limit that is no number": Wrong({"maxOffsetsPerTrigger": "many"}, ("maxOffsetsPerTrigger", "many")),
    "partitions below one": Wrong({"minPartitions": "0"}, ("minPartitions", "0")),
    "neither true nor false": Wrong({"failOnDataLoss": "maybe"}, ("failOnDataLoss", "maybe")),
    "Spark's own affair": Wrong({"kafka.auto.offset.reset": "latest"}, ("kafka.auto.offset.reset", "startingOffsets")),
    "no such protocol": Wrong({"kafka.security.protocol": "TLS"}, ("kafka.security.protocol", "TLS", "SASL_SSL")),
    "no such mechanism": Wrong(
        {"kafka.security.protocol": "SASL_PLAINTEXT", "kafka.sasl.mechanism": "SCRAM"},
        ("kafka.sasl.mechanism", "SCRAM"),
    ),
    "no store there": Wrong(
        {"kafka.security.protocol": "SSL", "kafka.ssl.truststore.location": "/no/such/store.p12"},
        ("kafka.ssl.truststore.location", "/no/such/store.p12"),
    ),
    "time that is no number": Wrong({"kafka.request.timeout.ms": "soon"}, ("kafka.request.timeout.ms", "soon")),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=[name.replace(" ", "-") for name in WRONG])
def test_a_wrong_option_is_refused_at_once_by_its_name(
    spark: SparkSession, source: str, bootstrap: str, topic: str, wrong: Wrong
) -> None:
    options: dict[str, str | None] = {"kafka.bootstrap.servers": bootstrap, "subscribe": topic, **wrong.options}
    given = {key: value for key, value in options.items() if value is not None}
    said = failure(spark, source, given, seconds=AT_ONCE_S)
    for word in wrong.says:
        # As a whole name: `subscribe` is not there because `subscribePattern` is.
        assert re.search(rf"(?<![\w.]){re.escape(word)}(?!\w)", said), f"{word!r} is not in: {said[:1500]}"


def test_a_wrong_store_password_is_refused_and_not_shown(
    spark: SparkSession, source: str, secured_broker: Broker
) -> None:
    options = {**secured_broker.access("tls-jks").spark(), "subscribe": "t"}
    options["kafka.ssl.truststore.password"] = f"{CANARY}not-this-one"
    said = failure(spark, source, options, seconds=AT_ONCE_S)
    assert "kafka.ssl.truststore" in said
    assert CANARY not in said


@pytest.mark.parametrize("offset", [2, RECORDS + 100], ids=["deleted", "not there yet"])
def test_an_offset_out_of_range_is_named_with_its_place(
    spark: SparkSession, source: str, bootstrap: str, topic: str, offset: int, tmp_path: Path
) -> None:
    options = {
        "kafka.bootstrap.servers": bootstrap,
        "subscribe": topic,
        "startingOffsets": json.dumps({topic: {"0": offset}}),
    }
    for said in (
        failure(spark, source, options, seconds=ASKED_S),
        stream_failure(spark, source, options, tmp_path, seconds=ASKED_S),
    ):
        assert f"{topic}-0" in said, said[:1500]
        assert str(offset) in said, said[:1500]
        assert "failOnDataLoss" in said or "startingOffsets" in said, said[:1500]


def test_lost_offsets_are_passed_over_if_the_user_says_so(
    spark: SparkSession, source: str, bootstrap: str, topic: str
) -> None:
    options = {
        "kafka.bootstrap.servers": bootstrap,
        "subscribe": topic,
        "startingOffsets": json.dumps({topic: {"0": 2}}),
        "failOnDataLoss": "false",
    }
    rows = spark.read.format(source).options(**options).load().select("offset").collect()
    assert sorted(row.offset for row in rows) == list(range(5, RECORDS))


def test_a_partition_that_does_not_exist_is_named(spark: SparkSession, source: str, bootstrap: str, topic: str) -> None:
    options = {"kafka.bootstrap.servers": bootstrap, "assign": json.dumps({topic: [0, 7]})}
    said = failure(spark, source, options, seconds=ASKED_S)
    assert topic in said
    assert "7" in said
