"""Tree ensembles: Firesteel's kernel beside ONNX Runtime, one thread, by batch size.

Wraps ``rust/engine/examples/trees_bench.rs``, which runs both sides in one process in turns and compares their scores
bit by bit before it times them.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from benches import tree_models
from benches.common import programs
from benches.common.paths import ONNXRUNTIME, WORK, need
from benches.common.report import Bar, Figure, Report

US, PEER = "firesteel", "onnxruntime"
#: The models that the bars speak of.
JUDGED = ("gbdt100", "gbdt300", "forest500")
#: Least ratio over ONNX Runtime from this batch size on, by kind of rows.
BARS = {"random": 4.0, "stream": 2.5}
BAR_ROWS = 1024


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which models."""
    parser.add_argument("--models", default=",".join(tree_models.TRAINERS), help="comma-separated")


def run(args: argparse.Namespace) -> Report:
    """Trains what is missing, runs the program and judges its figures."""
    need(ONNXRUNTIME, "native")
    models = tree_models.make(args.models.split(","))
    rows = tree_models.row_files()
    out = WORK / "trees.json"
    arguments = [str(ONNXRUNTIME), str(out)]
    arguments += [",".join(str(path) for path in files.values()) for files in (rows, models)]
    programs.run(programs.cargo_run("firesteel-engine", *arguments, example="trees_bench"))
    report = Report(
        "trees",
        "Tree ensembles on one core, rows per second",
        {"rows": tree_models.ROWS, "features": 16, "ONNX Runtime's threads": 1},
    )
    for case in json.loads(out.read_text())["figures"]:
        name = label(case["model"], case["rows"], case["batch"])
        detail = {"runs_in": case["runs_in"], "load_s": case["load_s"], "bytes": case["bytes"]}
        for who in (US, PEER):
            rates = tuple(1.0 / seconds for seconds in case[f"{who}_s_per_row"])
            report.figures.append(Figure(name, who, "rows/s", rates, {**detail, "batches": case[f"{who}_batches"]}))
        ratio = report.ratio(name, US, PEER).median
        if case["model"] not in JUDGED:
            continue
        if case["batch"] >= BAR_ROWS:
            report.bars.append(Bar.at_least(f"{name}: over ONNX Runtime", BARS[case["rows"]], ratio))
        elif case["batch"] == 1:
            report.bars.append(Bar.at_least(f"{name}: over ONNX Runtime", 1.0, ratio))
    report.notes.append("Both sides get columns and give columns; ONNX Runtime runs a lone row as two (see models.md)")
    report.notes.append("Where a model does not run in Firesteel's kernel, both sides are ONNX Runtime")
    return report


def label(model: str, rows: str, batch: int) -> str:
    """Name of a case."""
    return f"{model}, {rows} rows, batch {batch}"


def plot(report: Report, path: Path) -> None:
    """How many times as fast as ONNX Runtime, over the batch size; a panel for each kind of rows."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    ratios = {ratio.case: ratio.median for ratio in report.ratios}
    cases = [case.split(", ") for case in ratios]
    models = list(dict.fromkeys(model for model, _, _ in cases))
    sizes = sorted({int(batch.split()[-1]) for _, _, batch in cases})
    figure, panels = plt.subplots(1, 2, figsize=(9.5, 4.2), layout="constrained", sharey=True)
    for axes, (rows, bar) in zip(panels, BARS.items(), strict=True):
        for model in models:
            values = [ratios[label(model, rows, size)] for size in sizes]
            axes.plot(sizes, values, marker="o", markersize=3, label=model)
        axes.plot([BAR_ROWS, max(sizes)], [bar, bar], "k--", label="bar")
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xlabel("rows per batch")
        axes.set_title(f"{rows} rows", fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("times as fast as ONNX Runtime")
    panels[1].legend(fontsize=7, frameon=False)
    figure.savefig(path, dpi=130)
    plt.close(figure)
