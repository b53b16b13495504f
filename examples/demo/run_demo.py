"""The main job, end to end, on this machine: `make demo`.

A Kafka broker starts, simulated card payments fill a topic (with some rubbish among them), a Spark streaming job
scores them with the pipeline file examples/fraud/fraud.yaml, and the scores are held against the truth. Everything
that is started here ends here, also on Ctrl-C, on a failure and when this process is killed. Results, logs and
`summary.json` lie in build/demo.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from examples.demo import report, stream_job  # noqa: E402
from examples.fraud import protocol  # noqa: E402
from tests.harness import maven, topics  # noqa: E402
from tests.harness.broker import Broker, BrokerError  # noqa: E402
from tests.harness.process import Program, ProgramError  # noqa: E402

PARTITIONS = 4
TRANSACTIONS, SCORES, REJECTED = "card-transactions", "card-scores", "card-rejected"
LOAD_TIMEOUT_S = 300
#: What must have been built, and by what.
REQUIRED = {
    stream_job.JAR: "make jar",
    protocol.FIRESTEEL: "make cli",
    protocol.MODEL: "python examples/fraud/train.py",
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
        "--from-day", type=int, default=protocol.TEST_DAYS[0], help="first day of payments (default %(default)s)"
    )
    parser.add_argument(
        "--days", type=int, default=len(protocol.TEST_DAYS), help="days of payments (default %(default)s)"
    )
    parser.add_argument("--rubbish", type=float, default=0.001, help="share of broken records (default %(default)s)")
    parser.add_argument("--batch-rows", type=int, default=50_000, help="records per micro-batch (default %(default)s)")
    parser.add_argument("--cores", type=int, default=2, help="Spark's cores (default %(default)s)")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "demo", help="folder, emptied first (build/demo)")
    options = parser.parse_args(arguments)
    last_train_day = protocol.TRAIN_DAYS[-1]
    if options.from_day <= last_train_day:
        parser.error(f"--from-day must be above {last_train_day}: the model was trained on the days up to it")
    return options


def run(options: argparse.Namespace) -> None:
    """Start, load, score, report."""
    for needed, command in REQUIRED.items():
        if not needed.exists():
            raise DemoError(f"{needed.relative_to(ROOT)} is missing: run `{command}` first")
    out: Path = options.out.resolve()
    empty(out)
    connector = maven.kafka_connector_jars()

    say("starting Kafka")
    with Broker(log=out / "broker.log") as broker:
        say("simulating card payments (the Fraud Detection Handbook's procedure) into Kafka")
        manifest = load(broker.bootstrap, options, out)
        say(f"{manifest['events']:,} payments and {manifest['rubbish']['records']:,} broken records are in Kafka")
        topics.create(broker.bootstrap, SCORES, partitions=PARTITIONS)
        topics.create(broker.bootstrap, REJECTED)

        say(f"starting Spark, local[{options.cores}]: {protocol.PIPELINE.relative_to(ROOT)}")
        job = stream_job.StreamJob(
            bootstrap=broker.bootstrap,
            topic=TRANSACTIONS,
            scores_topic=SCORES,
            rejected_topic=REJECTED,
            pipeline=protocol.PIPELINE,
            out=out,
            cores=options.cores,
            batch_rows=options.batch_rows,
            connector=connector,
        )
        batches = stream_job.run(job, total_rows=manifest["records"])
        in_topics = {name: sum(topics.end_offsets(broker.bootstrap, name).values()) for name in (SCORES, REJECTED)}

    summary = report.summarise(out, manifest, batches, in_topics)
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


def load(bootstrap: str, options: argparse.Namespace, out: Path) -> dict[str, Any]:
    """Fill the topic; returns the load generator's manifest."""
    command: list[object] = [protocol.FIRESTEEL, "loadgen", "fraud", "--quiet"]
    command += ["--topic", TRANSACTIONS, "--bootstrap", bootstrap, "--partitions", PARTITIONS]
    command += ["--from-day", options.from_day, "--until-day", options.from_day + options.days]
    command += ["--rubbish", options.rubbish, "--labels", out / "labels.csv", "--manifest", out / "manifest.json"]
    with Program("the load generator", [str(part) for part in command], out / "loadgen.log") as generator:
        if generator.wait(LOAD_TIMEOUT_S) != 0:
            raise DemoError(f"the load generator failed: {generator.tail(3)}")
    return json.loads((out / "manifest.json").read_text())


def say(what: str) -> None:
    """One line about what happens now."""
    print(f"[{time.strftime('%H:%M:%S')}] {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
