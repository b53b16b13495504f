"""Windows over events that never step back: runs of neighbours, from `begin` to `end`, in NumPy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Slices:
    """For each row the run `begin[i]:end[i]` of its key's rows that is its window."""

    begin: Array
    end: Array

    @property
    def count(self) -> Array:
        return self.end - self.begin

    @classmethod
    def of_time(cls, times: Array, length: int, delay: int = 0) -> Slices:
        """Windows `(t - delay - length, t - delay]` over one key's ascending times.

        Without a delay a row ends its own window: rows of the same time that come later are not seen.
        """
        begin = np.searchsorted(times, times - delay - length, side="right")
        end = np.arange(1, len(times) + 1) if delay == 0 else np.searchsorted(times, times - delay, side="right")
        return cls(begin, end)

    @classmethod
    def of_last(cls, rows: int, count: int) -> Slices:
        """Windows of the last `count` rows, this one included."""
        end = np.arange(1, rows + 1)
        return cls(np.maximum(end - count, 0), end)

    def windows(self, values: Array) -> Iterator[tuple[Array, Array]]:
        """Rows whose windows are of one length, and those windows, one per line; empty windows are left out."""
        sizes = self.count
        for size in np.unique(sizes[sizes > 0]):
            rows = np.flatnonzero(sizes == size)
            yield rows, sliding_window_view(values, size)[self.begin[rows]]


def by_key(keys: Array) -> Iterator[Array]:
    """The row numbers of each key, in order."""
    order = np.argsort(keys, kind="stable")
    edges = np.flatnonzero(np.diff(keys[order])) + 1
    yield from np.split(order, edges)


def moments(times: Array, values: Array, slices: Slices) -> dict[str, Array]:
    """Mean, deviation of a sample, slope per second, min and max of each window; times are in microseconds.

    Two passes over each window, centred on its own mean: what is computed from running sums loses its digits.
    """
    names = ("mean", "stddev", "slope", "min", "max")
    made = {name: np.full(len(values), np.nan) for name in names}
    seconds = (times - times[0]) / 1e6
    for (rows, x), (_, t) in zip(slices.windows(values), slices.windows(seconds), strict=True):
        middle = x.mean(axis=1)
        made["mean"][rows], made["min"][rows], made["max"][rows] = middle, x.min(axis=1), x.max(axis=1)
        if x.shape[1] < 2:
            continue
        dx, dt = x - middle[:, None], t - t.mean(axis=1)[:, None]
        made["stddev"][rows] = np.sqrt((dx * dx).sum(axis=1) / (x.shape[1] - 1))
        along = (dt * dt).sum(axis=1)
        # All events in one instant have no slope.
        apart = t[:, -1] > t[:, 0]
        made["slope"][rows[apart]] = (dx * dt).sum(axis=1)[apart] / along[apart]
    # A mean that is rounded leaves a trace of a deviation where all values are the same.
    flat = made["min"] == made["max"]
    made["stddev"][flat & (slices.count > 1)] = 0.0
    return made


def exact_sums(values: Sequence[float], slices: Slices) -> Array:
    """The sum of each window, exact and rounded once."""
    from math import fsum

    return np.array([fsum(values[a:b]) for a, b in zip(slices.begin.tolist(), slices.end.tolist(), strict=True)])
