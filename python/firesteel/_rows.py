"""Rows of a pipeline held against the same rows from somewhere else, bit for bit, in whatever order they come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Reference"]

#: What tells why a row was rejected. Its topic is another one on each surface, and its bytes do not travel with rows
#: that move to their keys.
_WHY = ("partition", "offset", "stage", "code", "message")


@dataclass(frozen=True)
class Reference:
    """The rows of the one pass, in an order that does not depend on how rows come."""

    table: pa.Table
    #: A column of which no two accepted rows have the same value, if there is one.
    key: str | None

    @classmethod
    def of(cls, table: pa.Table) -> Reference:
        """Take the rows of the one pass."""
        import pyarrow.compute as pc

        flat = _flat(table)
        names = [name for name in flat.column_names if not name.startswith("_rejected.")]
        accepted = flat.filter(pc.is_null(flat["_rejected.code"]))
        unique = (name for name in names if len(accepted[name].unique()) == len(accepted) > 0)
        key = next((name for name in unique if accepted[name].null_count == 0), None)
        return cls(_ordered(flat, key), key)

    @property
    def rows(self) -> int:
        """Number of rows, rejected ones included."""
        return int(self.table.num_rows)

    def difference(self, found: pa.Table) -> str | None:
        """Tell the first thing that is different in these rows; none if nothing is."""
        wanted = self.table
        flat = _flat(found)
        if flat.column_names != wanted.column_names:
            return f"the columns are {', '.join(flat.column_names)}, not {', '.join(wanted.column_names)}"
        if flat.num_rows != wanted.num_rows:
            return f"{flat.num_rows} rows, not {wanted.num_rows}"
        flat = _ordered(flat.cast(wanted.schema), self.key)
        rows = [row for row in (_first_different(flat[name], wanted[name]) for name in wanted.column_names) if row >= 0]
        if not rows:
            return None
        row = min(rows)
        name = next(name for name in wanted.column_names if _first_different(flat[name], wanted[name]) == row)
        shown, other = _shown(flat[name][row]), _shown(wanted[name][row])
        return f"{self._place(row)}, column {name}: {shown}, but one pass gives {other}"

    def _place(self, row: int) -> str:
        offset = self.table["_rejected.offset"][row].as_py()
        if offset is not None:
            return f"line {offset + 1}"
        if self.key is not None:
            return f"{self.key} {self.table[self.key][row].as_py()}"
        return f"row {row} of the sorted rows"


def _flat(table: pa.Table) -> pa.Table:
    """Own columns, and why a row was rejected; doubles as their bits, by which they can be sorted and compared."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns: dict[str, Any] = {}
    for name in table.column_names:
        column = table[name].combine_chunks()
        if name == "_rejected":
            columns |= {f"_rejected.{field}": pc.struct_field(column, field) for field in _WHY}
        elif pa.types.is_float64(column.type):
            columns[name] = column.view(pa.int64())
        elif pa.types.is_float32(column.type):
            columns[name] = column.view(pa.int32())
        else:
            columns[name] = column
    return pa.table(columns)


def _ordered(flat: pa.Table, key: str | None) -> pa.Table:
    names = [key, "_rejected.partition", "_rejected.offset"] if key is not None else flat.column_names
    return flat.sort_by([(name, "ascending") for name in names]).combine_chunks()


def _first_different(found: Any, wanted: Any) -> int:
    import pyarrow.compute as pc

    if found.equals(wanted):
        return -1
    # Null is null: the comparison of a null is null, so both are looked at.
    other = pc.or_(pc.xor(pc.is_null(found), pc.is_null(wanted)), pc.fill_null(pc.not_equal(found, wanted), False))
    return int(pc.index(other, True).as_py())


def _shown(value: Any) -> str:
    return "null" if value.as_py() is None else str(value)
