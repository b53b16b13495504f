"""NAB's 58 series: rolling mean, deviation, slope, min and max over an hour and a day, one key per file.

The files are dealt out row by row, as sensors report: the first row of each file, then the second of each; or they come
one after the other, as in a dump. They are from other years, so neighbours in the stream lie years apart and the stream
as a whole steps back by years: only a key's own time may count. Repeated timestamps
and the one step back go through the reference, event by event; all other files through NumPy and pandas.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from tests.support import window_reference
from tests.support.places import shared
from tests.support.windows.case import Case, Near, numbered
from tests.support.windows.slices import Array, Slices, moments
from tests.support.windows.spec import Aggregate, Block, column, micros

FILES, ROWS = 58, 365_558
#: Series that hold a timestamp more than once, or step back.
WITH_REPEATS, STEPS_BACK = 8, "machine_temperature_system_failure"
HOURS = {"1h": "1 hour", "1d": "1 day"}
COLUMNS = {"row": "BIGINT", "series": "STRING", "ts": "TIMESTAMP", "x": "DOUBLE"}
_X = column("x")
#: The names of `slices.moments`.
COMPUTE = {
    "mean": Aggregate("avg", _X),
    "stddev": Aggregate("stddev", _X),
    "slope": Aggregate("slope", _X),
    "min": Aggregate("min", _X),
    "max": Aggregate("max", _X),
}
#: What becomes of a row that steps back: the default, no patience at all, or used and forgotten.
Late = Literal["default", "reject", "use"]
#: How the files become one stream, or batch over a table.
Order = Literal["dealt", "files", "time"]
_LATE: dict[Late, dict[str, Any]] = {
    "default": {},
    "reject": {"allow": "0 seconds"},
    "use": {"allow": "0 seconds", "then": "use"},
}


def block(late: Late = "default") -> Block:
    # What is kept is longer than any window of a row that is used late, so nothing hangs on when events are dropped.
    return Block(("series",), COMPUTE, tuple(HOURS.values()), order="row", prefix="", keep="3 days", **_LATE[late])


@cache
def series() -> dict[str, pd.DataFrame]:
    """Each file's `ts` in microseconds and `x`, in the file's order."""
    root = shared("nab", "labels", "combined_labels.json").parents[1] / "data"
    return {path.stem: _read(path) for path in sorted(root.rglob("*.csv"))}


def _read(path: Path) -> pd.DataFrame:
    # The parser that is quick by default may miss the last bit of a double.
    frame = pd.read_csv(path, float_precision="round_trip")
    times = pd.to_datetime(frame["timestamp"]).to_numpy().astype("datetime64[us]").astype(np.int64)
    return pd.DataFrame({"ts": times, "x": frame["value"].astype(np.float64)})


def odd(frame: pd.DataFrame) -> bool:
    """Whether a series repeats a timestamp or steps back."""
    return bool((np.diff(frame["ts"].to_numpy()) <= 0).any())


@cache
def case(late: Late = "default", order: Order = "dealt") -> Case:
    """All files. `order="time"` is dealt, too, but wants what batch over a table gives: nothing is out of order."""
    parts = [
        frame.assign(series=name, nth=np.arange(len(frame)), **features(name, late, order))
        for name, frame in series().items()
    ]
    by = ["series", "nth"] if order == "files" else ["nth", "series"]
    stream = pd.concat(parts).sort_values(by, kind="stable").reset_index(drop=True)
    events = numbered(
        COLUMNS,
        {
            "series": pa.array(stream["series"]),
            "ts": pa.array(stream["ts"].to_numpy()).cast(pa.timestamp("us")),
            "x": pa.array(stream["x"].to_numpy()),
        },
    )
    refused = stream["rejected"]
    accepted = stream[refused == ""]
    names = list(block().columns)
    wanted = pa.table(
        {
            "row": pa.array(accepted.index.to_numpy()),
            **{name: pa.array(accepted[name].to_numpy(), from_pandas=True) for name in names},
        }
    )
    rejected = {int(row): str(code) for row, code in refused[refused != ""].items()}
    return Case(f"nab-{late}-{order}", COLUMNS, [block(late).yaml], events, wanted, rejected, near=_near(accepted))


def _near(wanted: pd.DataFrame) -> dict[str, Near]:
    """NumPy's rounding errors, in terms of the largest number in each window."""
    made = {}
    for short in HOURS:
        largest = np.maximum(wanted[f"min_{short}"].abs(), wanted[f"max_{short}"].abs()).to_numpy()
        made[f"mean_{short}"] = Near(part=1e-13, amount=1e-13 * largest)
        # Where all values are the same it is 0, not nearly so.
        is_flat = (wanted[f"min_{short}"] == wanted[f"max_{short}"]).to_numpy()
        made[f"stddev_{short}"] = Near(part=1e-9, amount=np.where(is_flat, 0.0, 1e-13 * largest))
        made[f"slope_{short}"] = Near(part=1e-9, amount=1e-13 * largest)
    return made


