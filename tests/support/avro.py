"""Payments in Avro, written and read by Apache Avro in Java, which Spark ships."""

from __future__ import annotations

import json
import random
from typing import Any

WRITER = {
    "type": "record",
    "name": "Payment",
    "namespace": "acme",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "tags", "type": {"type": "array", "items": ["null", "string"]}},
        {"name": "amount", "type": ["null", "double"], "default": None},
        {"name": "small", "type": "int"},
        {"name": "ratio", "type": "float"},
        {"name": "ok", "type": "boolean"},
        {"name": "name", "type": ["string", "null"]},
        {"name": "blob", "type": "bytes"},
        {"name": "hash", "type": {"type": "fixed", "name": "Hash", "size": 4}},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["CARD", "CASH", "WIRE"]}},
        {"name": "attributes", "type": {"type": "map", "values": "long"}},
        {
            "name": "merchant",
            "type": [
                "null",
                {
                    "type": "record",
                    "name": "Merchant",
                    "fields": [
                        {"name": "city", "type": "string"},
                        {"name": "parent", "type": ["null", "Merchant"]},
                        {"name": "lat", "type": "double"},
                    ],
                },
            ],
        },
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    ],
}
COLUMNS = (
    "id BIGINT, amount DOUBLE, small BIGINT, ratio DOUBLE, ok BOOLEAN, name STRING, kind STRING, "
    "merchant STRUCT<city: STRING, lat: DOUBLE>, day INT, at BIGINT"
)
OUTPUT = ["id", "amount", "small", "ratio", "ok", "name", "kind", "merchant.city", "merchant.lat", "day", "at"]


class JavaAvro:
    """Apache Avro's own writer and resolving reader."""

    def __init__(self, jvm: Any, writer: str, reader: str | None = None) -> None:
        self.jvm = jvm
        self.schema = jvm.org.apache.avro.Schema.Parser().parse(writer)
        self.reader = jvm.org.apache.avro.Schema.Parser().parse(reader or writer)

    def encode(self, value: dict[str, Any]) -> bytes:
        """Avro's JSON encoding of a value in, its binary encoding out."""
        generic = self.jvm.org.apache.avro.generic
        decoder = self.jvm.org.apache.avro.io.DecoderFactory.get().jsonDecoder(self.schema, json.dumps(value))
        datum = generic.GenericDatumReader(self.schema).read(None, decoder)
        out = self.jvm.java.io.ByteArrayOutputStream()
        encoder = self.jvm.org.apache.avro.io.EncoderFactory.get().directBinaryEncoder(out, None)
        generic.GenericDatumWriter(self.schema).write(datum, encoder)
        return bytes(out.toByteArray())

    def decode(self, datum: bytes) -> dict[str, Any] | None:
        """The datum as the reader's schema has it, in Avro's JSON encoding; None where Java refuses it."""
        generic = self.jvm.org.apache.avro.generic
        decoder = self.jvm.org.apache.avro.io.DecoderFactory.get().binaryDecoder(datum, None)
        try:
            value = generic.GenericDatumReader(self.schema, self.reader).read(None, decoder)
        except Exception:
            return None
        if not decoder.isEnd():
            return None
        out = self.jvm.java.io.ByteArrayOutputStream()
        encoder = self.jvm.org.apache.avro.io.EncoderFactory.get().jsonEncoder(self.reader, out)
        generic.GenericDatumWriter(self.reader).write(value, encoder)
        encoder.flush()
        read: dict[str, Any] = json.loads(out.toString("UTF-8"))
        return read


def payment(rng: random.Random) -> dict[str, Any]:
    """A value in Avro's JSON encoding, where a union's value names its branch."""
    merchant: dict[str, Any] = {
        "city": rng.choice(["Ölbach", "", "x" * 300]),
        "parent": None,
        "lat": rng.uniform(-90, 90),
    }
    if rng.random() < 0.3:
        merchant["parent"] = {"acme.Merchant": dict(merchant)}
    return {
        "id": rng.choice([0, -1, 2**63 - 1, -(2**63), rng.randrange(2**40)]),
        "tags": [rng.choice([None, {"string": "a"}]) for _ in range(rng.randrange(4))],
        "amount": rng.choice([None, {"double": rng.uniform(-1e6, 1e6)}]),
        "small": rng.randrange(-(2**31), 2**31),
        "ratio": rng.randrange(-1000, 1000) / 8,
        "ok": rng.random() < 0.5,
        "name": rng.choice([None, {"string": "né " * rng.randrange(5)}]),
        "blob": "\u0000\u00ff" * rng.randrange(3),
        "hash": "\u0001\u0002\u00fe\u00ff",
        "kind": rng.choice(["CARD", "CASH", "WIRE"]),
        "attributes": {f"k{i}": i for i in range(rng.randrange(3))},
        "merchant": rng.choice([None, {"acme.Merchant": merchant}]),
        "day": rng.randrange(-700_000, 2_900_000),
        "at": rng.randrange(-62_000_000_000_000, 253_000_000_000_000),
    }


def expected(value: dict[str, Any]) -> dict[str, Any]:
    """The output columns of a value in Avro's JSON encoding."""
    merchant = (value["merchant"] or {}).get("acme.Merchant")
    row = {name: value.get(name) for name in OUTPUT}
    row["amount"] = value["amount"] and value["amount"]["double"]
    row["name"] = value["name"] and value["name"]["string"]
    row["merchant.city"] = merchant and merchant["city"]
    row["merchant.lat"] = merchant and merchant["lat"]
    return row
