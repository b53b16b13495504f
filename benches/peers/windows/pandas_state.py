"""``applyInPandasWithState`` over ``from_json``: numpy inside, a customer's state as one blob."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql.streaming.state import GroupState, GroupStateTimeout

from benches.peers.windows import arrays
from benches.peers.windows.decoded import payments, with_timestamp

NAME = "pandas_state"
WHAT = "from_json, applyInPandasWithState on RocksDB, numpy"
FAMILY = "pandas"


def features(records: DataFrame) -> DataFrame:
    """One call of Python per customer and micro-batch; Arrow batches hold many customers."""

    def update(_key: Any, frames: Iterator[pd.DataFrame], state: GroupState) -> Iterator[pd.DataFrame]:
        found, kept = arrays.step(frames, state.get[0] if state.exists else None)
        state.update((kept,))
        yield found

    groups = payments(records).groupBy("customer_id")
    return with_timestamp(
        groups.applyInPandasWithState(update, arrays.SCHEMA, arrays.STATE, "append", GroupStateTimeout.NoTimeout)
    )
