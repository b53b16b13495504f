"""`loadgen replay`: every row of a file once, in the order of its time, as fast as asked for, values as they were."""

from __future__ import annotations

import base64
import csv
import datetime as dt
import decimal
import json
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.harness import topics
from tests.support.places import ROOT, required, shared
from tests.test_loadgen import refused, run

START = dt.datetime(2026, 3, 1, 12, 0, 0)


@pytest.fixture(scope="module")
def firesteel() -> Path:
    return required(ROOT / "build" / "bin" / "firesteel", "make cli")


def table(rows: int = 500) -> pa.Table:
    """Rows out of order, several of each time, in every type that events have."""
    at = [START + dt.timedelta(seconds=(i * 37 % 100) / 4) for i in range(rows)]
    return pa.table(
        {
            "row": pa.array(range(rows), pa.int64()),
            "at": pa.array(at, pa.timestamp("us")),
            "zoned": pa.array(at, pa.timestamp("ms", tz="UTC")),
            "user": pa.array([None if i % 50 == 0 else f"u{i % 7}" for i in range(rows)]),
            "price": pa.array([decimal.Decimal(i * 105 - 300).scaleb(-2) for i in range(rows)], pa.decimal128(12, 2)),
            "score": pa.array([i / 3 for i in range(rows)], pa.float64()),
            "text": pa.array([f'a "{i}",\nb\\' for i in range(rows)]),
            "raw": pa.array([bytes([i % 256, 255]) for i in range(rows)], pa.binary()),
            "tags": pa.array([[f"t{i}", None] for i in range(rows)], pa.list_(pa.string())),
        }
    )


def by_time(rows: pa.Table) -> list[dict[str, Any]]:
    """The rows in the order that a replay must have: by time, those of one time as in the file."""
    return sorted(rows.to_pylist(), key=lambda row: row["at"])


def test_every_row_comes_once_in_the_order_of_its_time_with_its_values(firesteel: Path, tmp_path: Path) -> None:
    rows = table()
    pq.write_table(rows, tmp_path / "rows.parquet", row_group_size=64)
    run(firesteel, "loadgen", "replay", tmp_path / "rows.parquet", "--time-column", "at", "--out", tmp_path / "o.jsonl")
    lines = (tmp_path / "o.jsonl").read_text().split("\n")[:-1]
    wanted = by_time(rows)
    found = [json.loads(line, parse_float=decimal.Decimal) for line in lines]
    assert [row["row"] for row in found] == [row["row"] for row in wanted]
    for line, ours, theirs in zip(lines, found, wanted, strict=True):
        assert dt.datetime.fromisoformat(ours["at"]) == theirs["at"].replace(tzinfo=dt.UTC)
        assert ours["at"].endswith("Z")
        assert dt.datetime.fromisoformat(ours["zoned"]) == theirs["zoned"]
        assert f'"price":{theirs["price"]},' in line, "every digit of a decimal, as a number"
        assert float(ours["score"]) == theirs["score"]
        assert (ours["user"], ours["text"], ours["tags"]) == (theirs["user"], theirs["text"], theirs["tags"])
        assert base64.b64decode(ours["raw"]) == theirs["raw"]


def test_a_topic_gets_keys_and_each_key_stays_in_order(firesteel: Path, bootstrap: str, tmp_path: Path) -> None:
    rows = table()
    pq.write_table(rows, tmp_path / "rows.parquet")
    topic = f"replay-{tmp_path.name}"
    sink = ("--topic", topic, "--bootstrap", bootstrap, "--partitions", 3, "--key-column", "user")
    run(firesteel, "loadgen", "replay", tmp_path / "rows.parquet", "--time-column", "at", *sink)
    records = topics.records(bootstrap, topic)
    values = [json.loads(record.value or b"") for record in records]
    assert sorted(value["row"] for value in values) == list(range(rows.num_rows))
    place = {row["row"]: n for n, row in enumerate(by_time(rows))}
    partitions: dict[bytes | None, set[int]] = {}
    for record, value in zip(records, values, strict=True):
        assert record.key == (value["user"].encode() if value["user"] else None)
        partitions.setdefault(record.key, set()).add(record.partition)
    assert all(len(found) == 1 for key, found in partitions.items() if key is not None)
    for partition in range(3):
        mine = [
            place[value["row"]]
            for record, value in zip(records, values, strict=True)
            if record.partition == partition and record.key
        ]
        assert mine == sorted(mine)


