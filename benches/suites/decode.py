"""JSON decode alone: Firesteel's decoder beside arrow-json on the benchmark's events, one core, from memory.

Wraps ``rust/engine/examples/decode_bench.rs``, which compares the two outputs before it times them and counts time on
the core, so a busy machine does not spoil the figures.
"""

from __future__ import annotations

import argparse
import json

from benches.common import programs
from benches.common.paths import WORK
from benches.common.report import Bar, Figure, Report

US, PEER = "firesteel", "arrow-json"
#: The case that the bars speak of: the benchmark's own events.
CASE = "events"
ROWS_PER_S_BAR = 1_000_000
RATIO_BAR = 2.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options: sizes and repetitions stand in the program."""


def run(_args: argparse.Namespace) -> Report:
    """Runs the program and takes over its figures."""
    WORK.mkdir(parents=True, exist_ok=True)
    out = WORK / "decode.json"
    programs.run(programs.cargo_run("firesteel-engine", str(out), example="decode_bench"))
    printed = json.loads(out.read_text())
    first = printed["figures"][0]
    report = Report(
        "decode",
        "JSON to Arrow on one core, rows per second of core time",
        {"rows per repetition": first["rows"], "rows per batch": first["rows_per_batch"], "seed": printed["seed"]},
    )
    for case in printed["figures"]:
        detail = {"bytes_per_row": case["bytes_per_row"]}
        for who, key in ((US, "firesteel_rows_per_s"), (PEER, "arrow_json_rows_per_s")):
            report.figures.append(Figure(case["case"], who, "rows/s", tuple(case[key]["values"]), detail))
        report.ratio(case["case"], US, PEER)
    ratio = next(r for r in report.ratios if r.case == CASE)
    report.bars.append(Bar.at_least(f"{CASE}: rows/s per core", ROWS_PER_S_BAR, report.median(CASE, US)))
    report.bars.append(Bar.at_least(f"{CASE}: over arrow-json", RATIO_BAR, ratio.median))
    return report
