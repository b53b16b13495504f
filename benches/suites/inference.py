"""Kafka to scores: Firesteel beside what a user would pick instead.

One broker, one topic of JSON events, the same models, Spark ``local[2]``. Every contender has a Spark session in a
process of its own, which lives for the whole run and sleeps while others are measured. First all contenders score
10,000 events and must agree with Python's onnxruntime; then each runs an untimed stream per model; then come the
repetitions, model by model, the order turned round from one to the next. A timed run is an AvailableNow stream with a
stated ``maxOffsetsPerTrigger`` into the noop sink, of which the first batch is dropped.
"""

from __future__ import annotations

import argparse
import contextlib
from typing import Any

import numpy as np

from benches import make_models
from benches.common import jars, kafka, worker
from benches.common.paths import MODELS, WORK
from benches.common.report import Bar, Figure, Report
from benches.events import FEATURES
from benches.peers import ALL, DEFAULT, contender
from benches.peers.firesteel import pipeline_file
from benches.peers.session import probabilities

US = "firesteel"
CHECK_EVENTS = 10_000
#: Largest difference from Python's onnxruntime that still counts as the same score: the last bits of a float32
#: probability, which may differ with the batch size (see DESIGN section 4, "padded to 2").
SAME_SCORE = 1e-6
#: Bars: case -> ratio over the best peer that uses from_json, and over the hand-tuned one.
FROM_JSON_BAR = {"lr": 1.5, "gbdt100": 1.5, "gbdt300": 1.3}
JACKSON_BAR = 1.1
WORKER_TIMEOUT_S = 3600


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Sizes and choices; the defaults are those of the published table."""
    parser.add_argument("--events", type=int, default=5_000_000, help="events in the timed topic")
    parser.add_argument("--warmup-events", type=int, default=1_500_000, help="events in the warm-up topic")
    parser.add_argument("--repetitions", type=int, default=3, help="timed repetitions of each contender")
    parser.add_argument("--max-offsets", type=int, default=500_000, help="maxOffsetsPerTrigger")
    parser.add_argument("--models", default=",".join(make_models.MODELS), help="comma-separated")
    parser.add_argument("--contenders", default=",".join(DEFAULT), help=f"comma-separated, of {', '.join(ALL)}")


def run(args: argparse.Namespace) -> Report:
    """Loads the topics, checks, measures, and sets the figures against the bars."""
    names = args.models.split(",")
    contenders = args.contenders.split(",")
    for name in contenders:
        contender(name)
    report = Report(
        "inference",
        "Kafka to scores, rows per second, Spark local[2]",
        {
            "events": args.events,
            "partitions": kafka.PARTITIONS,
            "maxOffsetsPerTrigger": args.max_offsets,
            "warm-up events per model": args.warmup_events,
            "dropped batches": 1,
            "repetitions": args.repetitions,
            "sink": "noop",
        },
    )
    WORK.mkdir(parents=True, exist_ok=True)
    libraries = jars.for_contenders(contenders)
    with contextlib.ExitStack() as stack:
        bootstrap = stack.enter_context(kafka.broker(args.bootstrap))
        job: dict[str, Any] = {"bootstrap": bootstrap, "jars": libraries, "max_offsets": args.max_offsets}
        sizes = {"check_topic": CHECK_EVENTS, "warm_topic": args.warmup_events, "topic": args.events}
        for seed, (key, events) in enumerate(sizes.items(), start=1):
            job[key] = stack.enter_context(kafka.topic(bootstrap, f"bench-{key.replace('_', '-')}"))
            kafka.load(bootstrap, job[key], events, seed=seed)
        job["models"] = prepare_models(job, names)
        checks = measure(report, job, contenders, args.repetitions)
    judge(report, names, contenders, checks)
    return report


def prepare_models(job: dict[str, Any], names: list[str]) -> list[dict[str, str]]:
    """Models, pipeline files, and the reference scores of the check topic by Python's onnxruntime."""
    bootstrap = job["bootstrap"]
    paths = make_models.make(kafka.training_events(bootstrap), MODELS, names)
    ids, rows = make_models.matrix(value for value, _ in kafka.read(bootstrap, job["check_topic"]))
    order = np.argsort(ids)
    models = []
    for name, path in paths.items():
        pipeline_file(path, make_models.INPUT)
        reference = WORK / f"check-{name}.npz"
        np.savez(reference, event_id=ids[order], score=probabilities(str(path), rows[order]))
        models.append({"name": name, "onnx": str(path), "reference": str(reference)})
    return models


