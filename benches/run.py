"""Runs benchmarks: ``python -m benches.run all`` or one of them by name. ``make bench`` calls it.

Every benchmark writes ``benches/results/<name>.{json,md,png}``; all bars are printed once more at the end. The exit
status is 0 when everything ran, whether or not a bar was missed: a missed bar is a finding, not a failure.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys

from benches.common.paths import ROOT
from benches.common.report import Report

#: In the order in which `all` runs them: the quick ones first.
SUITES = ("decode", "crossing", "trees", "challengers", "ceiling", "inference", "swap", "kafka", "windows", "latency")


def parser() -> argparse.ArgumentParser:
    """The command line; every suite adds its own options. ``all`` runs each suite with its defaults."""
    top = argparse.ArgumentParser(prog="python -m benches.run", description="Runs benchmarks.")
    suites = top.add_subparsers(dest="suite", required=True)
    for name in (*SUITES, "all"):
        sub = suites.add_parser(name, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
        sub.add_argument("--bootstrap", default=None, help="a running broker; by default an embedded one is started")
        if name != "all":
            importlib.import_module(f"benches.suites.{name}").add_arguments(sub)
    return top


def main() -> None:
    """Runs what was asked for and prints the bars last."""
    args = parser().parse_args()
    os.chdir(ROOT)
    common = [] if args.bootstrap is None else ["--bootstrap", args.bootstrap]
    runs = [parser().parse_args([name, *common]) for name in SUITES] if args.suite == "all" else [args]
    reports: list[Report] = []
    for chosen in runs:
        print(f"benches: {chosen.suite}", file=sys.stderr, flush=True)
        suite = importlib.import_module(f"benches.suites.{chosen.suite}")
        report = suite.run(chosen)
        report.write(getattr(suite, "plot", None))
        reports.append(report)
    print("\nbars")
    for report in reports:
        report.print_bars()


if __name__ == "__main__":
    main()
