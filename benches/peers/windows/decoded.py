"""The common first half of the streaming peers: Spark's own decoder, and primitives that are never null."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from benches.payments import COLUMNS, DDL

#: What the peers take, in this order; ``ts`` in microseconds since 1970.
PAYMENT = ("customer_id", "transaction_id", "ts", "amount")


def payments(records: DataFrame) -> DataFrame:
    """Kafka's ``value`` as the columns of ``PAYMENT``, not nullable, so that no encoder looks for nulls."""
    decoded = records.select(F.from_json(F.col("value").cast("string"), DDL).alias("e")).select("e.*")
    return decoded.select(
        F.coalesce("customer_id", F.lit(-1)).alias("customer_id"),
        F.coalesce("transaction_id", F.lit(-1)).alias("transaction_id"),
        F.coalesce(F.unix_micros("ts"), F.lit(0)).cast("long").alias("ts"),
        F.coalesce("amount", F.lit(0.0)).alias("amount"),
    )


def with_timestamp(features: DataFrame) -> DataFrame:
    """The result with ``ts`` as a TIMESTAMP again."""
    return features.withColumn("ts", F.timestamp_micros("ts")).select(*COLUMNS)