def test_speed_keeps_the_distances_between_events(firesteel: Path, tmp_path: Path) -> None:
    # Events over 24.75 s, ten times faster.
    pq.write_table(table(), tmp_path / "rows.parquet")
    arguments = ("--time-column", "at", "--speed", 10, "--send-time", "--out", tmp_path / "o.jsonl")
    began = time.monotonic()
    said = run(firesteel, "loadgen", "replay", tmp_path / "rows.parquet", *arguments)
    took = time.monotonic() - began
    assert 2.4 < took < 7, f"2.475 s of events took {took:.2f} s"
    assert said == "500 events of 24.750 seconds\n"
    events = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()]
    first = events[0]
    for event in events:
        after = dt.datetime.fromisoformat(event["at"]) - dt.datetime.fromisoformat(first["at"])
        assert abs((event["sent_us"] - first["sent_us"]) - after.total_seconds() * 1e5) < 2


def test_a_rate_does_not_look_at_the_events_own_time(firesteel: Path, tmp_path: Path) -> None:
    pq.write_table(table(), tmp_path / "rows.parquet")
    arguments = ("--time-column", "at", "--rate", 1000, "--limit", 200, "--send-time", "--out", tmp_path / "o.jsonl")
    run(firesteel, "loadgen", "replay", tmp_path / "rows.parquet", *arguments)
    due = [json.loads(line)["sent_us"] for line in (tmp_path / "o.jsonl").read_text().splitlines()]
    assert len(due) == 200
    assert all(999 <= b - a <= 1001 for a, b in pairwise(due))


def test_a_sorted_file_needs_no_memory_and_an_unsorted_one_has_a_limit(firesteel: Path, tmp_path: Path) -> None:
    rows = table(60_000)
    pq.write_table(rows, tmp_path / "mixed.parquet")
    pq.write_table(rows.sort_by("at"), tmp_path / "sorted.parquet")
    tight = ("--time-column", "at", "--sort-memory-mb", 1, "--out", tmp_path / "o.jsonl")
    run(firesteel, "loadgen", "replay", tmp_path / "sorted.parquet", *tight)
    assert len((tmp_path / "o.jsonl").read_text().splitlines()) == 60_000
    said = refused(firesteel, "loadgen", "replay", tmp_path / "mixed.parquet", *tight, status=1)
    assert "more than 1 MiB" in said
    assert "--sort-memory-mb" in said
    assert "row 4 is earlier" in said


def test_a_csv_file_goes_round(firesteel: Path, tmp_path: Path) -> None:
    source = tmp_path / "rows.csv"
    lines = ["id,when,what,code", '1,2026-03-01 10:00:02,"a, ""b""",007', "2,2026-03-01 10:00:01,,010"]
    source.write_text("\ufeff" + "\n".join(lines) + "\n")
    out = tmp_path / "out.csv"
    schema = "id BIGINT, when TIMESTAMP, what STRING, code STRING"
    run(firesteel, "loadgen", "replay", source, "--time-column", "when", "--schema", schema, "--out", out)
    found = list(csv.DictReader(out.open()))
    assert [row["id"] for row in found] == ["2", "1"]
    assert found[1] == {"id": "1", "when": "2026-03-01T10:00:02Z", "what": 'a, "b"', "code": "007"}
    run(firesteel, "loadgen", "replay", source, "--out", tmp_path / "o.jsonl")
    first = json.loads((tmp_path / "o.jsonl").read_text().splitlines()[0])
    assert first == {"id": 1, "when": "2026-03-01T10:00:02Z", "what": 'a, "b"', "code": 7}


