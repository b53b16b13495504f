"""What can be seen of window states: `firesteel state inspect`, and their size in a query's progress."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

import firesteel
from tests.harness import topics
from tests.support import kafka, native, places, streams
from tests.support.native import stream
from tests.support.windows.log import PIPELINE, values, write

CHANGELOG = "spark.sql.streaming.stateStore.rocksdb.changelogCheckpointing.enabled"
EVENTS = 2_000
KEYS = 40

SMALL = """
name: small
input:
  schema: id BIGINT, ts TIMESTAMP, customer BIGINT, place STRING, day DATE, amount DOUBLE, units INT, online BOOLEAN
windows:
  - key: customer
    time: ts
    over: [1 hour, 1 day]
    compute:
      nb: count(*)
      mean: avg(amount) FILTER (WHERE online)
      units: sum(units)
      places: distinct(place)
      smooth: ewma(amount, '30 minutes')
  - key: [place, day]
    time: ts
    over: 1 day
    compute: {nb: count(*)}
output: [id, customer_nb_1h, place_day_nb_1d]
"""
RECORDS: list[dict[str, Any]] = [
    {"ts": "2026-03-01T10:00:00Z", "customer": 42, "place": "ulm", "amount": 10.0, "units": 1, "online": True},
    {"ts": "2026-03-01T10:30:00.5Z", "customer": 42, "place": "köln", "amount": 4.0, "units": None, "online": False},
    {"ts": "2026-03-01T10:31:00Z", "customer": -7, "place": "ulm", "amount": None, "units": 3, "online": None},
    {"ts": "2026-03-01T10:32:00Z", "customer": 45, "place": "bonn", "amount": 0.1, "units": 3, "online": True},
]


def cli(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [str(places.required(places.CLI, "make cli")), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def inspect(*arguments: object) -> str:
    done = cli("state", "inspect", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(*arguments: object) -> str:
    done = cli("state", "inspect", *arguments)
    assert done.returncode == 1, done.stdout
    assert done.stderr.startswith("error: ")
    return done.stderr


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state behind four records."""
    folder = tmp_path_factory.mktemp("state")
    pipeline, log, state = folder / "small.yaml", folder / "log.jsonl", folder / "state.arrow"
    pipeline.write_text(SMALL)
    log.write_text("".join(json.dumps({"id": i, "day": "2026-03-01", **r}) + "\n" for i, r in enumerate(RECORDS)))
    done = cli("parity", log, "--pipeline", pipeline, "--splits", 1, "--quiet", "--state", state)
    assert done.returncode == 0, done.stderr
    return state


def test_a_snapshot_says_what_is_in_it(snapshot: Path) -> None:
    lines = inspect(snapshot).splitlines()
    assert lines[0] == str(snapshot)
    assert lines[1] == "  windows[0] by customer BIGINT, time ts"
    assert lines[2].split() == ["values", "amount", "(float),", "units", "(int),", "place", "(text)"]
    assert lines[3].split() == ["filters", "online"]
    assert lines[4].split() == ["means", "amount,", "half-life", "1800", "s"]
    assert lines[5].split() == ["clock", "not", "known", "yet,", "4", "events", "seen"]
    assert lines[6].split()[:2] == ["keys", "3,"]
    assert " ".join(lines[7].split()) == "events 4; per key 1 at least, 1 in the median, 2 at most"
    assert lines[8] == "  windows[1] by place STRING, day DATE, time ts"
    [found] = json.loads(inspect(snapshot, "--json"))
    assert (found["file"], found["partition"], found["offset"]) == (str(snapshot), None, None)
    first, second = found["blocks"]
    assert first["key"] == [{"column": "customer", "type": "BIGINT"}]
    assert first["means"] == [{"expression": "amount", "filter": None, "half_life_seconds": 1800.0}]
    assert (first["keys"], first["events"], first["events_seen"]) == (3, 4, 4)
    assert first["events_per_key"] == {"min": 1, "median": 1, "max": 2}
    assert (second["keys"], second["events"], second["values"]) == (3, 4, [])


