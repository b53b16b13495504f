"""JSON decode alone: Firesteel's decoder beside arrow-json on the benchmark's events, one core, from memory."""

from __future__ import annotations

import argparse

from benches.common import programs
from benches.common.report import Bar, Report

US, PEER = "firesteel", "arrow-json"
ROWS_PER_S_BAR = 1_000_000
RATIO_BAR = 2.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options: the program's own defaults are those of the published table."""
    parser.set_defaults(repetitions=None)


def run(args: argparse.Namespace) -> Report:
    """Runs ``rust/engine/examples/decode_bench.rs``."""
    printed = programs.printed_json(programs.cargo_run("firesteel-engine", example="decode_bench"))
    report = Report("decode", "JSON to Arrow on one core, rows per second", printed.get("settings", {}))
    report.figures += programs.figures(printed)
    for case in dict.fromkeys(f.case for f in report.figures):
        if report.figure(case, PEER) is None:
            continue
        ours = report.median(case, US)
        report.bars.append(Bar.at_least(f"{case}: rows/s per core", ROWS_PER_S_BAR, ours))
        report.bars.append(Bar.at_least(f"{case}: over arrow-json", RATIO_BAR, report.ratio(case, US, PEER).median))
    return report
