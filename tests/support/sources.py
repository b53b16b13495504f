"""The Kafka sources that tests read through: Spark's own, and ours once the jar has it."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

SPARKS = "kafka"
OURS = "firesteel"
#: For `pytest.mark.parametrize`: the same test, the same options, one word changed.
BOTH = (SPARKS, OURS)


def is_there(spark: SparkSession, name: str) -> bool:
    """Whether the session knows a source of this name."""
    assert spark._jvm is not None
    lookup = spark._jvm.org.apache.spark.sql.execution.datasources.DataSource
    try:
        lookup.lookupDataSource(name, spark._jsparkSession.sessionState().conf())
    except Exception as failure:
        if "DATA_SOURCE_NOT_FOUND" in str(failure) or "ClassNotFoundException" in str(failure):
            return False
        raise
    return True


def required(spark: SparkSession, name: str) -> str:
    """The source's name; skips the test, with the reason, while the jar has no such source."""
    if not is_there(spark, name):
        pytest.skip(f"no source of the name {name!r} is registered in this session yet")
    return name
