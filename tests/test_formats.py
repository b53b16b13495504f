"""Avro and Protobuf through the command line: files beside the pipeline, a registry over HTTP, and the values that the
formats' own implementations give (Apache Avro in Java, which Spark ships; Google's Protobuf in Python)."""

from __future__ import annotations

import base64
import itertools
import json
import math
import os
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.registry import Registry, framed
from tests.support.avro import COLUMNS, OUTPUT, WRITER, JavaAvro, expected, payment
from tests.support.places import ROOT, required
from tests.support.protobuf import protobuf_message

CANARY = "canary-93ab7e"


@pytest.fixture(scope="module")
def firesteel() -> Path:
    return required(Path(os.environ.get("FIRESTEEL_CLI", ROOT / "build" / "bin" / "firesteel")), "make cli")


class Scored:
    """What `firesteel score` made of some records."""

    def __init__(self, program: Path, folder: Path, records: list[bytes], **environment: str) -> None:
        (folder / "in.b64").write_bytes(b"".join(base64.b64encode(record) + b"\n" for record in records))
        command = [str(program), "score", str(folder / "p.yaml"), "--in", str(folder / "in.b64"), "--base64", "-q"]
        command += ["--out", str(folder / "out.jsonl"), "--rejected", str(folder / "rejected.jsonl")]
        kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        self.done = subprocess.run(
            command, capture_output=True, text=True, timeout=120, check=False, env={**kept, **environment}
        )
        self.said = self.done.stdout + self.done.stderr
        self.rows = self._lines(folder / "out.jsonl")
        self.rejected = self._lines(folder / "rejected.jsonl")

    def _lines(self, path: Path) -> list[dict[str, Any]]:
        if self.done.returncode != 0:
            return []
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def ok(self) -> Scored:
        assert self.done.returncode == 0, self.said
        return self


def pipeline(folder: Path, source: dict[str, Any], output: list[str]) -> None:
    # JSON is YAML.
    (folder / "p.yaml").write_text(json.dumps({"name": "t", "input": source, "output": output}), encoding="utf-8")


@pytest.fixture(scope="module")
def jvm() -> Iterator[Any]:
    """A JVM with Spark's jars on its class path, Apache Avro among them; no Spark session."""
    from pyspark.java_gateway import launch_gateway

    gateway = launch_gateway()
    yield gateway.jvm
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait(timeout=30)


@pytest.mark.timeout(300)
def test_avro_gives_what_apache_avro_gives(firesteel: Path, jvm: Any, tmp_path: Path) -> None:
    rng = random.Random(7)
    java = JavaAvro(jvm, json.dumps(WRITER))
    good = [java.encode(payment(rng)) for _ in range(150)]
    # A byte changed, or the end cut off: Java is the judge of what is still a record.
    bad = []
    for datum in good[:100]:
        place = rng.randrange(len(datum))
        changed = bytes([datum[place] ^ (1 << rng.randrange(8))])
        bad.append(datum[:place] if rng.random() < 0.5 else datum[:place] + changed + datum[place + 1 :])
    records = [record for pair in zip(good, bad + [b""] * 50, strict=True) for record in pair]
    (tmp_path / "payment.avsc").write_text(json.dumps(WRITER), encoding="utf-8")
    source = {"format": "avro", "schema": COLUMNS, "avro": {"schema_file": "payment.avsc"}}
    pipeline(tmp_path, source, OUTPUT)
    scored = Scored(firesteel, tmp_path, records).ok()
    refused = {row["offset"]: row for row in scored.rejected}
    kept = iter(scored.rows)
    theirs = [java.decode(record) for record in records]
    assert sum(value is None for value in theirs) > 60
    for offset, value in enumerate(theirs):
        if offset in refused:
            # Stricter than Java in one thing: Java repairs what is not UTF-8 and takes any byte but 1 for false.
            codes = {"INVALID_UTF8", "MALFORMED", "EMPTY_VALUE", "TOO_DEEP"}
            assert refused[offset]["code"] in codes
            assert offset % 2 == 1, refused[offset]
            assert base64.b64decode(refused[offset]["raw"]) == records[offset]
            continue
        row = next(kept)
        if value is not None:
            wanted = expected(value)
            different = {k: (row[k], wanted[k]) for k in OUTPUT if not same(row[k], wanted[k])}
            assert not different, (offset, different)
        else:
            assert offset % 2 == 1, f"record {offset} is one of ours and Java refuses it"
    assert next(kept, None) is None


