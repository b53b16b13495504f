"""The ways of a log through windows in a stream: state beside the partitions, in Spark's store, there in one order.

The third is the second for keys that span partitions: `order` in the pipeline file.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from pyspark.sql import DataFrame, SparkSession

import firesteel
from tests.harness.topics import Record
from tests.support import native
from tests.support.windows import in_order, log

Way = Literal["beside", "store", "ordered"]
WAYS: tuple[Way, ...] = get_args(Way)


def pipeline(way: Way, partitions: int) -> str:
    """The text of a pipeline file for a topic of `log.values`, keyed by customer."""
    return in_order.pipeline(partitions) if way == "ordered" else log.TWO_KEYS


def worked_on(way: Way, records: Sequence[Record], partitions: int) -> list[Record]:
    """The records of a log that come out, in an order in which the windows see those of each key."""
    if way == "ordered":
        return in_order.ready(records, partitions)
    return sorted(records, key=lambda record: log.number(record.value or b""))


def rows(spark: SparkSession, bootstrap: str, topic: str, file: Path | str, way: Way, **options: Any) -> DataFrame:
    """The stream of a topic's rows behind the windows of a pipeline file; `options` are the source's."""
    if way == "beside":
        return native.stream(spark, bootstrap, topic, pipeline=file, **options)
    return firesteel.Pipeline.load(str(file)).transform(native.stream(spark, bootstrap, topic, **options))
