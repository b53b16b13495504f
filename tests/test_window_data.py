"""Window features of real data against what others make of them: the handbook's own table, pandas, the reference.

The engine has no part in this file: here it is shown that the cases of `support/windows` want the right thing.
`test_windows.py` holds the engine against them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tests.support.windows import cmapss, fraud, nab, retail


def close(ours: Any, theirs: Any, part: float, amount: float) -> None:
    """All values are near, and nothing stands where there is nothing."""
    np.testing.assert_allclose(np.asarray(ours, float), np.asarray(theirs, float), rtol=part, atol=amount)


def test_the_handbooks_table_is_what_we_want_of_its_payments() -> None:
    golden, rows = fraud.golden()
    assert (len(fraud.case().events), len(rows)) == (1_754_155, 489_357 - len(fraud.SWAPPED))
    golden.check(fraud.golden_rows(fraud.case().wanted, rows), {})


def test_the_handbooks_row_of_the_reference_page() -> None:
    row = fraud.case().wanted.slice(1_236_698, 1).to_pylist()[0]
    assert [row[f"customer_id_nb_{short}"] for short in fraud.DAYS] == [4, 34, 120]
    averages = [row[f"customer_id_avg_amount_{short}"] for short in fraud.DAYS]
    assert averages == pytest.approx([68.4225, 67.46852941, 64.61175], abs=1e-8)
    assert [row[f"terminal_id_nb_{short}"] for short in fraud.DAYS] == [2, 9, 31]
    assert [row[f"terminal_id_risk_{short}"] for short in fraud.DAYS] == [0, 0, 0]
    assert (row["is_night"], row["is_weekend"], row["amount"]) == (1, 0, 42.32)


@pytest.mark.parametrize(
    ("make", "keys"), [(retail.customers_and_products, ["customer", "product"]), (retail.products, ["product"])]
)
def test_pandas_finds_the_same_in_retail(make: Any, keys: list[str]) -> None:
    case = make()
    assert len(case.events) == 541_909
    ours = case.wanted.to_pandas().set_index("row")
    for key in keys:
        theirs = retail.by_pandas(case, key)
        assert len(theirs) == len(ours)
        for name in theirs.columns:
            # Of sums of money pandas keeps the rounding errors of what has long left the window: lines of 168,469.60.
            close(ours[name], theirs[name], 1e-9, 1e-6 if "value" in name else 0)


def test_lines_without_a_customer_are_rejected_where_customers_are_keys() -> None:
    case = retail.customers_and_products()
    assert len(case.rejected) == retail.WITHOUT_CUSTOMER
    assert set(case.rejected.values()) == {"NULL_KEY"}
    assert not retail.products().rejected


def test_pandas_finds_the_same_in_nabs_series() -> None:
    compared = 0
    for name, frame in nab.series().items():
        if nab.odd(frame):
            continue
        ours, theirs = nab.by_slices(frame), nab.by_pandas(frame)
        largest = float(frame["x"].abs().max())
        for column, values in theirs.items():
            # pandas keeps rounding errors of the largest value; squared in the variance, so halved in its root.
            amount = {"m": 1e-12, "s": 1e-6}[column[0]] * largest
            try:
                close(ours[column], values, 1e-6, amount)
            except AssertionError as error:
                raise AssertionError(f"{name}, {column}: {error}") from error
        compared += 1
    assert compared == nab.FILES - len([frame for frame in nab.series().values() if nab.odd(frame)])


def test_nabs_oddities_are_the_known_ones() -> None:
    series = nab.series()
    assert (len(series), sum(map(len, series.values()))) == (nab.FILES, nab.ROWS)
    repeats = [name for name, frame in series.items() if frame["ts"].duplicated().any()]
    back = [name for name, frame in series.items() if (np.diff(frame["ts"]) < 0).any()]
    assert (len(repeats), back) == (nab.WITH_REPEATS, [nab.STEPS_BACK])


def test_two_ways_agree_on_nabs_odd_series() -> None:
    for name, frame in nab.series().items():
        if not nab.odd(frame):
            continue
        ours = nab.around_the_step() if name == nab.STEPS_BACK else nab.by_slices(frame)
        theirs = nab.by_reference(frame)
        largest = float(frame["x"].abs().max())
        for column in nab.block().columns:
            close(ours[column], theirs[column], 1e-9, 1e-13 * largest)


@pytest.mark.parametrize("late", ["default", "reject", "use"])
def test_the_series_that_steps_back(late: nab.Late) -> None:
    frame = nab.series()[nab.STEPS_BACK]
    found = nab.around_the_step(late)
    before = np.maximum.accumulate(frame["ts"].to_numpy())
    behind = before - frame["ts"].to_numpy()
    is_late = behind > (0 if late != "default" else 3_600 * 1_000_000)
    assert (behind > 0).any()
    expected = np.where(is_late & (late != "use"), "LATE_EVENT", "")
    np.testing.assert_array_equal(found["rejected"].astype(str), expected)
    # By its time the series is like any other.
    ordered = frame.sort_values("ts", kind="stable")
    by_time = nab.around_the_step(late, by_time=True)
    slices = nab.by_slices(ordered)
    for column in nab.block().columns:
        close(by_time[column][ordered.index], slices[column], 1e-9, 1e-10)


def test_pandas_finds_the_same_in_the_engines() -> None:
    case = cmapss.case()
    assert (len(case.events), len(pd.unique(case.events["unit"].to_pandas()))) == (cmapss.ROWS, cmapss.ENGINES)
    ours, theirs = case.wanted.to_pandas(), cmapss.by_pandas()
    for column in theirs.columns:
        largest = float(np.nanmax(np.abs(ours[f"unit_{column.split('_')[1]}_mean_last5"])))
        # pandas' products of sensor and cycle cancel; a slope is per second.
        amount = largest * (1e-9 if "slope" in column else 1e-12 if "mean" in column else 1e-7)
        close(ours[column], theirs[column], 1e-6, amount)


def test_sensors_that_never_change_have_no_deviation() -> None:
    case = cmapss.case()
    for sensor in cmapss.CONSTANT:
        for length in cmapss.LENGTHS:
            values = pa.array(case.wanted[f"unit_{sensor}_stddev_last{length}"].to_pylist())
            assert values.null_count == cmapss.ENGINES, "the first cycle of each engine"
            assert set(values.to_pylist()) == {None, 0.0}
