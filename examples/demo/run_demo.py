"""The main job, end to end, on this machine: `make demo`.

Two models are trained, unless that was done before. A Kafka broker starts, simulated card payments fill a topic (with
some rubbish among them), and a Spark streaming job scores them with the pipeline file examples/fraud/handbook.yaml,
which remembers what each card and each terminal did in the last 30 days. The scores are held against the truth, and the
models' figures against those that the Fraud Detection Handbook publishes. Everything that is started here ends here,
also on Ctrl-C, on a failure and when this process is killed. Results, logs and `summary.json` lie in build/demo.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "python"))
from examples.demo import payments, report, stream_job  # noqa: E402
from examples.fraud import handbook, protocol  # noqa: E402
from tests.harness import maven, topics  # noqa: E402
from tests.harness.broker import Broker, BrokerError  # noqa: E402
from tests.harness.process import Program, ProgramError  # noqa: E402

PARTITIONS = 4
TRANSACTIONS, SCORES, REJECTED = "card-transactions", "card-scores", "card-rejected"
TRAIN_TIMEOUT_S = 600
#: More payments of one micro-batch would be more than a week apart: late, for terminals.
MOST_BATCH_ROWS = 60_000
#: The stream begins at least here: cards that were known before the test are no test.
LEAST_WARM_UP = handbook.TEST_DAYS[0] - handbook.TRAIN_DAYS[0]
#: What must have been built, and by what.
REQUIRED = {
    stream_job.JAR: "make jar",
    protocol.FIRESTEEL: "make cli",
}


class DemoError(Exception):
    """The demo can't go on; the text is the whole message."""


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; returns the exit status."""
    options = parse(arguments)
    try:
        run(options)
    except (DemoError, BrokerError, ProgramError, maven.MavenError) as failure:
        print(f"demo: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndemo: stopped; nothing is left running", file=sys.stderr)
        return 130
    return 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line, checked."""
    parser = argparse.ArgumentParser(prog="run_demo.py", description="Kafka to model scores, end to end.")
    parser.add_argument(
        "--days", type=int, default=len(handbook.TEST_DAYS), help="days that are judged (default %(default)s)"
    )
    parser.add_argument(
        "--warm-up",
        type=int,
        default=handbook.WARM_UP_DAYS,
        help="days before them, that windows begin full (default %(default)s)",
    )
    parser.add_argument("--rubbish", type=float, default=0.001, help="share of broken records (default %(default)s)")
    parser.add_argument("--batch-rows", type=int, default=50_000, help="records per micro-batch (default %(default)s)")
    parser.add_argument("--cores", type=int, default=2, help="Spark's cores (default %(default)s)")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "demo", help="folder, emptied first (build/demo)")
    options = parser.parse_args(arguments)
    if options.warm_up < LEAST_WARM_UP:
        parser.error(f"--warm-up must be at least {LEAST_WARM_UP}: cards with a fraud in those days are left out")
    if not 1 <= options.days <= len(handbook.TEST_DAYS):
        parser.error(f"--days must be 1 to {len(handbook.TEST_DAYS)}: so long is the handbook's test")
    if not 1 <= options.batch_rows <= MOST_BATCH_ROWS:
        parser.error(f"--batch-rows must be 1 to {MOST_BATCH_ROWS}: payments of a batch may be 7 days apart at most")
    return options


def run(options: argparse.Namespace) -> None:
    """Start, load, score, report."""
    for needed, command in REQUIRED.items():
        if not needed.exists():
            raise DemoError(f"{needed.relative_to(ROOT)} is missing: run `{command}` first")
    out: Path = options.out.resolve()
    empty(out)
    connector = maven.kafka_connector_jars()

    train(out)
    judged = range(handbook.TEST_DAYS[0], handbook.TEST_DAYS[0] + options.days)
    first = judged[0] - options.warm_up

    say("simulating card payments (the Fraud Detection Handbook's procedure)")
    manifest = payments.simulate(out, from_day=first, until_day=judged[-1] + 1, rubbish=options.rubbish)
    say("starting Kafka")
    with Broker(log=out / "broker.log") as broker:
        topics.create(broker.bootstrap, TRANSACTIONS, partitions=PARTITIONS)
        sent = payments.produce(broker.bootstrap, TRANSACTIONS, out)
        say(f"{manifest['events']:,} payments and {manifest['rubbish']['records']:,} broken records are in Kafka")
        if sent != manifest["records"]:
            raise DemoError(f"{manifest['records']} records were made and {sent} sent")
        topics.create(broker.bootstrap, SCORES, partitions=PARTITIONS)
        topics.create(broker.bootstrap, REJECTED)

        say(f"starting Spark, local[{options.cores}]: {handbook.PIPELINE.relative_to(ROOT)}")
        job = stream_job.StreamJob(
            bootstrap=broker.bootstrap,
            topic=TRANSACTIONS,
            scores_topic=SCORES,
            rejected_topic=REJECTED,
            pipeline=handbook.PIPELINE,
            out=out,
            cores=options.cores,
            batch_rows=options.batch_rows,
            connector=connector,
        )
        batches = stream_job.run(job, total_rows=manifest["records"])
        in_topics = {name: sum(topics.end_offsets(broker.bootstrap, name).values()) for name in (SCORES, REJECTED)}

    summary = report.summarise(out, manifest, batches, in_topics, judged)
    (out / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    print(report.table(summary))
    faults = report.faults(summary, manifest)
    if faults:
        raise DemoError("the books do not balance: " + "; ".join(faults))


def empty(out: Path) -> None:
    """A fresh output folder. Refuses a folder that this demo did not write."""
    if out.exists() and any(out.iterdir()) and not (out / ".demo").exists():
        raise DemoError(f"{out} holds other files: give --out another folder")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    (out / ".demo").touch()


def train(out: Path) -> None:
    """Train the models of the pipeline file as it is, unless they are there."""
    trained = f"days {handbook.TRAIN_DAYS[0]} to {handbook.TRAIN_DAYS[-1]}"
    if handbook.are_trained():
        say(f"the models were trained before, on {trained}; examples/fraud/handbook.py trains them anew")
        return
    say(f"training logistic regression and random forest on the pipeline's features of {trained}, once")
    command = [sys.executable, handbook.__file__, "--only-train"]
    with Program("the training", command, out / "training.log") as training:
        if training.wait(TRAIN_TIMEOUT_S) != 0:
            raise DemoError(f"the training failed: {training.tail(3)}")


def say(what: str) -> None:
    """One line about what happens now."""
    print(f"[{time.strftime('%H:%M:%S')}] {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
