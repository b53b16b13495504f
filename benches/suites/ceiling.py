"""The ceiling: the same work in bare Rust without Spark, on as many threads as Spark gets cores.

Firesteel's own client or librdkafka reads the topic, Firesteel's engine decodes and scores. The cases: read only; read
and decode; read, decode and score with each model. What Spark's side costs is the distance from here to ``inference``.
"""

from __future__ import annotations

import argparse

from benches import make_models
from benches.common import kafka, programs
from benches.common.paths import MODELS, ONNXRUNTIME, WORK, need
from benches.common.report import Figure, Report
from benches.peers.firesteel import decode_file, pipeline_file

THREADS = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Sizes and choices; the defaults are those of the published table."""
    parser.add_argument("--events", type=int, default=5_000_000, help="events in the topic")
    parser.add_argument("--repetitions", type=int, default=3, help="timed repetitions of each case")
    parser.add_argument("--models", default=",".join(make_models.MODELS), help="comma-separated")


def run(args: argparse.Namespace) -> Report:
    """Loads a topic and has the program read it once per case and repetition."""
    report = Report(
        "ceiling",
        f"Kafka to scores in bare Rust, {THREADS} threads, rows per second",
        {"events": args.events, "partitions": kafka.PARTITIONS, "threads": THREADS, "repetitions": args.repetitions},
    )
    WORK.mkdir(parents=True, exist_ok=True)
    need(ONNXRUNTIME, "native")
    with kafka.broker(args.bootstrap) as bootstrap, kafka.topic(bootstrap, "bench-ceiling") as topic:
        models = make_models.make(kafka.training_events(bootstrap), MODELS, args.models.split(","))
        pipelines = [str(decode_file(MODELS))]
        pipelines += [str(pipeline_file(path, make_models.INPUT)) for path in models.values()]
        kafka.load(bootstrap, topic, args.events, seed=3)
        arguments = ["--bootstrap", bootstrap, "--topic", topic, "--threads", str(THREADS)]
        arguments += ["--repetitions", str(args.repetitions), "--onnxruntime", str(ONNXRUNTIME), *pipelines]
        for client in ("firesteel", "librdkafka"):
            printed = programs.printed_json(programs.cargo_run("firesteel-ceiling", "--client", client, *arguments))
            for f in printed["figures"]:
                report.figures.append(Figure(f["case"], f["who"], f["unit"], tuple(f["values"])))
    return report
