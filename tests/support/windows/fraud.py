"""The handbook's payments: its 15 features for every payment, recomputed, and the handbook's own table beside.

Customer windows end with the payment itself, terminal windows seven days before it: labels arrive late.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tests.support.places import shared
from tests.support.windows.case import Case, Near, numbered
from tests.support.windows.slices import Array, Slices, by_key, exact_sums
from tests.support.windows.spec import Aggregate, Block, column, micros

#: Rows of the golden table that an unstable sort of its origin swapped (REFERENCE.md).
SWAPPED = (121453, 121454, 163831, 163832, 174806, 174807, 1240489, 1240490)
#: One golden average is -7.1e-15 where 0 is right.
GOLDEN_TOLERANCE = 1e-9

DAYS = {"1d": "1 day", "7d": "7 days", "30d": "30 days"}
COLUMNS = {
    "row": "BIGINT",
    "ts": "TIMESTAMP",
    "customer_id": "BIGINT",
    "terminal_id": "BIGINT",
    "amount": "DOUBLE",
    "is_fraud": "INT",
}
BLOCKS = (
    Block(
        key=("customer_id",),
        over=tuple(DAYS.values()),
        compute={"nb": Aggregate("count"), "avg_amount": Aggregate("avg", column("amount"))},
        order="row",
    ),
    Block(
        key=("terminal_id",),
        over=tuple(DAYS.values()),
        delay="7 days",
        compute={"nb": Aggregate("count"), "risk": Aggregate("avg", column("is_fraud"))},
        default={"risk": 0},
        order="row",
    ),
)
#: The handbook's hour is <= 6, though its comment says < 6.
FLAGS = {"is_weekend": "int(dayofweek(ts) IN (1, 7))", "is_night": "int(hour(ts) <= 6)"}

#: Our names of the handbook's columns.
GOLDEN = {"TX_AMOUNT": "amount", "TX_DURING_WEEKEND": "is_weekend", "TX_DURING_NIGHT": "is_night"}
for _short, _text in DAYS.items():
    _days = _text.split()[0]
    GOLDEN |= {
        f"CUSTOMER_ID_NB_TX_{_days}DAY_WINDOW": f"customer_id_nb_{_short}",
        f"CUSTOMER_ID_AVG_AMOUNT_{_days}DAY_WINDOW": f"customer_id_avg_amount_{_short}",
        f"TERMINAL_ID_NB_TX_{_days}DAY_WINDOW": f"terminal_id_nb_{_short}",
        f"TERMINAL_ID_RISK_{_days}DAY_WINDOW": f"terminal_id_risk_{_short}",
    }


@cache
def case() -> Case:
    """All 1,754,155 payments."""
    source = pq.read_table(shared("fraud", "transactions.parquet")).sort_by("TRANSACTION_ID")
    np.testing.assert_array_equal(source["TRANSACTION_ID"].to_numpy(), np.arange(len(source)))
    names = {
        "ts": "TX_DATETIME",
        "customer_id": "CUSTOMER_ID",
        "terminal_id": "TERMINAL_ID",
        "amount": "TX_AMOUNT",
        "is_fraud": "TX_FRAUD",
    }
    events = numbered(COLUMNS, {ours: source[theirs] for ours, theirs in names.items()})
    near = {f"customer_id_avg_amount_{short}": Near(part=1e-15) for short in DAYS}
    return Case("fraud", COLUMNS, [block.yaml for block in BLOCKS], events, _wanted(events), features=FLAGS, near=near)


def _wanted(events: pa.Table) -> pa.Table:
    times = pc.cast(events["ts"], pa.int64()).to_numpy()
    amounts, labels = events["amount"].to_numpy(), events["is_fraud"].to_numpy()
    made: dict[str, Array] = {"amount": amounts}
    # 1970 began on a Thursday; Monday is 0.
    weekday = (times // micros("1 day") + 3) % 7
    made["is_weekend"] = (weekday >= 5).astype(np.int32)
    made["is_night"] = (times // micros("1 hour") % 24 <= 6).astype(np.int32)
    for short in DAYS:
        for name in ("customer_id_nb", "terminal_id_nb"):
            made[f"{name}_{short}"] = np.zeros(len(times), dtype=np.int64)
        for name in ("customer_id_avg_amount", "terminal_id_risk"):
            made[f"{name}_{short}"] = np.zeros(len(times))
    for rows in by_key(events["customer_id"].to_numpy()):
        own = amounts[rows].tolist()
        for short, text in DAYS.items():
            slices = Slices.of_time(times[rows], micros(text))
            made[f"customer_id_nb_{short}"][rows] = slices.count
            made[f"customer_id_avg_amount_{short}"][rows] = exact_sums(own, slices) / slices.count
    for rows in by_key(events["terminal_id"].to_numpy()):
        frauds = np.concatenate([[0], np.cumsum(labels[rows])])
        for short, text in DAYS.items():
            slices = Slices.of_time(times[rows], micros(text), micros("7 days"))
            made[f"terminal_id_nb_{short}"][rows] = slices.count
            found = frauds[slices.end] - frauds[slices.begin]
            made[f"terminal_id_risk_{short}"][rows] = found / np.maximum(slices.count, 1)
    order = [*GOLDEN.values()]
    return pa.table({"row": events["row"], **{name: made[name] for name in order}})


def golden() -> tuple[Case, Array]:
    """The handbook's own table under our names, without the swapped rows, and the rows that it has.

    Check it with `golden_rows` of what came out: counts, flags and risks are equal, averages within 1e-9.
    """
    table = pq.read_table(shared("fraud", "features_golden.parquet")).sort_by("TRANSACTION_ID")
    is_kept = pc.invert(pc.is_in(table["TRANSACTION_ID"], value_set=pa.array(SWAPPED, pa.int64())))
    table = table.filter(is_kept)
    types = case().wanted.schema
    wanted = {"row": pc.cast(table["TRANSACTION_ID"], pa.int64())}
    wanted |= {ours: pc.cast(table[theirs], types.field(ours).type) for theirs, ours in GOLDEN.items()}
    near = {f"customer_id_avg_amount_{short}": Near(amount=GOLDEN_TOLERANCE) for short in DAYS}
    rows = wanted["row"].to_numpy()
    numbers = pa.table({"row": np.arange(len(rows))})
    return replace(case(), name="fraud-golden", events=numbers, wanted=pa.table(wanted), near=near), rows


def golden_rows(accepted: pa.Table, rows: Array) -> pa.Table:
    """The rows of an output that the golden table has."""
    return accepted.filter(pc.is_in(accepted["row"], value_set=pa.array(rows, pa.int64())))


def features_frame() -> pd.DataFrame:
    """The wanted features by `row`."""
    frame: pd.DataFrame = case().wanted.to_pandas()
    return frame
