"""The native source and sink beside Spark's own and what a user would put behind it.

One broker, one topic of JSON events, Spark ``local[2]``, a process for each contender; alternated, repeated, medians.
Cases: read all columns of the records; read the value alone; read and decode; read to scores with each model; read to
scores to another topic. Timed runs are AvailableNow streams into the noop sink (or Kafka), the first batch dropped.
Bare Rust (``benches/ceiling``) runs the same decoding and scoring without Spark on the same topic in the same run.
"""

from __future__ import annotations

import argparse
import contextlib
from typing import Any

from benches import make_models
from benches.common import jars, kafka, programs, worker
from benches.common.paths import MODELS, ONNXRUNTIME, WORK
from benches.common.report import Bar, Figure, Report
from benches.peers import contender, native
from benches.peers.firesteel import decode_file, pipeline_file
from benches.suites.inference import turned

#: Read by our own client, as our source does; the bar is of this one, the faster.
CEILING = "bare Rust"
#: Spark's own source; with ``from_json`` in the case `decode`.
SPARK = "ort_java"
CONTENDERS = ("ort_java", "arrow_udf", "jackson", "native")
#: Cases that read only: the models' peers share Spark's source, so one of them stands for all.
SHARED = ("read", "value", "decode")
#: Bars over the best from_json peer, over Jackson.
MODEL_BARS = {"lr": (3.5, 2.5), "gbdt100": (3.0, 2.3), "gbdt300": (3.0, 2.3)}
READ_BAR = 3.5
CEILING_BAR = 0.85
KAFKA_BAR = 2.0
#: What a case costs, as figures ``<case>, <cost>``: the answer's field, the unit.
COSTS = {"CPU": ("cpu_s_per_million_rows", "CPU s per million rows"), "peak memory": ("peak_rss_mib", "MiB")}
TIMEOUT_S = 3600


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Sizes and choices; the defaults are those of the published table."""
    parser.add_argument("--events", type=int, default=5_000_000, help="events in the timed topic")
    parser.add_argument("--warmup-events", type=int, default=1_500_000, help="events in the warm-up topic")
    parser.add_argument("--repetitions", type=int, default=3, help="timed repetitions of each contender")
    parser.add_argument("--max-offsets", type=int, default=500_000, help="maxOffsetsPerTrigger")
    parser.add_argument("--contenders", default=",".join(CONTENDERS), help="comma-separated")
    parser.add_argument("--no-ceiling", action="store_true", help="leave bare Rust out")
    parser.add_argument(
        "--cases", default="read,value,decode,lr,gbdt100,lr>kafka,lr>kafka once", help="comma-separated"
    )


def run(args: argparse.Namespace) -> Report:
    """Loads the topics, warms up, measures, and sets the figures against the bars."""
    cases, contenders = args.cases.split(","), args.contenders.split(",")
    models = sorted({case.partition(">")[0] for case in cases} - set(SHARED))
    report = Report(
        "kafka",
        "Kafka read natively, rows per second, Spark local[2]",
        {
            "events": args.events,
            "partitions": kafka.PARTITIONS,
            "maxOffsetsPerTrigger": args.max_offsets,
            "warm-up events per case": args.warmup_events,
            "dropped batches": 1,
            "repetitions": args.repetitions,
        },
    )
    WORK.mkdir(parents=True, exist_ok=True)
    libraries = jars.for_contenders(contenders)
    with contextlib.ExitStack() as stack:
        bootstrap = stack.enter_context(kafka.broker(args.bootstrap))
        job: dict[str, Any] = {"bootstrap": bootstrap, "jars": libraries, "max_offsets": args.max_offsets}
        for seed, (key, events) in enumerate({"warm_topic": args.warmup_events, "topic": args.events}.items(), start=1):
            job[key] = stack.enter_context(kafka.topic(bootstrap, f"bench-{key.replace('_', '-')}"))
            kafka.load(bootstrap, job[key], events, seed=seed)
        # What is written is not kept for long: the disk is small.
        job["out_topic"] = stack.enter_context(
            kafka.topic(bootstrap, "bench-out", **{"retention.bytes": str(64 << 20), "segment.bytes": str(32 << 20)})
        )
        paths = make_models.make(kafka.training_events(bootstrap), MODELS, models) if models else {}
        job["models"] = {name: str(path) for name, path in paths.items()}
        pipelines = {name: pipeline_file(path, make_models.INPUT) for name, path in paths.items()}
        pipelines["decode"] = decode_file(MODELS)
        bare = [] if args.no_ceiling else [str(path) for path in pipelines.values()]
        measure(report, job, cases, contenders, args.repetitions, bare)
    judge(report, cases, contenders)
    return report


def takes(name: str, case: str) -> bool:
    """Whether a contender takes part in a case."""
    if case in SHARED:
        return name in (SPARK, native.NAME)
    return not case.endswith("once") or name == native.NAME


def measure(
    report: Report,
    job: dict[str, Any],
    cases: list[str],
    contenders: list[str],
    repetitions: int,
    pipelines: list[str],
) -> None:
    """Warms every contender up, repeats, fills the report's figures."""
    rates: dict[tuple[str, str], list[dict[str, Any]]] = {}
    bare: dict[tuple[str, str], list[float]] = {}
    with contextlib.ExitStack() as stack:
        workers = {name: stack.enter_context(worker.started("kafka", name, job)) for name in contenders}
        for name in contenders:
            for case in (c for c in cases if takes(name, c)):
                workers[name].ask("warm", case, TIMEOUT_S)
        for repetition in range(repetitions):
            for key, value in (ceiling(job, pipelines) if pipelines else {}).items():
                bare.setdefault(key, []).append(value)
            for case in cases:
                for name in (n for n in turned(contenders, repetition) if takes(n, case)):
                    rate = workers[name].ask("measure", case, TIMEOUT_S)
                    rates.setdefault((case, name), []).append(rate)
                    shown = f"{rate['rows_per_s']:10,.0f} rows/s {rate['cpu_s_per_million_rows']:6.2f} CPU s/M"
                    shown += f" {rate['peak_rss_mib']:6,.0f} MiB"
                    print(f"benches: {repetition + 1}/{repetitions} {case:14} {name:10} {shown}", flush=True)
    for (case, who), values in bare.items():
        report.figures.append(Figure(case, who, "rows/s", tuple(values)))
    for (case, name), found in rates.items():
        detail = {"batch_seconds": [r["batch_seconds"] for r in found]}
        report.figures.append(Figure(case, name, "rows/s", tuple(r["rows_per_s"] for r in found), detail))
    for cost, (field, unit) in COSTS.items():
        for (case, name), found in rates.items():
            detail = {"mib_before": [r["rss_before_mib"] for r in found]} if unit == "MiB" else {}
            report.figures.append(Figure(f"{case}, {cost}", name, unit, tuple(r[field] for r in found), detail))
    heaps = sorted({round(r["heap_mib"]) for found in rates.values() for r in found})
    report.settings["JVM heap of each contender, MiB (-Xmx)"] = " or ".join(map(str, heaps))


