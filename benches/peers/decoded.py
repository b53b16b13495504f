"""The common first half of the peers that use Spark's own decoder."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from benches.events import DDL


def from_json(records: DataFrame) -> DataFrame:
    """Kafka's ``value`` as typed columns. FLOAT in the schema, so that no peer has to narrow a DOUBLE afterwards."""
    return records.select(F.from_json(F.col("value").cast("string"), DDL).alias("e")).select("e.*")