def same(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, float) and isinstance(theirs, (float, int)):
        return ours == theirs or math.isclose(ours, theirs, rel_tol=1e-15)
    # JSON has no NaN and no infinity: both sides write them in their own way.
    return bool(ours == theirs) or (ours is None and theirs in ("NaN", "Infinity", "-Infinity"))


@pytest.mark.timeout(300)
def test_schemas_evolve_as_apache_avro_resolves_them(firesteel: Path, jvm: Any, tmp_path: Path) -> None:
    def record(*fields: dict[str, Any]) -> str:
        return json.dumps({"type": "record", "name": "R", "fields": list(fields)})

    reader = record(
        {"name": "a", "type": "double", "aliases": ["alpha"]},
        {"name": "b", "type": ["null", "string"], "default": None},
        {"name": "c", "type": "long", "default": 41},
        {"name": "d", "type": ["string", "null"], "default": "öde"},
        {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["X", "Y"]}, "default": "Y"},
    )
    writers: list[tuple[str, dict[str, Any]]] = [
        (record({"name": "a", "type": "int"}), {"a": -3}),
        (record({"name": "alpha", "type": "float"}, {"name": "c", "type": "int"}), {"alpha": 0.5, "c": 7}),
        (record({"name": "b", "type": "string"}, {"name": "a", "type": "long"}), {"b": "né", "a": 2**40}),
        (record({"name": "x", "type": "bytes"}, {"name": "a", "type": "double"}), {"x": "abc", "a": 1.25}),
        (
            record({"name": "d", "type": ["null", "string"]}, {"name": "a", "type": "double"}),
            {"d": {"string": "given"}, "a": 0.0},
        ),
    ]
    with Registry(login=("me", CANARY)) as registry:
        records, wanted = [], []
        for schema, value in writers:
            java = JavaAvro(jvm, schema, reader)
            datum = java.encode(value)
            records.append(framed(registry.register("r-value", schema), datum))
            read = java.decode(datum)
            assert read is not None
            wanted.append({key: next(iter(v.values())) if isinstance(v, dict) else v for key, v in read.items()})
        source = {
            "format": "avro",
            "schema": "a DOUBLE, b STRING, c BIGINT, d STRING, e STRING",
            "avro": {
                "schema": reader,
                "registry": {"url": registry.url, "username": "me", "password": "${env:REGISTRY_PASSWORD}"},
            },
        }
        pipeline(tmp_path, source, list("abcde"))
        scored = Scored(firesteel, tmp_path, records * 3, REGISTRY_PASSWORD=CANARY).ok()
        assert scored.rows == wanted * 3
        assert len(registry.asked) == len(writers), "each id is asked for once"


def small(registry: Registry, **more: Any) -> dict[str, Any]:
    return {"format": "avro", "schema": "a BIGINT", "avro": {"registry": {"url": registry.url, "timeout_s": 2, **more}}}


SMALL = '{"type":"record","name":"R","fields":[{"name":"a","type":"long"},{"name":"s","type":"string"}]}'


def test_a_bad_record_is_one_rejected_row(firesteel: Path, tmp_path: Path) -> None:
    with Registry() as registry:
        known = registry.register("small-value", SMALL)
        proto = registry.register("p-value", 'syntax = "proto3"; message A {}', schemaType="PROTOBUF")
        nested = registry.register("n-value", SMALL + " ", references=[{"name": "x", "subject": "x", "version": 1}])
        good = framed(known, b"\x04\x02x")
        records = [good, framed(99, b"\x04\x00"), good, framed(proto, b""), framed(nested, b""), b"\x04\x02x", good]
        pipeline(tmp_path, small(registry), ["a"])
        scored = Scored(firesteel, tmp_path, records).ok()
        assert scored.rows == [{"a": 2}] * 3
        assert [(row["offset"], row["code"]) for row in scored.rejected] == [
            (1, "UNKNOWN_SCHEMA"),
            (3, "UNKNOWN_SCHEMA"),
            (4, "UNKNOWN_SCHEMA"),
            (5, "MALFORMED"),
        ]
        assert "does not know schema 99" in scored.rejected[0]["message"]
        assert "PROTOBUF" in scored.rejected[1]["message"]
        assert "refers to others" in scored.rejected[2]["message"]


