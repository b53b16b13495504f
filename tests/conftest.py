"""Fixtures that every end-to-end test shares: one Spark session, one broker, both started once.

Start-up is slow on two cores, so tests share them and keep apart by topics, folders and execution ids.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

import firesteel
from support import jars, places


@pytest.fixture(scope="session")
def jar() -> Path:
    """The fat jar, as a user would upload it."""
    return places.required(places.JAR, "make jar")


@pytest.fixture(scope="session")
def spark(jar: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """The classic session of the test process: local[2], UTC, Firesteel by `configure`, Kafka's connector."""
    folder = tmp_path_factory.mktemp("spark")
    builder = (
        SparkSession.builder.master("local[2]")
        .appName("firesteel-tests")
        .config("spark.jars", ",".join(map(str, jars.kafka_connector())))
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
