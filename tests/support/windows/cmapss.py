"""C-MAPSS FD001, engines run to failure: mean, deviation and slope of 21 sensors over the last 5 and 20 cycles.

A cycle has no clock time; one minute each keeps their order. Some sensors never change: their deviation is exactly 0,
so their z-score is null.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pyarrow as pa

from tests.support.places import shared
from tests.support.windows.case import Case, Near, numbered
from tests.support.windows.slices import Array, Slices, by_key, moments
from tests.support.windows.spec import Aggregate, Block, column, micros

ROWS, ENGINES = 20_631, 100
LENGTHS = (5, 20)
SENSORS = [f"s{n}" for n in range(1, 22)]
#: Columns 6, 10, 15, 21, 23 and 24 of the file, from 1: s1, s5, s10, s16, s18, s19 (column 5 is a setting).
CONSTANT = ["s1", "s5", "s10", "s16", "s18", "s19"]
COLUMNS = {"row": "BIGINT", "unit": "INT", "ts": "TIMESTAMP", **dict.fromkeys(SENSORS, "DOUBLE")}
_START = 1_577_836_800 * 1_000_000


def _compute() -> dict[str, Aggregate]:
    made = {}
    for sensor in SENSORS:
        x = column(sensor)
        made[f"{sensor}_mean"] = Aggregate("avg", x)
        made[f"{sensor}_stddev"] = Aggregate("stddev", x)
        made[f"{sensor}_slope"] = Aggregate("slope", x)
    made |= {f"{sensor}_zscore": Aggregate("zscore", column(sensor)) for sensor in CONSTANT}
    return made


# No window is a time window, so how long events are kept must be said; no engine has more than 362 cycles.
BLOCK = Block(("unit",), _compute(), tuple(f"last {n}" for n in LENGTHS), keep="7 days", order="row")


@cache
def _frame() -> pd.DataFrame:
    path = shared("maintenance", "cmapss", "train_FD001.txt")
    names = ["unit", "cycle", "setting1", "setting2", "setting3", *SENSORS]
    frame = pd.read_csv(path, sep=r"\s+", header=None, names=names, float_precision="round_trip")
    return frame.assign(ts=_START + frame["cycle"] * micros("1 minute"))


@cache
def case() -> Case:
    frame = _frame()
    ts = pa.array(frame["ts"].to_numpy()).cast(pa.timestamp("us"))
    sensors = {name: pa.array(frame[name].to_numpy(np.float64)) for name in SENSORS}
    events = numbered(COLUMNS, {"unit": pa.array(frame["unit"].to_numpy()), "ts": ts, **sensors})
    found = _features(frame)
    wanted = {"row": events["row"]}
    wanted |= {name: pa.array(found[name], from_pandas=True) for name in BLOCK.columns if "_zscore_" not in name}
    nothing = pa.nulls(len(frame), pa.float64())
    wanted |= {name: nothing for name in BLOCK.columns if "_zscore_" in name}
    near = {}
    for name in BLOCK.columns:
        sensor = name.split("_")[1]
        largest = float(np.abs(frame[sensor]).max())
        # The deviation of what never changes is 0, not nearly so.
        is_zero = sensor in CONSTANT and "_stddev_" in name
        near[name] = Near(part=1e-9, amount=0.0 if is_zero else 1e-13 * largest)
    return Case("cmapss", COLUMNS, [BLOCK.yaml], events, pa.table(wanted), near=near)


def _features(frame: pd.DataFrame) -> dict[str, Array]:
    made = {name: np.full(len(frame), np.nan) for name in BLOCK.columns}
    times = frame["ts"].to_numpy()
    for rows in by_key(frame["unit"].to_numpy()):
        for length in LENGTHS:
            slices = Slices.of_last(len(rows), length)
            for sensor in SENSORS:
                found = moments(times[rows], frame[sensor].to_numpy(np.float64)[rows], slices)
                for name in ("mean", "stddev", "slope"):
                    made[f"unit_{sensor}_{name}_last{length}"][rows] = found[name]
    return made


def by_pandas() -> pd.DataFrame:
    """pandas' rolling windows."""
    frame = _frame()
    groups = frame.groupby("unit", sort=False)
    made = {}
    for length in LENGTHS:
        rolling = groups[[*SENSORS, "cycle"]].rolling(length, min_periods=1)
        means, deviations = rolling.mean(), rolling.std()
        spread = rolling["cycle"].var()
        products = frame[SENSORS].mul(frame["cycle"], axis=0).assign(unit=frame["unit"])
        crossed = products.groupby("unit", sort=False)[SENSORS].rolling(length, min_periods=1).mean()
        counts = rolling["cycle"].count()
        for sensor in SENSORS:
            made[f"unit_{sensor}_mean_last{length}"] = means[sensor]
            made[f"unit_{sensor}_stddev_last{length}"] = deviations[sensor]
            together = (crossed[sensor] - means[sensor] * means["cycle"]) * counts / (counts - 1)
            # A cycle is a minute.
            made[f"unit_{sensor}_slope_last{length}"] = together / spread / 60
    return pd.DataFrame({name: values.droplevel(0) for name, values in made.items()}).sort_index()
