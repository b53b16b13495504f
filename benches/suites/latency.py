"""Latency at a fixed pace: Kafka to scores to Kafka, default trigger.

The load generator writes 20,000 events a second; Spark reads, scores and writes each score to a second topic: with our
source and sink (``native``), with our pipeline between Spark's (``firesteel``), with a peer between Spark's. An event's
latency is the time at which the broker appended its score (LogAppendTime of the sink topic) less the time at which the
event was due (its field ``sent_us``; a generator that is held up does not hide it): one machine, one clock,
milliseconds. The first seconds of a run are warm-up and do not count.
"""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from benches import make_models
from benches.common import jars, kafka, worker
from benches.common import spark as sessions
from benches.common.paths import MODELS, WORK
from benches.common.report import Bar, Figure, Report
from benches.peers import contender
from benches.peers.firesteel import pipeline_file
from benches.suites.inference import turned

US = "native"
#: A name, or ``name@tasks``: Spark's source put together into so many tasks (``coalesce``) instead of one per
#: partition. A small batch spends much of its time on starting tasks, so this is how its users would tune it.
CONTENDERS = ("arrow_udf@2", "jackson", "jackson@2", "firesteel@2", "native")
PERCENTILES = (50, 99)
READY_TIMEOUT_S = 180
DRAIN_TIMEOUT_S = 120


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Pace and duration; the defaults are those of the published table."""
    parser.add_argument("--rate", type=int, default=20_000, help="events per second")
    parser.add_argument("--seconds", type=int, default=60, help="measured seconds of each run")
    parser.add_argument("--warmup-seconds", type=int, default=30, help="seconds before that, which do not count")
    parser.add_argument("--repetitions", type=int, default=3, help="timed repetitions of each contender")
    parser.add_argument("--model", default="gbdt100", help=f"one of {', '.join(make_models.MODELS)}")
    parser.add_argument("--contenders", default=",".join(CONTENDERS), help="comma-separated, name or name@tasks")


def run(args: argparse.Namespace) -> Report:
    """Runs every contender at the pace and compares the percentiles."""
    contenders = args.contenders.split(",")
    report = Report(
        "latency",
        f"Kafka to Kafka at {args.rate:,} events/s, milliseconds",
        {
            "events/s": args.rate,
            "measured seconds": args.seconds,
            "warm-up seconds": args.warmup_seconds,
            "model": args.model,
            "repetitions": args.repetitions,
            "trigger": "default (as soon as possible)",
        },
    )
    WORK.mkdir(parents=True, exist_ok=True)
    libraries = jars.for_contenders(split(spelled)[0] for spelled in contenders)
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in contenders}
    with kafka.broker(args.bootstrap) as bootstrap:
        model = prepare_model(bootstrap, args.model)
        for repetition in range(args.repetitions):
            for name in turned(contenders, repetition):
                job = {"bootstrap": bootstrap, "jars": libraries, "onnx": str(model)}
                result = one_run(args, name, job)
                found[name].append(result)
                line = ", ".join(f"p{p} {result[f'p{p}']:.0f} ms" for p in PERCENTILES)
                print(f"benches: {repetition + 1}/{args.repetitions} {name:18} {line}", flush=True)
    for p in PERCENTILES:
        for name in contenders:
            values = tuple(r[f"p{p}"] for r in found[name])
            detail = {
                "max_ms": [r["max"] for r in found[name]],
                "batch_steps_ms": [r["steps"] for r in found[name]],
                "pace_events_per_s": [r["pace"] for r in found[name]],
            }
            report.figures.append(Figure(f"p{p}", name, "ms", values, detail))
    judge(report, contenders)
    report.notes.append(
        "native: our source and sink; the others: Spark's, name@N with its partitions put together into N tasks; "
        f"JVM heap {sessions.SETTINGS['spark.driver.memory']} for all"
    )
    return report


def split(spelled: str) -> tuple[str, int | None]:
    """A contender's name, and into how many tasks Spark's source is put together for it (None: one per partition)."""
    name, at, tasks = spelled.partition("@")
    if at and (not tasks.isdecimal() or int(tasks) == 0 or name == US):
        raise SystemExit(f"benches: {spelled!r}: name@tasks takes a number above 0, and not with {US}")
    return contender(name).NAME, int(tasks) if at else None


def judge(report: Report, contenders: list[str]) -> None:
    """Our percentiles over everybody's; they must be below the best peer's. Ours over Spark's source is no peer."""
    if US not in contenders:
        return
    peers = [c for c in contenders if contender(split(c)[0]).FAMILY != "firesteel"]
    for p in PERCENTILES:
        case = f"p{p}"
        for other in contenders:
            if other != US:
                report.ratio(case, US, other)
        best = report.best(case, peers, lowest=True)
        if best is not None:
            name = f"{case} below the best peer's ({best}), ms"
            report.bars.append(Bar.below(name, report.median(case, best), report.median(case, US)))


