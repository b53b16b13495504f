"""Spark's ``predict_batch_udf`` with onnxruntime over ``from_json``.

The features travel as one struct: the wrapper then makes its matrix with a single ``DataFrame.to_numpy``. An array
column would be stacked row by row, and sixteen separate columns would be concatenated first. One call per Arrow batch.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from pyspark.ml.functions import predict_batch_udf
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import FloatType

from benches.events import FEATURES
from benches.peers.decoded import from_json

NAME = "predict_batch_udf"
WHAT = "from_json, predict_batch_udf, onnxruntime"
FAMILY = "from_json"
BATCH_ROWS = 10_000


def score(records: DataFrame, model: str) -> DataFrame:
    """The session lives in Spark's own per-worker model cache."""

    def make_predict() -> Callable[[np.ndarray], np.ndarray]:
        from benches.peers.session import open_session, probabilities

        open_session(model)

        def predict(features: np.ndarray) -> np.ndarray:
            return probabilities(model, np.ascontiguousarray(features, dtype=np.float32))

        return predict

    udf = predict_batch_udf(make_predict, return_type=FloatType(), batch_size=BATCH_ROWS)
    return from_json(records).select("event_id", "ts", udf(F.struct(*FEATURES)).alias("score"))
