"""Avro and Protobuf by options of the native source: the same values as from a pipeline file, batch and stream."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as sf

from tests.harness import topics
from tests.harness.registry import Registry, framed
from tests.support import kafka
from tests.support.avro import COLUMNS, OUTPUT, WRITER, JavaAvro, expected, payment
from tests.support.proof import scan_metric
from tests.support.protobuf import protobuf_message
from tests.support.streams import rows_read, write_available

FAILURES = (PySparkException, Py4JJavaError)
CANARY = "canary-5d17a0"
GOOD = 200
#: What stands between the good ones: nothing, and bytes that are no datum.
BAD: list[bytes | None] = [None, b"", b"\x02"]
ALL = GOOD + len(BAD)


@dataclass(frozen=True)
class Payments:
    """Payments in Avro, some records that are none, and the same behind Confluent's header."""

    bare: str
    framed: str
    values: list[dict[str, Any]]


@pytest.fixture(scope="module")
def registry() -> Any:
    with Registry(login=("me", CANARY)) as registry:
        yield registry


@pytest.fixture(scope="module")
def payments(spark: SparkSession, bootstrap: str, registry: Registry) -> Payments:
    rng = random.Random(23)
    java = JavaAvro(spark._jvm, json.dumps(WRITER))
    values = [payment(rng) for _ in range(GOOD)]
    data = [java.encode(value) for value in values]
    number = registry.register("payments-value", json.dumps(WRITER))
    bare, behind = (kafka.new_topic(bootstrap, "payments", partitions=2) for _ in range(2))
    kafka.produce(bootstrap, bare, [*data, *BAD], partitions=2)
    kafka.produce(bootstrap, behind, [*(framed(number, datum) for datum in data), *BAD], partitions=2)
    return Payments(bare, behind, values)


def source(reader: Any, bootstrap: str, topic: str, **options: str) -> DataFrame:
    named = {"kafka.bootstrap.servers": bootstrap, "subscribe": topic, "startingOffsets": "earliest", **options}
    df: DataFrame = reader.format("firesteel").options(**named).load()
    return df


def access(registry: Registry, folder: Path) -> dict[str, str]:
    secret = folder / "secret"
    secret.write_text(CANARY + "\n")
    return {
        "schemaRegistry.url": registry.url,
        "schemaRegistry.username": "me",
        "schemaRegistry.password": f"${{file:{secret}}}",
        "schemaRegistry.timeout": "5s",
    }


def options_of(way: str, registry: Registry, folder: Path) -> dict[str, str]:
    """One of the ways to say which schema records are written by."""
    login = access(registry, folder)
    file = folder / "payment.avsc"
    file.write_text(json.dumps(WRITER), encoding="utf-8")
    ways = {
        "schema": {"avro.schema": json.dumps(WRITER)},
        "file": {"avro.schemaFile": str(file)},
        "registry": login,
        "registry and subject": {**login, "schemaRegistry.subject": "payments-value"},
        "registry and file": {**login, "avro.schemaFile": str(file)},
    }
    return {"valueFormat": "avro", **ways[way]}


def good(df: DataFrame) -> list[dict[str, Any]]:
    """The good rows as dictionaries, in the order of their bytes."""
    return [row.asDict() for row in sorted(df.where("_rejected IS NULL").drop("_rejected").collect(), key=_order)]


def _order(row: Row) -> str:
    return repr(tuple(row))


def by_order(values: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row.asDict() for row in sorted((Row(**value) for value in values), key=_order)]


@pytest.mark.parametrize("way", ["schema", "file", "registry", "registry and subject", "registry and file"])
def test_avro_by_options_gives_what_apache_avro_gives(
    spark: SparkSession, bootstrap: str, payments: Payments, registry: Registry, way: str, tmp_path: Path
) -> None:
    topic = payments.framed if "registry" in way else payments.bare
    options = {**options_of(way, registry, tmp_path), "schema": COLUMNS}
    wanted = by_order([expected(value) for value in payments.values])
    batch = source(spark.read, bootstrap, topic, **options)
    assert batch.columns == [*OUTPUT, "_rejected"]
    assert good(batch) == wanted
    codes = sorted(row.code for row in batch.where("_rejected IS NOT NULL").select("_rejected.code").collect())
    assert codes == ["EMPTY_VALUE", "MALFORMED", "TOMBSTONE"]
    query = write_available(source(spark.readStream, bootstrap, topic, maxOffsetsPerTrigger="77", **options), tmp_path)
    assert rows_read(query) == ALL
    assert good(spark.read.parquet(str(tmp_path / "out"))) == wanted


