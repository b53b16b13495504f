"""Online Retail: recency, frequency, value and units per customer and per product, over 1, 7 and 28 days.

135,080 lines have no customer. In a pipeline with a block over customers they are rejected and no block sees them;
a pipeline over products alone takes them all.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tests.support.places import shared
from tests.support.windows.case import Case, numbered
from tests.support.windows.slices import Array, Slices, by_key, exact_sums
from tests.support.windows.spec import Aggregate, Block, Expression, column, micros

WITHOUT_CUSTOMER = 135_080
DAYS = {"1d": "1 day", "7d": "7 days", "28d": "28 days"}
COLUMNS = {
    "row": "BIGINT",
    "ts": "TIMESTAMP",
    "customer": "BIGINT",
    "product": "STRING",
    "quantity": "INT",
    "price": "DOUBLE",
}
_VALUE = Expression("quantity * price", lambda row: row["quantity"] * row["price"])


def _block(key: str) -> Block:
    return Block(
        key=(key,),
        over=tuple(DAYS.values()),
        compute={
            "recency": Aggregate("since_last"),
            "frequency": Aggregate("count"),
            "value": Aggregate("sum", _VALUE),
            "units": Aggregate("sum", column("quantity")),
        },
        # Recency looks back to the line before, however long ago: the data are 374 days long.
        keep="400 days",
        order="row",
    )


def _events() -> pa.Table:
    source = pq.read_table(shared("retail", "online_retail.parquet"))
    names = {
        "ts": "InvoiceDate",
        "customer": "CustomerID",
        "product": "StockCode",
        "quantity": "Quantity",
        "price": "UnitPrice",
    }
    return numbered(COLUMNS, {ours: source[theirs] for ours, theirs in names.items()})


@cache
def customers_and_products() -> Case:
    """Both blocks in one pipeline: lines without a customer are rejected and count for no product."""
    events = _events()
    is_known = events["customer"].is_valid()
    known = events.filter(is_known)
    rejected = dict.fromkeys(events.filter(pc.invert(is_known))["row"].to_pylist(), "NULL_KEY")
    wanted = pa.table({"row": known["row"], **_features(known, "customer"), **_features(known, "product")})
    blocks = [_block("customer").yaml, _block("product").yaml]
    return Case("retail", COLUMNS, blocks, events, wanted, rejected)


@cache
def products() -> Case:
    """Products alone: every line counts."""
    events = _events()
    wanted = pa.table({"row": events["row"], **_features(events, "product")})
    return Case("retail-products", COLUMNS, [_block("product").yaml], events, wanted)


def _features(events: pa.Table, key: str) -> dict[str, pa.Array]:
    times = pc.cast(events["ts"], pa.int64()).to_numpy()
    quantity = events["quantity"].to_numpy().astype(np.int64)
    value = quantity * events["price"].to_numpy()
    recency = np.full(len(times), np.nan)
    made: dict[str, Array] = {}
    for short in DAYS:
        made[f"{key}_frequency_{short}"] = np.zeros(len(times), np.int64)
        made[f"{key}_value_{short}"] = np.zeros(len(times))
        made[f"{key}_units_{short}"] = np.zeros(len(times), np.int64)
    for rows in by_key(_codes(events[key])):
        recency[rows[1:]] = np.diff(times[rows]) / 1e6
        own = value[rows].tolist()
        units = np.concatenate([[0], np.cumsum(quantity[rows])])
        for short, text in DAYS.items():
            slices = Slices.of_time(times[rows], micros(text))
            made[f"{key}_frequency_{short}"][rows] = slices.count
            made[f"{key}_value_{short}"][rows] = exact_sums(own, slices)
            made[f"{key}_units_{short}"][rows] = units[slices.end] - units[slices.begin]
    # The first line of a key has nothing before it.
    first = {f"{key}_recency": pa.array(recency, from_pandas=True)}
    return first | {name: pa.array(values) for name, values in made.items()}


def _codes(column: pa.ChunkedArray) -> Array:
    return np.asarray(column.combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False))


def by_pandas(case: Case, key: str) -> pd.DataFrame:
    """The same features by pandas' own rolling windows, by `row`; its sums carry rounding errors along."""
    kept = case.events.filter(pc.is_in(case.events["row"], value_set=case.wanted["row"]))
    frame = kept.to_pandas()
    frame["value"] = frame["quantity"] * frame["price"]
    groups = frame.groupby(key, sort=False)
    made = pd.DataFrame({f"{key}_recency": groups["ts"].diff().dt.total_seconds()}).set_index(frame["row"])
    ordered = frame.sort_values([key, "row"], kind="stable")
    for short, text in DAYS.items():
        rolling = ordered.groupby(key, sort=False).rolling(text.replace(" days", "D").replace(" day", "D"), on="ts")
        sums = rolling[["value", "quantity"]].sum()
        counts = rolling["quantity"].count()
        for name, values in (("frequency", counts), ("value", sums["value"]), ("units", sums["quantity"])):
            made.loc[ordered["row"].to_numpy(), f"{key}_{name}_{short}"] = values.to_numpy()
    return made.sort_index()
