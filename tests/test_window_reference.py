"""The windows' reference by itself: tables by hand, and the standard library's and NumPy's own answers."""

from __future__ import annotations

import json
import math
import statistics
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support import window_reference
from tests.support.windows import chance, rows, tables
from tests.support.windows.spec import Aggregate, Block, Window, column, micros
from tests.support.windows.table import COLUMNS, Table


@pytest.mark.parametrize("table", tables.TABLES, ids=lambda table: table.name)
def test_the_reference_gives(table: Table) -> None:
    made = rows.case(table.name, COLUMNS, table.blocks, table.rows)
    case = table.case()
    case.check(made.wanted.select(case.wanted.column_names), made.rejected)


def test_names_are_unique_and_every_column_is_wanted() -> None:
    everything = [*tables.TABLES, *tables.FEATURE_TABLES]
    assert len({table.name for table in everything}) == len(everything)
    for table in everything:
        made = {name for block in table.blocks for name in block.columns}
        assert made <= set(table.wanted), table.name


def test_a_wrong_value_and_a_wrong_row_are_found() -> None:
    case = tables.TABLES[0].case()
    counts = case.wanted["nb_10m"].to_pylist()
    wrong = case.wanted.set_column(1, "nb_10m", pa.array([*counts[:-1], counts[-1] + 1]))
    with pytest.raises(AssertionError, match="nb_10m: 1 of 5 differ: row 4: got 2, want 1"):
        case.check(wrong, {})
    with pytest.raises(AssertionError, match="rejected that should not be"):
        case.check(case.wanted, {2: "LATE_EVENT"})
    with pytest.raises(AssertionError, match="Arrays are not equal"):
        case.check(case.wanted.slice(1), {})
    nulled = case.wanted.set_column(1, "nb_10m", pa.array([*counts[:-1], None]))
    with pytest.raises(AssertionError, match="got None, want 1"):
        case.check(nulled, {})


def test_a_case_is_the_same_as_records_and_as_a_table(tmp_path: Path) -> None:
    case = tables.TABLES[0].case()
    records = [json.loads(record) for record in case.records(tmp_path)]
    assert [record["row"] for record in records] == [0, 1, 2, 3, 4]
    assert records[1]["ts"] == "2026-01-01T00:05:00.000000"
    assert pq.read_table(case.parquet(tmp_path)).equals(case.events)
    lines = list(replace(case, name="lines", format="csv").records(tmp_path))
    assert lines[1] == b'1,"a",1,"2026-01-01T00:05:00.000000",1,1,true,"s"'


@pytest.mark.parametrize("seed", range(20))
def test_numbers_agree_with_the_standard_library(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = (
        rng.normal(size=int(rng.integers(2, 40))) * 10.0 ** rng.integers(-3, 6) + rng.integers(-1000, 1000)
    ).tolist()
    times = np.cumsum(rng.integers(1, 10**9, size=len(values))).tolist()
    assert window_reference.total(values) == math.fsum(values)
    assert window_reference.mean(values) == statistics.fmean(values)
    assert window_reference.var(values) == pytest.approx(statistics.variance(values), rel=1e-15)
    assert window_reference.stddev_pop(values) == pytest.approx(statistics.pstdev(values), rel=1e-15)
    found = window_reference.slope(times, values)
    assert found == pytest.approx(np.polyfit(np.array(times) / 1e6, values, 1)[0], rel=1e-7)
    for p in (0.0, 0.1, 0.5, 0.77, 1.0):
        assert window_reference.quantile(values, p) == pytest.approx(np.quantile(values, p), rel=1e-14)
    halving = pd.Series(values).ewm(
        halflife=pd.Timedelta(seconds=100), times=pd.to_datetime(pd.Series(times), unit="us")
    )
    assert window_reference.ewma(times, values, micros("100 seconds")) == pytest.approx(
        halving.mean().iloc[-1], rel=1e-12
    )


def test_sums_beyond_every_double_are_infinite_or_come_back() -> None:
    assert window_reference.total([1e308, 1e308]) == math.inf
    assert window_reference.total([1e308, 1e308, -1e308]) == 1e308
    assert math.isnan(window_reference.total([math.inf, -math.inf]))
    assert window_reference.total([2**63 - 1, 1]) is None
    assert window_reference.total([True, False, True]) == 2


def test_windows_are_named_as_written() -> None:
    names = {
        "250 milliseconds": "250ms",
        "1 day": "1d",
        "2 weeks": "2w",
        "last 100": "last100",
        "session 30 minutes": "session30m",
    }
    assert {text: Window(text).suffix for text in names} == names


def test_the_pipeline_file_has_the_block_as_the_page_writes_it() -> None:
    block = Block(
        ("terminal_id",),
        {"nb": Aggregate("count"), "risk": Aggregate("avg", column("is_fraud"))},
        ("1 day", "7 days", "30 days"),
        delay="7 days",
        default={"risk": 0},
    )
    assert block.yaml == {
        "key": "terminal_id",
        "time": "ts",
        "over": ["1 day", "7 days", "30 days"],
        "delay": "7 days",
        "compute": {"nb": "count(*)", "risk": "avg(is_fraud)"},
        "default": {"risk": 0},
    }
    assert list(block.columns)[-1] == "terminal_id_risk_30d"


def test_chance_is_the_same_for_the_same_seed_and_hits_what_it_should() -> None:
    made = [chance.case(seed) for seed in range(20)]
    again = chance.case(4)
    assert again.events.equals(made[4].events), "an even seed: no NaN, which equals nothing"
    assert again.pipeline == made[4].pipeline
    codes = [code for case in made for code in case.rejected.values()]
    assert {"LATE_EVENT", "NULL_KEY", "BAD_EVENT_TIME"} == set(codes)
    text = " ".join(call for case in made for block in case.windows for call in block["compute"].values())
    for call in ("count", "share", "rate", *chance.OF_NUMBERS, *chance.OF_ANY, *chance.BEYOND_WINDOWS, "FILTER"):
        assert f"{call}(" in text or f"{call} (" in text, f"{call} never comes up"
    assert any("last" in str(block["over"]) for case in made for block in case.windows)
    assert any("session" in str(block["over"]) for case in made for block in case.windows)