@pytest.mark.parametrize("way", ["schema", "file", "registry and subject", "registry and file"])
def test_without_a_schema_all_that_can_be_columns_are_as_in_a_pipeline_file(
    spark: SparkSession, bootstrap: str, payments: Payments, registry: Registry, way: str, tmp_path: Path
) -> None:
    """Names, types and rows are those of a pipeline file that says the same."""
    topic = payments.framed if "registry" in way else payments.bare
    options = options_of(way, registry, tmp_path)
    df = source(spark.read, bootstrap, topic, **options)
    names = [name for name in df.columns if name != "_rejected"]
    assert set(OUTPUT) < set(names), "and those that OUTPUT leaves out"
    avro: dict[str, Any] = {"schema_file": "payment.avsc"}
    if "registry" in way:
        avro["registry"] = {key.split(".")[1]: value for key, value in access(registry, tmp_path).items()}
        avro["registry"]["timeout_s"] = int(avro["registry"].pop("timeout").rstrip("s"))
    file = tmp_path / "p.yaml"
    file.write_text(json.dumps({"name": "t", "input": {"format": "avro", "avro": avro}, "output": names}))
    piped = source(spark.read, bootstrap, topic, pipeline=str(file))
    assert df.schema == piped.schema
    order = [sf.col("id"), sf.col("_rejected.partition"), sf.col("_rejected.offset"), sf.col("amount")]
    assert df.orderBy(*order).collect() == piped.orderBy(*order).collect()
    query = write_available(source(spark.readStream, bootstrap, topic, **options).select("at", "kind"), tmp_path)
    assert rows_read(query) == ALL
    kinds = spark.read.parquet(str(tmp_path / "out")).where("kind IS NOT NULL")
    assert sorted(row.kind for row in kinds.collect()) == sorted(value["kind"] for value in payments.values)


def test_a_field_that_is_not_wanted_is_not_decoded(spark: SparkSession, bootstrap: str) -> None:
    """A text that is not UTF-8 rejects its record only if it is asked for."""
    schema = '{"type":"record","name":"R","fields":[{"name":"a","type":"long"},{"name":"s","type":"string"}]}'
    topic = kafka.new_topic(bootstrap, "avro-narrow")
    kafka.produce(bootstrap, topic, [b"\x02\x02x", b"\x04\x02\xff"])
    df = source(spark.read, bootstrap, topic, **{"valueFormat": "avro", "avro.schema": schema})
    assert sorted(row.a for row in df.select("a").collect()) == [1, 2]
    assert df.where("_rejected IS NULL").select("a").collect() == [Row(a=1)]
    assert df.select("_rejected.code").where("code IS NOT NULL").collect() == [Row(code="INVALID_UTF8")]
    assert df.count() == 2
    # A field may have the name of a column of Kafka's; it is still the field.
    named = schema.replace('"a"', '"offset"')
    fields = source(spark.read, bootstrap, topic, **{"valueFormat": "avro", "avro.schema": named})
    fields = fields.where("offset >= 2").select("offset")
    assert fields.collect() == [Row(offset=2)]
    assert scan_metric(fields, "rowsRead") == 2


