"""`docs/reference/windows.md` in plain Python: a list of events per key, every feature computed anew from the list.

For comparison with the engine, so slow and without cleverness. It shares no code and no idea with the engine: sums by
`math.fsum`, variance and slope in whole numbers of any size. It holds every event that the page says is kept.

Where the page leaves room, this is how it is read here. Tests that would hang on one of these say so:

1. An event is kept while its time is later than that of its key's newest minus (`keep` + `late.allow`). `lag`,
   `since_last`, `ewma`, `last N` and sessions see what is kept and no more.
2. `last N` and sessions count events before FILTER, which then drops some of them.
3. `share` divides by all events that pass FILTER, also those for which its condition is null.
4. A quantile takes NaN for the largest number, as min and max do.
5. With a delay, or without the current event, a session's last pause may be the one before the window's end.
6. `lag`, `delta`, `since_last` and `ewma` take no notice of `delay` and `current`.
7. `x` of this event in `zscore` counts even where FILTER drops this event from the window.
8. A difference of whole numbers that overflows is null, as a sum is.
"""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from tests.support.windows.spec import MICROS, Aggregate, Block, Row, Window, micros

YEAR_1 = -62_135_596_800 * MICROS
YEAR_10000 = 253_402_300_800 * MICROS


@dataclass(frozen=True)
class Event:
    """A row at its place in its key's history. `number` counts arrivals and so breaks ties."""

    time: int
    number: int
    row: Row


@dataclass
class History:
    """A key's kept events, by time, then arrival."""

    events: list[Event] = field(default_factory=list)
    newest: int | None = None

    def is_late(self, time: int, allow: int) -> bool:
        return self.newest is not None and self.newest - time > allow

    def take(self, event: Event, kept_for: int) -> None:
        insort(self.events, event, key=lambda e: (e.time, e.number))
        self.newest = event.time if self.newest is None else max(self.newest, event.time)
        first = self.newest - kept_for
        if self.events[0].time <= first:
            self.events = [e for e in self.events if e.time > first]

    def before(self, event: Event) -> list[Event]:
        """What stood before a row that has just come and is not yet taken."""
        return self.events[: bisect_right(self.events, event.time, key=lambda e: e.time)]


@dataclass(frozen=True)
class Results:
    """Per row its features, or None; and the codes of rejected rows by row number."""

    features: list[dict[str, Any] | None]
    rejected: dict[int, str]


def run(blocks: Sequence[Block], rows: Sequence[Row]) -> Results:
    """All blocks over rows in the order in which they arrive, one row after the other."""
    histories: list[dict[tuple[Any, ...], History]] = [{} for _ in blocks]
    results = Results([], {})
    for number, row in enumerate(rows):
        made = _one_row(blocks, histories, number, row)
        if isinstance(made, str):
            results.rejected[number] = made
        results.features.append(None if isinstance(made, str) else made)
    return results


def run_in_time_order(blocks: Sequence[Block], rows: Sequence[Row], order: str) -> Results:
    """Batch over a table: each block as if everything had arrived by its time, then by the column `order`."""
    results = Results([{} for _ in rows], {})
    good = list(range(len(rows)))
    for block in blocks:
        for number in good:
            fault = _fault(block, rows[number])
            if fault:
                results.rejected[number] = fault
                results.features[number] = None
        good = [number for number in good if number not in results.rejected]
        arrived = sorted(good, key=lambda n: (rows[n][block.time], rows[n][order]))
        for number, features in zip(arrived, run([block], [rows[n] for n in arrived]).features, strict=True):
            into = results.features[number]
            assert into is not None
            assert features is not None, "nothing is late in time order"
            into.update(features)
    return results


def _one_row(
    blocks: Sequence[Block], histories: list[dict[tuple[Any, ...], History]], number: int, row: Row
) -> dict[str, Any] | str:
    features: dict[str, Any] = {}
    for block, of_keys in zip(blocks, histories, strict=True):
        fault = _fault(block, row)
        if fault:
            return fault
        event = Event(row[block.time], number, row)
        history = of_keys.setdefault(tuple(row[name] for name in block.key), History())
        before = history.before(event)
        if not history.is_late(event.time, micros(block.allow)):
            history.take(event, block.kept_for)
            # What has just been dropped is gone for this row, too.
            before = [e for e in before if e.time >= history.events[0].time]
        elif block.then == "reject":
            return "LATE_EVENT"
        features |= _features(block, before, event)
    return features


