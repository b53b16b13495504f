"""pandas UDF (iterator form, so the session is looked up once per task) with onnxruntime over ``from_json``."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from benches.events import FEATURES
from benches.peers.decoded import from_json
from benches.peers.session import probabilities

NAME = "pandas_udf"
WHAT = "from_json, pandas UDF, onnxruntime"
FAMILY = "from_json"


def score(records: DataFrame, model: str) -> DataFrame:
    """Sixteen float columns go to Python as pandas series and come back as one."""

    @F.pandas_udf("float")
    def predict(batches: Iterator[tuple[pd.Series, ...]]) -> Iterator[pd.Series]:
        for columns in batches:
            matrix = np.empty((len(columns[0]), len(columns)), dtype=np.float32)
            for i, column in enumerate(columns):
                matrix[:, i] = column
            yield pd.Series(probabilities(model, matrix))

    return from_json(records).select("event_id", "ts", predict(*FEATURES).alias("score"))
