"""Windows over what nobody wants to get: batch Spark and the command line, with the same rows in and out.

Each log goes through `firesteel score` and through `Pipeline.transform`; every row comes out once, accepted or
rejected, in bounded time, and neither process takes more memory than it may.
"""

from __future__ import annotations

import json
import math
import subprocess
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import firesteel
from tests.support import places

#: Seconds that a log may take on each surface.
LIMIT_S = 60
#: What a process may grow by over one log. 300,000 events of 40 bytes are 12 MB; the rest is batches and buffers.
GROWTH = 600 << 20
MICROS = 1_000_000
START = 1_767_225_600

HEAD = """name: bad
input:
  schema: id BIGINT, ts TIMESTAMP, k STRING, x DOUBLE
"""
PIPELINE = (
    HEAD
    + """windows:
  - key: k
    time: ts
    over: [1 hour, last 50]
    late: {allow: 10 minutes}
    compute:
      nb: count(*)
      total: sum(x)
      mean: avg(x)
      top: max(x)
      low: min(x)
      back: lag(x)
output: [id, k_nb_1h, k_total_1h, k_mean_1h, k_top_1h, k_low_1h, k_nb_last50, k_back]
"""
)
COLUMNS = ("k_nb_1h", "k_total_1h", "k_mean_1h", "k_top_1h", "k_low_1h", "k_nb_last50", "k_back")


@dataclass(frozen=True)
class Result:
    """Accepted rows by id, and the codes of rejected ones by line."""

    accepted: dict[int, dict[str, Any]]
    rejected: dict[int, str]

    def codes(self) -> Counter[str]:
        return Counter(self.rejected.values())


def event(i: int, at: float, key: str | None = "a", x: Any = 1.0) -> dict[str, Any]:
    return {"id": i, "ts": stamp(at), "k": key, "x": x}


