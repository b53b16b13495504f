"""The load generator: the handbook's payments row by row, the same bytes for the same seeds, rubbish by the book."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.harness import topics
from tests.support.places import ROOT, required, shared

#: Of ten days with 200 customers and 300 terminals.
SMALL_WORLD = ("--customers", "200", "--terminals", "300", "--radius", "10", "--days", "10")


@pytest.fixture(scope="module")
def firesteel() -> Path:
    return required(ROOT / "build" / "bin" / "firesteel", "make cli")


def run(program: Path, *arguments: object) -> str:
    """Standard output of a command that must succeed."""
    command = [str(program), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(program: Path, *arguments: object, status: int = 2) -> str:
    """Standard error of a command that must be refused, by default as wrong usage."""
    command = [str(program), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == status, (done.returncode, done.stderr)
    return done.stderr


def test_the_handbooks_parameters_give_the_handbooks_rows(firesteel: Path, tmp_path: Path) -> None:
    published = shared("fraud", "transactions.parquet")
    events, labels = tmp_path / "events.csv", tmp_path / "labels.csv"
    said = run(firesteel, "loadgen", "fraud", "--out", events, "--labels", labels)
    assert said.startswith("1754155 events, 14681 of them frauds")

    theirs = pq.read_table(published).to_pandas()
    ours = pd.read_csv(events, float_precision="round_trip", parse_dates=["ts"])
    truth = pd.read_csv(labels)
    pairs = {
        "TRANSACTION_ID": ours["transaction_id"],
        "TX_DATETIME": ours["ts"],
        "CUSTOMER_ID": ours["customer_id"],
        "TERMINAL_ID": ours["terminal_id"],
        "TX_AMOUNT": ours["amount"],
        "TX_FRAUD": truth["tx_fraud"],
        "TX_FRAUD_SCENARIO": truth["scenario"],
    }
    assert len(ours) == len(truth) == len(theirs)
    differing = {name: int((theirs[name] != column).sum()) for name, column in pairs.items()}
    assert not any(differing.values()), differing


def test_json_and_csv_hold_the_same_events(firesteel: Path, tmp_path: Path) -> None:
    for ending in ("jsonl", "csv"):
        run(firesteel, "loadgen", "fraud", *SMALL_WORLD, "--out", tmp_path / f"events.{ending}")
    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    from_json = pd.DataFrame(map(json.loads, lines))
    from_csv = pd.read_csv(tmp_path / "events.csv", float_precision="round_trip")
    assert len(from_json) > 3000
    pd.testing.assert_frame_equal(from_json, from_csv, check_exact=True)


def test_a_range_of_days_is_cut_out_of_the_whole(firesteel: Path, tmp_path: Path) -> None:
    whole, part = tmp_path / "whole.jsonl", tmp_path / "part.jsonl"
    run(firesteel, "loadgen", "fraud", *SMALL_WORLD, "--out", whole)
    run(firesteel, "loadgen", "fraud", *SMALL_WORLD, "--from-day", 3, "--until-day", 5, "--out", part)
    wanted = [line for line in whole.read_text().splitlines() if "2018-04-04" in line or "2018-04-05" in line]
    assert part.read_text().splitlines() == wanted
    assert wanted


def test_rubbish_is_what_the_manifest_says(firesteel: Path, tmp_path: Path) -> None:
    clean, mixed, manifest = tmp_path / "clean.jsonl", tmp_path / "mixed.jsonl", tmp_path / "manifest.json"
    run(firesteel, "loadgen", "fraud", *SMALL_WORLD, "--out", clean)
    run(firesteel, "loadgen", "fraud", *SMALL_WORLD, "--out", mixed, "--rubbish", 0.05, "--manifest", manifest)
    counts = json.loads(manifest.read_text())
    events = clean.read_bytes().splitlines()
    records = mixed.read_bytes().split(b"\n")[:-1]
    assert len(records) == counts["records"] == counts["events"] + counts["rubbish"]["records"]
    assert sum(counts["rubbish"]["by_code"].values()) == counts["rubbish"]["records"]
    added = Counter(records) - Counter(events)
    assert sum(added.values()) == counts["rubbish"]["records"], "the events themselves are untouched"
    assert added[b""] == counts["rubbish"]["by_kind"]["empty"]
    words = sum(n for text, n in added.items() if b'"amount":"plenty"' in text)
    assert words == counts["rubbish"]["by_kind"]["wrong_type"]


def test_the_engine_rejects_rubbish_under_the_codes_of_the_manifest(firesteel: Path, tmp_path: Path) -> None:
    events, manifest = tmp_path / "events.jsonl", tmp_path / "manifest.json"
    run(firesteel, "loadgen", "fraud", *SMALL_WORLD, "--out", events, "--rubbish", 0.05, "--manifest", manifest)
    pipeline, rejected = ROOT / "examples" / "fraud" / "fraud.yaml", tmp_path / "rejected.jsonl"
    out = tmp_path / "scores.jsonl"
    said = run(firesteel, "score", pipeline, "--in", events, "--out", out, "--rejected", rejected)
    counts = json.loads(manifest.read_text())
    expected = Counter(counts["rubbish"]["by_code"])
    expected["CHECK_FAILED"] += counts["amounts_of_zero"]
    found = Counter(json.loads(line)["code"] for line in rejected.read_text().splitlines())
    assert found == +expected
    scored = len(out.read_text().splitlines())
    assert scored + sum(found.values()) == counts["records"]
    assert said.startswith(f"{counts['records']} rows in, {scored} scored, {sum(found.values())} rejected")


def test_a_topic_gets_every_record_in_the_order_of_its_key(firesteel: Path, bootstrap: str, tmp_path: Path) -> None:
    topic, manifest = f"loadgen-{tmp_path.name}", tmp_path / "manifest.json"
    sink = ("--topic", topic, "--bootstrap", bootstrap, "--partitions", 3)
    run(firesteel, "loadgen", "fraud", *SMALL_WORLD, *sink, "--rubbish", 0.01, "--manifest", manifest)
    counts = json.loads(manifest.read_text())
    messages = list(topics.read_all(bootstrap, topic))
    assert len(messages) == counts["records"]
    assert len({message.partition() for message in messages}) == 3
    tombstones = sum(message.value() is None for message in messages)
    assert tombstones == counts["rubbish"]["by_kind"]["tombstone"] > 0
    run(firesteel, "loadgen", "fraud", *SMALL_WORLD, "--out", tmp_path / "events.jsonl")
    events = set((tmp_path / "events.jsonl").read_bytes().splitlines())
    genuine = [message for message in messages if message.value() in events]
    assert len(genuine) == len(events) == counts["events"]
    last: dict[bytes, int] = {}
    for message in genuine:
        event = json.loads(message.value())
        assert message.key() == str(event["customer_id"]).encode()
        assert event["transaction_id"] > last.get(message.key(), -1)
        last[message.key()] = event["transaction_id"]
    assert refused(firesteel, "loadgen", "fraud", *SMALL_WORLD, *sink[:-1], 2).count("exists with 3 partitions") == 1


def test_a_fixed_rate_is_kept_and_says_when_each_event_was_due(firesteel: Path, tmp_path: Path) -> None:
    out = tmp_path / "events.jsonl"
    run(firesteel, "loadgen", "bench", "--count", 3000, "--rate", 2000, "--send-time", "--out", out)
    due = pd.Series([json.loads(line)["sent_us"] for line in out.read_text().splitlines()])
    assert len(due) == 3000
    assert due.diff().dropna().between(499, 501).all()


def test_benchmark_events_come_in_the_size_and_number_asked_for(firesteel: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    run(firesteel, "loadgen", "bench", "--events", 20_000, "--out", first)
    run(firesteel, "loadgen", "bench", "--events", 5_000, "--from", 15_000, "--out", second)
    lines = first.read_bytes().splitlines()
    assert len(lines) == 20_000
    assert 355 < sum(map(len, lines)) / len(lines) < 375
    assert second.read_bytes().splitlines() == lines[15_000:], "an event depends on its number and the seed only"


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["loadgen", "fraud"], "nowhere to write to"),
        (["loadgen", "fraud", "--out", "x.parquet"], "the ending must be"),
        (["loadgen", "fraud", "--out", "x.csv", "--rubbish", "0.1"], "does not go with CSV"),
        (["loadgen", "fraud", "--out", "x.jsonl", "--from-day", "9", "--until-day", "9"], "no such days"),
        (["loadgen", "fraud", "--out", "x.jsonl", "--custmers", "9"], "--customers"),
        (["loadgen", "bench", "--topic", "t"], "--bootstrap"),
    ],
)
def test_wrong_options_are_refused_with_advice(
    firesteel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], wanted: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert wanted in refused(firesteel, *arguments)
    assert not list(tmp_path.iterdir()), "nothing was written"
