"""ONNX Runtime Java in ``mapPartitions`` with direct buffers over ``from_json`` (Scala: ``Peers.ortJava``)."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from benches.events import FEATURES
from benches.peers.decoded import from_json

NAME = "ort_java"
WHAT = "from_json, ONNX Runtime Java in mapPartitions"
FAMILY = "from_json"
BATCH_ROWS = 1024


def score(records: DataFrame, model: str) -> DataFrame:
    """Non-null primitives go in, so that Spark's decoder of the case class neither boxes nor checks by exception."""
    features = [F.coalesce(F.col(name), F.lit(float("nan")).cast("float")).alias(name) for name in FEATURES]
    events = from_json(records).select(
        F.coalesce("event_id", F.lit(-1)).alias("event_id"),
        F.coalesce(F.unix_micros("ts"), F.lit(0)).cast("long").alias("ts"),
        *features,
    )
    return jvm_peer(records, "ortJava", events, model, BATCH_ROWS)


def jvm_peer(records: DataFrame, method: str, frame: DataFrame, model: str, batch_rows: int) -> DataFrame:
    """Calls one of the Scala peers on a DataFrame."""
    spark = records.sparkSession
    peers = spark._jvm.io.firesteel.bench.Peers  # type: ignore[attr-defined]
    return DataFrame(getattr(peers, method)(frame._jdf, model, batch_rows), spark)  # type: ignore[attr-defined]
