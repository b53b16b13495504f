"""Every function and operator of the expression dialect, in Spark and in the engine, row by row.

Spark is the definition: version 4.2, ANSI on, session time zone UTC. Each expression is evaluated over a table of
edge values. A row on which Spark fails must be one that the engine rejects, and the other way round; everything else
must be the same value of the same type. Doubles may differ in the last bits only for the functions in LAST_BITS.
What Spark has no function for is compared with the SQL that it stands for, in STANDS_FOR.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import os
import pickle
import struct
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ENGINE = Path(
    os.environ.get("FIRESTEEL_EVAL_EXPR", ROOT / "target/x86_64-unknown-linux-gnu/release/examples/eval_expr")
)

DDL = (
    "id INT, i INT, j INT, small INT, l BIGINT, y TINYINT, h SMALLINT, f FLOAT, d DOUBLE, e DOUBLE, "
    "b BOOLEAN, s STRING, t STRING, dt DATE, ts TIMESTAMP"
)
NAMES = [part.split()[0] for part in DDL.split(", ")]
TYPES = dict(part.split() for part in DDL.split(", "))

UTC = dt.timezone.utc
EPOCH = dt.datetime(1970, 1, 1, tzinfo=UTC)
INF, NAN = math.inf, math.nan


def day(*ymd: int) -> int:
    return (dt.date(*ymd) - dt.date(1970, 1, 1)).days


def micros(y: int, mo: int, d: int, h: int = 0, mi: int = 0, s: int = 0, us: int = 0) -> int:
    return (dt.datetime(y, mo, d, h, mi, s, us, tzinfo=UTC) - EPOCH) // dt.timedelta(microseconds=1)


# Values per column; the rows combine them so that each value of a column meets several of the others.
VALUES: dict[str, list] = {
    "i": [None, 0, 1, -1, 7, -7, 125, 2147483647, -2147483648, 1000000],
    "j": [3, None, 0, -1, 2, 2147483647, -2147483648, -5],
    "small": [0, 1, 2, -1, -3, None, 10],
    "l": [None, 0, 9223372036854775807, -9223372036854775808, 5, -1, 1700000000123, 2147483648, 253402300799],
    "y": [None, 0, 127, -128, 3],
    "h": [0, None, 32767, -32768, 9],
    "f": [None, 0.0, -0.0, 1.5, NAN, INF, -INF, 3.4028234663852886e38, 0.1015625, -2.5, 1e-40],
    "d": [
        None,
        0.0,
        -0.0,
        1.0,
        -1.0,
        NAN,
        INF,
        -INF,
        0.5,
        2.5,
        -2.5,
        1e300,
        -1e-300,
        1.005,
        123456.789,
        3.0,
        1e19,
        0.1,
    ],
    "e": [2.0, NAN, None, 0.0, -INF, 1e-9, -3.5, INF, 10.0, -0.0, 0.5],
    "b": [True, False, None],
    "s": [
        None,
        "",
        "abc",
        "  pad  ",
        "Straße",
        "日本語テキスト",
        "a_b%c\\d",
        "12",
        " -7 ",
        "1e3",
        "true",
        "ΑΣ",
        "😀x",
        "abcabc",
        "NaN",
        "99999999999",
    ],
    "t": ["a", "", None, "bc", "本", "c\\d", "  ", "x", "s"],
    "dt": [
        None,
        0,
        day(2024, 2, 29),
        day(1969, 12, 31),
        day(1900, 3, 1),
        day(2000, 12, 31),
        day(1, 1, 1),
        day(9999, 12, 31),
        day(2021, 1, 3),
    ],
    "ts": [
        None,
        0,
        -1,
        micros(2024, 2, 29, 23, 59, 59, 999999),
        micros(1969, 12, 31, 23, 59, 59),
        micros(1582, 10, 4, 12),
        micros(2026, 11, 22, 6, 30),
        micros(1, 1, 1, 0, 0, 0, 1),
        micros(2100, 3, 1),
    ],
}
ROWS_COUNT = 150


def table() -> list[list]:
    rows = []
    for n in range(ROWS_COUNT):
        row: list = [n]
        for k, name in enumerate(NAMES[1:]):
            values = VALUES[name]
            # A different step per column, so that no two columns move together.
            row.append(values[(n * (k % 3 + 1) + n // len(values)) % len(values)])
        rows.append(row)
    return rows


ROWS = table()

# Beyond the examples of the functions: operators, casts, guards, corner signatures.
MORE = """
i + j | i - j | i * j | i / j | i % j | i div j | -i | l + 1 | l - i | l * l | l div j | l % j | y + y | y * h
h - y | -y | -h | -l | f + f | f * d | f / e | d + e | d - e | d * e | d / e | d % e | f % f | i + f | l + f
i * d | -d | -f | y / h | i % small | l % -1 | l div -1 | i = j | i <> j | i < l | d = e | d < e | d <= e
d > e | d >= e | d <=> e | s <=> t | i <=> j | f = d | f > 1 | d > 0 | s = t | s < t | b = (i > 0) | b < true
dt = ts | dt < ts | ts >= '2000-01-01' | dt = DATE '2024-02-29' | ts < TIMESTAMP '1970-01-01 00:00:00'
dt > '1970-01-01' | b AND i > 0 | b OR i > 0 | NOT b | !b | b AND NULL | b OR NULL | i <> 0 AND 10 / i > 1
i = 0 OR 10 / i > 1 | i BETWEEN -1 AND 7 | i NOT BETWEEN j AND 7 | i IN (0, 7, -7) | i NOT IN (0, 7)
i IN (1, NULL) | d IN (0, 1) | s IN ('abc', '12') | d BETWEEN e AND 10 | i IS NULL | i IS NOT NULL | b IS TRUE
b IS FALSE | b IS NOT TRUE | b IS NOT FALSE | s LIKE 'a%' | s LIKE '%_b%' | s LIKE '%\\\\%%' | s LIKE '_bc'
s NOT LIKE 'a%' | s LIKE '' | s LIKE t | CASE WHEN i > 0 THEN i WHEN i < 0 THEN l ELSE d END
CASE i WHEN 0 THEN 'zero' WHEN 7 THEN 'seven' END | CASE WHEN i = 0 THEN 0 ELSE 100 / i END
if(i = 0, 0, 10 / i) | if(b, s, t) | CAST(i AS STRING) | CAST(l AS INT) | CAST(l AS SMALLINT)
CAST(i AS TINYINT) | CAST(i AS DOUBLE) | CAST(l AS FLOAT) | CAST(l AS DOUBLE) | CAST(d AS INT)
CAST(d AS BIGINT) | CAST(d AS TINYINT) | CAST(f AS BIGINT) | CAST(f AS SMALLINT) | CAST(d AS FLOAT)
CAST(f AS DOUBLE) | CAST(d AS STRING) | CAST(f AS STRING) | CAST(b AS STRING) | CAST(b AS INT)
CAST(b AS DOUBLE) | CAST(i AS BOOLEAN) | CAST(d AS BOOLEAN) | CAST(dt AS STRING) | CAST(ts AS STRING)
CAST(ts AS DATE) | CAST(dt AS TIMESTAMP) | CAST(ts AS BIGINT) | CAST(ts AS DOUBLE) | CAST(i AS TIMESTAMP)
CAST(s AS INT) | CAST(s AS BIGINT) | CAST(s AS DOUBLE) | CAST(s AS BOOLEAN) | CAST(s AS TINYINT)
CAST(s AS FLOAT) | TRY_CAST(s AS INT) | TRY_CAST(s AS DOUBLE) | TRY_CAST(s AS BOOLEAN) | TRY_CAST(d AS INT)
TRY_CAST(l AS INT) | abs(d) | abs(l) | abs(y) | ceil(i) | floor(l) | ceil(f) | floor(f) | round(d)
round(d, 1) | round(d, -1) | round(i, -1) | round(i, -2) | round(l, -3) | round(f, 1) | round(y, -1)
round(i) | round(d, 10) | signum(d) | sign(f) | sqrt(i) | ln(i) | ln(1 + i) | log(d) | log(2, i) | log2(i)
log10(l) | exp(f) | pow(2, i) | pow(d, 0.5) | pow(1, d) | greatest(i, j) | least(i, j, l) | greatest(s, t)
least(dt, DATE '2000-01-01') | greatest(f, d) | least(ts, ts) | coalesce(s, t, 'x') | coalesce(i, 1 / j)
nvl(i, d) | nullif(d, e) | nullif(s, 'abc') | nanvl(f, 1) | isnan(f) | pmod(l, j) | pmod(d, e) | pmod(-7, i)
mod(d, e) | try_add(l, 1) | try_subtract(l, i) | try_multiply(l, l) | try_divide(i, j) | try_add(d, e)
try_mod(l, j) | trim(BOTH 'a' FROM s) | trim(LEADING 'ab' FROM s) | trim(TRAILING 'c ' FROM s) | ltrim('a', s)
rtrim('c', s) | s || '-' || t | concat(s) | concat(s, t, s) | replace(s, 'b') | replace(s, t, '#')
substring(s, 2) | substring(s, -3, 2) | substring(s, 0, 2) | substring(s, 2, -1) | substr(s, small, small)
left(s, 2) | right(s, -1) | length(concat(s, t)) | position('b' IN s) | instr(s, '') | year(dt) | month(ts)
dayofweek(ts) IN (1, 7) | weekofyear(ts) | hour(dt) | second(ts) | EXTRACT(YEAR FROM ts)
EXTRACT(HOUR FROM ts) | datediff(dt, ts) | datediff('2024-03-01', dt) | date_add(ts, 1) | date_sub(dt, 400)
add_months(dt, 1) | add_months(dt, -12) | add_months(ts, 13) | date_trunc('year', ts)
date_trunc('QUARTER', ts) | date_trunc('month', ts) | date_trunc('day', ts) | date_trunc('hour', ts)
date_trunc('minute', ts) | date_trunc('second', ts) | date_trunc('millisecond', ts) | trunc(dt, 'year')
trunc(dt, 'week') | trunc(ts, 'quarter') | unix_timestamp(dt) | hour(ts) <= 6 | 1 + 2 * 3 | 7 div 2 + 1
xxhash64(b) | xxhash64(y) | xxhash64(h) | xxhash64(i) | xxhash64(l) | xxhash64(f) | xxhash64(d) | xxhash64(s)
xxhash64(dt) | xxhash64(ts) | xxhash64(b, y, h, i, l, f, d, e, s, t, dt, ts) | xxhash64(t, s) | xxhash64(s, NULL)
xxhash64(NULL) | xxhash64('web', 5) | xxhash64(CAST(i AS DECIMAL(12, 2))) | xxhash64(CAST(l AS DECIMAL(38, 4)))
xxhash64(CAST(s AS BINARY)) | xxhash64(s || 'abcdefghijklmnopqrstuvwxyz0123456789' || t || s || s)
pmod(xxhash64(s, i), 512) | width_bucket(d, -2, 3, 4) | width_bucket(d, 3, -2, 7) | width_bucket(i, j, 100, 10)
width_bucket(d, e, 0.5, l) | width_bucket(f, -1e3, 1e3, 1000)
10 - 4 - 3 | 2 * 7 % 4 | -2147483648 | 'it\\'s' | "double" | 1e6 | -1e-3 | true | 5 % -3 | -5 % 3
NOT true OR true
"""
EXPRESSIONS = [part.strip() for line in MORE.strip().splitlines() for part in line.split(" | ")]


def haversine_sql(lat1: str, lon1: str, lat2: str, lon2: str) -> str:
    """The formula in Spark SQL, null where a position is off the globe."""
    north = f"sin(radians(({lat2}) - ({lat1})) / 2)"
    east = f"sin(radians(({lon2}) - ({lon1})) / 2)"
    part = f"{north} * {north} + cos(radians({lat1})) * cos(radians({lat2})) * {east} * {east}"
    off = " OR ".join(
        f"(abs(double({x})) > {limit} AND NOT isnan(double({x})))"
        for x, limit in [(lat1, 90), (lon1, 360), (lat2, 90), (lon2, 360)]
    )
    part = f"if({part} > 1 AND NOT isnan({part}), 1D, {part})"
    return f"if({off}, NULL, 2 * 6371008.8D * asin(sqrt({part})))"


# Functions of our own, each beside what it stands for in Spark.
STANDS_FOR = {
    "bucket(d, -1, 0, 2.5)": "CAST(d >= -1 AS INT) + CAST(d >= 0 AS INT) + CAST(d >= 2.5 AS INT)",
    "bucket(i, 0)": "CAST(i >= 0 AS INT)",
    "bucket(f, -2.5, 1.5, 1e30)": "CAST(f >= -2.5 AS INT) + CAST(f >= 1.5 AS INT) + CAST(f >= 1e30 AS INT)",
    "cyclic_cos(hour(ts), 24)": "cos(2 * pi() * (hour(ts) % 24D / 24D))",
    "cyclic_sin(time_of_day(ts), 24)": "sin(2 * pi() * (pmod(unix_micros(ts), 86400000000) / 3600000000 % 24D / 24D))",
    "cyclic_sin(d, 7)": "sin(2 * pi() * (d % 7D / 7D))",
    "cyclic_cos(d, e)": "cos(2 * pi() * (d % if(e > 0 AND e < double('Infinity'), e, 0) / e))",
    "hash_bucket(s, 1000)": "CAST(pmod(xxhash64(s), 1000) AS INT)",
    "hash_bucket(l, 2147483647)": "CAST(pmod(xxhash64(l), 2147483647) AS INT)",
    "hash_cross(s, i, dt, 64)": "CAST(pmod(xxhash64(s, i, dt), 64) AS INT)",
    "haversine(d, e, i, j)": haversine_sql("d", "e", "i", "j"),
    "haversine(d * 25, e * 30, j * 7e0, d * 50)": haversine_sql("d * 25", "e * 30", "j * 7e0", "d * 50"),
    "scale_minmax(i, -7, 125)": "(i - -7D) / 132D",
    "scale_minmax(d, 2.5, 2.5)": "d - 2.5D",
    "scale_robust(f, 0.5, 2.5)": "(f - 0.5D) / 2.5D",
    "scale_robust(y, 3, 0)": "y - 3D",
    "scale_standard(d, 1.5, 0.3)": "(d - 1.5D) / 0.3D",
    "scale_standard(l, -1e3, 7e-2)": "(l - -1e3D) / 7e-2D",
    "time_of_day(ts)": "pmod(unix_micros(ts), 86400000000) / 3600000000",
    "time_of_day(dt)": "pmod(unix_micros(CAST(dt AS TIMESTAMP)), 86400000000) / 3600000000",
}
EXPRESSIONS += STANDS_FOR

# Java's Math.sin and its like may differ from StrictMath in the last bit; units in the last place.
LAST_BITS = dict.fromkeys(
    [
        "sin",
        "cos",
        "tan",
        "asin",
        "acos",
        "atan",
        "atan2",
        "sinh",
        "cosh",
        "tanh",
        "exp",
        "expm1",
        "pow",
        "power",
        "cbrt",
        "log",
        "log2",
        "log10",
        "log1p",
        "ln",
        "hypot",
        "degrees",
        "radians",
    ],
    2,
) | {
    # Errors of sines and cosines, squared and added.
    "haversine": 32,
}


def bits(value: float) -> str:
    return struct.pack(">d", value).hex()


def to_engine(name: str, value):
    if value is not None and TYPES[name] in ("DOUBLE", "FLOAT"):
        return bits(value)
    return value


def engine(*args: str, request: dict | None = None):
    text = json.dumps(request) + "\n" if request else ""
    done = subprocess.run([str(ENGINE), *args], input=text, capture_output=True, text=True, timeout=120, check=True)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def functions() -> list[dict]:
    if not ENGINE.exists():
        pytest.skip(f"{ENGINE} is not built: cargo build --release -p firesteel-engine --example eval_expr")
    return engine("--list")


@pytest.fixture(scope="module")
def expressions(functions: list[dict]) -> list[str]:
    return list(dict.fromkeys([function["example"] for function in functions] + EXPRESSIONS))


@pytest.fixture(scope="module")
def ours(expressions: list[str]) -> dict[str, dict]:
    rows = [[to_engine(name, value) for name, value in zip(NAMES, row, strict=True)] for row in ROWS]
    results = engine(request={"schema": DDL, "rows": rows, "expressions": expressions})
    return dict(zip(expressions, results, strict=True))


@pytest.fixture(scope="module")
def theirs(expressions: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple]:
    """Spark's answers, from a process of its own: this Spark shares no session with the other tests."""
    folder = tmp_path_factory.mktemp("expressions")
    (folder / "expressions.json").write_text(json.dumps(expressions), encoding="utf-8")
    subprocess.run([sys.executable, __file__, str(folder)], check=True, timeout=900)
    return pickle.loads((folder / "answers.pickle").read_bytes())