def test_the_subjects_schema_says_what_the_columns_are(firesteel: Path, tmp_path: Path) -> None:
    with Registry(token=CANARY) as registry:
        number = registry.register("small-value", SMALL)
        secret = tmp_path / "token"
        secret.write_text(CANARY + "\n")
        source = small(registry, subject="small-value", bearer_token=f"${{file:{secret}}}")
        del source["schema"]
        pipeline(tmp_path, source, ["s", "a"])
        scored = Scored(firesteel, tmp_path, [framed(number, b"\x04\x02x")]).ok()
        assert scored.rows == [{"s": "x", "a": 2}]
        pipeline(tmp_path, source, ["s", "amuont"])
        refused = Scored(firesteel, tmp_path, [])
        assert refused.done.returncode == 2
        assert "UNKNOWN_COLUMN: output[1]: there is no column amuont" in refused.said
        source["avro"]["registry"]["subject"] = "other-value"
        pipeline(tmp_path, source, ["s"])
        refused = Scored(firesteel, tmp_path, [])
        assert "UNKNOWN_SUBJECT: input.avro.registry.subject" in refused.said
        assert CANARY not in scored.said + refused.said


def test_a_registry_that_fails_stops_the_run_in_time_and_shows_no_secret(firesteel: Path, tmp_path: Path) -> None:
    with Registry(login=("me", "other")) as registry:
        number = registry.add("small-value", {"schema": SMALL})
        record = framed(number, b"\x04\x02x")
        login = {"username": "me", "password": "${env:REGISTRY_PASSWORD}"}
        pipeline(tmp_path, small(registry, **login), ["a"])
        refused = Scored(firesteel, tmp_path, [record], REGISTRY_PASSWORD=CANARY)
        assert (refused.done.returncode, "REGISTRY_REFUSED" in refused.said) == (1, True), refused.said
        registry.hangs = True
        start = time.monotonic()
        hung = Scored(firesteel, tmp_path, [record], REGISTRY_PASSWORD=CANARY)
        assert time.monotonic() - start < 20
        wanted = f"REGISTRY_UNREACHABLE: {registry.url}/schemas/ids/{number} gave no answer within 2 s"
        assert wanted in hung.said
        registry.hangs, registry.login = False, ("me", CANARY)
        registry.failures = [500, 503]
        stumbled = Scored(firesteel, tmp_path, [record], REGISTRY_PASSWORD=CANARY).ok()
        assert stumbled.rows == [{"a": 2}]
        unset = Scored(firesteel, tmp_path, [record])
        assert (unset.done.returncode, "MISSING_SECRET" in unset.said) == (2, True), unset.said
        assert CANARY not in refused.said + hung.said + stumbled.said + unset.said
    gone = Scored(firesteel, tmp_path, [record], REGISTRY_PASSWORD=CANARY)
    assert (gone.done.returncode, "REGISTRY_UNREACHABLE" in gone.said) == (1, True)


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ({"registry": {"url": f"http://me:{CANARY}@host"}}, "a login must not stand in the address"),
        ({"registry": {"url": "http://h", "username": "me", "password": CANARY}}, "must not stand in a pipeline file"),
        ({"registry": {"url": "http://h", "bearer_token": CANARY}}, "must not stand in a pipeline file"),
        ({"registry": {"url": "http://h", "username": "me"}}, "username and password go together"),
        ({"registry": {"url": "registry:8081"}}, "begins with http:// or https://"),
        ({"schema_file": "payment.avcs"}, "SCHEMA_UNREADABLE: input.avro.schema_file"),
        ({"schema": "{"}, "BAD_AVRO_SCHEMA"),
        ({}, "cannot be read without their schema"),
    ],
)
def test_wrong_keys_are_refused_and_secrets_are_not_repeated(
    firesteel: Path, tmp_path: Path, source: dict[str, Any], wanted: str
) -> None:
    (tmp_path / "payment.avsc").write_text("{}")
    pipeline(tmp_path, {"format": "avro", "schema": "a BIGINT", "avro": source}, ["a"])
    refused = Scored(firesteel, tmp_path, [])
    assert refused.done.returncode == 2
    assert wanted in refused.said
    assert CANARY not in refused.said
    if "schema_file" in source:
        assert "did you mean payment.avsc?" in refused.said


