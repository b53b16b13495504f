"""The hand-tuned one: Jackson's streaming parser and ONNX Runtime Java in one ``mapPartitions`` (``Peers.jackson``)."""

from __future__ import annotations

from pyspark.sql import DataFrame

from benches.peers.ort_java import BATCH_ROWS, jvm_peer

NAME = "jackson"
WHAT = "Jackson by hand and ONNX Runtime Java in one mapPartitions"
FAMILY = "jackson"


def score(records: DataFrame, model: str) -> DataFrame:
    """Takes Kafka's ``value`` as it comes."""
    return jvm_peer(records, "jackson", records, model, BATCH_ROWS)
