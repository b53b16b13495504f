"""The case `keys` of the benchmark `windows`: ten million customers in the native source's memory.

A query reads a topic of so many customers with a few payments each and ends. Then some of them pay once more, and
another process goes on from the checkpoint: its first batch needs the state of the whole partition, and must see the
payments from before. The same with one partition of a million customers, and with one of a thousand: what a restart
costs without much state.
"""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass
from typing import Any

from benches import make_payments
from benches.common import kafka, worker
from benches.common.paths import WORK
from benches.common.report import Bar, Figure, Report
from benches.peers.windows import native

TIMEOUT_S = 1800
FEW_KEYS = 1_000
#: A partition of a million keys is back in less.
RECOVERY_BAR_S = 10.0
CASE = "keys"
MIB = 2**20


@dataclass(frozen=True)
class Keys:
    """A topic of so many customers in so many partitions."""

    count: int
    partitions: int

    @property
    def name(self) -> str:
        """As in the tables."""
        return f"{self.count:,} keys in {self.partitions} partition{'s' if self.partitions > 1 else ''}"


def measure(report: Report, job: dict[str, Any], keys: int, partition_keys: int, events: int) -> None:
    """Fills and recovers each of the topics once, fewest keys first, and adds figures and the bar."""
    worlds = [Keys(FEW_KEYS, 1), Keys(partition_keys, 1), Keys(keys, kafka.PARTITIONS)]
    bootstrap = job["bootstrap"]
    filled, recovered = [], []
    for world in worlds:
        checkpoint = WORK / "keys-checkpoint"
        shutil.rmtree(checkpoint, ignore_errors=True)
        with contextlib.ExitStack() as stack:
            topic = stack.enter_context(kafka.topic(bootstrap, "bench-keys", world.partitions))
            load(bootstrap, topic, make_payments.keys(world.count, events))
            place = {"topic": topic, "checkpoint": str(checkpoint)}
            spec = {**job, "places": {CASE: place, "warm": {"topic": job["topics"]["warm"], "checkpoint": None}}}
            with worker.started("window_keys", native.NAME, spec) as filling:
                # What reading costs the process without many keys.
                filling.ask("fill", "warm", TIMEOUT_S)
                without = filling.ask("fill", "warm", TIMEOUT_S)
                filled.append(memory(world, filling.ask("fill", CASE, TIMEOUT_S), without))
            load(bootstrap, topic, make_payments.keys(world.count, events, after=True))
            with worker.started("window_keys", native.NAME, spec) as recovering:
                found = recovering.ask("recover", CASE, TIMEOUT_S)
            if (found["fewest"], found["most"]) != (events + 1, events + 1):
                raise SystemExit(f"benches: after the restart a key has not {events + 1} payments in 30 days: {found}")
            recovered.append(found)
            print(f"benches: {world.name}: {filled[-1]}, first batch after {found['seconds']:.1f} s", flush=True)
        shutil.rmtree(checkpoint, ignore_errors=True)
    for world, found in zip(worlds, filled, strict=True):
        report.figures.append(Figure(f"{world.name}, rate", native.NAME, "rows/s", (found["rows_per_s"],), found))
    for world, found in zip(worlds[1:], filled[1:], strict=True):
        report.figures.append(Figure(f"{world.name}, memory", native.NAME, "bytes per key", (found["bytes_per_key"],)))
    for world, found in zip(worlds, recovered, strict=True):
        report.figures.append(Figure(f"{world.name}, restart", native.NAME, "s", (found["seconds"],), found))
    report.bars.append(
        Bar.below(f"keys: {worlds[1].name}: first batch after a restart, s", RECOVERY_BAR_S, recovered[1]["seconds"])
    )
    report.notes.append(
        f"keys: {events} payments of each; memory is how much more the processes' peak grew than over the warm-up "
        "topic, by key; restart is from the query's start in a new process to the end of its first batch, JIT cold"
    )


def load(bootstrap: str, topic: str, file: Any) -> None:
    """Writes a file of payments to a topic keyed by customer."""
    kafka.replay(bootstrap, topic, file, key="customer_id", time="ts")


def memory(world: Keys, rate: dict[str, Any], without: dict[str, Any]) -> dict[str, Any]:
    """A rate with the memory of a key: what the peak grew by, less what it grew by for few keys."""
    grown, usual = (r["peak_rss_mib"] - r["rss_before_mib"] for r in (rate, without))
    return {**rate, "bytes_per_key": max(0.0, grown - usual) * MIB / world.count}
