"""``mapInArrow`` with onnxruntime over ``from_json``: whole rows cross to Python as record batches."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame

from benches.events import FEATURES
from benches.peers.decoded import from_json
from benches.peers.session import probabilities

NAME = "map_in_arrow"
WHAT = "from_json, mapInArrow, onnxruntime"
FAMILY = "from_json"


def score(records: DataFrame, model: str) -> DataFrame:
    """All eighteen columns cross; three come back."""

    def predict(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            matrix = np.empty((batch.num_rows, len(FEATURES)), dtype=np.float32)
            for i, name in enumerate(FEATURES):
                matrix[:, i] = batch.column(name).to_numpy(zero_copy_only=False)
            scores = pa.array(np.ascontiguousarray(probabilities(model, matrix)))
            yield pa.RecordBatch.from_arrays(
                [batch.column("event_id"), batch.column("ts"), scores], names=["event_id", "ts", "score"]
            )

    return from_json(records).mapInArrow(predict, "event_id BIGINT, ts TIMESTAMP, score FLOAT")
