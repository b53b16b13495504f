"""The benchmarks' own arithmetic: rates from a query's progress, ratios and bars."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from benches.common.progress import kept_rate
from benches.common.report import Bar, Figure, Report
from benches.suites.inference import turned


def batch(started: str, took_ms: int, rows: int) -> dict[str, object]:
    return {"timestamp": started, "durationMs": {"triggerExecution": took_ms}, "numInputRows": rows}


def test_rate_leaves_out_the_first_batch_and_counts_the_gaps() -> None:
    progress = [
        batch("2026-01-01T00:00:00.000Z", 9_000, 500),
        batch("2026-01-01T00:00:10.000Z", 1_000, 1_000),
        batch("2026-01-01T00:00:11.500Z", 500, 2_000),
        batch("2026-01-01T00:00:12.000Z", 3, 0),
    ]
    rate = kept_rate(progress)
    assert rate["rows"] == 3_000
    assert rate["rows_total"] == 3_500
    assert rate["seconds"] == pytest.approx(2.0)
    assert rate["rows_per_s"] == pytest.approx(1_500.0)


def test_rate_of_a_single_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="1 batches with rows"):
        kept_rate([batch("2026-01-01T00:00:00.000Z", 9_000, 500)])


def test_ratios_are_formed_inside_each_repetition() -> None:
    report = Report("form", "form", {})
    report.figures.append(Figure("lr", "firesteel", "rows/s", (300.0, 150.0, 330.0)))
    report.figures.append(Figure("lr", "ort_java", "rows/s", (200.0, 100.0, 110.0)))
    report.figures.append(Figure("lr", "arrow_udf", "rows/s", (10.0, 100.0, 120.0)))
    assert report.best("lr", ["ort_java", "arrow_udf"]) == "ort_java"
    assert report.best("lr", ["ort_java", "arrow_udf"], lowest=True) == "arrow_udf"
    assert report.ratio("lr", "firesteel", "ort_java").values == (1.5, 1.5, 3.0)
    assert report.ratios[0].median == 1.5


def test_a_report_holds_every_figure_and_its_bars(tmp_path: Path) -> None:
    report = Report("form", "A form", {"events": 5})
    report.figures.append(Figure("lr", "firesteel", "rows/s", (1.0, 3.0, 2.0)))
    report.bars += [Bar.at_least("reaches", 2.0, 2.0), Bar.at_most("stays below", 2.0, 2.5)]
    report.write(folder=tmp_path)
    written = json.loads((tmp_path / "form.json").read_text())
    assert written["figures"][0] == {
        "case": "lr",
        "who": "firesteel",
        "unit": "rows/s",
        "median": 2.0,
        "min": 1.0,
        "max": 3.0,
        "values": [1.0, 3.0, 2.0],
    }
    assert [bar["holds"] for bar in written["bars"]] == [True, False]
    assert "| stays below | <= 2 | 2.5 | **no** |" in (tmp_path / "form.md").read_text()
    assert (tmp_path / "form.png").stat().st_size > 0


def test_every_order_has_every_contender_and_no_two_in_a_row_are_the_same() -> None:
    names = ["a", "b", "c", "d", "e"]
    orders = [turned(names, repetition) for repetition in range(4)]
    assert all(sorted(order) == names for order in orders)
    assert all(one != other for one, other in itertools.pairwise(orders))
