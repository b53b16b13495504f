"""Firesteel's native source with the same pipeline file: state beside the partition, no shuffle."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession

from benches.peers import native
from benches.peers.windows.firesteel import FILE

NAME = "native"
WHAT = "Firesteel's native source, state in native memory"
FAMILY = "firesteel"


def stream(spark: SparkSession, bootstrap: str, topic: str, max_offsets: int | None) -> DataFrame:
    """The features of a topic from its start."""
    return native.source(spark, bootstrap, topic, max_offsets, pipeline=str(FILE))
