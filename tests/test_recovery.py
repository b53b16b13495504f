"""Streams that stop, are killed in the middle of a batch, or lose their last commit: Parquet loses and doubles nothing.

In the process: a query stopped and started again. As StreamJob under spark-submit: kill -9. On a standalone master
with one worker, the jar given by --jars only: kill -9 of the driver, then of the executor.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

import firesteel
from tests.support import checkpoints, cluster, kafka, proof, small, streams
from tests.support.jobs import Job
from tests.support.places import FULL, ROOT
from tests.support.points import Points, assert_all_once
from tests.support.submit import SparkProgram, submit_command

pytestmark = pytest.mark.faults

PARTITIONS = 4
POINTS = Points(0, 120_000)
BATCH = 20_000
#: Kills that must fall into a batch. One that comes a moment too late costs another try.
KILLS = 30 if FULL else 1
SPARE_TRIES = 4
SEED = 20260301


@dataclass(frozen=True)
class Filled:
    """A topic that holds POINTS, and the pipeline for it."""

    topic: str
    files: small.Small


@pytest.fixture(scope="module")
def filled(bootstrap: str, tmp_path_factory: pytest.TempPathFactory) -> Filled:
    topic = kafka.new_topic(bootstrap, "points", partitions=PARTITIONS)
    assert kafka.produce(bootstrap, topic, POINTS.records(), partitions=PARTITIONS) == POINTS.count
    return Filled(topic, small.write(tmp_path_factory.mktemp("small")))


def stream(spark: SparkSession, bootstrap: str, topic: str, files: small.Small) -> DataFrame:
    options = kafka.source_options(bootstrap, topic, maxOffsetsPerTrigger=str(BATCH))
    events = spark.readStream.format("kafka").options(**options).load()
    return firesteel.accepted(firesteel.Pipeline.load(files.pipeline).transform(events))


def test_a_query_started_again_from_its_checkpoint_loses_nothing(
    spark: SparkSession, bootstrap: str, filled: Filled, tmp_path: Path
) -> None:
    since = proof.next_execution(spark)
    topic = kafka.new_topic(bootstrap, "halves", partitions=PARTITIONS)
    for half in (Points(0, 30_000), Points(30_000, 30_000)):
        kafka.produce(bootstrap, topic, half.records(), partitions=PARTITIONS)
        query = streams.write_available(stream(spark, bootstrap, topic, filled.files), tmp_path)
        assert streams.rows_read(query) == half.count
    assert proof.native_count(spark, since, "rows") == 60_000
    assert_all_once(spark, str(tmp_path / "out"), Points(0, 60_000), filled.files)


def test_a_query_stopped_in_the_middle_of_a_batch_loses_nothing(
    spark: SparkSession, bootstrap: str, filled: Filled, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "checkpoint"
    writer = (
        stream(spark, bootstrap, filled.topic, filled.files)
        .writeStream.format("parquet")
        .option("checkpointLocation", str(checkpoint))
        .trigger(availableNow=True)
    )
    query = writer.start(str(tmp_path / "out"))
    deadline = time.monotonic() + 60
    while not (checkpoints.planned(checkpoint) >= 2 and checkpoints.is_mid_batch(checkpoint)):
        assert query.isActive, query.exception()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    query.stop()
    assert checkpoints.committed(checkpoint) < POINTS.count // BATCH - 1, "it had read everything before the stop"
    streams.write_available(stream(spark, bootstrap, filled.topic, filled.files), tmp_path)
    assert_all_once(spark, str(tmp_path / "out"), POINTS, filled.files)


def kill_in_a_batch(program: SparkProgram, checkpoint: Path, pause_s: float) -> None:
    """Wait for a batch that this run began, let it work for a moment, and kill the program with signal 9."""
    before = checkpoints.committed(checkpoint)
    program.wait_until(
        lambda: checkpoints.committed(checkpoint) > before and checkpoints.is_mid_batch(checkpoint),
        timeout_s=90,
        what="a batch in progress",
    )
    time.sleep(pause_s)
    program.kill()
    assert program.status == 128 + signal.SIGKILL


@pytest.fixture
def job(filled: Filled, bootstrap: str, jar: Path, kafka_connector: list[Path], tmp_path: Path) -> Job:
    return Job(filled.files.pipeline, bootstrap, filled.topic, tmp_path, jar, kafka_connector, batch_rows=BATCH)


@pytest.mark.timeout(3600 if FULL else 600)
def test_stream_job_killed_in_a_batch_and_robbed_of_a_commit_loses_and_doubles_nothing(
    job: Job, spark: SparkSession, filled: Filled
) -> None:
    pauses = random.Random(SEED)
    hits = 0
    for attempt in range(KILLS + SPARE_TRIES):
        # Many kills need more batches than the topic has: later ones begin again from nothing.
        if checkpoints.committed(job.checkpoint) >= POINTS.count // BATCH - 3:
            job.start_over()
        with SparkProgram(job.command(), job.folder / f"killed-{attempt}.log") as program:
            kill_in_a_batch(program, job.checkpoint, pauses.uniform(0, 0.25))
        hits += checkpoints.is_mid_batch(job.checkpoint)
        if hits == KILLS:
            break
    assert hits == KILLS, f"only {hits} kills of {attempt + 1} fell into a batch"
    with SparkProgram(job.command(), job.folder / "finished.log") as program:
        program.finish(120)
    assert_all_once(spark, str(job.scores), POINTS, filled.files)

    forgotten = checkpoints.forget_last_commit(job.checkpoint)
    with SparkProgram(job.command(), job.folder / "again.log") as program:
        program.finish(120)
    assert checkpoints.committed(job.checkpoint) == forgotten
    assert_all_once(spark, str(job.scores), POINTS, filled.files)
    job.assert_rejected(spark, int(POINTS.bad.sum()))
    job.assert_native()


@pytest.fixture(scope="module")
def standalone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[cluster.Cluster]:
    with cluster.standalone(tmp_path_factory.mktemp("cluster")) as started:
        yield started


@pytest.mark.timeout(3600 if FULL else 600)
def test_on_a_standalone_cluster_with_the_jar_by_jars_only_a_killed_driver_and_executor_cost_nothing(
    standalone: cluster.Cluster,
    filled: Filled,
    bootstrap: str,
    jar: Path,
    kafka_connector: list[Path],
    spark: SparkSession,
    tmp_path: Path,
) -> None:
    conf = {
        "spark.sql.extensions": "io.firesteel.spark.FiresteelExtensions",
        "spark.executor.memory": "1g",
        "spark.cores.max": "2",
    }
    command = submit_command(master=standalone.url, jars=[jar, *kafka_connector], conf=conf)
    command += [str(ROOT / "tests" / "drivers" / "stream_scores.py")]
    command += [bootstrap, filled.topic, str(filled.files.pipeline), str(tmp_path)]
    checkpoint = tmp_path / "checkpoint"
    pauses = random.Random(SEED)

    with SparkProgram(command, tmp_path / "driver-killed.log") as program:
        kill_in_a_batch(program, checkpoint, pauses.uniform(0, 0.25))
    with SparkProgram(command, tmp_path / "executor-killed.log") as program:
        before = checkpoints.committed(checkpoint)
        program.wait_until(
            lambda: checkpoints.committed(checkpoint) > before and checkpoints.is_mid_batch(checkpoint),
            timeout_s=90,
            what="a batch in progress",
        )
        assert standalone.kill_executors() == 1
        output = program.finish(150)
    assert "FiresteelEval" in output, "the native operator is not in the plan"
    assert_all_once(spark, str(tmp_path / "out"), POINTS, filled.files)