def _fault(block: Block, row: Row) -> str | None:
    if any(row[name] is None for name in block.key):
        return "NULL_KEY"
    time = row[block.time]
    if time is None or not YEAR_1 <= time < YEAR_10000:
        return "BAD_EVENT_TIME"
    return None


def _features(block: Block, before: list[Event], event: Event) -> dict[str, Any]:
    made = {}
    picked: dict[Any, Picked] = {}
    inside = {text: _inside(block, Window(text), before, event) for text in block.over}
    for column, (name, aggregate, window) in block.columns.items():
        if window is None:
            value = _without_window(aggregate, before, event)
        else:
            # Aggregates of one column over one window look at the same events: found once for all of them.
            at = (window.text, aggregate.x, aggregate.where)
            if at not in picked:
                picked[at] = _pick(aggregate, inside[window.text])
            value = _windowed(aggregate, window, picked[at], event)
        made[column] = block.default.get(name) if value is None else value
    return made


def _inside(block: Block, window: Window, before: list[Event], event: Event) -> list[Event]:
    """The events of a window, before FILTER."""
    end = event.time - micros(block.delay)
    seen = [*before, event] if block.current == "include" else before
    candidates = [e for e in seen if e.time <= end]
    if window.kind == "time":
        return [e for e in candidates if e.time > end - window.size]
    if window.kind == "last":
        return candidates[-window.size :]
    session: list[Event] = []
    later = end
    for e in reversed(candidates):
        if later - e.time >= window.size:
            break
        session.insert(0, e)
        later = e.time
    return session


@dataclass(frozen=True)
class Picked:
    """What an aggregate counts of a window: how many events pass FILTER, and time and value of those that have one."""

    passed: int
    times: list[int]
    values: list[Any]


def _pick(aggregate: Aggregate, inside: list[Event]) -> Picked:
    passed = [e for e in inside if aggregate.passes(e.row)]
    x = aggregate.x
    both = [(e.time, 1 if x is None else x.of(e.row)) for e in passed]
    found = [(time, value) for time, value in both if value is not None]
    return Picked(len(passed), [time for time, _ in found], [value for _, value in found])


def _windowed(aggregate: Aggregate, window: Window, picked: Picked, event: Event) -> Any:
    call, x, values = aggregate.call, aggregate.x, picked.values
    if call == "count":
        return len(values)
    if call == "rate":
        return len(values) / (window.size / MICROS)
    assert x is not None, f"{call} needs an argument"
    if call == "distinct":
        return len({_identity(value) for value in values})
    if call == "share":
        return sum(value is True for value in values) / picked.passed if picked.passed else None
    if not values:
        return None
    if call == "slope":
        return slope(picked.times, values)
    if call == "zscore":
        return _zscore(x.of(event.row), values)
    if call == "mode":
        return mode(values)
    if call == "quantile":
        return quantile(values, aggregate.p)
    return PLAIN[call](values)


def _without_window(aggregate: Aggregate, before: list[Event], event: Event) -> Any:
    passed = [e for e in before if aggregate.passes(e.row)]
    if aggregate.call == "since_last":
        return (event.time - passed[-1].time) / MICROS if passed else None
    x = aggregate.x
    assert x is not None, f"{aggregate.call} needs an argument"
    if aggregate.call == "ewma":
        both = [*passed, event] if aggregate.passes(event.row) else passed
        found = [e for e in both if x.of(e.row) is not None]
        return ewma([e.time for e in found], [x.of(e.row) for e in found], micros(aggregate.half_life))
    back = aggregate.k if aggregate.call == "lag" else 1
    lagged = x.of(passed[-back].row) if len(passed) >= back else None
    if aggregate.call == "lag":
        return lagged
    now = x.of(event.row)
    if now is None or lagged is None:
        return None
    return _in_bigint(now - lagged)


def _identity(value: Any) -> Any:
    return "NaN" if _is_nan(value) else value


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _in_bigint(value: Any) -> Any:
    return value if isinstance(value, float) or -(2**63) <= value < 2**63 else None


def _order(value: Any) -> tuple[bool, Any]:
    return (True, 0) if _is_nan(value) else (False, value)


def _zscore(now: Any, values: list[Any]) -> float | None:
    deviation = stddev(values)
    if now is None or not deviation:
        return None
    return (float(now) - mean(values)) / deviation