def test_the_machine_records_of_the_examples_go_round(firesteel: Path, tmp_path: Path) -> None:
    source = shared("maintenance", "ai4i2020.csv")
    run(firesteel, "loadgen", "replay", source, "--key-column", "Product ID", "--out", tmp_path / "o.jsonl")
    wanted = list(csv.DictReader(source.open(encoding="utf-8-sig")))
    found = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()]
    assert len(found) == len(wanted) == 10_000
    for ours, theirs in zip(found, wanted, strict=True):
        assert {name: str(value) for name, value in ours.items()} == {
            name: str(type(ours[name])(text)) for name, text in theirs.items()
        }


def test_the_payments_of_the_handbook_are_streamed_in_order(firesteel: Path, tmp_path: Path) -> None:
    source = shared("fraud", "transactions.parquet")
    arguments = ("--time-column", "TX_DATETIME", "--limit", 20_000, "--out", tmp_path / "o.jsonl")
    run(firesteel, "loadgen", "replay", source, *arguments)
    found = [json.loads(line)["TRANSACTION_ID"] for line in (tmp_path / "o.jsonl").read_text().splitlines()]
    wanted = pq.read_table(source, columns=["TRANSACTION_ID", "TX_DATETIME"]).slice(0, 40_000).to_pandas()
    wanted = wanted.sort_values("TX_DATETIME", kind="stable")["TRANSACTION_ID"].tolist()
    assert found == wanted[:20_000]


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["rows.txt", "--out", "x.jsonl"], "must be .parquet or .csv"),
        (["rows.parquet"], "nowhere to write to"),
        (["rows.parquet", "--out", "x.jsonl", "--speed", "2"], "--time-column"),
        (["rows.parquet", "--out", "x.jsonl", "--time-column", "att"], "did you mean at?"),
        (["rows.parquet", "--out", "x.jsonl", "--key-column", "usr"], "did you mean user?"),
        (["rows.parquet", "--out", "x.jsonl", "--time-column", "row"], "--time-unit"),
        (["rows.parquet", "--out", "x.jsonl", "--time-column", "user"], "no time"),
        (["rows.parquet", "--out", "x.jsonl", "--time-column", "at", "--speed", "2", "--rate", "5"], "cannot be used"),
        (["rows.parquet", "--out", "x.jsonl", "--time-column", "at", "--speed", "0"], "above 0"),
        (["rows.parquet", "--out", "x.jsonl", "--schema", "a INT"], "--schema is for CSV"),
        (["rows.parquet", "--out", "x.csv"], "nested column tags"),
    ],
)
def test_wrong_options_are_refused_with_advice(
    firesteel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], wanted: str
) -> None:
    monkeypatch.chdir(tmp_path)
    pq.write_table(table(20), "rows.parquet")
    assert wanted in refused(firesteel, "loadgen", "replay", *arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.parquet"], "nothing was written"


def test_a_row_without_a_time_and_a_broken_file_are_named(firesteel: Path, tmp_path: Path) -> None:
    at = pa.array([START, None, START], pa.timestamp("us"))
    pq.write_table(pa.table({"at": at}), tmp_path / "holes.parquet")
    command = ("loadgen", "replay", tmp_path / "holes.parquet", "--out", tmp_path / "o.jsonl")
    assert "row 2 has no time" in refused(firesteel, *command, "--time-column", "at", status=1)
    (tmp_path / "no.parquet").write_bytes(b"not a parquet file")
    command = ("loadgen", "replay", tmp_path / "no.parquet", "--out", tmp_path / "o.jsonl")
    assert "no.parquet" in refused(firesteel, *command, status=1)
