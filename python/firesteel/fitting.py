"""Features with fitted parameters, as lines for a pipeline file.

What a scaler or an encoder learns from training data becomes constants in SQL, so that the pipeline file is all that
serving needs. Runs Spark SQL aggregates for a DataFrame, over Spark Connect too, and pyarrow's functions for anything
that Arrow reads. pyspark and pyarrow are imported when a function is called, not before.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from firesteel.errors import FitError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["fit_one_hot", "fit_scalers"]

Kind: TypeAlias = Literal["standard", "minmax", "robust"]

#: Two parameters of a scaler; None where a column has no value.
_Pair: TypeAlias = tuple[float | None, float | None]


def fit_scalers(
    data: DataFrame | Any, columns: Sequence[str], kind: Kind = "standard", *, suffix: str = "_scaled"
) -> dict[str, str]:
    """Fit one scaler per column; the result goes under ``features:``.

    Nulls and NaN do not count. Parameters are written with all their digits. Aggregates add up in the order in which
    rows come, so another run over the same data may differ in the last digit: fit once, keep the file.

    Parameters
    ----------
    data : pyspark.sql.DataFrame, or whatever ``pyarrow.table`` takes
        The training rows: a batch DataFrame, a pyarrow Table, pandas, Polars.
    columns : sequence of str
        Columns of numbers; ``a.b`` is the field b of the struct a.
    kind : {"standard", "minmax", "robust"}
        ``standard``: mean and standard deviation (by n, as scikit-learn). ``minmax``: least and greatest value.
        ``robust``: median and the range between the quartiles, interpolated; Spark keeps a column's distinct
        values in memory for it. Default "standard".
    suffix : str
        What a feature's name has after its column's. Default "_scaled".

    Returns
    -------
    dict of str to str
        Name of the feature to its SQL, in the order of `columns`.

    Raises
    ------
    FitError
        When a column holds no numbers, or an infinite one.

    Examples
    --------
    >>> firesteel.fit_scalers(df, ["amount"])
    {'amount_scaled': 'scale_standard(amount, 1.75, 1.25)'}
    >>> firesteel.fit_scalers(df.toArrow(), ["amount", "age"], "minmax")
    {'amount_scaled': 'scale_minmax(amount, 0.5, 3.0)', 'age_scaled': 'scale_minmax(age, -1.0, 2.0)'}
    """
    _refuse_text(columns)
    if kind not in ("standard", "minmax", "robust"):
        raise ValueError(f"kind is {kind!r}; it must be standard, minmax or robust")
    pairs = (_by_spark if _is_spark(data) else _by_arrow)(data, columns, kind)
    fitted: dict[str, str] = {}
    taken: set[str] = set()
    for column, (first, second) in zip(columns, pairs, strict=True):
        if first is None or second is None:
            raise FitError(f"column {column} has no value that is a number; nothing can be fitted to it")
        if not (math.isfinite(first) and math.isfinite(second)):
            raise FitError(f"column {column} has an infinite value, or values too large to add; filter them")
        sql = f"scale_{kind}({_sql(column)}, {float(first)!r}, {float(second)!r})"
        fitted[_unused(_name(column) + suffix, taken)] = sql
    return fitted


def fit_one_hot(data: DataFrame | Any, columns: Sequence[str], *, most: int = 20) -> dict[str, str]:
    """Make a column of true and false for each frequent category; the result goes under ``features:``.

    A row of another category, or with a null, is false in all of them.

    Parameters
    ----------
    data : pyspark.sql.DataFrame, or whatever ``pyarrow.table`` takes
        The training rows.
    columns : sequence of str
        Columns of texts, whole numbers or booleans.
    most : int
        So many categories of a column at most, the most frequent ones. Default 20.

    Returns
    -------
    dict of str to str
        Name of the feature to its SQL; the categories of a column in ascending order.

    Raises
    ------
    FitError
        When a column is of another type, or has no value.

    Examples
    --------
    >>> firesteel.fit_one_hot(df, ["id"], most=2)
    {'id_1': 'id <=> 1', 'id_2': 'id <=> 2'}
    """
    _refuse_text(columns)
    if most < 1:
        raise ValueError(f"most is {most}; it must be at least 1")
    count = _counted_by_spark if _is_spark(data) else _counted_by_arrow
    fitted: dict[str, str] = {}
    taken: set[str] = set()
    for column in columns:
        categories = count(data, column, most)
        if not categories:
            raise FitError(f"column {column} has no value; nothing can be fitted to it")
        for category in sorted(categories):
            name = _unused(f"{_name(column)}_{_word(category)}", taken)
            fitted[name] = f"{_sql(column)} <=> {_literal(category)}"
    return fitted


def _refuse_text(columns: Sequence[str]) -> None:
    """Refuse a text, which to Python is a sequence of texts too."""
    if isinstance(columns, str):
        raise TypeError(f"columns is a text; write [{columns!r}]")


def _is_spark(data: Any) -> bool:
    return hasattr(data, "sparkSession")


def _by_spark(df: DataFrame, columns: Sequence[str], kind: Kind) -> list[_Pair]:
    """Fit all columns in one job."""
    from pyspark.sql import functions as F
    from pyspark.sql.types import NumericType

    selected = df.select(*(F.col(column).alias(str(n)) for n, column in enumerate(columns)))
    for column, field in zip(columns, selected.schema.fields, strict=True):
        if not isinstance(field.dataType, NumericType):
            raise FitError(_not_numbers(column, field.dataType.simpleString()))
    aggregates = []
    for n in range(len(columns)):
        x = F.nanvl(F.col(str(n)).cast("double"), F.lit(None).cast("double"))
        if kind == "standard":
            pair = F.struct(F.avg(x), F.stddev_pop(x))
        elif kind == "minmax":
            pair = F.struct(F.min(x), F.max(x))
        else:
            pair = F.percentile(x, F.array(*map(F.lit, (0.25, 0.5, 0.75))))
        aggregates.append(pair.alias(str(n)))
    found = selected.agg(*aggregates).collect()[0] if aggregates else ()
    return [_quartiles(value) if kind == "robust" else (value[0], value[1]) for value in found]


def _by_arrow(data: Any, columns: Sequence[str], kind: Kind) -> list[_Pair]:
    import pyarrow as pa
    import pyarrow.compute as pc

    table = _table(data)
    pairs: list[_Pair] = []
    for column in columns:
        values = _arrow_column(table, column)
        if not (
            pa.types.is_integer(values.type) or pa.types.is_floating(values.type) or pa.types.is_decimal(values.type)
        ):
            raise FitError(_not_numbers(column, str(values.type)))
        x = pc.drop_null(pc.cast(values, pa.float64(), safe=False))
        x = pc.filter(x, pc.invert(pc.is_nan(x)))
        if kind == "standard":
            pairs.append((pc.mean(x).as_py(), pc.stddev(x, ddof=0).as_py()))
        elif kind == "minmax":
            found = pc.min_max(x).as_py()
            pairs.append((found["min"], found["max"]))
        else:
            pairs.append(_quartiles(pc.quantile(x, q=[0.25, 0.5, 0.75]).to_pylist()))
    return pairs


def _quartiles(found: Sequence[float | None] | None) -> _Pair:
    """Turn the three quartiles into the median and the range between the outer two."""
    low, middle, high = found or (None, None, None)
    return (middle, None) if low is None or high is None else (middle, high - low)


def _counted_by_spark(df: DataFrame, column: str, most: int) -> list[Any]:
    from pyspark.sql import functions as F
    from pyspark.sql.types import BooleanType, IntegralType, StringType

    selected = df.select(F.col(column).alias("category"))
    data_type = selected.schema["category"].dataType
    if not isinstance(data_type, StringType | IntegralType | BooleanType):
        raise FitError(_no_category(column, data_type.simpleString()))
    counted = selected.dropna().groupBy("category").count()
    rows = counted.orderBy(F.desc("count"), F.asc("category")).limit(most).collect()
    return [row["category"] for row in rows]


def _counted_by_arrow(data: Any, column: str, most: int) -> list[Any]:
    import pyarrow as pa
    import pyarrow.compute as pc

    values = _arrow_column(_table(data), column)
    if pa.types.is_dictionary(values.type):
        values = pc.cast(values, values.type.value_type)
    kinds = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_integer)
    if not any(is_kind(values.type) for is_kind in (*kinds, pa.types.is_boolean)):
        raise FitError(_no_category(column, str(values.type)))
    counted = [(entry["values"], entry["counts"]) for entry in pc.value_counts(pc.drop_null(values)).to_pylist()]
    return [category for category, _ in sorted(counted, key=lambda entry: (-entry[1], entry[0]))[:most]]


def _table(data: Any) -> Any:
    import pyarrow as pa

    return data if isinstance(data, pa.Table) else pa.table(data)


def _arrow_column(table: Any, column: str) -> Any:
    """Find a column by its name, or a struct's field by its path, as Spark would."""
    import pyarrow.compute as pc

    name = column.strip("`")
    if name in table.column_names:
        return table[name]
    outer, *path = name.split(".")
    if not path or outer not in table.column_names:
        raise FitError(f"there is no column {column}; there are {', '.join(table.column_names)}")
    return pc.struct_field(table[outer], path)


