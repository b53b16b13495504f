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

from tests.support.places import JAR, ROOT, required

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


def test_the_demo_scores_every_payment_and_says_so(out: Path) -> None:
    done = subprocess.run(
        command(out, "--days", 3), capture_output=True, text=True, timeout=220, check=False, env=marked(out)
    )
    assert done.returncode == 0, done.stderr[-3000:]
    summary = json.loads((out / "summary.json").read_text())
    manifest = json.loads((out / "manifest.json").read_text())

    rejected = sum(summary["rows_rejected"].values())
    assert summary["rows_in"] == manifest["records"] > 25_000
    assert summary["rows_in"] == summary["rows_scored"] + rejected
    assert rejected == manifest["rubbish"]["records"] + manifest["amounts_of_zero"] > 0
    assert summary["rows_scored"] == len(pd.read_parquet(out / "scores"))
    assert rejected == len(pd.read_parquet(out / "rejected"))
    assert summary["batches"] >= 3
    assert summary["rows_per_s"] > 0
    assert 0 < summary["batch_ms_p50"] <= summary["batch_ms_p99"]
    # Four stateless columns can't do more; a blind guess would be at 0.5, 0.008 and 0.01.
    assert 0.55 < summary["auc"] < 0.75
    assert summary["average_precision"] > 0.08
    assert summary["card_precision_100"] > 0.05
    for shown in ("rows scored", "MALFORMED", "card precision@100", "94-121", "129-131"):
        assert shown in done.stdout
    assert left_running(out) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_the_demo_takes_everything_with_it(number: signal.Signals, out: Path, tmp_path: Path) -> None:
    with (tmp_path / "output").open("wb") as sink:
        demo = subprocess.Popen(command(out, "--days", 40), stdout=sink, stderr=sink, env=marked(out))
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


def test_days_that_trained_the_model_are_refused(out: Path) -> None:
    done = subprocess.run(command(out, "--from-day", 100), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "the model was trained on the days up to it" in done.stderr
