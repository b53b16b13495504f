"""Firesteel as a user writes it: a pipeline file with ``windows`` and ``Pipeline.load(path).transform(df)``.

A stream keeps its state in Spark's RocksDB store; a batch needs none.
"""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import DataFrame

from benches.common.paths import WORK
from benches.payments import COLUMNS, DAYS, DDL

NAME = "firesteel"
WHAT = "Firesteel pipeline over Kafka's columns or a table"
FAMILY = "firesteel"

FILE = WORK / "windows.yaml"
PIPELINE = f"""\
name: bench-windows
input:
  format: json
  schema: {DDL}
windows:
  - key: customer_id
    time: ts
    over: [{", ".join(f"{days} day{'s' if days > 1 else ''}" for days in DAYS)}]
    compute: {{nb: count(*), avg_amount: avg(amount)}}
output: [{", ".join(COLUMNS)}]
"""


def pipeline_file() -> Path:
    """Writes the pipeline and gives the file's path."""
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(PIPELINE)
    return FILE


def features(records: DataFrame) -> DataFrame:
    """The result carries one more column, ``_rejected``, and a sink takes it too."""
    import firesteel

    return firesteel.Pipeline.load(str(FILE)).transform(records)


def training_set(payments: DataFrame) -> DataFrame:
    """The same over a table."""
    return features(payments)
