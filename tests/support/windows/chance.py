"""Pipelines and streams by chance, the same for the same seed: small, and full of what goes wrong.

Times fall on a coarse grid, so that events are often exactly as old as a window is long, and many share a time. One key
has most of the events. Rows come out of order, up to beyond what is allowed; keys, times and values are null now and
then, some values NaN. Where the page leaves room (see the reference's opening) nothing hangs on it: everything is kept
if a block looks beyond its windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tests.support.windows import rows as of_rows
from tests.support.windows.case import Case
from tests.support.windows.spec import Aggregate, Block, Expression, Row, Window, column, micros

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
START = 1_767_225_600 * 1_000_000
GRID = micros("5 minutes")
KEEP_ALL = "3650 days"

X, N, B, S = (column(name) for name in "xnbs")
DOUBLED = Expression("x * 2", lambda row: None if row["x"] is None else row["x"] * 2)
ABSOLUTE = Expression("abs(n)", lambda row: None if row["n"] is None else abs(row["n"]))


def _greater(name: str, than: float) -> Expression:
    # NaN is greater than every number.
    return Expression(f"{name} > {than}", lambda row: None if row[name] is None else not row[name] <= than)


IS_A = Expression("s = 'a'", lambda row: None if row["s"] is None else row["s"] == "a")
CONDITIONS = (B, IS_A, _greater("x", 0.0), _greater("n", 1))
NUMBERS = (X, X, N, DOUBLED, ABSOLUTE)
ANY = (X, N, B, S)

TIME_WINDOWS = ("10 minutes", "30 minutes", "1 hour", "3 hours", "1 day", "300 seconds")
OTHER_WINDOWS = ("last 1", "last 3", "last 10", "session 10 minutes", "session 1 hour")
#: Aggregates by what they take.
OF_NUMBERS = ("sum", "avg", "var", "stddev", "var_pop", "stddev_pop", "zscore", "slope", "median", "quantile")
OF_ANY = ("count", "min", "max", "distinct", "first", "last", "mode")
BEYOND_WINDOWS = ("lag", "delta", "since_last", "ewma")


def _pick(rng: np.random.Generator, options: Sequence[Any]) -> Any:
    return options[int(rng.integers(len(options)))]


def _aggregate(rng: np.random.Generator, rate_works: bool, nan_works: bool) -> Aggregate:
    calls = ["count", "share", *OF_NUMBERS, *OF_ANY, *BEYOND_WINDOWS, *(["rate"] if rate_works else [])]
    call = str(_pick(rng, calls))
    x: Expression | None = _pick(rng, ANY if call in (*OF_ANY, "lag") else NUMBERS)
    if call == "share":
        # Never null: the page does not say whether a null counts in the divisor.
        condition = _pick(rng, CONDITIONS)
        x = Expression(f"coalesce({condition.sql}, false)", lambda row: condition.of(row) is True)
    elif call == "since_last" or (call in ("count", "rate") and rng.random() < 0.5):
        x = None
    elif nan_works and call in ("quantile", "median", "ewma"):
        # Neither where NaN stands in a quantile nor how long an ewma remembers it is said clearly.
        x = N
    where = _pick(rng, CONDITIONS) if rng.random() < 0.3 else None
    back = int(rng.integers(1, 4))
    return Aggregate(
        call,
        x,
        where,
        k=back if call == "lag" else 1,
        p=float(_pick(rng, (0.0, 0.1, 0.25, 0.5, 0.9, 1.0))),
        half_life=_pick(rng, ("10 minutes", "2 hours")),
    )


def block(rng: np.random.Generator, nan_works: bool) -> Block:
    """One block of up to three windows and eight aggregates."""
    times = rng.choice(TIME_WINDOWS, size=int(rng.integers(1, 3)), replace=False).tolist()
    others = rng.choice(OTHER_WINDOWS, size=int(rng.integers(0, 2)), replace=False).tolist()
    over = tuple(times + others)
    compute = {"nb": Aggregate("count")}
    compute |= {f"a{i}": _aggregate(rng, not others, nan_works) for i in range(int(rng.integers(3, 9)))}
    then = _pick(rng, ("reject", "reject", "use"))
    looks_beyond = bool(others) or then == "use" or any(not a.needs_window for a in compute.values())
    made = Block(
        key=_pick(rng, (("k",), ("k",), ("m",), ("k", "m"))),
        compute=compute,
        over=over,
        # A delay moves sessions in a way that the page does not spell out.
        delay="0 seconds" if others else _pick(rng, ("0 seconds", "0 seconds", "10 minutes", "1 hour")),
        current=_pick(rng, ("include", "include", "exclude")),
        allow=_pick(rng, ("0 seconds", "10 minutes", "1 hour", "1 hour")),
        then=then,
        keep=KEEP_ALL if looks_beyond else None,
        order="row",
    )
    if any(Window(text).kind == "session" for text in over):
        made = replace(made, current="include")
    if any(a.call == "ewma" for a in compute.values()):
        # Whether an event out of order sees later ones in its weighted mean has a table of its own.
        made = replace(made, allow="0 seconds", then="reject")
    numeric = [
        name for name, a in compute.items() if a.call in ("avg", "sum", "stddev", "zscore", "ewma", "since_last")
    ]
    return replace(made, default={name: -1 for name in numeric[:1] if rng.random() < 0.5})


def stream(rng: np.random.Generator, count: int, nan_works: bool) -> list[Row]:
    """Rows as they arrive: mostly forward on the grid, some back, a hot key, nulls."""
    keys = ["hot", "b", "c", "ü", ""]
    steps = rng.choice([0, 0, 1, 1, 2, 6, 40], size=count, p=[0.3, 0.1, 0.25, 0.15, 0.1, 0.09, 0.01])
    times = START + np.cumsum(steps) * GRID
    back = np.where(rng.random(count) < 0.2, rng.integers(0, 20, size=count), 0)
    times = times - back * GRID + np.where(rng.random(count) < 0.05, 1, 0)
    made: list[Row] = []
    for number in range(count):
        x: float | None = (
            float(rng.integers(-5000, 5000)) / 100 if rng.random() < 0.7 else float(_pick(rng, (0.0, 1.5)))
        )
        if nan_works and rng.random() < 0.03:
            x = float("nan")
        values: dict[str, Any] = {
            "k": "hot" if rng.random() < 0.7 else _pick(rng, keys),
            "m": int(rng.integers(0, 2)),
            "ts": int(times[number]),
            "x": x,
            "n": int(rng.integers(-3, 6)),
            "b": bool(rng.random() < 0.5),
            "s": _pick(rng, ("a", "b", "ab", "")),
        }
        for name, often in (("k", 0.01), ("m", 0.01), ("ts", 0.01), ("x", 0.1), ("n", 0.1), ("b", 0.1), ("s", 0.1)):
            if rng.random() < often:
                values[name] = None
        made.append({"row": number, **values})
    return made


def case(seed: int, *, order: Any = "arrival") -> Case:
    """One to three blocks over some hundred rows; every second seed has NaN among its values."""
    rng = np.random.default_rng(seed)
    nan_works = seed % 2 == 1
    blocks = [block(rng, nan_works) for _ in range(int(rng.integers(1, 4)))]
    if order == "time":
        # What is refused and what is not is a matter of arrival.
        blocks = [replace(b, then="reject") for b in blocks]
    # Two blocks may have the same key: the prefix keeps their columns apart.
    blocks = [replace(b, prefix=f"w{i}") for i, b in enumerate(blocks)]
    rows = stream(rng, int(rng.integers(50, 500)), nan_works)
    return of_rows.case(f"chance-{seed}", COLUMNS, blocks, rows, order=order)


def long_case(seed: int, count: int) -> Case:
    """Many rows, so that they come in several batches, over short windows."""
    rng = np.random.default_rng(seed)
    compute = {
        "nb": Aggregate("count"),
        "sum": Aggregate("sum", X),
        "avg": Aggregate("avg", X),
        "sd": Aggregate("stddev", X),
        "hi": Aggregate("max", X),
        "lo": Aggregate("min", N),
        "kinds": Aggregate("distinct", S),
        "often": Aggregate("mode", S),
        "mid": Aggregate("median", X),
        "newest": Aggregate("last", S, where=B),
    }
    blocks = [
        Block(("k",), compute, ("30 minutes", "3 hours"), order="row"),
        Block(
            ("m",), {"nb": Aggregate("count"), "rate": Aggregate("rate")}, ("1 hour",), delay="30 minutes", order="row"
        ),
    ]
    return of_rows.case(f"long-{seed}", COLUMNS, blocks, stream(rng, count, nan_works=False))
