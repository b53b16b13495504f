"""The payment of the benchmark `windows`, the six features that every contender computes, and their definition.

A payment is ``firesteel loadgen fraud``'s: ``transaction_id``, ``ts``, ``customer_id``, ``terminal_id``, ``amount``.
The features are count and average amount of a customer's payments in ``(t - W, t]`` for W of 1, 7 and 30 days.
"""

from __future__ import annotations

import bisect
import math
from collections import defaultdict
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

DAYS = (1, 7, 30)
DAY_US = 86_400_000_000
SPANS_US = tuple(days * DAY_US for days in DAYS)
#: What is decoded; nobody asks for the terminal.
DDL = "transaction_id BIGINT, ts TIMESTAMP, customer_id BIGINT, amount DOUBLE"
COUNTS = tuple(f"customer_id_nb_{days}d" for days in DAYS)
AVERAGES = tuple(f"customer_id_avg_amount_{days}d" for days in DAYS)
FEATURES = tuple(name for pair in zip(COUNTS, AVERAGES, strict=True) for name in pair)
COLUMNS = ("transaction_id", "customer_id", "ts", *FEATURES)
#: Largest difference of an average that still counts as the same.
SAME_AVERAGE = 1e-9


def reference(payments: pa.Table) -> dict[str, np.ndarray]:
    """The features as they are defined, row by row with exact sums, by ``transaction_id``.

    The payments must be in the order of their times, and no two of a customer at the same time.
    """
    times: dict[int, list[int]] = defaultdict(list)
    amounts: dict[int, list[float]] = defaultdict(list)
    found: dict[str, list[Any]] = {name: [] for name in ("transaction_id", *FEATURES)}
    rows = (
        payments.column("transaction_id"),
        payments.column("customer_id"),
        micros(payments),
        payments.column("amount"),
    )
    for number, customer, at, amount in zip(*(column.to_pylist() for column in rows), strict=True):
        when, much = times[customer], amounts[customer]
        when.append(at)
        much.append(amount)
        found["transaction_id"].append(number)
        for span, count, average in zip(SPANS_US, COUNTS, AVERAGES, strict=True):
            inside = much[bisect.bisect_right(when, at - span) :]
            found[count].append(len(inside))
            found[average].append(math.fsum(inside) / len(inside))
    return {name: np.array(values) for name, values in found.items()}


def difference(got: pa.Table, want: dict[str, np.ndarray]) -> dict[str, float]:
    """How far a contender's table is from the reference: rows missing, repeated or without counts, different counts,
    the largest difference of an average."""
    ids = want["transaction_id"]
    got = got.sort_by("transaction_id")
    if got.num_rows != len(ids) or not np.array_equal(got.column("transaction_id").to_numpy(), ids):
        return {
            "rows": got.num_rows,
            "wrong_rows": max(1, abs(got.num_rows - len(ids))),
            "wrong_counts": 0,
            "average": 0,
        }
    wrong = sum(int(np.count_nonzero(got.column(name).to_numpy() != want[name])) for name in COUNTS)
    # A null becomes NaN, and a maximum over it NaN, which no bound holds.
    far = max(float(np.max(np.abs(got.column(name).to_numpy() - want[name]))) for name in AVERAGES)
    return {"rows": got.num_rows, "wrong_rows": 0, "wrong_counts": wrong, "average": far}


def agrees(found: dict[str, float]) -> bool:
    """Whether a :func:`difference` is none: counts equal, averages within 1e-9."""
    return found["wrong_rows"] == 0 and found["wrong_counts"] == 0 and found["average"] <= SAME_AVERAGE


def micros(payments: pa.Table) -> pa.ChunkedArray:
    """The times as microseconds since 1970."""
    return pc.cast(pc.cast(payments.column("ts"), pa.timestamp("us", "UTC")), pa.int64())
