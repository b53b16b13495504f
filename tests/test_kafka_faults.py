"""The native source while brokers, executors and queries stop, die and come back: Parquet has each record once.

Every test compares what the sink holds with the log, record by record. kill -9 of the driver: tests/test_recovery.py.
What a log can hold in itself, gaps and lost records: tests/test_kafka_logs.py.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from pyspark.sql import SparkSession

from tests.harness.broker import QUICK_RESTART, Broker
from tests.support import checkpoints, cluster, kafka, native, streams
from tests.support.native import stream, written
from tests.support.places import FULL, ROOT
from tests.support.records import assert_each_once, log_of
from tests.support.submit import SparkProgram, submit_command

pytestmark = pytest.mark.faults

PARTITIONS = 4
SEED = 20260302
#: How often a query is stopped in the middle of a batch.
STOPS = 30 if FULL else 4
#: How long the source waits for a record where a test makes it wait in vain.
PATIENCE_S = 8


def fill(bootstrap: str, topic: str, first: int, count: int, *, size: int = 60) -> None:
    """Add records with a content of their own each that can't be compressed, spread over the partitions."""
    values = (b"%d " % i + random.Random(i).randbytes(size) for i in range(first, first + count))
    assert kafka.produce(bootstrap, topic, values, partitions=PARTITIONS) == count


def new_topic(bootstrap: str, stem: str, count: int, *, size: int = 60) -> str:
    topic = kafka.new_topic(bootstrap, stem, partitions=PARTITIONS)
    fill(bootstrap, topic, 0, count, size=size)
    return topic


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    """A broker of this file's own: its tests stop and kill it."""
    with Broker(heap="512m", settings=QUICK_RESTART) as started:
        yield started


@pytest.mark.parametrize(("end", "away_s"), [("stop", 20), ("kill", 0)])
def test_a_broker_that_goes_away_and_comes_back_costs_a_running_query_nothing(
    spark: SparkSession, broker: Broker, tmp_path: Path, end: str, away_s: float
) -> None:
    topic = new_topic(broker.bootstrap, "away", 12_000)
    df = native.slowed(stream(spark, broker.bootstrap, topic, maxOffsetsPerTrigger=1000), 1)
    with native.running(df, tmp_path, every="0 seconds") as query:
        native.in_a_batch(query, tmp_path, after=2)
        getattr(broker, end)()
        time.sleep(away_s)
        assert query.isActive, query.exception()
        assert checkpoints.committed(tmp_path / "checkpoint") < 11, "it had read everything before the broker went"
        broker.start()
        fill(broker.bootstrap, topic, 12_000, 2_000)
        native.until(lambda: streams.rows_read(query) >= 14_000, query, seconds=90, what="end of the topic")
    log = log_of(broker.bootstrap, topic)
    assert len(log) == 14_000
    assert_each_once(written(spark, tmp_path), topic, log)


def test_a_broker_that_stays_away_fails_the_query_in_time_and_the_next_run_goes_on(
    spark: SparkSession, broker: Broker, tmp_path: Path
) -> None:
    """One query waits for records in a task, the other for offsets in the driver: both say for what, and what to do."""
    topic = new_topic(broker.bootstrap, "stays-away", 20_000, size=1000)
    patience = {"pollTimeoutMs": PATIENCE_S * 1000, "kafka_default_api_timeout_ms": PATIENCE_S * 1000}
    bounds = {**patience, "prefetchBytes": "64k", "batchRows": 200}
    reading, idle = tmp_path / "reading", tmp_path / "idle"

    with native.running(stream(spark, broker.bootstrap, topic, **bounds), idle) as in_the_driver:
        native.until(lambda: streams.rows_read(in_the_driver) == 20_000, in_the_driver, seconds=60, what="all records")
        slow = native.slowed(stream(spark, broker.bootstrap, topic, **bounds), 3)
        with native.running(slow, reading) as in_a_task:
            native.in_a_batch(in_a_task, reading, after=-1)
            time.sleep(1)
            broker.stop()
            began = time.monotonic()
            driver = native.failure_of(in_the_driver, seconds=60)
            task = native.failure_of(in_a_task, seconds=60)
            assert time.monotonic() - began < 60
    assert "KAFKA_TIMEOUT" in task
    assert f"{topic}-" in task
    assert "kafkaConsumer.pollTimeoutMs" in task
    assert "KAFKA_UNREACHABLE" in driver
    assert broker.bootstrap in driver
    assert "kafka.bootstrap.servers" in driver

    broker.start()
    fill(broker.bootstrap, topic, 20_000, 500, size=1000)
    log = log_of(broker.bootstrap, topic)
    for folder in (reading, idle):
        streams.write_available(stream(spark, broker.bootstrap, topic, **bounds), folder)
        assert_each_once(written(spark, folder), topic, log)


