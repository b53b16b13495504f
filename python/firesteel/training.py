"""A pipeline's training set: :meth:`firesteel.Pipeline.training_set` makes one.

The driver's JVM does all of it; here arguments are checked for their kind and results wrapped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from firesteel._spark import is_classic
from firesteel.errors import FiresteelError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["TrainingSet"]

Unlabelled: TypeAlias = Literal["drop", "keep"]

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)
_LENGTHS = {
    ("us", "microsecond"): _MICROSECOND,
    ("ms", "millisecond"): timedelta(milliseconds=1),
    ("s", "second"): timedelta(seconds=1),
    ("m", "minute"): timedelta(minutes=1),
    ("h", "hour"): timedelta(hours=1),
    ("d", "day"): timedelta(days=1),
    ("w", "week"): timedelta(weeks=1),
}
#: Short and long names, as in a pipeline file.
_UNITS = {name: length for (short, long), length in _LENGTHS.items() for name in (short, long, f"{long}s")}


@dataclass(frozen=True)
class TrainingSet:
    """What a model is trained on: events with their features, and the labels that were known at `as_of`.

    Nothing is computed before an action, and each action computes the features anew: cache `rows` to use them twice.

    Attributes
    ----------
    rows : DataFrame
        Key columns, event time, features, labels; one row for each event whose label is known.
    rejected : DataFrame
        The events that the pipeline did not take, as :func:`firesteel.rejected` shows them.
    on : tuple of str
        The key columns, by which labels found their events.
    time : str
        The column of event times.
    features : tuple of str
        The inputs of the file's models in their order; without models all columns of its output but key and time.
    labels : tuple of str
        The label columns.
    as_of : datetime
        Labels that were not known by then are left out; in UTC.
    """

    rows: DataFrame
    rejected: DataFrame
    on: tuple[str, ...]
    time: str
    features: tuple[str, ...]
    labels: tuple[str, ...]
    as_of: datetime
    _made: Any = field(repr=False, compare=False)

    def counts(self) -> dict[str, int]:
        """Count what became of the events, in one run over them.

        Returns
        -------
        dict of str to int
            ``rows``; and what is left out: ``rejected``, ``undated`` (no event time), ``too_recent`` (the label could
            not be known at `as_of`), ``unlabelled``. Together they are all events.

        Examples
        --------
        >>> pipeline = firesteel.Pipeline.load("fraud.yaml")
        >>> pipeline.training_set(df, labels, "7 days", on="id", time="ts").counts()
        {'rows': 2, 'rejected': 0, 'undated': 0, 'too_recent': 1, 'unlabelled': 0}
        """
        found = self._made.counts()
        return {name: int(found.apply(name)) for name in ("rows", "rejected", "undated", "too_recent", "unlabelled")}


def made(
    path: str,
    df: DataFrame,
    labels: DataFrame,
    delay: str | timedelta,
    *,
    on: str | Sequence[str] | None,
    as_of: str | date | None,
    time: str | None,
    features: Sequence[str] | None,
    unlabelled: Unlabelled,
    default: Mapping[str, bool | int | float | str] | None,
) -> TrainingSet:
    """Have the driver make a training set."""
    session = df.sparkSession
    if not is_classic(session):
        raise FiresteelError("BAD_TRAINING_SET", "Spark Connect is not supported: use a classic session")
    if unlabelled not in ("drop", "keep"):
        raise ValueError(f"unlabelled is {unlabelled!r}; it must be drop or keep")
    if isinstance(features, str):
        raise TypeError(f"features is a text; write [{features!r}]")
    options = {
        "delay_us": _delay(delay) // _MICROSECOND,
        "on": [on] if isinstance(on, str) else list(on or []),
        "as_of_us": None if as_of is None else (_instant(as_of) - _EPOCH) // _MICROSECOND,
        "time": time,
        "features": list(features or []),
        "keep_unlabelled": unlabelled == "keep",
        "default": dict(default or {}),
    }
    # `_jvm`: rows of a pipeline with windows move between its parts, which no SQL function can do.
    spark = session._jvm.io.firesteel.spark  # type: ignore[union-attr]
    found = spark.training.TrainingSet.of(path, df._jdf, labels._jdf, json.dumps(options))
    frame = type(df)
    return TrainingSet(
        rows=frame(found.rows(), session),
        rejected=frame(found.rejected(), session),
        on=_texts(found.on()),
        time=found.time(),
        features=_texts(found.features()),
        labels=_texts(found.labels()),
        as_of=_EPOCH + timedelta(microseconds=found.asOfMicros()),
        _made=found,
    )


def _texts(names: Any) -> tuple[str, ...]:
    return tuple(names.apply(i) for i in range(names.size()))


def _delay(delay: str | timedelta) -> timedelta:
    """Read a duration as a pipeline file writes it."""
    if isinstance(delay, timedelta):
        return delay
    found = re.fullmatch(r"\s*(\d{1,9})\s*([A-Za-z]+)\s*", delay)
    unit = _UNITS.get(found[2].lower()) if found else None
    if found is None or unit is None:
        raise ValueError(f"delay is {delay!r}; write a whole number and a unit, such as '7 days', or a timedelta")
    return int(found[1]) * unit


def _instant(moment: str | date) -> datetime:
    """Read a moment; without a zone it is UTC, and a day alone is its beginning."""
    if isinstance(moment, str):
        moment = datetime.fromisoformat(re.sub("[zZ]$", "+00:00", moment))
    elif not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
