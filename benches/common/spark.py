"""The Spark session of a benchmark worker: the same settings for every contender."""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame, SparkSession

from benches.common.jars import FIRESTEEL

#: What every contender runs with. `maxRecordsPerBatch` is Spark's default, written down because rates depend on it.
SETTINGS = {
    "spark.master": "local[2]",
    "spark.driver.memory": "2g",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "10000",
    "spark.sql.streaming.numRecentProgressUpdates": "5000",
    "spark.sql.streaming.metricsEnabled": "false",
}

#: Options of every contender's Kafka source. Spark's reader asks for a partition's end after every poll, and at the
#: end of a topic that question waits behind a fetch that the broker holds for Kafka's default of 500 ms: half a second
#: in each task, whoever scores. It would hide the rates of the last batch, and be all that the latencies show.
CONSUMER = {"kafka.fetch.max.wait.ms": "1"}


#: What everybody who keeps state in Spark runs with. The store is the one that `transformWithState` needs. Counting its
#: rows would cost a look-up for each write and serves a metric only.
STATE = {
    "spark.sql.streaming.stateStore.providerClass": (
        "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"
    ),
    "spark.sql.streaming.stateStore.rocksdb.changelogCheckpointing.enabled": "true",
    "spark.sql.streaming.stateStore.rocksdb.trackTotalNumberOfRows": "false",
}


def session(name: str, jars: list[str], extra: dict[str, str] | None = None) -> SparkSession:
    """A fresh local session; `jars` come as with ``spark-submit --jars``."""
    builder = SparkSession.builder.appName(f"bench-{name}")
    for key, value in {**SETTINGS, "spark.jars": ",".join(jars), **(extra or {})}.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("WARN")
    return spark


def for_contender(name: str, jars: dict[str, Any], settings: dict[str, str] | None = None) -> SparkSession:
    """A session with the jars that this contender's users would add, and Firesteel's extension only for Firesteel.

    Parameters
    ----------
    jars
        ``kafka`` (the connector and its dependencies), ``peers`` and ``firesteel``: lists of paths.
    settings
        What a benchmark sets besides, for all who take part.
    """
    if name in FIRESTEEL:
        extra = {"spark.sql.extensions": "io.firesteel.spark.FiresteelExtensions", **(settings or {})}
        return session(name, jars["kafka"] + jars["firesteel"], extra)
    if name in ("ort_java", "jackson", "tws_scala"):
        return session(name, jars["kafka"] + jars["peers"], settings)
    return session(name, jars["kafka"], settings)


def stream(spark: SparkSession, bootstrap: str, topic: str, max_offsets: int | None = None) -> DataFrame:
    """A topic as a stream from its start."""
    reader = (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", bootstrap)
        .option("subscribe", topic)
        .option("startingOffsets", "earliest")
        .options(**CONSUMER)
    )
    if max_offsets is not None:
        reader = reader.option("maxOffsetsPerTrigger", max_offsets)
    return reader.load()


def table(spark: SparkSession, bootstrap: str, topic: str) -> DataFrame:
    """A whole topic as a batch."""
    return spark.read.format("kafka").option("kafka.bootstrap.servers", bootstrap).option("subscribe", topic).load()
