"""A hundred thousand events of one key within a millisecond, from a bot or a broken clock: none leaves any window."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from tests.support.windows.case import Case, numbered
from tests.support.windows.spec import Aggregate, Block, column

START = 1_767_225_600 * 1_000_000
COLUMNS = {"row": "BIGINT", "k": "STRING", "ts": "TIMESTAMP", "n": "BIGINT", "x": "DOUBLE"}


def one_millisecond(count: int) -> Case:
    """Numbers are multiples of 1/64 far below 2^47: every running sum of NumPy is exact."""
    rng = np.random.default_rng(7)
    times = START + np.arange(count) * 1_000 // count
    n, x = rng.integers(0, 1_000, size=count), rng.integers(0, 64_000, size=count) / 64
    compute = {
        "nb": Aggregate("count"),
        "n": Aggregate("sum", column("n")),
        "x": Aggregate("sum", column("x")),
        "lo": Aggregate("min", column("x")),
        "hi": Aggregate("max", column("x")),
        "before": Aggregate("lag", column("n")),
    }
    over = {"1 second": "1s", "1 hour": "1h", "session 1 minute": "session1m"}
    block = Block(("k",), compute, tuple(over), order="row")
    values = {
        "k": pa.array(["crowd"] * count),
        "ts": pa.array(times).cast(pa.timestamp("us")),
        "n": pa.array(n),
        "x": pa.array(x),
    }
    found: dict[str, Any] = {
        "nb": np.arange(1, count + 1),
        "n": np.cumsum(n),
        "x": np.cumsum(x),
        "lo": np.minimum.accumulate(x),
        "hi": np.maximum.accumulate(x),
        "before": pa.array([None, *n[:-1].tolist()]),
    }
    events = numbered(COLUMNS, values)
    wanted = {"row": events["row"], **{name: found[of] for name, (of, _, _) in block.columns.items()}}
    return Case("millisecond", COLUMNS, [block.yaml], events, pa.table(wanted))