def features(name: str, late: Late = "default", order: Order = "dealt") -> dict[str, Array]:
    """The columns of one series, and `rejected`: a code or nothing."""
    frame = series()[name]
    if not odd(frame):
        return by_slices(frame)
    # Those that repeat times never step back: nothing of theirs is late, and by time they stand as they are.
    return around_the_step(late, order == "time") if name == STEPS_BACK else by_reference(frame)


def by_slices(frame: pd.DataFrame) -> dict[str, Array]:
    """NumPy, for series that never step back."""
    times, values = frame["ts"].to_numpy(), frame["x"].to_numpy()
    made: dict[str, Array] = {"rejected": np.full(len(frame), "", dtype=object)}
    for short, text in HOURS.items():
        for name, found in moments(times, values, Slices.of_time(times, micros(text))).items():
            made[f"{name}_{short}"] = found
    return made


def around_the_step(late: Late = "default", by_time: bool = False) -> dict[str, Array]:
    """The series that steps back: the reference around the step, and NumPy where no window reaches the step."""
    frame = series()[STEPS_BACK]
    times = frame["ts"].to_numpy()
    step = int(np.flatnonzero(np.diff(times) < 0)[0])
    near = np.flatnonzero(np.abs(times - times[step]) <= micros("3 days"))
    found = by_reference(frame.iloc[near[0] : near[-1] + 1], late, by_time)
    ordered = frame.sort_values("ts", kind="stable")
    made = by_slices(ordered)
    back = np.argsort(ordered.index.to_numpy(), kind="stable")
    # From a day after its first row on the reference has all that is in a window; a day after the step none reaches it.
    is_near = np.abs(times - times[step]) <= micros("26 hours")
    for name, values in made.items():
        made[name] = values[back]
        made[name][is_near] = found[name][is_near[near[0] : near[-1] + 1]]
    return made


def by_reference(frame: pd.DataFrame, late: Late = "default", by_time: bool = False) -> dict[str, Array]:
    """The reference, event by event."""
    rows = [
        {"row": n, "series": "", "ts": t, "x": x}
        for n, (t, x) in enumerate(zip(frame["ts"].tolist(), frame["x"].tolist(), strict=True))
    ]
    if by_time:
        results = window_reference.run_in_time_order([block(late)], rows, "row")
    else:
        results = window_reference.run([block(late)], rows)
    made: dict[str, Array] = {"rejected": np.array([results.rejected.get(n, "") for n in range(len(rows))], object)}
    for output in block().columns:
        found = [None if of_row is None else of_row[output] for of_row in results.features]
        made[output] = np.array([np.nan if value is None else value for value in found])
    return made


def by_pandas(frame: pd.DataFrame) -> dict[str, Array]:
    """pandas' rolling windows, which carry rounding errors along, for series without oddities."""
    values = pd.Series(frame["x"].to_numpy(), index=pd.to_datetime(frame["ts"], unit="us"))
    seconds = pd.Series((frame["ts"] - frame["ts"].iloc[0]).to_numpy() / 1e6, index=values.index)
    made = {}
    for short, text in HOURS.items():
        rolling = values.rolling(text.replace("1 hour", "1h").replace("1 day", "1D"))
        found = {"mean": rolling.mean(), "stddev": rolling.std(), "min": rolling.min(), "max": rolling.max()}
        times = seconds.rolling(rolling.window)
        found["slope"] = rolling.cov(seconds) / times.var()
        made.update({f"{name}_{short}": rolled.to_numpy() for name, rolled in found.items()})
    return made
