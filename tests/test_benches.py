"""The benchmarks' own arithmetic: rates from a query's progress, ratios and bars; peaks of memory."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest

from benches.common.cpu import peak_rss_bytes, reset_peak
from benches.common.progress import kept_rate
from benches.common.report import Bar, Figure, Report
from benches.suites import kafka, latency
from benches.suites.inference import turned

MIB = 2**20
#: A process whose child holds 96 MiB for a moment, says so, and waits.
GREEDY_CHILD = """
import subprocess, sys
held = "held = bytearray(b'x') * (96 << 20); del held; print('done', flush=True); input()"
subprocess.run([sys.executable, "-c", held])
"""


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


def test_a_bar_below_does_not_hold_at_its_target() -> None:
    assert Bar.below("p99", 2.0, 1.9).holds
    assert not Bar.below("p99", 2.0, 2.0).holds


def test_the_peak_of_a_tree_counts_from_the_reset() -> None:
    command = [sys.executable, "-c", GREEDY_CHILD]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        try:
            assert program.stdout.readline() == b"done\n"
            before = peak_rss_bytes(program.pid)
            reset_peak(program.pid)
            after = peak_rss_bytes(program.pid)
        finally:
            program.stdin.close()
            program.wait(20)
    assert before > 96 * MIB
    assert 1 * MIB < after < before - 64 * MIB
    assert peak_rss_bytes(program.pid) == 0


def figures(case: str, unit: str, medians: dict[str, float]) -> list[Figure]:
    return [Figure(case, who, unit, (value,)) for who, value in medians.items()]


def test_costs_are_compared_case_by_case_with_peers_only() -> None:
    report = Report("kafka", "form", {})
    report.figures += figures("lr", "rows/s", {"ort_java": 2.0, "jackson": 4.0, "firesteel": 9.0, "native": 10.0})
    report.figures += figures("read", "rows/s", {"ort_java": 2.0, "native": 8.0})
    report.figures += figures("read, peak memory", "MiB", {"ort_java": 100.0, "native": 999.0})
    report.figures += figures("lr, CPU", "s", {"ort_java": 6.0, "jackson": 3.0, "firesteel": 1.0, "native": 2.0})
    report.figures += figures("lr, peak memory", "MiB", {"ort_java": 800.0, "jackson": 900.0, "native": 850.0})
    kafka.judge(report, ["read", "lr"], ["ort_java", "jackson", "firesteel", "native"])
    assert {bar.name: (bar.target, bar.value, bar.holds) for bar in report.bars} == {
        "read: over Spark's Kafka source": (">= 3.5", 4.0, True),
        "lr: over the best from_json peer (ort_java)": (">= 3.5", 5.0, True),
        "lr: over the hand-tuned Jackson peer": (">= 2.5", 2.5, True),
        "lr: CPU lower than every peer's (lowest: jackson), CPU s per million rows": ("< 3", 2.0, True),
        "lr: peak memory lower than every peer's (lowest: ort_java), MiB": ("< 800", 850.0, False),
    }


def test_who_takes_part_in_which_case() -> None:
    cases = ("read", "lr", "lr>kafka", "lr>kafka once")
    assert [case for case in cases if kafka.takes("native", case)] == list(cases)
    assert [case for case in cases if kafka.takes("ort_java", case)] == ["read", "lr", "lr>kafka"]
    assert [case for case in cases if kafka.takes("jackson", case)] == ["lr", "lr>kafka"]


def test_latency_is_compared_with_the_best_peer_in_any_form() -> None:
    contenders = ["jackson", "jackson@2", "firesteel@2", "native"]
    report = Report("latency", "form", {})
    report.figures += figures("p50", "ms", dict(zip(contenders, (40.0, 30.0, 10.0, 20.0), strict=True)))
    report.figures += figures("p99", "ms", dict(zip(contenders, (80.0, 90.0, 70.0, 80.0), strict=True)))
    latency.judge(report, contenders)
    assert [(bar.name, bar.target, bar.holds) for bar in report.bars] == [
        ("p50 below the best peer's (jackson@2), ms", "< 30", True),
        ("p99 below the best peer's (jackson), ms", "< 80", False),
    ]
    assert [ratio.over for ratio in report.ratios] == ["jackson", "jackson@2", "firesteel@2"] * 2


@pytest.mark.parametrize("spelled", ["jackson@", "jackson@0", "jackson@two", "native@2", "nobody"])
def test_a_wrong_contender_is_refused_before_anything_runs(spelled: str) -> None:
    with pytest.raises(SystemExit, match=spelled):
        latency.split(spelled)


def test_a_contender_with_and_without_tasks() -> None:
    assert latency.split("jackson") == ("jackson", None)
    assert latency.split("jackson@2") == ("jackson", 2)


def test_event_ids_are_found_in_events_and_in_scores() -> None:
    assert latency.event_id(b'{"event_id":17,"ts":"2026-01-01T00:00:00.000Z"}') == 17
    ids, times = latency.by_id([(3, 30.0), (1, 10.5), (2, 20.0)])
    assert ids.tolist() == [1, 2, 3]
    assert times.tolist() == [10.5, 20.0, 30.0]
