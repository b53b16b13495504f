"""Arrow UDF (Spark 4.1 and later, iterator form) with onnxruntime over ``from_json``: no pandas on the way."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from benches.events import FEATURES
from benches.peers.decoded import from_json
from benches.peers.session import probabilities

NAME = "arrow_udf"
WHAT = "from_json, Arrow UDF, onnxruntime"
FAMILY = "from_json"


def score(records: DataFrame, model: str) -> DataFrame:
    """Only the features cross to Python; ``event_id`` and ``ts`` stay in the JVM."""

    @F.arrow_udf("float")
    def predict(batches: Iterator[tuple[pa.Array, ...]]) -> Iterator[pa.Array]:
        for columns in batches:
            matrix = np.empty((len(columns[0]), len(columns)), dtype=np.float32)
            for i, column in enumerate(columns):
                matrix[:, i] = column.to_numpy(zero_copy_only=False)
            yield pa.array(np.ascontiguousarray(probabilities(model, matrix)))

    return from_json(records).select("event_id", "ts", predict(*FEATURES).alias("score"))