def measure(report: Report, job: dict[str, Any], contenders: list[str], repetitions: int) -> dict[str, Any]:
    """Checks every contender, warms it up, repeats; fills the report's figures and gives the checks by contender."""
    models = [model["name"] for model in job["models"]]
    rates: dict[tuple[str, str], list[dict[str, Any]]] = {}
    with contextlib.ExitStack() as stack:
        workers = {name: stack.enter_context(worker.started("throughput", name, job)) for name in contenders}

        def ask(name: str, action: str, model: str) -> dict[str, Any]:
            return workers[name].ask(action, model, WORKER_TIMEOUT_S)

        checks = {name: {model: ask(name, "check", model) for model in models} for name in contenders}
        for name in contenders:
            for model, found in checks[name].items():
                if found["max_difference"] > SAME_SCORE:
                    raise SystemExit(f"benches: {name} gives other scores than onnxruntime with {model}: {found}")
                ask(name, "warm", model)
        for repetition in range(repetitions):
            for model in models:
                for name in turned(contenders, repetition):
                    rate = ask(name, "measure", model)
                    rates.setdefault((model, name), []).append(rate)
                    shown = f"{rate['rows_per_s']:10,.0f} rows/s {rate['cpu_s_per_million_rows']:6.2f} CPU s/M"
                    print(f"benches: {repetition + 1}/{repetitions} {model:8} {name:18} {shown}", flush=True)
    for case in models:
        for name in contenders:
            values = tuple(r["rows_per_s"] for r in rates[(case, name)])
            detail = {"batch_seconds": [r["batch_seconds"] for r in rates[(case, name)]]}
            report.figures.append(Figure(case, name, "rows/s", values, detail))
    for case in models:
        for name in contenders:
            values = tuple(r["cpu_s_per_million_rows"] for r in rates[(case, name)])
            report.figures.append(Figure(f"{case}, CPU", name, "CPU s per million rows", values))
    return checks


def turned(contenders: list[str], repetition: int) -> list[str]:
    """Forwards, then backwards, then from the middle: nobody always runs first, last or after the same one."""
    if repetition % 3 == 1:
        return contenders[::-1]
    shift = (repetition % 3) * len(contenders) // 4
    return contenders[shift:] + contenders[:shift]


def judge(report: Report, models: list[str], contenders: list[str], checks: dict[str, Any]) -> None:
    """Ratios over every peer, and the bars."""
    family = {name: contender(name).FAMILY for name in contenders}
    if US in contenders:
        for model in models:
            ratios = {p: report.ratio(model, US, p).median for p in contenders if p != US}
            best = report.best(model, [p for p in contenders if family[p] == "from_json"])
            if best is not None:
                name = f"{model}: over the best from_json peer ({best})"
                report.bars.append(Bar.at_least(name, FROM_JSON_BAR[model], ratios[best]))
            if "jackson" in contenders:
                name = f"{model}: over the hand-tuned Jackson peer"
                report.bars.append(Bar.at_least(name, JACKSON_BAR, ratios["jackson"]))
    worst = max(found["max_difference"] for result in checks.values() for found in result.values())
    report.bars.append(Bar.at_most("largest difference of a score from Python onnxruntime", SAME_SCORE, worst))
    for name, result in checks.items():
        equal = ", ".join(f"{model} {found['bit_equal']:,} of {found['rows']:,}" for model, found in result.items())
        report.notes.append(f"{name} ({contender(name).WHAT}): scores equal bit for bit: {equal}")
    report.notes.append(
        f"All contenders decode event_id, ts and {len(FEATURES)} features; ratios are formed inside each repetition; "
        "CPU time counts driver, JVM and Python workers, not the broker"
    )
