"""Firesteel's native source: Kafka's bytes become columns and scores before Spark sees a row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from benches.events import DDL

NAME = "native"
WHAT = "Firesteel's native source"
FAMILY = "firesteel"


def source(spark: SparkSession, bootstrap: str, topic: str, max_offsets: int | None, **options: Any) -> DataFrame:
    """A topic as a stream from its start, with the source's own options."""
    reader = (
        spark.readStream.format("firesteel")
        .option("kafka.bootstrap.servers", bootstrap)
        .option("subscribe", topic)
        .option("startingOffsets", "earliest")
        .options(**options)
    )
    return (reader if max_offsets is None else reader.option("maxOffsetsPerTrigger", max_offsets)).load()


def read(spark: SparkSession, bootstrap: str, topic: str, max_offsets: int | None) -> DataFrame:
    """The records as they are."""
    return source(spark, bootstrap, topic, max_offsets)


def decoded(spark: SparkSession, bootstrap: str, topic: str, max_offsets: int | None) -> DataFrame:
    """The benchmark's columns, and ``_rejected``."""
    return source(spark, bootstrap, topic, max_offsets, schema=DDL)


def scored(spark: SparkSession, bootstrap: str, topic: str, max_offsets: int | None, model: str) -> DataFrame:
    """The output of the pipeline beside the model."""
    return source(spark, bootstrap, topic, max_offsets, pipeline=str(Path(model).with_suffix(".yaml")))