def ceiling(job: dict[str, Any], pipelines: list[str]) -> dict[tuple[str, str], float]:
    """One pass of bare Rust over the topic for each case, read by our client and by librdkafka."""
    arguments = ["--bootstrap", job["bootstrap"], "--topic", job["topic"], "--threads", "2", "--repetitions", "1"]
    arguments += ["--onnxruntime", str(ONNXRUNTIME), *pipelines]
    found = {}
    for client in ("firesteel", "librdkafka"):
        printed = programs.printed_json(programs.cargo_run("firesteel-ceiling", "--client", client, *arguments))
        found.update({(f["case"], f["who"]): f["values"][0] for f in printed["figures"]})
    return found


def judge(report: Report, cases: list[str], contenders: list[str]) -> None:
    """The bars of each case."""
    peers = [name for name in contenders if contender(name).FAMILY != "firesteel"]
    if native.NAME not in contenders or not peers:
        return
    for case in cases:
        model, _, sink = case.partition(">")
        if case in SHARED:
            if SPARK in contenders:
                ratio = report.ratio(case, native.NAME, SPARK).median
                report.bars.append(Bar.at_least(f"{case}: over Spark's Kafka source", READ_BAR, ratio))
        elif sink:
            best = report.best(f"{model}>kafka", peers)
            if best is not None and sink == "kafka":
                ratio = report.ratio(case, native.NAME, best).median
                report.bars.append(Bar.at_least(f"{case}: over the best peer ({best})", KAFKA_BAR, ratio))
            elif best is not None:
                ratio = report.median(case, native.NAME) / report.median(f"{model}>kafka", best)
                report.bars.append(Bar.at_least(f"{case}: over the best peer's at least once ({best})", 1.0, ratio))
        else:
            over_json, over_jackson = MODEL_BARS.get(model, (1.0, 1.0))
            best = report.best(case, [p for p in peers if contender(p).FAMILY == "from_json"])
            if best is not None:
                ratio = report.ratio(case, native.NAME, best).median
                report.bars.append(Bar.at_least(f"{case}: over the best from_json peer ({best})", over_json, ratio))
            if "jackson" in peers:
                ratio = report.ratio(case, native.NAME, "jackson").median
                report.bars.append(Bar.at_least(f"{case}: over the hand-tuned Jackson peer", over_jackson, ratio))
            if report.figure(case, CEILING) is None:
                continue
            ratio = report.ratio(case, native.NAME, CEILING).median
            report.bars.append(Bar.at_least(f"{case}: of the bare Rust ceiling", CEILING_BAR, ratio))
    for case in cases:
        judge_costs(report, case, peers)
    report.notes.append(
        "read, value and decode: `ort_java` stands for Spark's own source, with from_json in `decode`; bare Rust "
        "batches hold 10,000 rows, ours 8,192"
    )
    report.notes.append(
        "CPU time and peak memory count driver, JVM and Python workers, not the broker. Memory is resident, each "
        "process at its own peak in that case; before a case the JVM collects its garbage and the kernel forgets the "
        "peak (`mib_before` in the JSON: what was held then)"
    )


def judge_costs(report: Report, case: str, peers: list[str]) -> None:
    """A case with a model must cost less than it costs any peer that ran the same case."""
    if case in SHARED:
        return
    for cost, (_, unit) in COSTS.items():
        figure = f"{case}, {cost}"
        lowest = report.best(figure, peers, lowest=True)
        if lowest is not None:
            name = f"{case}: {cost} lower than every peer's (lowest: {lowest}), {unit}"
            report.bars.append(Bar.below(name, report.median(figure, lowest), report.median(figure, native.NAME)))
