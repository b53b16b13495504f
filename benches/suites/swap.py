"""What a hot swap costs a stream: an alias moves to a new version every so often, and no micro-batch may notice.

The load generator writes events at a fixed pace; Spark reads them through our source, scores them with the model at an
alias, and throws the scores away, with a micro-batch as soon as the last one has ended. Every version is a file of its
own that no process has seen before: each move is a model that is read, checked, loaded and proved, on the driver and
for the tasks. A batch is told by the version that served it; the first of a version is a swap.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import time
from pathlib import Path
from typing import Any

import onnx

from benches import make_models
from benches.common import jars, kafka, programs, worker
from benches.common.paths import CLI, MODELS, WORK, need
from benches.common.report import Bar, Figure, Report
from benches.peers import native
from benches.peers.firesteel import pipeline_file

US = native.NAME
READY_TIMEOUT_S = 180
DRAIN_TIMEOUT_S = 120


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Pace and number of moves."""
    parser.add_argument("--moves", type=int, default=100, help="moves of the alias")
    parser.add_argument("--every", type=float, default=1.2, help="seconds from move to move")
    parser.add_argument("--rate", type=int, default=20_000, help="events per second")
    parser.add_argument("--warmup-seconds", type=int, default=30, help="seconds before the first move")
    parser.add_argument("--model", default="gbdt100", help=f"one of {', '.join(make_models.MODELS)}")


def run(args: argparse.Namespace) -> Report:
    """Fills a store, runs the stream, moves the alias, and compares the micro-batches."""
    need(CLI, "cli")
    WORK.mkdir(parents=True, exist_ok=True)
    report = Report(
        "swap",
        f"An alias that moves under {args.rate:,} events/s",
        {"moves": args.moves, "seconds between": args.every, "events/s": args.rate, "model": args.model},
    )
    libraries = jars.for_contenders([US])
    with kafka.broker(args.bootstrap) as bootstrap, kafka.topic(bootstrap, "bench-in") as source:
        model = make_models.make(kafka.training_events(bootstrap), MODELS, [args.model])[args.model]
        store = fill(WORK / "swap-store", model, args.moves + 1)
        # As a model at this place: the pipeline file is written beside it and names it.
        pipeline = pipeline_file(store, make_models.INPUT)
        text = pipeline.read_text()
        pipeline.write_text(text.replace(f"uri: {store.name}\n", f"uri: {store}@champion\n"))
        stop = WORK / "swap.stop"
        stop.unlink(missing_ok=True)
        job = {"bootstrap": bootstrap, "jars": libraries, "onnx": str(store), "topic": source, "stop": str(stop)}
        events = int(args.rate * (args.warmup_seconds + args.every * (args.moves + 2)))
        with worker.started("swap", US, job) as running:
            running.wait_until_ready(READY_TIMEOUT_S)
            command = kafka.load_command(bootstrap, source, events, seed=3, rate_per_s=args.rate)
            with subprocess.Popen(command) as load:
                time.sleep(args.warmup_seconds)
                for version in range(2, args.moves + 2):
                    due = time.monotonic() + args.every
                    programs.run([str(CLI), "model", "move", str(store), "champion", str(version)])
                    time.sleep(max(0.0, due - time.monotonic()))
                if load.wait() != 0:
                    raise SystemExit("benches: the load generator failed")
            stop.touch()
            batches = running.result(DRAIN_TIMEOUT_S)["batches"]
    judge(report, batches, args, events)
    return report


def fill(folder: Path, model: Path, versions: int) -> Path:
    """A store of versions that score alike and are files of their own; `champion` stands at the first."""
    shutil.rmtree(folder, ignore_errors=True)
    made = onnx.load(str(model))
    file = WORK / "swap-version.onnx"
    for version in range(1, versions + 1):
        made.doc_string = f"version {version} of the benchmark"
        onnx.save_model(made, str(file))
        programs.run([str(CLI), "model", "add", str(folder), str(file)])
    programs.run([str(CLI), "model", "move", str(folder), "champion", "1"])
    return folder


def judge(report: Report, batches: list[dict[str, Any]], args: argparse.Namespace, events: int) -> None:
    """Batches that swapped beside those that did not, after the first move."""
    versions = [int(batch["version"]) for batch in batches]
    moved = versions.index(2) if 2 in versions else len(versions)
    swapped, kept = [], []
    for before, batch in zip(batches[moved - 1 :], batches[moved:], strict=False):
        (swapped if before["version"] != batch["version"] else kept).append(float(batch["ms"]))
    if not swapped or not kept:
        raise SystemExit(f"benches: {len(swapped)} batches swapped and {len(kept)} did not")
    for who, found in (("swapped", swapped), ("as before", kept)):
        report.figures.append(Figure("micro-batch", who, "ms", tuple(found)))
    batch, added = statistics.median(kept), statistics.median(swapped) - statistics.median(kept)
    report.bars.append(Bar.below("median time added to a batch that swaps, ms, against a batch's own", batch, added))
    report.bars.append(Bar.at_least("moves that were followed", args.moves, float(max(versions) - 1)))
    report.bars.append(
        Bar.at_least("events scored, of those written", float(events), float(sum(b["rows"] for b in batches)))
    )
    report.notes.append(
        f"{len(swapped)} batches swapped; a move within the same batch as another is one swap. "
        f"Longest batch with a swap {max(swapped):.0f} ms, without {max(kept):.0f} ms"
    )
