"""``python -m firesteel``: what the package does for people at a shell, in a session of its own."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from firesteel import _models
from firesteel._parity import Parity, parity
from firesteel._spark import configure
from firesteel._state import dump_state
from firesteel.diagnosis import doctor, explain
from firesteel.errors import FiresteelError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 if everything is the same, 1 if something differs, 2 if it could not be found out."""
    typed = list(sys.argv[1:] if arguments is None else arguments)
    if typed[:1] == ["model"]:
        # The jar's own words, help included.
        return _models.model(typed[1:])
    options = _parser().parse_args(typed)
    if options.command == "resolve-model":
        try:
            return _models.print_resolved(options.uri)
        except FiresteelError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
    from pyspark.errors import AnalysisException
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master(options.master).appName(f"firesteel-{options.command}")
    builder = builder.config("spark.ui.enabled", "false").config("spark.sql.session.timeZone", "UTC")
    spark = configure(builder).getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    try:
        if options.command == "dump-state":
            keys = dump_state(spark, options.checkpoint, options.out)
            print(f"{keys:,} keys in {options.out}: firesteel state inspect {options.out}")
            return 0
        if options.command == "doctor":
            diagnosis = doctor(spark)
            print(json.dumps([vars(one) for one in diagnosis.findings]) if options.json else diagnosis)
            return 0 if diagnosis.works else 1
        if options.command == "explain":
            print(explain(options.pipeline, spark))
            return 0
        found = _parity(spark, options)
    except (FiresteelError, AnalysisException) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    finally:
        spark.stop()
    print(found)
    return 0 if found.same else 1


def _parity(spark: SparkSession, options: argparse.Namespace) -> Parity:
    return parity(
        spark,
        options.log,
        options.pipeline,
        partitions=options.partitions,
        in_base64=options.base64,
        bootstrap=options.bootstrap,
        topic=options.topic,
        micro_batches=options.micro_batches,
        options=[f"--seed={options.seed}", f"--restarts={options.restarts}"],
    )


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",") if part]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m firesteel")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    same = commands.add_parser("parity", help="show that Spark and the command line make the same rows of a log")
    same.add_argument("log", metavar="LOG", help="file of records, one per line")
    same.add_argument("--pipeline", required=True, metavar="PIPELINE.yaml", help="the pipeline file")
    same.add_argument("--base64", action="store_true", help="each line is a record in base64")
    same.add_argument("--partitions", type=_numbers, default=[1, 3, 8], metavar="N,...", help="of the batch DataFrame")
    same.add_argument("--bootstrap", metavar="HOST:PORT", help="a broker, to go through Kafka as well")
    same.add_argument("--topic", metavar="TOPIC", help="an empty topic of one partition, which the log is written to")
    same.add_argument("--micro-batches", type=_numbers, default=[1_000, 100_000], metavar="N,...", help="of the stream")
    same.add_argument("--restarts", type=int, default=20, metavar="N", help="restarts in the command line")
    same.add_argument("--seed", type=int, default=1, metavar="N", help="draws the places of these restarts")
    dump = commands.add_parser("dump-state", help="write what windows in Spark's state store know, for state inspect")
    dump.add_argument("checkpoint", metavar="CHECKPOINT", help="the query's checkpointLocation")
    dump.add_argument("out", metavar="OUT.jsonl", help="file to write")
    look = commands.add_parser("doctor", help="look whether Firesteel can run here, and what to mend if not")
    look.add_argument("--json", action="store_true", help="print a JSON list of findings")
    tell = commands.add_parser("explain", help="tell what a pipeline file does and how it would run here")
    tell.add_argument("pipeline", metavar="PIPELINE.yaml", help="the pipeline file")
    resolve = commands.add_parser("resolve-model", help="download a model of MLflow's registry, and say where it is")
    resolve.add_argument("uri", metavar="URI", help="models:/NAME@ALIAS, models:/NAME/VERSION or runs:/RUN/PATH")
    commands.add_parser("model", help="versions and aliases of models in a store; `model` alone shows its commands")
    for command in (same, dump, look, tell):
        command.add_argument("--master", default="local[*]", metavar="MASTER", help="Spark's master; a local one")
    return parser


if __name__ == "__main__":
    sys.exit(main())
