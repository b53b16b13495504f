"""``transformWithState`` in Scala over ``from_json`` (Scala: ``CustomerWindows``)."""

from __future__ import annotations

from pyspark.sql import DataFrame

from benches.peers.windows.decoded import payments, with_timestamp

NAME = "tws_scala"
WHAT = "from_json, Scala transformWithState on RocksDB, one value of packed arrays per customer"
FAMILY = "scala"


def features(records: DataFrame) -> DataFrame:
    """One call of the processor per customer and micro-batch."""
    spark = records.sparkSession
    peer = spark._jvm.io.firesteel.bench.CustomerWindows  # type: ignore[attr-defined]
    frame = peer.features(payments(records)._jdf)  # type: ignore[attr-defined]
    return with_timestamp(DataFrame(frame, spark))  # type: ignore[arg-type]
