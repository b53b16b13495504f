"""Firesteel's pipeline behind its own source: the state lives in Spark's store, as behind any stream."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession

from benches.peers import native
from benches.peers.windows.firesteel import features

NAME = "native_store"
WHAT = "Firesteel pipeline over the columns of its native source, state in Spark's store"
FAMILY = "firesteel"


def stream(spark: SparkSession, bootstrap: str, topic: str, max_offsets: int | None) -> DataFrame:
    """The features of a topic from its start."""
    return features(native.source(spark, bootstrap, topic, max_offsets))