def total(values: Sequence[Any]) -> Any:
    """The exact sum, rounded once; of whole numbers and BOOLEAN a BIGINT, null where it overflows."""
    if not any(isinstance(value, float) for value in values):
        return _in_bigint(sum(values))
    if any(math.isnan(value) for value in values) or {math.inf, -math.inf} <= set(values):
        return math.nan
    infinite = [value for value in values if math.isinf(value)]
    if infinite:
        return infinite[0]
    try:
        return math.fsum(values)
    except OverflowError:
        return _nearest(sum(map(Fraction, values), Fraction()))


def mean(values: Sequence[Any]) -> float:
    """The exact sum by the count."""
    if any(isinstance(value, float) for value in values):
        return float(total(values)) / len(values)
    return sum(values) / len(values)


def variance(values: Sequence[Any], lost: int) -> float | None:
    """The exact sum of squares around the exact mean by (n - lost), rounded once."""
    count = len(values)
    if count <= lost:
        return None
    if not all(math.isfinite(value) for value in values):
        return math.nan
    whole, scale = _whole(values)
    around = count * sum(v * v for v in whole) - sum(whole) ** 2
    return _nearest(Fraction(around, count * (count - lost) * scale * scale))


def var(values: Sequence[Any]) -> float | None:
    return variance(values, 1)


def stddev(values: Sequence[Any]) -> float | None:
    found = variance(values, 1)
    return None if found is None else math.sqrt(found)


def var_pop(values: Sequence[Any]) -> float | None:
    return variance(values, 0)


def stddev_pop(values: Sequence[Any]) -> float | None:
    found = variance(values, 0)
    return None if found is None else math.sqrt(found)


def slope(times: Sequence[int], values: Sequence[Any]) -> float | None:
    """Least squares, exact until the last division: change per second."""
    if len(set(times)) < 2:
        return None
    if not all(math.isfinite(value) for value in values):
        return math.nan
    whole, scale = _whole(values)
    count = len(times)
    since = [time - times[0] for time in times]
    across = count * sum(t * v for t, v in zip(since, whole, strict=True)) - sum(since) * sum(whole)
    along = count * sum(t * t for t in since) - sum(since) ** 2
    return _nearest(Fraction(across * MICROS, along * scale))


def smallest(values: Sequence[Any]) -> Any:
    """NaN, which does not equal itself, is larger than every number."""
    numbers = [value for value in values if value == value]
    return min(numbers) if numbers else values[0]


def largest(values: Sequence[Any]) -> Any:
    numbers = [value for value in values if value == value]
    return max(numbers) if len(numbers) == len(values) else math.nan


def quantile(values: Iterable[Any], p: float) -> float:
    """Interpolated between the neighbours of the place p (n - 1)."""
    ordered = sorted(values, key=_order)
    place = p * (len(ordered) - 1)
    below = math.floor(place)
    low, high = float(ordered[below]), float(ordered[math.ceil(place)])
    return low if low == high or place == below else low + (high - low) * (place - below)


def mode(values: Sequence[Any]) -> Any:
    """The most frequent value; of several the one whose newest event is newest."""
    places: dict[Any, list[int]] = {}
    for place, value in enumerate(values):
        places.setdefault(_identity(value), []).append(place)
    return values[max(places.values(), key=lambda found: (len(found), found[-1]))[-1]]


def ewma(times: Sequence[int], values: Sequence[Any], half_life: int) -> float | None:
    """The mean with weights that halve every half-life, counted from the newest value so that none is lost to 0."""
    if not values:
        return None
    weights = [0.5 ** ((times[-1] - time) / half_life) for time in times]
    return float(total([w * float(v) for w, v in zip(weights, values, strict=True)])) / math.fsum(weights)


def _whole(values: Sequence[Any]) -> tuple[list[int], int]:
    """Finite numbers as whole ones, each times the same power of two."""
    ratios = [value.as_integer_ratio() for value in values]
    scale = max(below for _, below in ratios)
    return [above * (scale // below) for above, below in ratios], scale


def _nearest(value: Fraction) -> float:
    """The double nearest to an exact number, infinite beyond the range."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


#: Aggregates that need nothing but the values, oldest first, none of them null, at least one.
PLAIN: dict[str, Callable[[list[Any]], Any]] = {
    "sum": total,
    "avg": mean,
    "var": var,
    "stddev": stddev,
    "var_pop": var_pop,
    "stddev_pop": stddev_pop,
    "min": smallest,
    "max": largest,
    "median": lambda values: quantile(values, 0.5),
    "first": lambda values: values[0],
    "last": lambda values: values[-1],
}
