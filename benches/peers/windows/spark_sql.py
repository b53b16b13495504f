"""Spark SQL's window functions over a table: ``RANGE`` frames of microseconds, one shuffle and one sort."""

from __future__ import annotations

from pyspark.sql import DataFrame

from benches.payments import AVERAGES, COUNTS, DAYS, SPANS_US

NAME = "spark_sql"
WHAT = "Spark SQL window functions"
FAMILY = "sql"

_FEATURES = ", ".join(
    f"count(*) OVER w{days} AS {count}, avg(amount) OVER w{days} AS {average}"
    for days, count, average in zip(DAYS, COUNTS, AVERAGES, strict=True)
)
#: RANGE takes both ends in: one microsecond less leaves out what is exactly a window old.
_WINDOWS = ", ".join(
    f"w{days} AS (PARTITION BY customer_id ORDER BY micros RANGE BETWEEN {span - 1} PRECEDING AND CURRENT ROW)"
    for days, span in zip(DAYS, SPANS_US, strict=True)
)
QUERY = f"""
    SELECT transaction_id, customer_id, ts, {_FEATURES}
    FROM (SELECT transaction_id, customer_id, ts, amount, unix_micros(ts) AS micros FROM {{payments}})
    WINDOW {_WINDOWS}
"""


def training_set(payments: DataFrame) -> DataFrame:
    """The features of every payment."""
    return payments.sparkSession.sql(QUERY, payments=payments)
