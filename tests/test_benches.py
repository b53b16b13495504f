"""The benchmarks' own arithmetic: rates from a query's progress, ratios and bars; peaks of memory."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benches import make_payments, payments
from benches.common.cpu import peak_rss_bytes, reset_peak
from benches.common.progress import kept_rate
from benches.common.report import Bar, Figure, Report
from benches.peers.windows import ALL, arrays, contender, pandas_rolling
from benches.suites import kafka, latency, windows
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


def test_who_takes_part_in_the_stream_and_in_the_batch() -> None:
    assert [name for name in ALL if windows.takes(name, "stream")] == list(ALL[:6])
    assert [name for name in ALL if windows.takes(name, "batch")] == ["firesteel", "spark_sql", "pandas"]
    with pytest.raises(SystemExit, match=r"unknown contender 'tws'; known: native, .*, pandas"):
        contender("tws")


def test_a_topic_is_loaded_only_for_its_readers() -> None:
    everything = ["check", "warm", "measure"]
    assert windows.wanted_topics("all", ["stream"], ["tws_scala"]) == everything
    assert windows.wanted_topics("slow", ["stream"], ["tws_scala", "pandas"]) == []
    assert windows.wanted_topics("slow", ["stream"], ["tws_pandas"]) == everything
    assert windows.wanted_topics("all", ["batch"], ["firesteel", "spark_sql"]) == []
    assert windows.wanted_topics("all", ["batch", "keys"], ["firesteel"]) == ["warm"]


def test_windows_are_compared_with_the_best_of_each_family() -> None:
    report = Report("windows", "form", {})
    rates = {"native": 10.0, "native_store": 3.2, "firesteel": 3.0, "tws_scala": 2.0}
    rates |= {"pandas_state": 0.5, "tws_pandas": 0.25}
    report.figures += figures("stream", "rows/s", rates)
    report.figures += figures("batch", "rows/s", {"firesteel": 8.0, "spark_sql": 2.0, "pandas": 0.25})
    windows.judge(report, ["stream", "batch"], [*rates, "spark_sql", "pandas"])
    assert [(bar.name, bar.target, bar.value, bar.holds) for bar in report.bars] == [
        ("stream: native over tws_scala", ">= 5", 5.0, True),
        ("stream: native over pandas_state", ">= 20", 20.0, True),
        ("stream: native_store over tws_scala", ">= 1.2", 1.6, True),
        ("stream: firesteel over tws_scala", ">= 1.2", 1.5, True),
        ("batch: firesteel over spark_sql", ">= 5", 4.0, False),
        ("batch: firesteel over pandas", ">= 20", 32.0, True),
    ]
    assert report.ratios[3].case == "stream, firesteel"


def some_payments() -> pa.Table:
    """Three customers; some payments exactly a window after another one."""
    draw = np.random.default_rng(5)
    seconds = np.sort(draw.integers(0, 45 * 86_400, 600))
    columns = {
        "transaction_id": pa.array(np.arange(600)),
        "ts": pa.array(seconds, pa.int64()).cast(pa.timestamp("us")),
        "customer_id": pa.array(draw.integers(0, 3, 600)),
        "amount": pa.array(np.round(draw.uniform(1, 100, 600), 2)),
    }
    table = make_payments.with_times(pa.table(columns), make_payments.distinct(seconds))
    return make_payments.with_edges(table)


def test_payments_of_one_second_are_told_apart_in_their_order() -> None:
    times = make_payments.distinct(np.array([7, 7, 7, 9, 10, 10]))
    assert times.tolist() == [7_000_000, 7_001_000, 7_002_000, 9_000_000, 10_000_000, 10_001_000]


def test_edges_are_exactly_a_window_later_and_never_at_a_taken_time() -> None:
    table = some_payments()
    places = list(zip(table["customer_id"].to_pylist(), payments.micros(table).to_pylist(), strict=True))
    assert len(places) == len(set(places)) > 600
    times = [time for _, time in places]
    assert times == sorted(times)
    assert table["transaction_id"].to_pylist() == list(range(table.num_rows))
    for span in payments.SPANS_US:
        assert any((customer, time - span) in places for customer, time in places)


def test_a_window_is_open_on_the_left_and_ends_with_the_payment_itself() -> None:
    day = payments.DAY_US
    times = pa.array([0, 1, day, day + 1], pa.int64()).cast(pa.timestamp("us", "UTC"))
    table = pa.table({"transaction_id": range(4), "ts": times, "customer_id": [1] * 4, "amount": [1.0, 2.0, 4.0, 8.0]})
    found = payments.reference(table)
    assert found["customer_id_nb_1d"].tolist() == [1, 2, 2, 2]
    assert found["customer_id_avg_amount_1d"].tolist() == [1.0, 1.5, 3.0, 6.0]
    assert found["customer_id_nb_7d"].tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("step_rows", [1, 7, 1000])
def test_the_pandas_peers_compute_the_definition_however_the_stream_is_cut(step_rows: int) -> None:
    table = some_payments()
    frame = pd.DataFrame({name: table[name].to_numpy() for name in ("customer_id", "transaction_id", "amount")})
    frame["ts"] = payments.micros(table).to_numpy()
    found: list[pd.DataFrame] = []
    kept: dict[int, bytes] = {}
    for start in range(0, len(frame), step_rows):
        for customer, rows in frame[start : start + step_rows].groupby("customer_id"):
            features, kept[customer] = arrays.step(iter([rows[:2], rows[2:]]), kept.get(customer))
            found.append(features)
    got = pa.Table.from_pandas(pd.concat(found), preserve_index=False)
    assert payments.agrees(payments.difference(got, payments.reference(table)))


def test_pandas_rolling_computes_the_definition(tmp_path: Path) -> None:
    table = some_payments()
    file = tmp_path / "payments.parquet"
    pq.write_table(table, file)
    got = pa.Table.from_pandas(pandas_rolling.training_set(file), preserve_index=False)
    assert payments.agrees(payments.difference(got, payments.reference(table)))


def test_a_difference_of_a_row_a_count_or_an_average_is_found() -> None:
    table = some_payments()
    want = payments.reference(table)
    right = pa.table({name: pa.array(values) for name, values in want.items()})
    assert payments.agrees(payments.difference(right, want))
    assert not payments.agrees(payments.difference(right.slice(1), want))
    assert not payments.agrees(payments.difference(pa.concat_tables([right, right.slice(0, 1)]), want))
    for name, wrong in (
        ("customer_id_nb_7d", 10**6),
        ("customer_id_avg_amount_30d", 1e-6),
        ("customer_id_nb_1d", None),
    ):
        values = want[name].tolist()
        values[3] = None if wrong is None else values[3] + wrong
        column = right.column_names.index(name)
        assert not payments.agrees(payments.difference(right.set_column(column, name, pa.array(values)), want))


def test_keys_pay_in_rounds_and_some_of_them_once_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_payments, "PAYMENTS", tmp_path)
    rounds = pq.read_table(make_payments.keys(500, 3))
    assert sorted(rounds["customer_id"].to_pylist()) == sorted([*range(500)] * 3)
    times = payments.micros(rounds).to_numpy()
    assert np.all(np.diff(times) > 0)
    assert times[-1] - times[0] < 20 * payments.DAY_US
    after = pq.read_table(make_payments.keys(500, 3, after=True))
    assert len(set(after["customer_id"].to_pylist())) == after.num_rows == 500
    assert payments.micros(after).to_numpy().min() > times[-1]