def _not_numbers(column: str, data_type: str) -> str:
    return f"column {column} is of type {data_type}; a scaler wants numbers"


def _no_category(column: str, data_type: str) -> str:
    return f"column {column} is of type {data_type}; categories are texts, whole numbers or booleans"


#: A path that SQL reads as it stands.
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")


def _sql(column: str) -> str:
    """Write a column as SQL wants it."""
    if column.startswith("`") or (_PLAIN.fullmatch(column) and column.lower() not in _KEYWORDS):
        return column
    return "`" + column.replace("`", "``") + "`"


#: Words that the engine's SQL parser takes for something else than a column; all keywords of sqlparser 0.62 were tried.
_KEYWORDS = frozenset(
    (
        *("all", "case", "cast", "current_date", "current_time", "current_timestamp", "distinct", "exists", "false"),
        *("interval", "localtime", "localtimestamp", "not", "null", "returning", "trim", "true"),
    )
)


def _word(value: object) -> str:
    """Keep what the name of a feature may have: ASCII letters, digits and underscores."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return re.sub(r"[^A-Za-z0-9_]+", "_", text)


def _name(column: str) -> str:
    word = _word(column.strip("`"))
    return f"_{word}" if word[:1].isdigit() else word


def _unused(name: str, taken: set[str]) -> str:
    """Make a name unique, whatever its case, by a number behind it."""
    unique, n = name, 2
    while unique.lower() in taken:
        unique, n = f"{name}_{n}", n + 1
    taken.add(unique.lower())
    return unique


def _literal(value: object) -> str:
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return str(value).lower() if isinstance(value, bool) else str(value)