@pytest.mark.parametrize("way", ["file", "text", "confluent"])
def test_protobuf_by_options_gives_what_googles_protobuf_gives(
    spark: SparkSession, bootstrap: str, way: str, tmp_path: Path
) -> None:
    payment_class = protobuf_message(tmp_path)
    rng = random.Random(3)
    made = [payment_class(i64=i, name=f"né{i}", dbl=rng.uniform(-1, 1), colour=i % 3) for i in range(100)]
    for one in made[::2]:
        one.merchant.city = f"Ulm {one.i64}"
    header = b"\x00\x00\x00\x00\x07\x02\x02" if way == "confluent" else b""
    topic = kafka.new_topic(bootstrap, "protobuf", partitions=2)
    kafka.produce(bootstrap, topic, [*(header + one.SerializeToString() for one in made), header + b"\x52\x7f"])
    file = tmp_path / "pay.desc"
    options = {"valueFormat": "protobuf", "protobuf.message": "acme.Payment", "protobuf.descriptorFile": str(file)}
    if way == "text":
        del options["protobuf.descriptorFile"]
        options["protobuf.descriptor"] = base64.b64encode(file.read_bytes()).decode()
    if way == "confluent":
        options["protobuf.framing"] = "confluent"
    wanted = [
        (one.i64, one.name, one.dbl, ["NONE", "RED", "BLUE"][one.colour], one.merchant.city or None) for one in made
    ]
    names = ["i64", "name", "dbl", "colour", "`merchant.city`"]
    df = source(spark.read, bootstrap, topic, **options)
    assert {"i64", "maybe", "merchant.lat", "at", "right", "_rejected"} < set(df.columns)
    assert [tuple(row) for row in df.where("_rejected IS NULL").select(*names).orderBy("i64").collect()] == wanted
    assert [row.code for row in df.where("_rejected IS NOT NULL").select("_rejected.code").collect()] == ["MALFORMED"]
    declared = "i64 BIGINT, name STRING, dbl DOUBLE, colour STRING, merchant STRUCT<city: STRING>"
    stream = source(spark.readStream, bootstrap, topic, schema=declared, **options)
    assert stream.columns == ["i64", "name", "dbl", "colour", "merchant.city", "_rejected"]
    write_available(stream.where("_rejected IS NULL").select(*names[:4], sf.col(names[4]).alias("city")), tmp_path)
    found = spark.read.parquet(str(tmp_path / "out")).orderBy("i64")
    assert [tuple(row) for row in found.collect()] == wanted


def test_dead_letters_need_no_schema_where_the_format_has_one(
    spark: SparkSession, bootstrap: str, payments: Payments, registry: Registry, tmp_path: Path
) -> None:
    letters = kafka.new_topic(bootstrap, "letters")
    options = options_of("registry and subject", registry, tmp_path)
    df = source(spark.read, bootstrap, payments.framed, deadLetterTopic=letters, **options)
    assert "_rejected" not in df.columns
    assert len(df.select("id").collect()) == GOOD
    assert len(topics.records(bootstrap, letters)) == len(BAD)


