"""Writes states of today's format with what must come out behind them. See README.md beside this file.

Run: .venv/bin/python tests/data/state/make.py
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow as pa

HERE = Path(__file__).parent
PROGRAM = HERE.parents[2] / "build" / "bin" / "firesteel"
#: As in rust/engine/src/state/snapshot.rs.
VERSION = 1
BEFORE, NEXT = 100, 40
LARGEST = 20_000
START = 1_767_225_600

HEAD = """input:
  schema: id BIGINT, ts TIMESTAMP, seen TIMESTAMP, k BIGINT, s STRING, day DATE, x DOUBLE, f FLOAT, n INT, b BOOLEAN
"""
#: Block and output of each pipeline; the output begins with id.
CASES = {
    "numbers": """windows:
  - key: k
    time: ts
    over: [1 hour, 1 day, last 7]
    compute:
      nb: count(*)
      total: sum(x)
      mean: avg(f)
      dev: stddev(x)
      whole: sum(n)
      top: max(n)
      mid: median(x)
      trend: slope(x)
      score: zscore(f)
      before: lag(n, 2)
      step: delta(x)
      smooth: ewma(x, '2 hours')
      slow: ewma(n, '3 days')
""",
    "texts": """windows:
  - key: s
    time: ts
    over: [6 hours, session 30 minutes]
    keep: 2 days
    late: {allow: 2 hours, then: use}
    compute:
      kinds: distinct(upper(s))
      usual: mode(CAST(k AS STRING))
      oldest: first(s || CAST(n AS STRING))
      newest: last(s || CAST(n AS STRING))
      low: min(CAST(day AS STRING))
      back: lag(CAST(b AS STRING))
""",
    "filters": """windows:
  - key: [k, s]
    time: ts
    over: [1 day]
    delay: 1 hour
    current: exclude
    default: {part: -1}
    compute:
      on: count(*) FILTER (WHERE b)
      large: sum(x) FILTER (WHERE x > 50)
      part: share(b)
      smooth: ewma(f, '1 hour') FILTER (WHERE b)
      any: max(b)
      pause: since_last(*)
""",
    "bare": """windows:
  - key: day
    time: seen
    over: [12 hours]
    prefix: d
    compute: {nb: count(*), pace: rate(*)}
""",
    "several": """features:
  odd: CASE WHEN x > 90 THEN CAST('NaN' AS DOUBLE) ELSE x END
windows:
  - key: k
    time: ts
    over: [2 hours]
    compute: {nb: count(*), mean: avg(odd), high: max(odd)}
  - key: b
    time: seen
    over: [1 day]
    compute: {nb: count(*), days: distinct(day), last: max(ts)}
""",
}


def events() -> list[dict[str, Any]]:
    """Nulls, ties, events out of order and too late; those behind the state know a field more."""
    chance = random.Random(20261123)
    made, now = [], float(START)
    for i in range(BEFORE + NEXT):
        now += chance.choice([0, 30, 300, 1800])
        at = now - chance.choice([0] * 9 + [600, 6_000])
        record: dict[str, Any] = {
            "id": i,
            "ts": stamp(at),
            "seen": stamp(now + chance.random()),
            "k": chance.choice([-1, 7, 7, 7, 2**40]),
            "s": chance.choice(["ulm", "köln", "", "Bonn am Rhein"]),
            "day": time.strftime("%Y-%m-%d", time.gmtime(at)),
            "x": chance.choice([0.0, round(chance.uniform(-9, 99), 2), 1e300, 0.1]),
            "f": round(chance.uniform(0, 1), 3),
            "n": chance.randrange(-5, 50),
            "b": chance.random() < 0.6,
        }
        for name, often in (("k", 0.02), ("s", 0.02), ("ts", 0.01), ("x", 0.1), ("f", 0.1), ("n", 0.1), ("b", 0.1)):
            if chance.random() < often:
                record[name] = None
        if i >= BEFORE:
            record["extra"] = chance.choice([None, round(chance.uniform(0, 9), 1)])
        made.append(record)
    return made


def stamp(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1e6):06}Z"


def columns(block: str) -> list[str]:
    """The columns that the blocks give, from the program's own plan."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "plan.yaml"
        file.write_text(f"name: plan\n{HEAD}{block}output: [id]\n")
        plan = run("validate", file)
    found = [line.rsplit(": ", 1)[1] for line in plan.splitlines() if line.startswith(" " * 12)]
    return [name for part in found for name in part.split(", ")]


def run(*arguments: object) -> str:
    done = subprocess.run([str(PROGRAM), *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{arguments}: {done.stdout}{done.stderr}")
    return done.stdout


def write(file: Path, content: bytes) -> None:
    if file.exists():
        return
    assert len(content) < LARGEST, f"{file} would have {len(content)} bytes"
    file.write_bytes(content)
    print(file, len(content))


def main() -> None:
    into = HERE / f"v{VERSION}"
    into.mkdir(exist_ok=True)
    lines = [json.dumps(event, ensure_ascii=False) + "\n" for event in events()]
    write(into / "before.jsonl", "".join(lines[:BEFORE]).encode())
    write(into / "next.jsonl", "".join(lines[BEFORE:]).encode())
    for name, block in CASES.items():
        text = f"name: {name}\n{HEAD}{block}output: [id, {', '.join(columns(block))}]\n"
        write(into / f"{name}.yaml", text.encode())
        with tempfile.TemporaryDirectory() as folder:
            log, state, rows = Path(folder) / "events.jsonl", Path(folder) / "state", Path(folder) / "rows"
            options = ["--pipeline", into / f"{name}.yaml", "--quiet", "--splits=1,7,1000"]
            log.write_bytes((into / "before.jsonl").read_bytes())
            run("parity", log, *options, "--state", state)
            write(into / f"{name}.state.arrow", state.read_bytes())
            log.write_bytes((into / "before.jsonl").read_bytes() + (into / "next.jsonl").read_bytes())
            run("parity", log, *options, "--out", rows)
            with pa.ipc.open_stream(rows) as stream:
                table = stream.read_all().slice(BEFORE).combine_chunks()
            assert len(table) == NEXT
            out = pa.BufferOutputStream()
            # A slice's offsets are written as they are: taken, so that the file holds these rows alone.
            table = table.take(list(range(NEXT)))
            with pa.ipc.new_stream(out, table.schema) as stream:
                stream.write_table(table)
            write(into / f"{name}.expected.arrow", out.getvalue().to_pybytes())


if __name__ == "__main__":
    main()
