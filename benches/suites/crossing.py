"""What the JNI border costs: µs per batch and ns per row, by batch size and column count.

The measuring is done by ``io.firesteel.spark.bridge.CrossingBench``, which is in the jar that users get. It times two
parts of a batch's way: ``write``, rows to Arrow, and ``cross``, Arrow to Arrow: one call with its import, the sum of
the float columns, its export and the release. The bar is about the second; a line through its batch sizes gives the
cost per batch and per row.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyspark

from benches.common import programs
from benches.common.paths import JAR, WORK, need
from benches.common.report import Bar, Figure, Report

MAIN = "io.firesteel.spark.bridge.CrossingBench"
#: The case of the bars: 16 float columns in, 1 out.
COLUMNS = 16
US_PER_BATCH_BAR = 40.0
NS_PER_ROW_BAR = 1.0
#: What Spark's launcher opens to the unnamed module and the bridge needs.
OPENED = ("java.lang", "java.nio", "java.util", "sun.nio.ch")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How often each case is timed."""
    parser.add_argument("--repetitions", type=int, default=5, help="samples of 0.2 s for each case")


def run(args: argparse.Namespace) -> Report:
    """Runs the program in a JVM with Spark's own class path."""
    WORK.mkdir(parents=True, exist_ok=True)
    out = WORK / "crossing.json"
    programs.run([*java(), MAIN, str(out), str(args.repetitions)])
    cases = json.loads(out.read_text())
    report = Report("crossing", "The JNI border, µs per batch", {"samples per case": args.repetitions})
    for part in ("cross", "write"):
        for case in cases:
            key = f"{part}_us"
            values = (case[f"{key}_min"], case[key], case[f"{key}_max"])
            report.figures.append(
                Figure(f"{case['rows']} rows", f"{part}, {case['columns']} columns", "µs/batch", values)
            )
    judge(report, cases)
    report.notes.append(
        "The program reports minimum, median and maximum of its samples; the values here are these three"
    )
    report.notes.append(
        "Every call also sums its columns, which is work and not border: the cost per row is an upper bound"
    )
    return report


def java() -> list[str]:
    """The start of a command line that runs a class of the jar beside Spark's jars."""
    home = os.environ.get("JAVA_HOME")
    program = str(Path(home, "bin", "java")) if home else shutil.which("java") or "java"
    jars = Path(pyspark.__file__).parent / "jars"
    opened = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED]
    return [program, "-Xmx1g", *opened, "-cp", f"{need(JAR, 'jar')}{os.pathsep}{jars}/*"]


def judge(report: Report, cases: list[dict[str, Any]]) -> None:
    """The line through the batch sizes, and the bars on every single size."""
    for columns in sorted({case["columns"] for case in cases}):
        for part in ("cross", "write"):
            chosen = [case for case in cases if case["columns"] == columns]
            per_row, per_batch = fitted(chosen, f"{part}_us")
            who = f"{part}, {columns} columns"
            report.figures.append(Figure("fitted cost of a batch", who, "µs", (per_batch,)))
            report.figures.append(Figure("fitted cost of a row", who, "ns", (per_row * 1000.0,)))
    for case in cases:
        if case["columns"] == COLUMNS:
            rows = case["rows"]
            budget = US_PER_BATCH_BAR + NS_PER_ROW_BAR * rows / 1000.0
            report.bars.append(Bar.at_most(f"{COLUMNS} columns in, 1 out, {rows} rows: µs", budget, case["cross_us"]))


def fitted(cases: list[dict[str, Any]], key: str) -> tuple[float, float]:
    """Slope and intercept of the cost over the rows, weighted by relative error so that small batches count as well."""
    rows = np.array([case["rows"] for case in cases], dtype=float)
    cost = np.array([case[key] for case in cases], dtype=float)
    slope, intercept = np.polyfit(rows, cost, 1, w=1.0 / cost)
    return float(slope), float(intercept)


def plot(report: Report, path: Path) -> None:
    """Cost over batch size, one line per column count, and the budget."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, 2, figsize=(9.5, 4.2), layout="constrained")
    for axes, part, title in zip(panels, ("cross", "write"), ("Arrow to Arrow", "rows to Arrow"), strict=True):
        for who in dict.fromkeys(f.who for f in report.figures if f.who.startswith(part)):
            shown = [f for f in report.figures if f.who == who and f.unit == "µs/batch"]
            rows = [int(f.case.split()[0]) for f in shown]
            axes.plot(rows, [f.median for f in shown], marker="o", markersize=3, label=who.split(", ")[1])
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xlabel("rows per batch")
        axes.set_title(title, fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
    sizes = np.geomspace(1, 32768, 60)
    panels[0].plot(sizes, US_PER_BATCH_BAR + sizes * NS_PER_ROW_BAR / 1000.0, "k--", label=f"bar for {COLUMNS} columns")
    panels[0].set_ylabel("µs per batch")
    panels[0].legend(fontsize=7, frameon=False)
    figure.savefig(path, dpi=130)
    plt.close(figure)
