"""Features with memory: a customer's count and average over 1, 7 and 30 days, in the stream and as a training set.

Stream: one topic keyed by customer, Spark ``local[2]``, a process for each contender; AvailableNow into the noop sink,
the first batch dropped. Batch: the same payments from a Parquet file. Before anything is timed, everybody's features
of a small topic or file must be those of the definition (``payments.reference``). Slow contenders get the payments of
one customer in five, in micro-batches as much smaller, so that a call has as many rows. `keys`: see ``window_keys``.
"""

from __future__ import annotations

import argparse
import contextlib
from typing import Any

from benches import make_payments, window_keys
from benches.common import jars, kafka, worker
from benches.common.paths import WORK
from benches.common.report import Bar, Figure, Report
from benches.payments import agrees
from benches.peers.windows import ALL, CASES, SLOW, contender
from benches.peers.windows.firesteel import pipeline_file
from benches.suites.inference import turned

#: Home of the state beside the partition; in Spark's store, behind our source and behind Spark's.
NATIVE, STORE, FIRESTEEL = "native", "native_store", "firesteel"
CHECK_CUSTOMERS = 100
#: About 35,000 payments: four micro-batches.
CHECK_MAX_OFFSETS = 10_000
#: Bars of a case: who over which family, at least.
BARS = (
    ("stream", NATIVE, "scala", 5.0),
    ("stream", NATIVE, "pandas", 20.0),
    ("stream", STORE, "scala", 1.2),
    ("stream", FIRESTEEL, "scala", 1.2),
    ("batch", FIRESTEEL, "sql", 5.0),
    ("batch", FIRESTEEL, "pandas", 20.0),
)
COSTS = {"CPU": ("cpu_s_per_million_rows", "CPU s per million rows"), "peak memory": ("peak_rss_mib", "MiB")}
TIMEOUT_S = 3600


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Sizes and choices; the defaults are those of the published table."""
    parser.add_argument("--customers", type=int, default=15_000, help="customers; each pays about 350 times")
    parser.add_argument("--warmup-customers", type=int, default=4_000, help="customers of the warm-up")
    parser.add_argument("--slow-share", type=int, default=5, help=f"{', '.join(SLOW)}: one customer in so many")
    parser.add_argument("--repetitions", type=int, default=3, help="timed repetitions of each contender")
    parser.add_argument("--max-offsets", type=int, default=500_000, help="maxOffsetsPerTrigger")
    parser.add_argument("--contenders", default=",".join(ALL), help="comma-separated")
    parser.add_argument("--cases", default="stream,batch,keys", help="comma-separated")
    parser.add_argument("--keys", type=int, default=10_000_000, help="keys: customers in all partitions")
    parser.add_argument("--partition-keys", type=int, default=1_000_000, help="keys: customers in one partition")
    parser.add_argument("--events-per-key", type=int, default=2, help="keys: payments of each customer")


def run(args: argparse.Namespace) -> Report:
    """Makes and loads the payments, checks, measures, and sets the figures against the bars."""
    cases, contenders = args.cases.split(","), args.contenders.split(",")
    for name in contenders:
        contender(name)
    report = Report(
        "windows",
        "Six features of a customer over 1, 7 and 30 days, Spark local[2]",
        {
            "partitions": kafka.PARTITIONS,
            "maxOffsetsPerTrigger": args.max_offsets,
            "dropped batches": 1,
            "repetitions": args.repetitions,
            f"of {', '.join(SLOW)}": f"one customer in {args.slow_share}",
        },
    )
    WORK.mkdir(parents=True, exist_ok=True)
    pipeline_file()
    files = payment_files(args)
    report.settings["payments"] = {who: make_payments.rows(paths["measure"]) for who, paths in files.items()}
    with contextlib.ExitStack() as stack:
        bootstrap = stack.enter_context(kafka.broker(args.bootstrap))
        job: dict[str, Any] = {"bootstrap": bootstrap, "jars": jars.for_contenders(contenders)}
        jobs = {
            "all": {**job, "max_offsets": args.max_offsets, "files": files["all"]},
            "slow": {**job, "max_offsets": args.max_offsets // args.slow_share, "files": files["slow"]},
        }
        for who, own in jobs.items():
            own["check_max_offsets"] = CHECK_MAX_OFFSETS
            wanted = wanted_topics(who, cases, contenders)
            own["topics"] = topics(stack, bootstrap, {what: own["files"][what] for what in wanted})
        measure(report, jobs, [case for case in cases if case in CASES], contenders, args.repetitions)
        if window_keys.CASE in cases:
            window_keys.measure(report, jobs["all"], args.keys, args.partition_keys, args.events_per_key)
    judge(report, cases, contenders)
    return report


def payment_files(args: argparse.Namespace) -> dict[str, dict[str, str]]:
    """The files by who reads them and what for."""
    paths = {
        "check": make_payments.make("check", CHECK_CUSTOMERS, 2, edges=True),
        "warm": make_payments.make("warm", args.warmup_customers, 1),
        "measure": make_payments.make("payments", args.customers, 0),
    }
    slow = {
        what: path if what == "check" else make_payments.part(path, args.slow_share) for what, path in paths.items()
    }
    return {who: {what: str(path) for what, path in found.items()} for who, found in (("all", paths), ("slow", slow))}


def wanted_topics(who: str, cases: list[str], contenders: list[str]) -> list[str]:
    """Which of the files somebody reads as a topic."""
    readers = [name for name in contenders if (name in SLOW) == (who == "slow") and takes(name, "stream")]
    if "stream" in cases and readers:
        return ["check", "warm", "measure"]
    return ["warm"] if who == "all" and window_keys.CASE in cases else []


def topics(stack: contextlib.ExitStack, bootstrap: str, files: dict[str, str]) -> dict[str, str]:
    """A topic for each file."""
    found = {}
    for what, file in files.items():
        found[what] = stack.enter_context(kafka.topic(bootstrap, f"bench-{what}"))
        window_keys.load(bootstrap, found[what], file)
    return found


def takes(name: str, case: str) -> bool:
    """Whether a contender takes part in a case."""
    return name in CASES[case]


def measure(
    report: Report, jobs: dict[str, dict[str, Any]], cases: list[str], contenders: list[str], repetitions: int
) -> None:
    """Checks every contender, warms it up, repeats; fills the report's figures."""
    rates: dict[tuple[str, str], list[dict[str, Any]]] = {}
    part = [name for name in contenders if any(takes(name, case) for case in cases)]
    with contextlib.ExitStack() as stack:
        workers = {
            name: stack.enter_context(worker.started("windows", name, jobs["slow" if name in SLOW else "all"]))
            for name in part
        }
        for name in part:
            for case in (c for c in cases if takes(name, c)):
                found = workers[name].ask("check", case, TIMEOUT_S)
                if not agrees(found):
                    raise SystemExit(f"benches: {name} gives other features than their definition, {case}: {found}")
                report.notes.append(
                    f"{name} ({contender(name).WHAT}), {case}: all counts of {found['rows']:,} payments equal, largest "
                    f"difference of an average {found['average']:.1e}"
                )
                workers[name].ask("warm", case, TIMEOUT_S)
        for repetition in range(repetitions):
            for case in cases:
                for name in (n for n in turned(part, repetition) if takes(n, case)):
                    rate = workers[name].ask("measure", case, TIMEOUT_S)
                    rates.setdefault((case, name), []).append(rate)
                    shown = f"{rate['rows_per_s']:10,.0f} rows/s {rate['cpu_s_per_million_rows']:6.2f} CPU s/M"
                    shown += f" {rate['peak_rss_mib']:6,.0f} MiB"
                    print(f"benches: {repetition + 1}/{repetitions} {case:6} {name:12} {shown}", flush=True)
    for (case, name), values in rates.items():
        detail = {"seconds": [r["seconds"] for r in values], "batch_seconds": [r.get("batch_seconds") for r in values]}
        report.figures.append(Figure(case, name, "rows/s", tuple(r["rows_per_s"] for r in values), detail))
    for cost, (field, unit) in COSTS.items():
        for (case, name), values in rates.items():
            detail = {"mib_before": [r["rss_before_mib"] for r in values]} if unit == "MiB" else {}
            report.figures.append(Figure(f"{case}, {cost}", name, unit, tuple(r[field] for r in values), detail))


def judge(report: Report, cases: list[str], contenders: list[str]) -> None:
    """The bars of each case: over the best of a family."""
    for case, us, family, target in BARS:
        others = [name for name in contenders if family == contender(name).FAMILY and takes(name, case)]
        best = report.best(case, others) if case in cases and us in contenders else None
        if best is not None:
            ratio = report.ratio(case, us, best, named=f"{case}, {us}").median
            report.bars.append(Bar.at_least(f"{case}: {us} over {best}", target, ratio))