def spark_table():
    from pyspark.sql import SparkSession

    spark = (
        SparkSession.builder.master("local[1]")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.ansi.enabled", "true")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "1")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("OFF")
    # Dates and timestamps go in as numbers, so that Python's calendar has no say.
    raw = DDL.replace("dt DATE", "dt INT").replace("ts TIMESTAMP", "ts BIGINT")
    frame = spark.createDataFrame([tuple(row) for row in ROWS], raw).coalesce(1)
    frame = frame.selectExpr(*NAMES[:-2], "date_from_unix_date(dt) dt", "timestamp_micros(ts) ts")
    # No constant folding across rows: the rows come from a cached relation, as a stream's would.
    frame = frame.cache()
    frame.count()
    return frame


def shown(column: str, data_type: str) -> str:
    if data_type == "date":
        return f"unix_date({column})"
    if data_type.startswith("timestamp"):
        return f"unix_micros({column})"
    return column


class Spark:
    """Spark's answers: the whole table in one job where no row fails, else one row at a time."""

    def __init__(self, frame):
        self.frame = frame
        plan = frame._jdf.queryExecution().executedPlan()
        self.rows = list(plan.executeCollect())

    def answers(self, sql: str):
        """Type and one outcome per row: ("ok", value) or ("failed", reason)."""
        selected = self.frame.selectExpr(f"{sql} AS v")
        data_type = selected.schema["v"].dataType.simpleString()
        final = selected.selectExpr(f"{shown('v', data_type)} AS v")
        try:
            return data_type, [("ok", row.v) for row in final.collect()]
        except Exception:
            return data_type, self.row_by_row(final)

    def row_by_row(self, selected):
        """Evaluates the optimised expression itself: a job per row would take minutes."""
        jvm = self.frame.sparkSession._jvm
        plan = selected._jdf.queryExecution().optimizedPlan()
        catalyst = jvm.org.apache.spark.sql.catalyst.expressions
        output = catalyst.package.AttributeSeq(plan.child().output())
        bound = catalyst.BindReferences.bindReference(plan.projectList().head(), output, False)
        outcomes = []
        for row in self.rows:
            try:
                value = bound.eval(row)
            except Exception as error:
                outcomes.append(("failed", str(getattr(error, "java_exception", error))[:120]))
            else:
                outcomes.append(("ok", value.toString() if hasattr(value, "toString") else value))
        return outcomes


def single(value):
    """The 32-bit float nearest to what Python shows: py4j hands a float over as its decimal text."""
    return struct.unpack(">f", struct.pack(">f", value))[0] if isinstance(value, float) else value


def from_engine(cell, data_type: str):
    if cell is not None and data_type in ("double", "float"):
        return struct.unpack(">d", bytes.fromhex(cell))[0]
    return cell


def ulps(x: float, y: float) -> float:
    def ordered(value: float) -> int:
        n = struct.unpack(">q", struct.pack(">d", value))[0]
        return n if n >= 0 else -(n & 0x7FFFFFFFFFFFFFFF)

    return abs(ordered(x) - ordered(y))


def same(left, right, tolerance: int) -> bool:
    if isinstance(left, float) and isinstance(right, float):
        if math.isnan(left) or math.isnan(right):
            return math.isnan(left) and math.isnan(right)
        if tolerance and math.isfinite(left) and math.isfinite(right):
            return ulps(left, right) <= tolerance
        return bits(left) == bits(right)
    return left == right and type(left) is type(right)


def differences(sql: str, result: dict, answer: tuple) -> list[str]:
    if "refused" in result:
        return [f"refused: {result['refused']}"]
    data_type, outcomes = answer
    found = []
    names = {"tinyint": "TINYINT", "smallint": "SMALLINT", "int": "INT", "bigint": "BIGINT"}
    expected = names.get(data_type, data_type.upper())
    if result["type"] != expected:
        found.append(f"type {result['type']}, in Spark {expected}")
    tolerance = max((n for name, n in LAST_BITS.items() if f"{name}(" in sql.lower()), default=0)
    for n, row in enumerate(ROWS):
        kind, value = outcomes[n]
        if data_type == "float":
            value = single(value)
        cell = result["values"][n]
        if kind == "failed":
            if "failed" not in cell:
                found.append(f"{row}: {cell}, in Spark {value}")
        elif "ok" not in cell:
            found.append(f"{row}: {cell}, in Spark {value!r}")
        elif not same(from_engine(cell["ok"], data_type), value, tolerance):
            found.append(f"{row}: {from_engine(cell['ok'], data_type)!r}, in Spark {value!r}")
    return found


@pytest.mark.timeout(900)
def test_every_expression_answers_as_spark_does(expressions, ours, theirs):
    report = []
    for sql in expressions:
        found = differences(sql, ours[sql], theirs[sql])
        if found:
            report.append(f"{sql}: {len(found)} difference(s)\n    " + "\n    ".join(found[:3]))
    assert not report, "\n".join([f"{len(report)} of {len(expressions)} expressions differ", *report])


def test_the_table_makes_both_failures_and_values(ours):
    """The comparison proves nothing if no row fails or every value is null."""
    failed = sum("failed" in cell for result in ours.values() for cell in result.get("values", []))
    values = sum(cell.get("ok") is not None for result in ours.values() for cell in result.get("values", []))
    assert failed > 1_000
    assert values > 20_000


def main(folder: Path) -> None:
    """Evaluate the folder's expressions in Spark and leave the answers there."""
    spark = Spark(spark_table())
    expressions = json.loads((folder / "expressions.json").read_text(encoding="utf-8"))
    answers = {}
    for sql in expressions:
        try:
            answers[sql] = spark.answers(STANDS_FOR.get(sql, sql))
        except Exception as error:
            answers[sql] = ("refused", [("refused", str(error)[:200])] * len(ROWS))
    (folder / "answers.pickle").write_bytes(pickle.dumps(answers))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
