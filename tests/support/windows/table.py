"""A tiny table as a case: a few events of a few columns, minutes for times, and a value per row that must come out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from tests.support.windows.case import TYPES, Case, Near, numbered
from tests.support.windows.rows import nearness, result_type
from tests.support.windows.spec import Aggregate, Block, Row, column, micros

START = 1_767_225_600 * 1_000_000
MINUTE = micros("1 minute")
COLUMNS = {
    "row": "BIGINT",
    "k": "STRING",
    "m": "BIGINT",
    "ts": "TIMESTAMP",
    "x": "DOUBLE",
    "n": "BIGINT",
    "b": "BOOLEAN",
    "s": "STRING",
}
K = ("k",)
X, N, B, S = (column(name) for name in "xnbs")
COUNT, SUM = Aggregate("count"), Aggregate("sum", X)
NULL, LATE = None, "LATE_EVENT"


@dataclass(frozen=True)
class Table:
    """Blocks, columns of the events, and the columns that come out; `kinds` has the types of features."""

    name: str
    blocks: Sequence[Block]
    minutes: Sequence[float | None]
    wanted: Mapping[str, Sequence[Any]]
    values: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    features: Mapping[str, str] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> list[Row]:
        rows: list[Row] = []
        for number, minute in enumerate(self.minutes):
            row: dict[str, Any] = {"row": number, "k": "a", "m": 1, "x": 1.0, "n": 1, "b": True, "s": "s"}
            row["ts"] = None if minute is None else START + round(minute * MINUTE)
            row |= {name: values[number] for name, values in self.values.items()}
            rows.append(row)
        return rows

    @property
    def rejected(self) -> dict[int, str]:
        first = next(iter(self.wanted.values()))
        codes = {"LATE_EVENT", "NULL_KEY", "BAD_EVENT_TIME", "EXPRESSION_FAILED"}
        return {number: value for number, value in enumerate(first) if value in codes}

    def case(self) -> Case:
        """The same for every surface."""
        kept = [number for number in range(len(self.minutes)) if number not in self.rejected]
        found: dict[str, Aggregate] = {
            column: aggregate for block in self.blocks for column, (_, aggregate, _) in block.columns.items()
        }
        wanted = {"row": pa.array(kept, pa.int64())}
        near: dict[str, Near] = {}
        for name, values in self.wanted.items():
            aggregate = found.get(name)
            kind = result_type(aggregate, {**COLUMNS, **self.kinds}) if aggregate else self.kinds[name]
            own = [values[number] for number in kept]
            if kind == "DOUBLE":
                own = [None if value is None else float(value) for value in own]
                closeness = nearness(aggregate) if aggregate else Near(part=1e-15)
                if closeness:
                    near[name] = closeness
            wanted[name] = pa.array(own, TYPES[kind], from_pandas=False)
        rows = self.rows
        events = {name: [row[name] for row in rows] for name in COLUMNS}
        events["ts"] = pa.array(events["ts"], pa.timestamp("us"))
        blocks = [block.yaml for block in self.blocks]
        name = self.name.replace(" ", "-")
        table, wanted_table = numbered(COLUMNS, events), pa.table(wanted)
        return Case(name, COLUMNS, blocks, table, wanted_table, self.rejected, self.features, near, "json")


def one(compute: Mapping[str, Aggregate], *over: str, **of_block: Any) -> Block:
    """A block over `k` whose columns have no prefix."""
    return Block(K, compute, over, prefix="", **of_block)