def test_a_registrys_password_is_told_nowhere(
    spark: SparkSession,
    bootstrap: str,
    payments: Payments,
    registry: Registry,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The option holds where it stands, so there is nothing to hide in plans, checkpoints, errors and logs."""
    (tmp_path / "secrets").mkdir()
    options = options_of("registry and subject", registry, tmp_path / "secrets")
    df = source(spark.read, bootstrap, payments.framed, **options)
    for mode in ("simple", "extended", "codegen", "cost", "formatted"):
        df.explain(mode=mode)
    execution = df._jdf.queryExecution()
    plans = [execution.logical(), execution.analyzed(), execution.optimizedPlan()]
    told = "".join([execution.toString(), *(plan.toJSON() for plan in plans)])
    assert payments.framed in told
    query = write_available(source(spark.readStream, bootstrap, payments.framed, **options), tmp_path / "run")
    told += "".join(progress.json for progress in query.recentProgress)
    kept = [file for file in (tmp_path / "run" / "checkpoint").rglob("*") if file.is_file()]
    told += "".join(file.read_text(errors="replace") for file in kept)
    assert rows_read(query) == ALL
    (tmp_path / "secrets" / "secret").write_text(CANARY + "-not")
    # The schemas are known by now to this process under these options; a longer patience is another registry.
    refused = failure(lambda: source(spark.read, bootstrap, "t", **{**options, "schemaRegistry.timeout": "6s"}))
    assert "REGISTRY_REFUSED: schemaRegistry.subject" in refused
    out, err = capfd.readouterr()
    assert CANARY not in told + refused + out + err


def failure(work: Callable[[], Any]) -> str:
    with pytest.raises(FAILURES) as failed:
        work()
    return str(failed.value)


REGISTRY = {"schemaRegistry.url": "http://127.0.0.1:1", "schema": "a BIGINT"}
ONE = '{"type":"record","name":"R","fields":[{"name":"a","type":"long"}]}'


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, "Give avro.schema or avro.schemaFile"),
        ({"avro.schema": ONE, "avro.schemaFile": "x"}, "avro.schema and avro.schemaFile: give only one of them"),
        ({"avro.schema": "{"}, "BAD_AVRO_SCHEMA: valueFormat avro: the schema is no JSON"),
        ({"avro.schemaFile": "/no/such.avsc"}, "FILE_NOT_FOUND: avro.schemaFile /no/such.avsc is not there"),
        ({"avro.schema": ONE, "schema": "b BIGINT"}, "UNKNOWN_COLUMN: schema: the Avro schema has no field b"),
        ({"avro.schema": ONE, "schema": "a STRING"}, "TYPE_MISMATCH: schema: column a is STRING"),
        ({"avro.schema": ONE.replace('"a"', '"_rejected"')}, "schema: a field has the name of the column of rejected"),
        ({"avro.schema": ONE, "schemaRegistry.subject": "s"}, "schemaRegistry.subject belongs to schemaRegistry.url"),
        ({"schemaRegistry.url": "http://127.0.0.1:1"}, "Give schema, such as id BIGINT, amount DOUBLE, or schemaReg"),
        ({**REGISTRY, "avro.schema": ONE, "schemaRegistry.subject": "s"}, "schemaRegistry.subject: with avro.schema"),
        ({**REGISTRY, "schemaRegistry.url": "registry:8081"}, "schemaRegistry.url: an address begins with http"),
        ({**REGISTRY, "schemaRegistry.url": f"http://me:{CANARY}@host"}, "a login must not stand in the address"),
        ({**REGISTRY, "schemaRegistry.username": "me"}, "schemaRegistry.username and schemaRegistry.password go"),
        (
            {**REGISTRY, "schemaRegistry.username": "me", "schemaRegistry.password": CANARY},
            "schemaRegistry.password: a secret itself must not stand here",
        ),
        ({**REGISTRY, "schemaRegistry.bearerToken": CANARY}, "Give ${env:NAME} or ${file:PATH}"),
        ({**REGISTRY, "schemaRegistry.bearerToken": "${env:NO_SUCH_NAME}"}, "MISSING_SECRET: schemaRegistry.bearerTok"),
        ({**REGISTRY, "schemaRegistry.timeout": "1500ms"}, "wanted whole seconds from 1s to 600s"),
        ({**REGISTRY, "schemaRegistry.subjekt": "s"}, "Did you mean schemaRegistry.subject?"),
        ({"avro.schema": ONE, "protobuf.message": "m"}, "protobuf.message belongs to valueFormat = protobuf"),
        ({"valueFormat": "json", "schema": "a INT", "avro.schema": ONE}, "avro.schema belongs to valueFormat = avro"),
        ({"valueFormat": "json"}, "valueFormat belongs to schema, which is missing"),
        ({"valueFormat": "xml", "schema": "a INT"}, "wanted json, csv, avro or protobuf, but it is: xml"),
        ({"avro.schema": ONE, "pipeline": "p.yaml"}, "valueFormat and pipeline exclude each other"),
        ({"valueFormat": "protobuf"}, "Give protobuf.descriptorFile"),
        ({"valueFormat": "protobuf", "protobuf.descriptor": "QUJD"}, "protobuf.message is missing"),
        (
            {"valueFormat": "protobuf", "protobuf.descriptor": "QUJD", "protobuf.message": "m"},
            "BAD_DESCRIPTOR: valueFormat protobuf",
        ),
        (
            {"valueFormat": "protobuf", "protobuf.descriptor": "?", "protobuf.message": "m", "protobuf.framing": "x"},
            "protobuf.framing: wanted bare or confluent",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_makes_no_sense_is_refused_by_option(spark: SparkSession, options: dict[str, str], wanted: str) -> None:
    """In the words of options, with what to write instead, and no secret said again."""
    chosen = {"valueFormat": "avro", **options}
    said = failure(lambda: source(spark.read, "127.0.0.1:1", "t", **chosen).collect())
    assert wanted in said
    assert CANARY not in said