def test_a_key_shows_its_history(snapshot: Path) -> None:
    text = inspect(snapshot, "--key", "customer=42")
    assert text.splitlines()[1:4] == [
        "  windows[0]: customer=42",
        "    newest event 2026-03-01T10:30:00.500Z",
        "    last seen    when the clock of all keys was at 2026-03-01T10:30:00.500Z",
    ]
    table = [line.split() for line in text.splitlines()[-3:]]
    assert table == [
        ["time", "amount", "units", "place", "online"],
        ["2026-03-01T10:00:00Z", "10.0", "1", "ulm", "yes"],
        ["2026-03-01T10:30:00.500Z", "4.0", "null", "köln", "no"],
    ]
    short = inspect(snapshot, "--key", "CUSTOMER=42", "--events", 1)
    assert "2 events" in short
    assert "the newest 1 of them" in short
    assert "2026-03-01T10:00:00Z" not in short
    [found] = json.loads(inspect(snapshot, "--key", "customer=42", "--json"))
    assert found["key"] == {"customer": 42}
    [mean] = found["means"]
    # A half-life and half a second after 10 came 4.
    weight = 2 ** -(1800.5 / 1800)
    assert mean["mean"] == pytest.approx((10 * weight + 4) / (1 + weight), rel=1e-14)
    assert mean["weight"] == pytest.approx(1 + weight, rel=1e-14)
    assert found["events"][1] == {
        "time": "2026-03-01T10:30:00.500Z",
        "values": {"amount": 4.0, "units": None, "place": "köln"},
        "filters": {"online": False},
    }
    [lonely] = json.loads(inspect(snapshot, "--key", "customer=-7", "--json"))
    assert lonely["means"][0]["mean"] is None


def test_keys_of_several_columns_are_found_by_some_of_them(snapshot: Path) -> None:
    found = json.loads(inspect(snapshot, "--key", "place=ulm", "--json"))
    assert [(key["block"], key["key"], len(key["events"])) for key in found] == [
        (1, {"place": "ulm", "day": "2026-03-01"}, 2)
    ]
    assert len(json.loads(inspect(snapshot, "--key", "day=2026-03-01", "--json"))) == 3
    [one] = json.loads(inspect(snapshot, "--key", "day=2026-03-01", "--key", "place=köln", "--json"))
    assert one["key"]["place"] == "köln"


def test_what_is_not_there_is_refused_with_advice(snapshot: Path, tmp_path: Path) -> None:
    assert "no key with customer=43 (near: 42, 45)" in refused(snapshot, "--key", "customer=43")
    assert "no key with place=ülm (did you mean ulm?)" in refused(snapshot, "--key", "place=ülm")
    assert "no block has the key column custmer (did you mean customer?)" in refused(snapshot, "--key", "custmer=1")
    assert "no block has all of these key columns" in refused(snapshot, "--key", "customer=1", "--key", "day=x")
    assert cli("state", "inspect", snapshot, "--key", "customer").returncode == 2
    assert "no snapshot of windows is here" in refused(tmp_path)
    assert "nowhere" in refused(tmp_path / "nowhere")