def prepare_model(bootstrap: str, name: str) -> Path:
    """The model and its pipeline file, trained on the generator's events if it is not there yet."""
    path = make_models.make(kafka.training_events(bootstrap), MODELS, [name])[name]
    pipeline_file(path, make_models.INPUT)
    return path


def one_run(args: argparse.Namespace, spelled: str, job: dict[str, Any]) -> dict[str, Any]:
    """Starts the stream, keeps the pace for the given time, stops the stream, and joins the two topics."""
    bootstrap = job["bootstrap"]
    name, tasks = split(spelled)
    events = args.rate * (args.warmup_seconds + args.seconds)
    job = {**job, "stop": str(WORK / "latency.stop")}
    stop = Path(job["stop"])
    stop.unlink(missing_ok=True)
    with (
        kafka.topic(bootstrap, "bench-in") as source,
        kafka.topic(bootstrap, "bench-out", **{"message.timestamp.type": "LogAppendTime"}) as sink,
        worker.started("latency", name, {**job, "topic": source, "sink_topic": sink, "tasks": tasks}) as running,
    ):
        running.wait_until_ready(READY_TIMEOUT_S)
        subprocess.run(kafka.load_command(bootstrap, source, events, seed=3, rate_per_s=args.rate), check=True)
        stop.touch()
        steps = running.result(DRAIN_TIMEOUT_S)["duration_ms"]
        latency = percentiles(bootstrap, source, sink, args.warmup_seconds)
    # Medians of Spark's own steps over the second half of the batches, when all is warm.
    latency["steps"] = {step: float(np.median(ms[len(ms) // 2 :])) for step, ms in steps.items()}
    return latency


def sent_times(bootstrap: str, topic: str) -> tuple[np.ndarray, np.ndarray]:
    """Event ids and the times at which the events were due, in milliseconds, ordered by id."""
    return by_id(
        (event_id(value), int(value[value.rindex(b":") + 1 : -1]) / 1000.0) for value, _ in kafka.read(bootstrap, topic)
    )


def scored_times(bootstrap: str, topic: str) -> tuple[np.ndarray, np.ndarray]:
    """Event ids and the times at which the broker appended their scores, in milliseconds, ordered by id."""
    return by_id((event_id(value), float(stamp)) for value, stamp in kafka.read(bootstrap, topic))


def event_id(value: bytes) -> int:
    """The first field of a JSON object; parsing 1.6 million whole objects would take minutes."""
    start = value.index(b":") + 1
    return int(value[start : value.index(b",", start)])


def by_id(pairs: Iterable[tuple[int, float]]) -> tuple[np.ndarray, np.ndarray]:
    """Two columns out of pairs, ordered by the first."""
    table = np.fromiter(pairs, dtype=[("id", np.int64), ("ms", np.float64)])
    table.sort(order="id")
    return table["id"], table["ms"]


def percentiles(bootstrap: str, source: str, sink: str, warmup_s: float) -> dict[str, Any]:
    """Latency percentiles in milliseconds over the events that were due after the warm-up."""
    sent_ids, sent = sent_times(bootstrap, source)
    scored_ids, scored = scored_times(bootstrap, sink)
    if not np.array_equal(sent_ids, scored_ids):
        raise SystemExit(f"benches: {len(sent_ids):,} events sent but {len(scored_ids):,} scores written")
    counted = sent >= sent.min() + warmup_s * 1000
    latency = (scored - sent)[counted]
    span_s = (sent[counted].max() - sent[counted].min()) / 1000.0
    return {
        **{f"p{p}": float(np.percentile(latency, p)) for p in PERCENTILES},
        "max": float(latency.max()),
        "pace": float(np.count_nonzero(counted) / span_s),
    }