def test_a_query_stopped_in_the_middle_of_batches_goes_on_where_it_was(
    spark: SparkSession, bootstrap: str, tmp_path: Path
) -> None:
    """At random moments, each run with other limits."""
    rows = 800 * STOPS
    topic = new_topic(bootstrap, "stopped", rows)
    chance = random.Random(SEED)
    checkpoint = tmp_path / "checkpoint"
    stopped = 0
    for _ in range(STOPS):
        options = {"maxOffsetsPerTrigger": chance.choice([150, 200, 300]), "batchRows": chance.choice([7, 100, 8192])}
        df = native.slowed(stream(spark, bootstrap, topic, **options), 2)
        with native.running(df, tmp_path, every="0 seconds") as query:
            native.in_a_batch(query, tmp_path, after=checkpoints.committed(checkpoint) + 1)
            time.sleep(chance.uniform(0, 0.2))
        stopped += checkpoints.is_mid_batch(checkpoint)
    assert stopped > STOPS / 2, f"only {stopped} of {STOPS} stops fell into a batch"
    streams.write_available(stream(spark, bootstrap, topic), tmp_path)
    assert_each_once(written(spark, tmp_path), topic, log_of(bootstrap, topic))


def test_a_forgotten_commit_is_done_again_and_not_doubled_whatever_the_limit(
    spark: SparkSession, bootstrap: str, tmp_path: Path
) -> None:
    """The checkpoint goes on with other limits, each time without its last commit."""
    topic = kafka.new_topic(bootstrap, "forgotten", partitions=PARTITIONS)
    checkpoint = tmp_path / "checkpoint"
    for turn, limit in enumerate((70, 400, None, 1, 9, 1_000_000)):
        fill(bootstrap, topic, 1000 * turn, 30 if limit == 1 else 300)
        options = {} if limit is None else {"maxOffsetsPerTrigger": limit}
        streams.write_available(stream(spark, bootstrap, topic, **options), tmp_path)
        log = log_of(bootstrap, topic)
        assert_each_once(written(spark, tmp_path), topic, log)
        forgotten = checkpoints.forget_last_commit(checkpoint)
        if turn % 2:
            forget_files(tmp_path / "out", forgotten)
        again = streams.write_available(stream(spark, bootstrap, topic, **options), tmp_path)
        # A sink that knows the batch does not ask for its rows.
        assert (streams.rows_read(again) > 0) == bool(turn % 2)
        assert checkpoints.committed(checkpoint) == forgotten
        assert_each_once(written(spark, tmp_path), topic, log)


def forget_files(out: Path, batch: int) -> None:
    """Let the sink forget a batch, as a crash before its end would: the files are there and do not count."""
    gone = [path for path in (out / "_spark_metadata").glob(f"*{batch}*") if str(batch) in path.name.split(".")]
    assert gone
    for path in gone:
        path.unlink()


def test_fifty_restarts_in_a_row_lose_nothing_and_leave_nothing_behind(
    spark: SparkSession, bootstrap: str, tmp_path: Path
) -> None:
    """A few new records for each; no consumer, thread or open file of theirs is left at the end."""
    java: Any = spark._jvm
    jvm = psutil.Process(java.java.lang.ProcessHandle.current().pid())
    topic = kafka.new_topic(bootstrap, "fifty", partitions=PARTITIONS)
    reader = java.io.firesteel.spark.bridge.KafkaReader
    idle_before = reader.idleConsumers()
    held: list[tuple[int, int]] = []
    began = time.monotonic()
    for turn in range(50):
        fill(bootstrap, topic, 10 * turn, 7)
        streams.write_available(stream(spark, bootstrap, topic), tmp_path, timeout_s=20)
        held.append((jvm.num_threads(), jvm.num_fds()))
    assert time.monotonic() - began < 150
    log = log_of(bootstrap, topic)
    assert len(log) == 350
    assert_each_once(written(spark, tmp_path), topic, log)
    print(f"idle before {idle_before}, after {reader.idleConsumers()}")
    assert reader.idleConsumers() <= idle_before
    # A client that stays has a thread for itself, for each broker and for its events: 40 runs would leave hundreds.
    grown = [last - first for first, last in zip(held[9], held[-1], strict=True)]
    assert max(grown) < 40, f"threads and open files grew by {grown} in 40 runs: {held[9:]}"


@pytest.mark.timeout(400)
def test_on_two_workers_a_killed_executor_costs_nothing(
    spark: SparkSession, bootstrap: str, jar: Path, tmp_path: Path
) -> None:
    """Its tasks are done again elsewhere, by consumers that are new there; then the partitions move once more."""
    topic = new_topic(bootstrap, "executors", 8_000)
    conf = {"spark.executor.memory": "700m", "spark.executor.cores": "1", "spark.cores.max": "2"}
    chance = random.Random(SEED)
    checkpoint = tmp_path / "checkpoint"
    with cluster.standalone(tmp_path, workers=2, cores=1, memory="1200m") as two:
        command = submit_command(master=two.url, jars=[jar], conf=conf)
        command += [str(ROOT / "tests" / "drivers" / "kafka_copy.py"), bootstrap, topic, str(tmp_path), "1000"]
        with SparkProgram(command, tmp_path / "driver.log") as program:
            for _ in range(3 if FULL else 2):
                before = checkpoints.committed(checkpoint)
                program.wait_until(
                    lambda before=before: (  # type: ignore[misc]
                        checkpoints.committed(checkpoint) > before
                        and checkpoints.is_mid_batch(checkpoint)
                        and len(two.executors()) == 2
                    ),
                    timeout_s=90,
                    what="a batch in progress on two executors",
                )
                time.sleep(chance.uniform(0, 0.3))
                assert two.kill_executors(most=1) == 1
            program.finish(120)
    assert_each_once(written(spark, tmp_path), topic, log_of(bootstrap, topic))
