"""What both pandas peers do with one customer in one micro-batch: numpy over arrays, the last 30 days as one blob."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from benches.payments import AVERAGES, COUNTS, FEATURES, SPANS_US

#: A blob holds times (microseconds) and then amounts, eight bytes each.
EVENT_BYTES = 16
#: Schema of the result; ``ts`` crosses as a number, which costs no conversion.
SCHEMA = "transaction_id BIGINT, customer_id BIGINT, ts BIGINT, " + ", ".join(
    f"{name} {'BIGINT' if name in COUNTS else 'DOUBLE'}" for name in FEATURES
)
STATE = "last_30_days BINARY"


def step(frames: Iterable[pd.DataFrame], blob: bytes | None) -> tuple[pd.DataFrame, bytes]:
    """The features of a customer's new payments, and what must be kept for the next ones."""
    parts = list(frames)
    new = parts[0] if len(parts) == 1 else pd.concat(parts, ignore_index=True)
    customers, ids, new_times, new_amounts = (
        new[name].to_numpy() for name in ("customer_id", "transaction_id", "ts", "amount")
    )
    if np.any(new_times[1:] < new_times[:-1]):
        order = np.lexsort((ids, new_times))
        ids, new_times, new_amounts = ids[order], new_times[order], new_amounts[order]
    times, amounts, first = new_times, new_amounts, 0
    if blob:
        first = len(blob) // EVENT_BYTES
        times = np.concatenate((np.frombuffer(blob, np.int64, first), new_times))
        amounts = np.concatenate((np.frombuffer(blob, np.float64, first, first * 8), new_amounts))
    columns = {"transaction_id": ids, "customer_id": customers, "ts": new_times}
    columns |= windowed(times, amounts, first)
    kept = int(np.searchsorted(times, times[-1] - SPANS_US[-1], side="right"))
    return pd.DataFrame(columns, copy=False), times[kept:].tobytes() + amounts[kept:].tobytes()


def windowed(times: np.ndarray, amounts: np.ndarray, first: int) -> dict[str, np.ndarray]:
    """Counts and averages of the payments from `first` on: the ends of windows by binary search, sums by difference."""
    sums = np.zeros(len(amounts) + 1)
    np.cumsum(amounts, out=sums[1:])
    ends = np.arange(first + 1, len(times) + 1)
    found = {}
    for span, count, average in zip(SPANS_US, COUNTS, AVERAGES, strict=True):
        starts = np.searchsorted(times, times[first:] - span, side="right")
        found[count] = ends - starts
        found[average] = (sums[first + 1 :] - sums[starts]) / found[count]
    return found
