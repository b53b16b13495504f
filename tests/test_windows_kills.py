"""Windows whose driver is killed by signal 9, again and again, by 50 schedules drawn by chance for each home of state.

A schedule is a query: its partitions, sink, limits, snapshots, and whether a restart finds the last commit gone.
Several share a driver, and so the moments of its death, which find each of them somewhere else.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tests.support import checkpoints
from tests.support.places import FULL
from tests.support.windows.killed import Driver, Query
from tests.support.windows.log import SEED
from tests.support.windows.logs import Logs
from tests.support.windows.outcome import assert_right
from tests.support.windows.ways import Way

pytestmark = pytest.mark.faults

EVENTS = 6_000
#: In Spark's store every second schedule is of keys that span partitions.
HOMES: dict[str, tuple[Way, ...]] = {"b": ("beside",), "a": ("store", "ordered")}
#: Drivers, and schedules of each home in one: 50 of each in full.
DRIVERS, OF_EACH_HOME = (5, 10) if FULL else (1, 3)


@pytest.fixture(scope="module")
def logs(bootstrap: str, tmp_path_factory: pytest.TempPathFactory) -> Logs:
    return Logs(bootstrap, tmp_path_factory.mktemp("logs"))


def drawn(chance: random.Random, logs: Logs, folder: Path) -> list[Query]:
    """The queries of a driver. Those beside the partitions are quick, so they are slowed down to meet the kills."""
    queries = []
    for home, ways in HOMES.items():
        for number in range(OF_EACH_HOME):
            way = ways[number % len(ways)]
            partitions = chance.choice([1, 3, 8])
            topic, file = logs.topic(partitions, EVENTS), logs.pipeline(way, partitions)
            sink = chance.choice(["parquet", "overwrite"])
            slow_ms = 3 if way == "beside" else 0
            place = folder / f"{home}-{number}"
            queries.append(Query(logs.bootstrap, topic, file, way, place, partitions, sink, slow_ms))
    return queries


def settings(chance: random.Random, query: Query) -> dict[str, int]:
    """Of one run of a query; the next has others."""
    made = {"maxOffsetsPerTrigger": chance.randint(100, 150), "batchRows": chance.choice([7, 8192])}
    if query.way == "beside":
        made["snapshotEvents"] = chance.choice([50, 300, 1_000_000])
    return made


@pytest.mark.timeout(1800 if FULL else 600)
@pytest.mark.parametrize("number", range(DRIVERS))
def test_any_schedule_of_kills_gives_the_same_bytes(
    spark: SparkSession, logs: Logs, jar: Path, tmp_path: Path, number: int
) -> None:
    chance = random.Random(SEED + number)
    queries = drawn(chance, logs, tmp_path)
    driver = Driver(jar, queries, tmp_path)
    kills = chance.randint(1, 3) if FULL else 2
    for _ in range(kills):
        for query in queries:
            query.options = settings(chance, query)
        # When one of the slower ones has got so far, and a moment later: far from the end of its topic.
        watched = chance.choice(sorted(queries, key=lambda query: query.batches)[: len(queries) // 2])
        goal, pause_s = watched.batches + chance.randint(1, 4), chance.uniform(0, 0.5)
        driver.run_until(lambda watched=watched, goal=goal: watched.batches >= goal, pause_s=pause_s)  # type: ignore[misc]
        for query in queries:
            if query.batches and chance.random() < 0.4:
                checkpoints.forget_last_commit(query.checkpoint)
    snapshots = sum(1 for _ in tmp_path.glob("b-*/checkpoint/sources/0/windows/*/*.arrow"))
    print(f"snapshots of home (b) when all kills were over: {snapshots}")
    for query in queries:
        query.options = {}
    driver.finish()
    for query in queries:
        right = logs.right(query.way, query.topic, query.partitions)
        assert_right(spark, query.out, right, waits=query.way == "ordered")
    for home, ways in HOMES.items():
        hits = sum(query.kills_in_a_batch for query in queries if query.way in ways)
        print(f"home ({home}): {OF_EACH_HOME} schedules, {OF_EACH_HOME * kills} kills, {hits} in a micro-batch")
        assert hits > 0
