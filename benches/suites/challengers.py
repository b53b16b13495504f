"""What challengers cost: a pipeline with one model beside the same with two more of its size, on one core.

``firesteel score`` over a file of the benchmark's events: JSON in, decode, score, JSON out, without Spark, whose
own work would make the difference look smaller. Each run is a process; its CPU time counts, start and loading included.
"""

from __future__ import annotations

import argparse
import resource
from pathlib import Path

import numpy as np

from benches import make_models, tree_models
from benches.common import programs
from benches.common.paths import CLI, MODELS, WORK, need
from benches.common.report import Bar, Figure, Report
from benches.events import DDL, FEATURES

ALONE, TWO, SAMPLED = "champion alone", "with two challengers", "with two on a tenth of the rows"
#: Most that a champion and two challengers may cost, times the champion alone.
BARS = {"lr": 1.6, "gbdt100": 2.2}

MODEL = """\
  - name: {name}
    uri: {uri}
    inputs: {{features: [{features}]}}
    outputs: {{{name}_score: "probabilities[1]"}}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Sizes."""
    parser.add_argument("--events", type=int, default=1_000_000, help="events in the file")
    parser.add_argument("--repetitions", type=int, default=5, help="timed repetitions of each pipeline")


def run(args: argparse.Namespace) -> Report:
    """Makes events and models, and runs the three pipelines of each model in turns."""
    need(CLI, "cli")
    WORK.mkdir(parents=True, exist_ok=True)
    events = WORK / "challengers.jsonl"
    programs.run([str(CLI), "loadgen", "bench", "--count", str(args.events), "--seed", "9", "--out", str(events)])
    report = Report(
        "challengers",
        "A champion and its challengers, CPU time per row",
        {"events": args.events, "repetitions": args.repetitions},
    )
    for model, bar in BARS.items():
        uris = models(model)
        files = {
            ALONE: pipeline(model, uris[:1], ""),
            TWO: pipeline(model, uris, ""),
            SAMPLED: pipeline(model, uris, "    sample: {share: 0.1, by: event_id}\n"),
        }
        times: dict[str, list[float]] = {who: [] for who in files}
        for repetition in range(args.repetitions + 1):
            for who in files if repetition % 2 else reversed(files):
                took = cpu_seconds(["score", str(files[who]), "--in", str(events), "--out", "/dev/null", "-q"])
                # The first one fills the page cache.
                if repetition > 0:
                    times[who].append(took / args.events * 1e6)
        for who, values in times.items():
            report.figures.append(Figure(model, who, "µs of CPU per row", tuple(values)))
        cost = report.ratio(model, TWO, ALONE).median
        report.ratio(model, SAMPLED, ALONE, named=f"{model}, a tenth of the rows")
        report.bars.append(Bar.below(f"{model}: champion and two challengers over the champion alone", bar, cost))
    events.unlink()
    return report


def models(name: str) -> list[Path]:
    """The benchmark's model, and two of the same kind and size trained on other labels."""
    MODELS.mkdir(parents=True, exist_ok=True)
    paths = [MODELS / f"{name}.onnx", *(MODELS / f"{name}-challenger-{i}.onnx" for i in (1, 2))]
    missing = [i for i, path in enumerate(paths) if not path.exists()]
    if missing:
        rows = tree_models.events(make_models.TRAINING_ROWS, tree_models.SEED)
        target = make_models.labels(rows)
        for i in missing:
            # Three in ten labels come from another row.
            other = np.random.default_rng(i).random(len(target)) < 0.3 * (i > 0)
            paths[i].write_bytes(make_models.train(name, rows, np.where(other, np.roll(target, 1), target)))
    return paths


def pipeline(model: str, uris: list[Path], sample: str) -> Path:
    """Writes a pipeline file with so many models, and gives its path."""
    text = f"name: bench\ninput:\n  schema: {DDL}\nmodels:\n"
    for i, uri in enumerate(uris):
        text += MODEL.format(name=f"m{i}", uri=uri, features=", ".join(FEATURES))
        text += "" if i == 0 else f"    challenges: m0\n{sample}"
    file = WORK / f"challengers-{model}-{len(uris)}{'-sampled' if sample else ''}.yaml"
    file.write_text(text + "output: [event_id, ts, m0_score]\n")
    return file


def cpu_seconds(arguments: list[str]) -> float:
    """User and system time of the ``firesteel`` program."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    programs.run([str(CLI), *arguments])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
