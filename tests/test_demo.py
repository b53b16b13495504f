"""The demo as a user runs it, smaller: the books balance, and nothing is left running however it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from examples.fraud import handbook
from tests.support.places import JAR, ONLY_IN_FULL, ROOT, required

SIGNALS = [signal.SIGINT, pytest.param(signal.SIGTERM, marks=ONLY_IN_FULL), signal.SIGKILL]
DEMO = ROOT / "examples" / "demo" / "run_demo.py"


def command(out: Path, *options: object) -> list[str]:
    for built, how in ((JAR, "make jar"), (ROOT / "build" / "bin" / "firesteel", "make cli")):
        required(built, how)
    return [sys.executable, str(DEMO), "--out", str(out), "--batch-rows", "10000", *map(str, options)]


def marked(out: Path) -> dict[str, str]:
    """The environment with the folder's path in it, which everything that the demo starts inherits."""
    return {**os.environ, "FIRESTEEL_DEMO_TEST": str(out)}


def left_running(out: Path) -> list[str]:
    """Command lines of the living processes that were started with `marked(out)`."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                environment = (process / "environ").read_bytes()
                line = (process / "cmdline").read_bytes()
            except OSError:
                continue  # it ended just now, or is another user's
            if f"FIRESTEEL_DEMO_TEST={out}\0".encode() in environment and line:
                found.append(line.replace(b"\0", b" ").decode(errors="replace"))
    return found


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A folder of the demo's own."""
    return tmp_path / "demo"


@pytest.fixture(scope="module", autouse=True)
def trained(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The models of the pipeline file, which the demo itself would make."""
    if not handbook.are_trained():
        with (tmp_path_factory.mktemp("training") / "log").open("wb") as log:
            command = [sys.executable, handbook.__file__, "--only-train"]
            subprocess.run(command, check=True, timeout=400, stdout=log, stderr=log)


@pytest.mark.timeout(420)
def test_the_demo_scores_every_payment_as_a_batch_would_and_says_so(
    out: Path, spark: SparkSession, tmp_path: Path
) -> None:
    """Fewer days than the handbook's, so its figures are not reached here; test_handbook.py has all of them."""
    done = subprocess.run(
        command(out, "--days", 1, "--warm-up", 14),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=marked(out),
    )
    assert done.returncode == 0, done.stderr[-3000:]
    summary = json.loads((out / "summary.json").read_text())
    manifest = json.loads((out / "manifest.json").read_text())

    rejected = sum(summary["rows_rejected"].values())
    assert summary["rows_in"] == manifest["records"] > 140_000
    assert summary["rows_in"] == summary["rows_scored"] + rejected
    assert rejected == manifest["rubbish"]["records"] > 0
    assert rejected == len(pd.read_parquet(out / "rejected"))
    assert summary["batches"] >= 3
    assert summary["rows_per_s"] > 0
    assert 0 < summary["batch_ms_p50"] <= summary["batch_ms_p99"]
    assert (summary["scored_days"], summary["judged_days"]) == ([115, 129], [129, 129])
    for name in handbook.MODELS:
        # A blind guess would be at 0.5 and 0.007.
        assert summary["models"][name]["auc"] > 0.75
        assert summary["models"][name]["average_precision"] > 0.1
    for shown in (
        "rows scored",
        "MALFORMED",
        "card precision@100",
        "115-121",
        "published / ours",
        "Published are days",
    ):
        assert shown in done.stdout
    assert left_running(out) == []

    payments = handbook.simulate(spark, tmp_path, 115, 130)
    wanted = handbook.score(payments).sort_values("transaction_id")
    found = pd.read_parquet(out / "scores").sort_values("transaction_id")
    assert len(found) == summary["rows_scored"] == len(wanted)
    for column in ("transaction_id", "customer_id", *handbook.SCORES.values()):
        assert found[column].to_numpy().tobytes() == wanted[column].to_numpy().tobytes(), column


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_the_demo_takes_everything_with_it(number: signal.Signals, out: Path, tmp_path: Path) -> None:
    with (tmp_path / "output").open("wb") as sink:
        demo = subprocess.Popen(command(out), stdout=sink, stderr=sink, env=marked(out))
    try:
        deadline = time.monotonic() + 120
        # Broker and Spark are up, and the query runs.
        while not ((out / "progress.jsonl").exists() and '"started"' in (out / "progress.jsonl").read_text()):
            assert demo.poll() is None, (tmp_path / "output").read_text()[-3000:]
            assert time.monotonic() < deadline, (tmp_path / "output").read_text()[-3000:]
            time.sleep(0.1)
        assert len(left_running(out)) >= 3, "the demo, the broker and Spark"
        demo.send_signal(number)
        status = demo.wait(90)
    finally:
        demo.kill()
    deadline = time.monotonic() + 60
    while left_running(out) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left_running(out) == []
    expected = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}
    assert status == expected[number]
    if number == signal.SIGINT:
        assert (tmp_path / "output").read_text().rstrip().endswith("demo: stopped; nothing is left running")


def test_a_folder_with_other_files_is_left_alone(out: Path) -> None:
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")
    done = subprocess.run(command(out), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.strip() == f"demo: {out} holds other files: give --out another folder"
    assert (out / "thesis.txt").exists()


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("--warm-up", 13, "cards with a fraud in those days are left out"),
        ("--days", 8, "so long is the handbook's test"),
        ("--batch-rows", 100_000, "payments of a batch may be 7 days apart at most"),
    ],
)
def test_what_would_make_the_figures_wrong_is_refused(out: Path, option: str, value: int, reason: str) -> None:
    done = subprocess.run(command(out, option, value), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert reason in done.stderr
