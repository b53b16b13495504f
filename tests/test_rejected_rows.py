"""Every kind of bad record through Kafka: each is rejected with its place and its bytes, and the batch goes on.

The engine's own tests hold every rule of the decoder; this one holds that a fault reaches the user as a row, with the
right coordinates, from a real topic.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest
from pyspark.sql import DataFrame, Row, SparkSession

import firesteel
from tests.support import kafka, proof, streams, train

PARTITIONS = 3


def good(**fields: str) -> bytes:
    """A record that the pipeline takes, with some of its values (JSON text) replaced or added."""
    values = {"id": "1", "ts": '"2026-01-02 03:04:05"', "amount": "12.5", "ratio": "4", "name": '"a"', **fields}
    return ("{" + ",".join(f'"{key}":{value}' for key, value in values.items()) + "}").encode()


#: What is sent -> the stage and code that must come back.
BAD: dict[str, tuple[bytes | None, str, str]] = {
    "tombstone": (None, "decode", "TOMBSTONE"),
    "empty": (b"", "decode", "EMPTY_VALUE"),
    "white space": (b" \t\r\n", "decode", "EMPTY_VALUE"),
    "truncated object": (good()[:-1], "decode", "MALFORMED"),
    "truncated string": (good()[:-3], "decode", "MALFORMED"),
    "trailing comma": (good()[:-1] + b",}", "decode", "MALFORMED"),
    "two objects": (good() + good(), "decode", "MALFORMED"),
    "nan in another spelling": (good(amount="nan"), "decode", "MALFORMED"),
    "+Infinity": (good(amount="+Infinity"), "decode", "MALFORMED"),
    "NaN for a whole number": (good(id="NaN"), "decode", "WRONG_TYPE"),
    "null byte": (b'{"id":1,\x00"amount":2}', "decode", "MALFORMED"),
    "not JSON": (b"hello", "decode", "MALFORMED"),
    "not text": (b"\x93NUMPY", "decode", "INVALID_UTF8"),
    "invalid UTF-8": (good(name='"@"').replace(b"@", b"\xff\xfe"), "decode", "INVALID_UTF8"),
    "10,000 levels": (good(extra="[" * 10_000 + "]" * 10_000), "decode", "TOO_DEEP"),
    "text for a number": (good(amount='"twelve"'), "decode", "WRONG_TYPE"),
    "object for a number": (good(amount='{"value":1}'), "decode", "WRONG_TYPE"),
    "number for a text": (good(name="7"), "decode", "WRONG_TYPE"),
    "no object": (b"[1,2,3]", "decode", "WRONG_TYPE"),
    "2^63": (good(id="9223372036854775808"), "decode", "OUT_OF_RANGE"),
    "-2^63-1": (good(id="-9223372036854775809"), "decode", "OUT_OF_RANGE"),
    "1e400": (good(amount="1e400"), "decode", "OUT_OF_RANGE"),
    "no time": (good(ts='"yesterday"'), "decode", "BAD_TIMESTAMP"),
    "31 February": (good(ts='"2026-02-31 00:00:00"'), "decode", "BAD_TIMESTAMP"),
    "same key twice": (b'{"id":1,"id":2}', "decode", "DUPLICATE_KEY"),
    "required null": (good(id="null"), "clean", "REQUIRED_MISSING"),
    "required missing": (b'{"amount":1}', "clean", "REQUIRED_MISSING"),
    "check false": (good(amount="-1"), "clean", "CHECK_FAILED"),
    "check false for -Infinity": (good(amount="-Infinity"), "clean", "CHECK_FAILED"),
    "check null": (good(amount="null"), "clean", "CHECK_FAILED"),
    "cast fails": (good(name='"x"'), "features", "EXPRESSION_FAILED"),
    "null feature": (good(ratio="null"), "model", "NULL_FEATURE"),
}

#: Odd, and right: each must be scored.
ODD: dict[str, bytes] = {
    "plain": good(),
    "reordered and spaced": b' { "name" : "5", "ratio":1, "amount" : 1.5e0,\n"id":2, "ts":1767322800000 } ',
    "extra fields": good(extra='{"a":[1,{"b":null}]}', other='"\\u0000"'),
    "escapes": good(name='"\\u0031"'),
    "escaped key": good().replace(b'"amount"', b'"am\\u006funt"'),
    "largest integer": good(id="9223372036854775807"),
    "smallest integer": good(id="-9223372036854775808"),
    "RFC 3339 with a zone": good(ts='"2026-01-02T05:04:05.25+02:00"'),
    "missing and not required": b'{"id":3,"amount":1,"ratio":2}',
    "NaN, which is greater than 0": good(amount="NaN"),
    "a byte-order mark": b"\xef\xbb\xbf" + good(),
    "8 MB": good(extra='"' + "x" * (8 * 1024 * 1024) + '"'),
}


@dataclass(frozen=True)
class Sent:
    """What stands at each place of the topic."""

    topic: str
    values: dict[str, bytes | None]

    def place(self, kind: str) -> tuple[int, int]:
        index = list(self.values).index(kind)
        return index % PARTITIONS, index // PARTITIONS


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> firesteel.Pipeline:
    folder = tmp_path_factory.mktemp("rejected")
    random = np.random.default_rng(7)
    features = random.normal(size=(200, 3)).astype(np.float32)
    train.logistic_regression(features, (features.sum(axis=1) > 0).astype(np.int64), folder / "m.onnx")
    return firesteel.PipelineSpec(
        name="rejects",
        schema="id BIGINT, ts TIMESTAMP, amount DOUBLE, ratio DOUBLE, name STRING",
        clean=[firesteel.Require("id"), firesteel.Check("amount > 0"), firesteel.Fill({"name": "0"})],
        features={"number": "cast(replace(name, 'a', '1') AS INT)"},
        models=[
            firesteel.Model("m", "m.onnx", {"score": "probabilities[1]"}, {train.INPUT: ["amount", "ratio", "number"]})
        ],
        output=["id", "ts", "name", "score"],
    ).save(folder / "p.yaml")


@pytest.fixture(scope="module")
def sent(bootstrap: str) -> Sent:
    """Good records between the bad ones, so that a batch has to go on after each."""
    values: dict[str, bytes | None] = {}
    for i, (kind, (value, _, _)) in enumerate(BAD.items()):
        values[f"good {i}"] = good(id=str(1000 + i))
        values[kind] = value
    values |= ODD
    topic = kafka.new_topic(bootstrap, "rejects", partitions=PARTITIONS)
    assert kafka.produce(bootstrap, topic, values.values(), partitions=PARTITIONS) == len(values)
    return Sent(topic, values)


@pytest.fixture(scope="module")
def written(
    spark: SparkSession,
    bootstrap: str,
    sent: Sent,
    pipeline: firesteel.Pipeline,
    tmp_path_factory: pytest.TempPathFactory,
) -> DataFrame:
    since = proof.next_execution(spark)
    events = spark.readStream.format("kafka").options(**kafka.source_options(bootstrap, sent.topic)).load()
    folder = tmp_path_factory.mktemp("rejected-out")
    query = streams.write_available(pipeline.transform(events), folder)
    assert streams.rows_read(query) == len(sent.values)
    assert proof.native_count(spark, since, "rows") == len(sent.values)
    assert proof.native_count(spark, since, "rejected") == len(BAD)
    return spark.read.parquet(str(folder / "out")).cache()


@pytest.fixture(scope="module")
def by_place(written: DataFrame) -> dict[tuple[int, int], Row]:
    return {(row.partition, row.offset): row for row in firesteel.rejected(written).collect()}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_record_is_rejected_with_its_place_its_reason_and_its_bytes(
    kind: str, sent: Sent, by_place: dict[tuple[int, int], Row]
) -> None:
    value, stage, code = BAD[kind]
    row = by_place[sent.place(kind)]
    assert (row.topic, row.stage, row.code) == (sent.topic, stage, code), row.message
    assert row.message
    assert row.raw == value


def test_what_is_odd_and_right_is_scored(written: DataFrame, by_place: dict[tuple[int, int], Row], sent: Sent) -> None:
    refused = {kind: by_place[sent.place(kind)].message for kind in ODD if sent.place(kind) in by_place}
    assert refused == {}
    times = {row.id: row.ts.isoformat() for row in firesteel.accepted(written).collect() if row.ts}
    assert times[2] == "2026-01-02T03:00:00"


def test_no_row_is_lost_and_none_comes_twice(written: DataFrame, sent: Sent) -> None:
    accepted, rejected = firesteel.accepted(written), firesteel.rejected(written)
    assert accepted.count() + rejected.count() == written.count() == len(sent.values)
    assert rejected.select("partition", "offset").distinct().count() == rejected.count() == len(BAD)
    scored = Counter(row.id for row in accepted.collect())
    assert all(scored[1000 + i] == 1 for i in range(len(BAD)))
    assert accepted.where("score IS NULL").count() == 0


def test_rejected_rows_of_typed_columns_have_no_place_and_no_bytes(
    spark: SparkSession, pipeline: firesteel.Pipeline
) -> None:
    typed = spark.sql(
        "SELECT id, timestamp'2026-01-01' AS ts, amount, 1D AS ratio, '1' AS name "
        "FROM VALUES (1L, 2D), (2L, -2D) AS t(id, amount)"
    )
    out = pipeline.transform(typed).orderBy("score").collect()
    reason = out[0]._rejected
    assert (reason.topic, reason.partition, reason.offset, reason.raw) == (None, None, None, None)
    assert (reason.stage, reason.code) == ("clean", "CHECK_FAILED")
    assert out[1]._rejected is None
    assert out[1].id == 1