def stamp(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{round(at % 1 * 1000):03}Z"


def written(folder: Path, events: Iterable[dict[str, Any] | str], pipeline: str = PIPELINE) -> int:
    """Write log and pipeline; gives the number of lines."""
    (folder / "bad.yaml").write_text(pipeline)
    count = 0
    with (folder / "log.jsonl").open("w") as out:
        for record in events:
            out.write((record if isinstance(record, str) else json.dumps(record)) + "\n")
            count += 1
    return count


def by_cli(folder: Path) -> Result:
    """`score`, in a process that may have so much address space and so much time and no more."""
    out, refused = folder / "out.jsonl", folder / "rejected.jsonl"
    command = [str(places.required(places.CLI, "make cli")), "score", str(folder / "bad.yaml"), "--quiet"]
    command += ["--in", str(folder / "log.jsonl"), "--out", str(out), "--rejected", str(refused)]
    # What a child is said to have taken at most is also what its parent had when it was made: so a limit.
    limited = ["sh", "-c", f'ulimit -v {GROWTH >> 10} && exec "$@"', "sh", *command]
    done = subprocess.run(limited, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr
    accepted = [json.loads(line) for line in out.read_text().splitlines()]
    rejected = [json.loads(line) for line in refused.read_text().splitlines()]
    assert len({row["id"] for row in accepted}) == len(accepted)
    return Result({row["id"]: row for row in accepted}, {row["offset"]: row["code"] for row in rejected})


def by_spark(spark: SparkSession, folder: Path) -> Result:
    """`Pipeline.transform` of the log's lines as records, several partitions, in this session's driver."""
    lines = (folder / "log.jsonl").read_bytes().splitlines()
    count = len(lines)
    table = pa.table(
        {
            "value": pa.array(lines, pa.binary()),
            "topic": pa.array(["log.jsonl"] * count),
            "partition": pa.array([0] * count, pa.int32()),
            "offset": pa.array(range(count), pa.int64()),
        }
    )
    pq.write_table(table, folder / "log.parquet")
    driver = jvm(spark)
    before, began = driver.memory_info().rss, time.monotonic()
    df = spark.read.parquet(str(folder / "log.parquet")).repartition(4)
    scored = firesteel.Pipeline.load(folder / "bad.yaml").transform(df)
    scored.write.parquet(str(folder / "scored.parquet"))
    assert time.monotonic() - began < LIMIT_S
    # The heap may grow up to its limit whatever is done in it; what is beyond it is native.
    heap = spark.sparkContext._jvm.java.lang.Runtime.getRuntime().maxMemory()  # type: ignore[union-attr]
    grown = driver.memory_info().rss - before
    assert grown < heap + GROWTH, f"grown by {grown >> 20} MiB"
    found = spark.read.parquet(str(folder / "scored.parquet"))
    refused = found.where("_rejected IS NOT NULL").select(F.col("_rejected.offset"), F.col("_rejected.code"))
    rows = [row.asDict() for row in found.where("_rejected IS NULL").drop("_rejected").collect()]
    assert len({row["id"] for row in rows}) == len(rows)
    return Result({row["id"]: row for row in rows}, {row["offset"]: row["code"] for row in refused.collect()})


def jvm(spark: SparkSession) -> psutil.Process:
    return psutil.Process(int(spark.sparkContext._jvm.java.lang.ProcessHandle.current().pid()))  # type: ignore[union-attr]


def run(spark: SparkSession, folder: Path, count: int) -> Result:
    """Both surfaces: nothing is lost, and both say the same. JSON writes what is no number as null."""
    ours, theirs = by_cli(folder), by_spark(spark, folder)
    for found in (ours, theirs):
        assert len(found.accepted) + len(found.rejected) == count
    assert theirs.rejected == ours.rejected
    assert theirs.accepted.keys() == ours.accepted.keys()
    for number, row in theirs.accepted.items():
        assert {name: finite(value) for name, value in row.items()} == ours.accepted[number]
    return theirs


def finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def test_null_and_missing_keys(spark: SparkSession, tmp_path: Path) -> None:
    def events() -> Iterator[dict[str, Any]]:
        for i in range(3_000):
            made = event(i, START + i, key=["a", "", None][i % 3])
            if i % 6 == 2:
                del made["k"]
            yield made

    result = run(spark, tmp_path, written(tmp_path, events()))
    assert result.codes() == {"NULL_KEY": 1_000}
    assert {line % 3 for line in result.rejected} == {2}
    # The empty text is a key like any other.
    assert result.accepted[1]["k_nb_1h"] == 1
    assert result.accepted[1_000 * 3 - 2]["k_nb_1h"] == 1_000


def test_null_keys_alone(spark: SparkSession, tmp_path: Path) -> None:
    count = written(tmp_path, (event(i, START + i, key=None) for i in range(50_000)))
    assert run(spark, tmp_path, count).codes() == {"NULL_KEY": count}


def test_times_far_in_the_past_and_the_future(spark: SparkSession, tmp_path: Path) -> None:
    """What the format takes is believed; each far time has a key of its own, so that nothing is late by it."""
    far = ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z", "1582-10-10T00:00:00Z", "1969-12-31T23:59:59Z"]
    bad = [None, "10000-01-01T00:00:00Z", "0000-12-31T23:59:59Z", "-0044-03-15T12:00:00Z", "tomorrow"]
    events: list[dict[str, Any]] = [event(i, START + i) for i in range(300)]
    for number, ts in enumerate([*far, *bad]):
        for again in range(3):
            events.append({**event(1_000 + 10 * number + again, START, key=f"far {number}"), "ts": ts})
    events += [event(2_000 + i, START + 300 + i) for i in range(300)]
    result = run(spark, tmp_path, written(tmp_path, events))
    for number in range(len(far)):
        counts = sorted(result.accepted[1_000 + 10 * number + again]["k_nb_1h"] for again in range(3))
        assert counts == [1, 2, 3], far[number]
    assert len(result.rejected) == 3 * len(bad)
    assert set(result.codes()) <= {"BAD_EVENT_TIME", "BAD_TIMESTAMP"}, result.codes()
    assert result.codes()["BAD_EVENT_TIME"] >= 3
    # Nobody else's windows have noticed.
    assert result.accepted[2_299]["k_nb_1h"] == 600


def test_one_time_far_in_the_future_makes_its_key_late_and_no_other(spark: SparkSession, tmp_path: Path) -> None:
    """In the log's order what follows it is late; Spark's batch has it at the end. So each surface by itself."""
    events = [event(i, START + i, key="ab"[i % 2]) for i in range(1_000)]
    events[500] = {**events[500], "ts": "9000-01-01T00:00:00Z"}
    count = written(tmp_path, events)
    ours, theirs = by_cli(tmp_path), by_spark(spark, tmp_path)
    for found in (ours, theirs):
        assert len(found.accepted) + len(found.rejected) == count
    assert ours.codes() == {"LATE_EVENT": 249}
    assert {line % 2 for line in ours.rejected} == {0}
    assert theirs.codes() == {}
    assert ours.accepted[999]["k_nb_1h"] == theirs.accepted[999]["k_nb_1h"] == 500


def test_values_that_are_not_finite(spark: SparkSession, tmp_path: Path) -> None:
    """They are values, until they leave the window; then sums are exact again."""
    pipeline = PIPELINE.replace(
        "windows:",
        "features:\n  y: CASE WHEN x = -1 THEN CAST('NaN' AS DOUBLE) WHEN x = -2 THEN CAST('Infinity' AS DOUBLE) "
        "WHEN x = -3 THEN CAST('-Infinity' AS DOUBLE) ELSE x END\nwindows:",
    )
    for name in ("sum", "avg", "max", "min", "lag"):
        pipeline = pipeline.replace(f"{name}(x)", f"{name}(y)")
    special: dict[int, float | None] = {100: -1.0, 4_000: -2.0, 8_000: -2.0, 8_001: -3.0}
    # A large number beside small ones is the other way to lose them.
    special |= {12_000: 1e308, 12_001: 1e308, 16_000: None}
    events = [event(i, START + i, x=special.get(i, 0.1)) for i in range(20_000)]
    result = run(spark, tmp_path, written(tmp_path, events, pipeline))
    assert not result.rejected
    rows = result.accepted
    assert math.isnan(rows[100]["k_total_1h"])
    assert math.isnan(rows[3_699]["k_mean_1h"])
    assert math.isnan(rows[3_699]["k_top_1h"])
    assert rows[4_000]["k_total_1h"] == math.inf
    assert math.isnan(rows[8_001]["k_total_1h"])
    assert rows[12_001]["k_total_1h"] == math.inf
    assert rows[101]["k_low_1h"] == 0.1
    # 3,600 times the double that is nearest to 0.1, rounded once; an hour after each of them and before any.
    exact = math.fsum([0.1] * 3_600)
    for clean in (3_700, 7_600, 11_601, 15_601, 19_999):
        assert rows[clean]["k_total_1h"] == exact, clean
    assert rows[16_001]["k_back"] is None


@pytest.mark.timeout(300)
def test_one_key_with_nine_of_ten_events(spark: SparkSession, tmp_path: Path) -> None:
    count = 300_000
    events = (event(i, START + i / 20, key="hot" if i % 10 else f"k{i // 10 % 997}", x=i % 100) for i in range(count))
    result = run(spark, tmp_path, written(tmp_path, events))
    assert not result.rejected
    # All events of an hour: 72,000, of which nine tenths are hot.
    assert result.accepted[count - 1]["k_nb_1h"] == 64_800
    assert result.accepted[count - 1]["k_nb_last50"] == 50
    cold = [row["k_nb_1h"] for i, row in result.accepted.items() if i % 10 == 0]
    assert len(cold) == count // 10
    assert max(cold) <= 8


@pytest.mark.timeout(300)
def test_a_hundred_thousand_events_in_a_millisecond(spark: SparkSession, tmp_path: Path) -> None:
    count = 100_000
    result = run(spark, tmp_path, written(tmp_path, (event(i, START, x=float(i % 7)) for i in range(count))))
    assert not result.rejected
    assert [result.accepted[i]["k_nb_1h"] for i in (0, 1, 49_999, count - 1)] == [1, 2, 50_000, count]
    assert result.accepted[count - 1]["k_total_1h"] == sum(i % 7 for i in range(count))
    assert [result.accepted[i]["k_back"] for i in (0, 1, 8)] == [None, 0.0, 0.0]


def test_rubbish_between_good_events(spark: SparkSession, tmp_path: Path) -> None:
    lines: list[dict[str, Any] | str] = []
    rubbish = ["", "{", "null", "[1]", '{"id": "x"}', '{"k": 1e999}', "\x00", '{"ts": {}}']
    for i in range(2_000):
        lines.append(rubbish[i // 4 % len(rubbish)] if i % 4 == 3 else event(i, START + i))
    result = run(spark, tmp_path, written(tmp_path, lines))
    assert {line % 4 for line in result.rejected} == {3}
    assert len(result.rejected) == 500
    assert result.accepted[1_998]["k_nb_1h"] == 1_500
