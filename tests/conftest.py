"""Fixtures that every end-to-end test shares: one Spark session, one broker, both started once.

Start-up is slow on two cores, so tests share them and keep apart by topics, folders and execution ids.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

import firesteel
from tests.harness.broker import Broker
from tests.harness.maven import kafka_connector_jars
from tests.harness.security import Security
from tests.support import places

# Timestamps reach Python in the process's zone; the engine's is UTC.
os.environ["TZ"] = "UTC"
time.tzset()


@pytest.fixture(scope="session")
def jar() -> Path:
    """The fat jar, as a user would upload it."""
    return places.required(places.JAR, "make jar")


@pytest.fixture(scope="session")
def kafka_connector() -> list[Path]:
    """Spark's own Kafka source and sink, which the pyspark package does not bring."""
    return kafka_connector_jars()


@pytest.fixture(scope="session")
def bootstrap() -> Iterator[str]:
    """The address of a real broker on the loopback interface."""
    with Broker() as broker:
        yield broker.bootstrap


@pytest.fixture(scope="session")
def secured_broker() -> Iterator[Broker]:
    """A real broker with TLS, mutual TLS and SASL listeners; all its passwords start with `canary-`."""
    with Broker(heap="512m", security=Security()) as broker:
        yield broker


@pytest.fixture(scope="session")
def spark(jar: Path, kafka_connector: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """The classic session of the test process: local[2], UTC, Firesteel by `configure`, Kafka's connector."""
    folder = tmp_path_factory.mktemp("spark")
    builder = (
        SparkSession.builder.master("local[2]")
        .appName("firesteel-tests")
        .config("spark.jars", ",".join(map(str, kafka_connector)))
        .config("spark.driver.memory", "3g")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.warehouse.dir", str(folder / "warehouse"))
        .config("spark.sql.streaming.noDataMicroBatches.enabled", "false")
    )
    session = firesteel.configure(builder, jar=jar).getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()
