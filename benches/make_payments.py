"""Makes the files of payments that the benchmark `windows` reads: ``build/bench/payments``.

The Fraud Detection Handbook's simulation (``firesteel loadgen fraud``): 183 days in which a customer pays about twice
a day, so that windows of 1, 7 and 30 days hold 2, 14 and 60 payments. Payments of one second get milliseconds in the
order of their numbers: no two of a customer happen at the same time, so SQL's RANGE, which counts all rows of the same
time, means the same as "in the order in which they arrive". Files are made on the first run; delete them to make anew.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from benches.common.paths import CLI, WORK, need
from benches.payments import DAY_US, SPANS_US, micros

PAYMENTS = WORK / "payments"
SCHEMA = pa.schema(
    {
        "transaction_id": pa.int64(),
        "ts": pa.timestamp("us", "UTC"),
        "customer_id": pa.int64(),
        "terminal_id": pa.int64(),
        "amount": pa.float64(),
    }
)
#: Every so many rows of the file that is checked, the customer pays once more exactly 1, 7 or 30 days later.
EDGE_EVERY = 97
#: Keys' first payments lie this far apart at most, so that a window of 30 days holds all of them.
KEYS_DAYS = 20
#: 2026-01-01 in microseconds.
KEYS_START_US = 1_767_225_600_000_000
KEYS_CHUNK = 1_000_000
#: Payments that come after the restart of a query, one for each of so many keys.
KEYS_AFTER = 10_000


def make(name: str, customers: int, seed: int, *, edges: bool = False) -> Path:
    """The payments of so many customers in the order of their times; with `edges` also some exactly a window later."""
    path = PAYMENTS / f"{name}-{customers}-{seed}.parquet"
    if path.exists():
        return path
    PAYMENTS.mkdir(parents=True, exist_ok=True)
    text = path.with_suffix(".csv")
    command = [str(need(CLI, "cli")), "loadgen", "fraud", "--quiet", "--out", str(text)]
    subprocess.run([*command, "--customers", str(customers), "--customer-seed", str(seed)], check=True)
    types = {field.name: field.type for field in SCHEMA} | {"ts": pa.timestamp("s")}
    table = pyarrow.csv.read_csv(text, convert_options=pyarrow.csv.ConvertOptions(column_types=types))
    table = with_times(table, distinct(pc.cast(table.column("ts"), pa.int64()).to_numpy()))
    _write(with_edges(table) if edges else table, path)
    text.unlink()
    return path


def distinct(seconds: np.ndarray) -> np.ndarray:
    """Ascending seconds as microseconds: the n-th of a second, counted from 0, n milliseconds later."""
    rows = np.arange(len(seconds))
    starts = np.append(True, seconds[1:] != seconds[:-1])
    place = rows - np.maximum.accumulate(np.where(starts, rows, 0))
    if place.max() >= 1000:
        raise ValueError(f"{place.max() + 1} payments in one second: milliseconds do not tell them apart")
    return seconds * 1_000_000 + place * 1_000


def with_times(table: pa.Table, times_us: np.ndarray) -> pa.Table:
    """The table with other times."""
    times = pa.array(times_us, pa.int64()).cast(pa.timestamp("us", "UTC"))
    return table.set_column(table.column_names.index("ts"), "ts", times)


def with_edges(table: pa.Table) -> pa.Table:
    """Adds payments exactly 1, 7 or 30 days after one of the same customer: those must not count each other."""
    edges = table.take(np.arange(0, table.num_rows, EDGE_EVERY))
    shifts = np.resize(SPANS_US, edges.num_rows)
    edges = with_times(edges, micros(edges).to_numpy() + shifts)
    taken = set(zip(table.column("customer_id").to_pylist(), micros(table).to_pylist(), strict=True))
    keep = []
    for place in zip(edges.column("customer_id").to_pylist(), micros(edges).to_pylist(), strict=True):
        keep.append(place not in taken)
        taken.add(place)
    both = pa.concat_tables([table, edges.filter(pa.array(keep))])
    both = both.take(np.argsort(micros(both).to_numpy(), kind="stable"))
    return both.set_column(0, "transaction_id", pa.array(np.arange(both.num_rows)))


def part(path: Path, one_in: int) -> Path:
    """The payments of one customer in so many."""
    smaller = path.with_name(f"{path.stem}-1of{one_in}.parquet")
    if not smaller.exists():
        table = pq.read_table(path)
        rest = np.remainder(table.column("customer_id").to_numpy(), one_in)
        _write(table.filter(pa.array(rest == 0)), smaller)
    return smaller


def rows(path: Path | str) -> int:
    """Payments in a file."""
    return int(pq.read_metadata(path).num_rows)


def keys(count: int, events: int, *, after: bool = False) -> Path:
    """`events` payments of each of `count` customers, in rounds in a random order over 20 days; with `after` instead
    one payment of some of them, an hour later."""
    path = PAYMENTS / f"keys-{count}x{events}{'-after' if after else ''}.parquet"
    if path.exists():
        return path
    PAYMENTS.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(count)
    total = count * events
    if after:
        chosen = np.sort(draw.choice(count, min(count, KEYS_AFTER), replace=False))
        hour_later = np.full(len(chosen), KEYS_START_US + KEYS_DAYS * DAY_US + DAY_US // 24)
        _write(_payments(total + np.arange(len(chosen)), hour_later, chosen, draw), path)
        return path
    with pq.ParquetWriter(path.with_suffix(".part"), SCHEMA) as writer:
        for event in range(events):
            order = draw.permutation(count)
            for start in range(0, count, KEYS_CHUNK):
                customers = order[start : start + KEYS_CHUNK]
                numbers = event * count + start + np.arange(len(customers))
                times = KEYS_START_US + numbers * (KEYS_DAYS * DAY_US // total)
                writer.write_table(_payments(numbers, times, customers, draw))
    path.with_suffix(".part").rename(path)
    return path


def _payments(numbers: np.ndarray, times_us: np.ndarray, customers: np.ndarray, draw: np.random.Generator) -> pa.Table:
    times = pa.array(times_us, pa.int64()).cast(SCHEMA.field("ts").type)
    terminals = draw.integers(0, 10_000, len(numbers))
    amounts = np.round(draw.uniform(1, 200, len(numbers)), 2)
    return pa.table([numbers, times, customers, terminals, amounts], schema=SCHEMA)


def _write(table: pa.Table, path: Path) -> None:
    """The file appears complete or not at all."""
    pq.write_table(table, path.with_suffix(".part"))
    path.with_suffix(".part").rename(path)
