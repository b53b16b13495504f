"""``transformWithStateInPandas`` over ``from_json``: numpy inside, a customer's state as one blob."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql.streaming import StatefulProcessor, StatefulProcessorHandle
from pyspark.sql.streaming.stateful_processor import TimerValues

from benches.peers.windows import arrays
from benches.peers.windows.decoded import payments, with_timestamp

NAME = "tws_pandas"
WHAT = "from_json, transformWithStateInPandas on RocksDB, numpy"
FAMILY = "pandas"


class CustomerWindows(StatefulProcessor):
    """Two questions to the JVM per customer and micro-batch: its blob, and its blob again."""

    def init(self, handle: StatefulProcessorHandle) -> None:
        """Names the state."""
        self.kept = handle.getValueState("kept", arrays.STATE)

    def handleInputRows(  # noqa: N802 (Spark's name)
        self, _key: Any, frames: Iterator[pd.DataFrame], _timers: TimerValues
    ) -> Iterator[pd.DataFrame]:
        """One customer's new payments."""
        before = self.kept.get()
        found, kept = arrays.step(frames, before[0] if before else None)
        self.kept.update((kept,))
        yield found


def features(records: DataFrame) -> DataFrame:
    """One call of Python per customer and micro-batch."""
    groups = payments(records).groupBy("customer_id")
    found = groups.transformWithStateInPandas(CustomerWindows(), arrays.SCHEMA, outputMode="Append", timeMode="None")
    return with_timestamp(found)
