"""A case: events in the order in which they arrive, the pipeline file, and what must come out, row by row.

The same case goes through every surface. `Case.write` makes the files for the command line, `Case.records` the values
for Kafka, `Case.parquet` the typed table for batch; `Case.check` compares whatever came back. Every case numbers its
events from 0 in a column `row`, which the pipeline hands through: rows may come back in any order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

TYPES = {
    "BOOLEAN": pa.bool_(),
    "INT": pa.int32(),
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "STRING": pa.string(),
    "TIMESTAMP": pa.timestamp("us", tz="UTC"),
}


@dataclass(frozen=True)
class Near:
    """How far a number may be off: a part of the wanted one, and an amount, one for all rows or one for each."""

    part: float = 0.0
    amount: Any = 0.0


@dataclass(frozen=True)
class Case:
    """Events, pipeline and wanted output.

    `wanted` has a row for each accepted event, by ascending `row`; `rejected` has the code of each other one. Columns
    that are not in `near` must be equal.
    """

    name: str
    columns: Mapping[str, str]
    windows: Sequence[Mapping[str, Any]]
    events: pa.Table
    wanted: pa.Table
    rejected: Mapping[int, str] = field(default_factory=dict)
    features: Mapping[str, str] = field(default_factory=dict)
    near: Mapping[str, Near] = field(default_factory=dict)
    format: Literal["csv", "json"] = "csv"

    def __post_init__(self) -> None:
        assert self.events["row"].to_pylist()[:2] == list(range(min(2, len(self.events)))), "rows are numbered from 0"
        assert len(self.wanted) + len(self.rejected) == len(self.events), "every event is accepted or rejected"

    @property
    def schema(self) -> pa.Schema:
        """The output's columns."""
        return pa.schema([(field.name, field.type) for field in self.wanted.schema])

    @property
    def pipeline(self) -> dict[str, Any]:
        """The pipeline file, for bytes and for typed columns alike."""
        schema = ", ".join(f"{name} {kind}" for name, kind in self.columns.items())
        name = re.sub(r"[^A-Za-z0-9_-]+", "-", self.name)
        made: dict[str, Any] = {"name": name, "input": {"format": self.format, "schema": schema}}
        if self.features:
            made["features"] = dict(self.features)
        made["windows"] = [dict(block) for block in self.windows]
        made["output"] = self.wanted.column_names
        return made

    def write(self, folder: Path) -> tuple[Path, Path]:
        """The pipeline file and the file of records, one per line, in `folder`."""
        pipeline, events = folder / f"{self.name}.yaml", folder / f"{self.name}.{self.format}"
        # JSON is YAML.
        pipeline.write_text(json.dumps(self.pipeline, indent=1), encoding="utf-8")
        if self.format == "csv":
            options = pa.csv.WriteOptions(include_header=False, quoting_style="needed")
            pa.csv.write_csv(_clock_readings(self.events), events, options)
        else:
            with events.open("w", encoding="utf-8") as lines:
                # Python writes NaN and Infinity bare, as the decoder takes them.
                lines.writelines(json.dumps(row) + "\n" for row in _clock_readings(self.events).to_pylist())
        return pipeline, events

    def records(self, folder: Path) -> Iterator[bytes]:
        """The values of Kafka records, in order."""
        with self.write(folder)[1].open("rb") as lines:
            for line in lines:
                yield line.rstrip(b"\n")

    def parquet(self, folder: Path) -> Path:
        """The events as a table with the columns of the pipeline's schema."""
        path = folder / f"{self.name}.parquet"
        pq.write_table(self.events, path)
        return path

    def check(self, accepted: pa.Table, rejected: Mapping[int, str], *, nan_is_null: bool = False) -> None:
        """Fail unless exactly the wanted rows came out, with the wanted values, and the others were rejected.

        `nan_is_null` is for outputs of the command line: JSON has neither NaN nor infinity, so it writes a null.
        """
        wrong = {row: code for row, code in rejected.items() if self.rejected.get(row) != code}
        missed = {row: code for row, code in self.rejected.items() if row not in rejected}
        assert not wrong, f"{self.name}: {len(wrong)} rows rejected that should not be so, such as {_some(wrong)}"
        assert not missed, f"{self.name}: {len(missed)} rows not rejected, such as {_some(missed)}"
        assert set(accepted.column_names) >= set(self.wanted.column_names)
        accepted = accepted.sort_by("row")
        np.testing.assert_array_equal(accepted["row"].to_numpy(), self.wanted["row"].to_numpy())
        faults = []
        for name in self.wanted.column_names:
            fault = self._compare(name, accepted[name], nan_is_null)
            if fault:
                faults.append(fault)
        columns = len(self.wanted.column_names)
        assert not faults, f"{self.name}: {len(faults)} of {columns} columns differ\n" + "\n".join(faults[:8])

    def _compare(self, name: str, got: pa.ChunkedArray, nan_is_null: bool) -> str | None:
        want = self.wanted[name]
        if nan_is_null and pa.types.is_floating(want.type):
            want = pc.if_else(pc.is_finite(want), want, None)
        got_null, want_null = got.is_null().to_numpy(), want.is_null().to_numpy()
        both = ~got_null & ~want_null
        if pa.types.is_floating(want.type):
            near = self.near.get(name, Near())
            ours, theirs = (_doubles(column) for column in (got, want))
            with np.errstate(invalid="ignore"):
                is_same = np.abs(ours - theirs) <= near.part * np.abs(theirs) + near.amount
            is_same |= (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
        else:
            assert name not in self.near, f"{name} is {want.type}: it is equal or it is not"
            is_same = pc.fill_null(pc.equal(pc.cast(got, want.type), want), False).to_numpy()
        differs = np.flatnonzero((got_null != want_null) | (both & ~is_same))
        if not len(differs):
            return None
        shown = "; ".join(
            f"row {self.wanted['row'][i]}: got {got[i]}, want {want[i]}" for i in (int(place) for place in differs[:4])
        )
        return f"  {name}: {len(differs)} of {len(want)} differ: {shown}"


def _clock_readings(table: pa.Table) -> pa.Table:
    """Instants as text without a zone, which is UTC, to the microsecond."""
    for place, column in enumerate(table.schema):
        if pa.types.is_timestamp(column.type):
            text = pc.strftime(table[column.name], format="%Y-%m-%dT%H:%M:%S")
            table = table.set_column(place, column.name, text)
    return table


def _doubles(column: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    return np.asarray(pc.fill_null(pc.cast(column, pa.float64()), 0.0).to_numpy())


def _some(rows: Mapping[int, str]) -> dict[int, str]:
    return dict(sorted(rows.items())[:4])


def numbered(columns: Mapping[str, str], values: Mapping[str, Any]) -> pa.Table:
    """A table of events with these types, `row` in front."""
    rows = len(next(iter(values.values())))
    arrays = [pa.array(np.arange(rows), pa.int64())]
    arrays += [_typed(values[name], TYPES[kind]) for name, kind in columns.items() if name != "row"]
    return pa.table(arrays, names=["row", *(name for name in columns if name != "row")])


def _typed(values: Any, kind: pa.DataType) -> Any:
    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        return (
            pc.cast(pc.cast(values, pa.timestamp("us")), kind) if pa.types.is_timestamp(kind) else pc.cast(values, kind)
        )
    # Python's None is null; a NaN stays one.
    return pa.array(values, kind, from_pandas=False)