def test_damaged_files_and_others_are_told_apart_from_good_ones(snapshot: Path, tmp_path: Path) -> None:
    whole, bad = snapshot.read_bytes(), tmp_path / "7.arrow"
    damaged = [whole[:-1], whole[: len(whole) // 2], b"", b"no state at all", whole + b"\0"]
    damaged += [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(0, len(whole), 97)]
    for content in damaged:
        bad.write_bytes(content)
        assert "STATE_DAMAGED" in refused(bad)


@pytest.fixture(scope="module")
def topic(bootstrap: str) -> Iterator[str]:
    name = kafka.new_topic(bootstrap, "windows-state", partitions=3)
    write(bootstrap, name, values(EVENTS))
    yield name
    topics.delete(bootstrap, name)


def sizes(query: Any) -> list[dict[str, int]]:
    """Of each micro-batch what its progress says of the states."""
    metrics = [progress["sources"][0]["metrics"] for progress in query.recentProgress]
    return [{name: int(found[name]) for name in found if name.startswith("window")} for found in metrics]


def test_a_querys_progress_tells_the_size_of_its_states(
    spark: SparkSession, bootstrap: str, topic: str, tmp_path: Path
) -> None:
    pipeline = tmp_path / "windows.yaml"
    pipeline.write_text(PIPELINE)
    options = {"pipeline": pipeline, "maxOffsetsPerTrigger": 100, "snapshotEvents": 200}
    df = stream(spark, bootstrap, topic, **options)
    with native.running(df, tmp_path, every="200 milliseconds") as query:
        native.until(lambda: streams.rows_read(query) == EVENTS, query, seconds=90, what="the end of the topic")
        # What was looked at just now is not looked at again: one more record, some time later.
        time.sleep(1.5)
        write(bootstrap, topic, values(1, first=EVENTS))
        native.until(lambda: streams.rows_read(query) == EVENTS + 1, query, seconds=60, what="one more record")
        found = sizes(query)
        folder = tmp_path / "checkpoint"
        windows = folder / "sources" / "0" / "windows"
        native.until(lambda: len(list(windows.glob("*/*.arrow"))) >= 3, query, seconds=20, what="snapshots")
    assert all(found), "every micro-batch tells"
    last = found[-1]
    assert last["windowStates"] == 3
    assert last["windowKeys"] == KEYS
    # A key has its events at least.
    assert last["windowBytes"] > EVENTS / 2 * 16
    assert last["windowBytesPerKey"] == last["windowBytes"] // KEYS
    assert found[0]["windowKeys"] <= KEYS
    assert found[0]["windowBytes"] < last["windowBytes"]

    # The snapshots that the query left, newest of each partition, from the checkpoint's root.
    told = json.loads(inspect(folder, "--json"))
    assert [state["partition"] for state in told] == [f"{topic}-{partition}" for partition in range(3)]
    newest = [max(int(file.stem) for file in windows.glob(f"{topic}-{partition}/*.arrow")) for partition in range(3)]
    assert [state["offset"] for state in told] == newest
    assert sum(state["blocks"][0]["keys"] for state in told) <= KEYS
    [found_key] = json.loads(inspect(folder, "--key", "customer=7", "--json"))
    assert found_key["events"]
    assert str(found_key["offset"]) in found_key["file"]


def test_a_query_without_windows_tells_no_sizes(
    spark: SparkSession, bootstrap: str, topic: str, tmp_path: Path
) -> None:
    query = streams.write_available(stream(spark, bootstrap, topic), tmp_path)
    assert sizes(query) == [{}]


HOT = """
name: hot
input: {schema: "id BIGINT, ts TIMESTAMP, sensor BIGINT, x DOUBLE"}
windows:
  - key: sensor
    time: ts
    over: [10 minutes, 1 day]
    late: {allow: 0 seconds}
    bound: {events: 1000, step: 1 minute}
    compute: {nb: count(*), mean: avg(x), top: max(x), kinds: distinct(x)}
output: [id, sensor_nb_10m, sensor_nb_1d, sensor_mean_1d, sensor_top_1d, sensor_kinds_1d]
"""
SECONDS, PER_SECOND = 4_000, 10


def test_a_hot_key_with_a_bound_is_small_and_the_same_however_it_is_cut(tmp_path: Path) -> None:
    """40,000 events of one key: parity over cuts and restarts, counts within a step, state of the bound's size."""
    pipeline, log, state = tmp_path / "hot.yaml", tmp_path / "log.jsonl", tmp_path / "state.arrow"
    pipeline.write_text(HOT)
    rows = [
        {"id": i, "ts": f"{datetime.fromtimestamp(1_700_000_000 + i // PER_SECOND, UTC):%Y-%m-%dT%H:%M:%SZ}"}
        | {"sensor": 7, "x": i % 100 + 0.5}
        for i in range(SECONDS * PER_SECOND)
    ]
    log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = cli("parity", log, "--pipeline", pipeline, "--splits", 3, "--quiet", "--state", state)
    assert done.returncode == 0, done.stderr

    scored = tmp_path / "scored.jsonl"
    done = cli("score", pipeline, "--in", log, "--out", scored, "--quiet")
    assert done.returncode == 0, done.stderr
    for row in map(json.loads, scored.read_text().splitlines()):
        before = row["id"] + 1
        exact = min(before, 600 * PER_SECOND - (PER_SECOND - 1 - row["id"] % PER_SECOND))
        assert exact - 60 * PER_SECOND <= row["sensor_nb_10m"] <= exact
        assert row["sensor_nb_1d"] == before
        if before % 4_999 == 0:
            assert row["sensor_mean_1d"] == sum(i % 100 + 0.5 for i in range(before)) / before
        assert row["sensor_top_1d"] == min(before, 100) - 0.5
        assert row["sensor_kinds_1d"] == min(before, 100)

    assert state.stat().st_size < 100_000
    [key] = json.loads(inspect(state, "--key", "sensor=7", "--json"))
    assert 1_000 <= len(key["events"]) <= 1_125
    assert sum(step["events"] for step in key["steps"]) + len(key["events"]) == len(rows)
    assert "older events summed up in" in inspect(state, "--key", "sensor=7")


def test_what_sparks_store_knows_is_dumped_and_inspected(spark: SparkSession, snapshot: Path, tmp_path: Path) -> None:
    """The same histories as in the snapshot of the same records."""
    pipeline, log, out = tmp_path / "small.yaml", tmp_path / "log", tmp_path / "state.jsonl"
    pipeline.write_text(SMALL)
    log.mkdir()
    (log / "a.json").write_text(
        "".join(json.dumps({"id": i, "day": "2026-03-01", **r}) + "\n" for i, r in enumerate(RECORDS))
    )
    schema = SMALL.split("schema:")[1].splitlines()[0].strip()
    rows = firesteel.Pipeline.load(pipeline).transform(spark.readStream.schema(schema).json(str(log)))
    checkpoint = tmp_path / "checkpoint"
    # A snapshot in place of a log of changes: that is what a store of some minutes has.
    spark.conf.set(CHANGELOG, "false")
    try:
        writer = rows.writeStream.format("noop").option("checkpointLocation", str(checkpoint))
        query = writer.trigger(availableNow=True).start()
        query.awaitTermination(120)
    finally:
        spark.conf.set(CHANGELOG, "true")
    assert query.exception() is None
    # Three customers, and three places of a day.
    assert firesteel.dump_state(spark, checkpoint, out) == 6
    from_a_shell = subprocess.run(
        [sys.executable, "-m", "firesteel", "dump-state", checkpoint, tmp_path / "again.jsonl", "--master", "local[1]"],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
        cwd=places.ROOT / "python",
    )
    assert from_a_shell.returncode == 0, from_a_shell.stderr[-3000:]
    assert sorted((tmp_path / "again.jsonl").read_text().splitlines()) == sorted(out.read_text().splitlines())
    for asked in (("--key", "customer=42"), ("--key", "place=ulm", "--key", "day=2026-03-01")):
        [ours] = json.loads(inspect(out, *asked, "--json"))
        [theirs] = json.loads(inspect(snapshot, *asked, "--json"))
        for found in (ours, theirs):
            # Its own file, and the clock: of a bucket in place of all keys.
            for name in ("file", "bytes", "last_seen", "seen_at"):
                found.pop(name, None)
        assert ours == theirs
    assert "keys     3" in inspect(out)
    with pytest.raises(firesteel.FiresteelError, match="NO_STATE"):
        firesteel.dump_state(spark, tmp_path / "elsewhere", out)
    out.write_text(out.read_text().replace('"history": "', '"history": "AAAA'))
    assert "line 7: " in refused(out)
