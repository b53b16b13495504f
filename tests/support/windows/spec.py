"""Parts of a `windows:` block as values: durations, windows, aggregates. They write the YAML and compute nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any, Literal

#: One event's columns. Times are whole microseconds since 1970, null is None, a DOUBLE is always a float.
Row = Mapping[str, Any]

MICROS = 1_000_000
#: Microseconds and letters in column names, by unit.
UNITS = {
    "millisecond": (1_000, "ms"),
    "second": (MICROS, "s"),
    "minute": (60 * MICROS, "m"),
    "hour": (3_600 * MICROS, "h"),
    "day": (86_400 * MICROS, "d"),
    "week": (7 * 86_400 * MICROS, "w"),
}


def _parts(text: str) -> tuple[int, int, str]:
    found = re.fullmatch(r"(\d+) ([a-z]+?)s?", text)
    if not found:
        raise ValueError(f"no duration: {text}")
    unit, letters = UNITS[found[2]]
    return int(found[1]), unit, letters


@cache
def micros(duration: str) -> int:
    """Microseconds of a duration such as `30 minutes`."""
    count, unit, _ = _parts(duration)
    return count * unit


@dataclass(frozen=True)
class Window:
    """`7 days`, `last 100` or `session 30 minutes`, as written."""

    text: str

    @cached_property
    def kind(self) -> Literal["time", "last", "session"]:
        first = self.text.split()[0]
        return "last" if first == "last" else "session" if first == "session" else "time"

    @cached_property
    def size(self) -> int:
        """Microseconds of a window or a pause, or a number of events."""
        rest = self.text.split(" ", 1)[1]
        return int(rest) if self.kind == "last" else micros(rest if self.kind == "session" else self.text)

    @cached_property
    def suffix(self) -> str:
        """The last part of a column's name."""
        if self.kind == "last":
            return f"last{self.size}"
        count, _, letters = _parts(self.text.removeprefix("session "))
        return f"{'session' if self.kind == 'session' else ''}{count}{letters}"


@dataclass(frozen=True)
class Expression:
    """An expression over one row: its SQL, and the same in Python."""

    sql: str
    of: Callable[[Row], Any]


def column(name: str) -> Expression:
    """A column as it is."""
    return Expression(name, lambda row: row[name])


#: Aggregates that look at other events but need no window.
WITHOUT_WINDOW = ("lag", "delta", "since_last", "ewma")


@dataclass(frozen=True)
class Aggregate:
    """One call under `compute:`. Without `x` it is a call of `*`."""

    call: str
    x: Expression | None = None
    where: Expression | None = None
    k: int = 1
    p: float = 0.5
    half_life: str = ""

    @property
    def sql(self) -> str:
        inside = self.x.sql if self.x else "*"
        if self.call == "quantile":
            inside += f", {self.p}"
        elif self.call == "lag" and self.k != 1:
            inside += f", {self.k}"
        elif self.call == "ewma":
            inside += f", '{self.half_life}'"
        condition = f" FILTER (WHERE {self.where.sql})" if self.where else ""
        return f"{self.call}({inside}){condition}"

    @property
    def needs_window(self) -> bool:
        return self.call not in WITHOUT_WINDOW

    def passes(self, row: Row) -> bool:
        """Whether FILTER lets an event through: false and null do not."""
        return self.where is None or self.where.of(row) is True


@dataclass(frozen=True)
class Block:
    """One block of `windows:`; the fields are its keys, with the documented defaults."""

    key: tuple[str, ...]
    compute: Mapping[str, Aggregate]
    over: tuple[str, ...] = ()
    time: str = "ts"
    default: Mapping[str, Any] = field(default_factory=dict)
    delay: str = "0 seconds"
    current: Literal["include", "exclude"] = "include"
    allow: str = "1 hour"
    then: Literal["reject", "use"] = "reject"
    keep: str | None = None
    prefix: str | None = None
    order: str | None = None

    @property
    def yaml(self) -> dict[str, Any]:
        """The block as the pipeline file has it; what is the default is left out."""
        wanted: dict[str, Any] = {"key": list(self.key) if len(self.key) > 1 else self.key[0], "time": self.time}
        if self.over:
            wanted["over"] = list(self.over)
        wanted["compute"] = {name: aggregate.sql for name, aggregate in self.compute.items()}
        if (self.allow, self.then) != ("1 hour", "reject"):
            wanted["late"] = {"allow": self.allow, "then": self.then}
        fallbacks = {"delay": "0 seconds", "current": "include"}
        for name in ("default", "delay", "current", "keep", "prefix", "order"):
            value = getattr(self, name)
            if value not in (None, {}) and value != fallbacks.get(name):
                wanted[name] = dict(value) if name == "default" else value
        return wanted

    @cached_property
    def columns(self) -> dict[str, tuple[str, Aggregate, Window | None]]:
        """New columns by name: the aggregate's name, the aggregate, its window."""
        first = "_".join(self.key) if self.prefix is None else self.prefix
        start = f"{first}_" if first else ""
        made: dict[str, tuple[str, Aggregate, Window | None]] = {}
        for name, aggregate in self.compute.items():
            if not aggregate.needs_window:
                made[f"{start}{name}"] = (name, aggregate, None)
                continue
            for text in self.over:
                window = Window(text)
                made[f"{start}{name}_{window.suffix}"] = (name, aggregate, window)
        return made

    @cached_property
    def kept_for(self) -> int:
        """Microseconds that an event stays, counted back from its key's newest."""
        longest = max((Window(text).size for text in self.over if Window(text).kind == "time"), default=0)
        kept = longest + micros(self.delay) if self.keep is None else micros(self.keep)
        return kept + micros(self.allow)
