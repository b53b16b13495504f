"""Cases from rows and blocks in Python, with what the reference makes of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pyarrow as pa

from tests.support import window_reference
from tests.support.windows.case import TYPES, Case, Near
from tests.support.windows.spec import Aggregate, Block, Row

#: What the page calls exact, or what follows from two numbers by one operation. All else is computed in several steps,
#: in an order of its own.
EXACT = {"count", "sum", "min", "max", "distinct", "first", "last", "mode", "lag", "delta"}
#: Right to the last two bits, whichever way it was divided.
NEARLY = {"avg", "rate", "share", "since_last"}
WHOLE = {"count", "distinct"}
OF_ITS_TYPE = {"min", "max", "first", "last", "mode", "lag", "delta"}


def result_type(aggregate: Aggregate, kinds: Mapping[str, str]) -> str:
    """The type of an aggregate's column; an expression is as wide as its column, which its SQL begins with."""
    if aggregate.call in WHOLE:
        return "BIGINT"
    if aggregate.call not in OF_ITS_TYPE and aggregate.call != "sum":
        return "DOUBLE"
    assert aggregate.x is not None
    kind = next(kind for name, kind in kinds.items() if name in re.findall(r"\w+", aggregate.x.sql))
    return kind if aggregate.call in OF_ITS_TYPE or kind == "DOUBLE" else "BIGINT"


def nearness(aggregate: Aggregate) -> Near | None:
    """How near a DOUBLE must come where numbers are about 100 and seconds are the unit of time."""
    if aggregate.call in EXACT:
        return None
    if aggregate.call in NEARLY:
        return Near(part=5e-16)
    return Near(part=1e-9, amount=1e-12 if aggregate.call in {"slope", "zscore", "ewma"} else 0.0)


def case(
    name: str,
    columns: Mapping[str, str],
    blocks: Sequence[Block],
    rows: Sequence[Row],
    *,
    order: Literal["arrival", "time"] = "arrival",
) -> Case:
    """A case whose wanted table is the reference's."""
    if order == "time":
        results = window_reference.run_in_time_order(blocks, rows, "row")
    else:
        results = window_reference.run(blocks, rows)
    events = pa.table({name: pa.array([row[name] for row in rows], _raw(kind)) for name, kind in columns.items()})
    events = events.cast(pa.schema([(name, TYPES[kind]) for name, kind in columns.items()]))
    accepted = [(n, found) for n, found in enumerate(results.features) if found is not None]
    wanted = {"row": pa.array([n for n, _ in accepted], pa.int64())}
    near, features = {}, {}
    for block in blocks:
        for column, (aggregate_name, aggregate, _) in block.columns.items():
            kind = result_type(aggregate, columns)
            values = [_as(kind, found[column]) for _, found in accepted]
            wanted[column] = pa.array(values, TYPES[kind], from_pandas=False)
            closeness = nearness(aggregate)
            if kind == "DOUBLE":
                # JSON has no NaN: a feature after the windows says where there is one.
                features[f"nan_{column}"] = f"isnan({column})"
                wanted[f"nan_{column}"] = pa.array([value is not None and value != value for value in values])
                if closeness:
                    near[column] = closeness
            assert aggregate_name in block.compute
    return Case(
        name,
        columns,
        [block.yaml for block in blocks],
        events,
        pa.table(wanted),
        results.rejected,
        features,
        near,
        "json",
    )


def _raw(kind: str) -> pa.DataType:
    return pa.int64() if kind == "TIMESTAMP" else TYPES[kind]


def _as(kind: str, value: Any) -> Any:
    return float(value) if kind == "DOUBLE" and value is not None else value