def test_protobuf_gives_what_googles_protobuf_gives(firesteel: Path, tmp_path: Path) -> None:
    payment_class = protobuf_message(tmp_path)
    rng = random.Random(11)
    plain = ["i32", "i64", "u32", "s32", "s64", "x32", "sx64", "dbl", "flag", "name"]
    output = [*plain, "colour", "merchant.city", "merchant.lat", "maybe", "left", "right"]
    columns = (
        "i32 INT, i64 BIGINT, u32 BIGINT, s32 INT, s64 BIGINT, x32 BIGINT, sx64 BIGINT, dbl DOUBLE, flag BOOLEAN, "
        "name STRING, colour STRING, merchant STRUCT<city: STRING, lat: DOUBLE>, maybe BIGINT, "
        "left BIGINT, right STRING"
    )

    def value() -> Any:
        made = payment_class(
            i32=rng.choice([0, -1, 2**31 - 1]),
            i64=rng.randrange(-(2**63), 2**63),
            u32=rng.randrange(2**32),
            s32=rng.randrange(-(2**31), 2**31),
            s64=rng.choice([0, -(2**63)]),
            x32=rng.randrange(2**32),
            sx64=rng.randrange(-(2**63), 2**63),
            dbl=rng.uniform(-1, 1),
            flag=rng.random() < 0.5,
            name="né" * rng.randrange(4),
            colour=rng.randrange(3),
            list=range(rng.randrange(4)),
        )
        if rng.random() < 0.6:
            made.merchant.city = rng.choice(["", "Ulm"])
        if rng.random() < 0.6:
            made.maybe.value = rng.choice([0, 5])
        made.at.seconds = rng.randrange(10**9)
        if rng.random() < 0.6:
            if rng.random() < 0.5:
                made.left = 3
            else:
                made.right = "r"
        return made

    def row(made: Any) -> dict[str, Any]:
        wanted = {name: getattr(made, name) for name in plain}
        wanted["colour"] = ["NONE", "RED", "BLUE"][made.colour]
        there = made.HasField("merchant")
        wanted["merchant.city"] = made.merchant.city if there else None
        wanted["merchant.lat"] = made.merchant.lat if there else None
        wanted["maybe"] = made.maybe.value if made.HasField("maybe") else None
        for name in ("left", "right"):
            wanted[name] = getattr(made, name) if made.HasField(name) else None
        return wanted

    values = [value() for _ in range(100)] + [payment_class()]
    # Two messages end to end are one message in which the last value wins.
    joined = [a.SerializeToString() + b.SerializeToString() for a, b in itertools.pairwise(values)]
    records = [made.SerializeToString() for made in values] + joined
    wanted = [row(made) for made in values] + [row(payment_class.FromString(record)) for record in joined]
    source: dict[str, Any] = {"format": "protobuf", "schema": columns}
    source["protobuf"] = {"descriptor_file": "pay.desc", "message": "acme.Payment"}
    pipeline(tmp_path, source, output)
    scored = Scored(firesteel, tmp_path, [*records, b"\x52\x7f", b"\x52\x01\xff"]).ok()
    assert scored.rows == wanted
    assert [row["code"] for row in scored.rejected] == ["MALFORMED", "INVALID_UTF8"]
    # Without a schema all that can be columns are; Confluent's header is passed over.
    del source["schema"]
    source["protobuf"]["framing"] = "confluent"
    pipeline(tmp_path, source, [*output, "at"])
    header = b"\x00\x00\x00\x00\x07\x02\x02"
    scored = Scored(firesteel, tmp_path, [header + records[0], records[0]]).ok()
    assert scored.rows[0].items() >= wanted[0].items()
    assert [row["code"] for row in scored.rejected] == ["MALFORMED"]
