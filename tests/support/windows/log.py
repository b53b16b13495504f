"""A log of events for tests of windows in streams, and what one pass over it gives: `firesteel score`."""

from __future__ import annotations

import json
import random
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from confluent_kafka import Producer
from pyspark.sql import SparkSession

from tests.harness import topics
from tests.support import kafka, places

SEED = 20261123
PIPELINE = """
name: windows
input:
  schema: id BIGINT, ts TIMESTAMP, customer BIGINT, amount DOUBLE, place STRING
windows:
  - key: customer
    time: ts
    over: [1 hour, 1 day, last 7, session 20 minutes]
    late: {allow: 10 minutes}
    compute:
      nb: count(*)
      mean: avg(amount)
      spread: stddev(amount)
      top: max(amount)
      places: distinct(place)
      usual: mode(place)
      low: quantile(amount, 0.1)
      before: lag(amount)
      pause: since_last(*)
      smooth: ewma(amount, '2 hours')
features:
  odd: amount > 3 * customer_mean_1d
output: [id, customer, odd, customer_nb_1h, customer_nb_1d, customer_nb_session20m, customer_mean_1h, customer_mean_1d,
  customer_mean_last7, customer_spread_1d, customer_top_1h, customer_places_1d, customer_usual_1d, customer_low_1d,
  customer_before, customer_pause, customer_smooth]
"""
#: Another key in the same pipeline: rows go from the buckets of the one to those of the other.
SECOND = """\
  - key: [place, customer]
    time: ts
    over: [6 hours, last 3]
    compute: {n: count(*), most: max(amount)}
features:"""
TWO_KEYS = PIPELINE.replace("features:", SECOND).replace(
    "output: [", "output: [place_customer_n_6h, place_customer_most_last3, "
)
#: Why records of a long log are refused.
CODES = {"MALFORMED", "NULL_KEY", "BAD_EVENT_TIME", "LATE_EVENT"}


def values(count: int, first: int = 0) -> Iterator[tuple[str, str]]:
    """Keys and records: ties, gaps, events out of order and too late, nulls, records that are none."""
    chance = random.Random(SEED + first)
    now = 1_700_000_000.0 + first * 20
    for i in range(first, first + count):
        now += chance.choice([0, 0, 1, 30, 60])
        back = chance.choice([0] * 8 + [120, 3_000])
        customer = chance.randrange(40) if chance.random() < 0.8 else 7
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - back))
        record: dict[str, Any] = {"id": i, "ts": stamp, "customer": customer, "amount": round(chance.uniform(0, 99), 2)}
        record["place"] = chance.choice(["ulm", "köln", "bonn", None])
        if chance.random() < 0.02:
            record.update(chance.choice([{"ts": None}, {"customer": None}, {"amount": None}]))
        yield str(customer), f"rubbish {i}" if chance.random() < 0.01 else json.dumps(record)


def write(
    bootstrap: str,
    topic: str,
    records: Iterable[tuple[str, str]],
    partitioner: str = "murmur2",
    *,
    after_each: Callable[[], object] | None = None,
) -> None:
    """Write keys and records in their order; `after_each` is called when a record is in the log, before the next."""
    settings = {"enable.idempotence": True, "partitioner": partitioner, "linger.ms": 20}
    producer = Producer({"bootstrap.servers": bootstrap, "queue.buffering.max.messages": 500_000, **settings})
    for key, value in records:
        producer.produce(topic, value.encode(), key.encode())
        if after_each:
            assert producer.flush(30) == 0
            after_each()
    assert producer.flush(30) == 0


def filled(bootstrap: str, stem: str, events: int, partitions: int) -> str:
    """A new topic with so many events."""
    topic = kafka.new_topic(bootstrap, stem, partitions=partitions)
    write(bootstrap, topic, values(events))
    return topic


def number(value: bytes) -> int:
    """Which record of `values` this is."""
    return int(value.split()[1]) if value.startswith(b"rubbish") else int(json.loads(value)["id"])


def scored(bootstrap: str, topic: str, pipeline: Path, folder: Path) -> list[dict[str, Any]]:
    """What one pass over each partition gives: accepted and rejected rows."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for partition in topics.partitions(bootstrap, topic):
        records = [r for r in topics.records(bootstrap, topic) if r.partition == partition]
        records.sort(key=lambda record: record.offset)
        lines, out, rejected = (folder / f"{partition}{end}" for end in (".txt", ".jsonl", ".rejected"))
        lines.write_bytes(b"".join((record.value or b"") + b"\n" for record in records))
        command = [str(places.required(places.CLI, "make cli")), "score", str(pipeline), "--in", str(lines)]
        command += ["--out", str(out), "--rejected", str(rejected), "--quiet"]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        rows += [json.loads(line) for line in out.read_text().splitlines()]
        for line in rejected.read_text().splitlines():
            found = json.loads(line)
            rows.append({"rejected": [partition, found["offset"], found["code"]]})
    return sorted(rows, key=order)


def codes(rows: list[dict[str, Any]]) -> set[str]:
    """Why rows were refused."""
    return {row["rejected"][2] for row in rows if "rejected" in row}


def order(row: dict[str, Any]) -> tuple[bool, Any]:
    return "rejected" in row, row.get("rejected") or row["id"]


def found(spark: SparkSession, folder: Path, **options: Any) -> list[dict[str, Any]]:
    """The sink's rows in the same form."""
    rows = []
    for row in spark.read.options(**options).parquet(str(folder / "out")).collect():
        fields = row.asDict(recursive=True)
        why = fields.pop("_rejected")
        if why is not None:
            rows.append({"rejected": [why["partition"], why["offset"], why["code"]]})
        else:
            rows.append(fields)
    return sorted(rows, key=order)


def same(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == theirs
