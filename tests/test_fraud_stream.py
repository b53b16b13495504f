"""The 1.75 million card payments, from Kafka to Parquet, bit for bit against pandas and onnxruntime."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

import firesteel
from tests.support import golden, kafka, proof, streams, train
from tests.support.places import shared

PARTITIONS = 4
ROWS = 1_754_155
#: Payments of exactly 0, which the pipeline's check refuses.
ZERO_AMOUNTS = 42
TRAINED_ON = 200_000

FEATURES = {
    "amount_log": "ln(1 + amount)",
    "is_weekend": "dayofweek(ts) IN (1, 7)",
    "is_night": "hour(ts) <= 6",
    "hour_of_day": "hour(ts)",
    "terminal_group": "terminal_id % 100",
}
INPUTS = ["amount", *FEATURES]


@dataclass(frozen=True)
class Fraud:
    frame: pd.DataFrame
    matrix: np.ndarray[Any, Any]
    models: dict[str, Path]
    pipeline: firesteel.Pipeline


@pytest.fixture(scope="module")
def fraud(tmp_path_factory: pytest.TempPathFactory) -> Fraud:
    """The payments, the features that pandas makes of them, and two models trained on the first of them."""
    columns = ["TRANSACTION_ID", "TX_DATETIME", "CUSTOMER_ID", "TERMINAL_ID", "TX_AMOUNT", "TX_FRAUD"]
    frame = pq.read_table(shared("fraud", "transactions.parquet"), columns=columns).to_pandas()
    folder = tmp_path_factory.mktemp("fraud")
    matrix = recomputed(frame)
    labels = frame["TX_FRAUD"].to_numpy()[:TRAINED_ON]
    models = {
        "lr": train.logistic_regression(matrix[:TRAINED_ON], labels, folder / "lr.onnx"),
        "gbdt": train.gradient_boosting(matrix[:TRAINED_ON], labels, folder / "gbdt.onnx"),
    }
    pipeline = firesteel.PipelineSpec(
        name="card-fraud",
        schema="transaction_id BIGINT, ts TIMESTAMP, customer_id BIGINT, terminal_id BIGINT, amount DOUBLE",
        clean=[firesteel.Require("transaction_id", "ts", "customer_id", "amount"), firesteel.Check("amount > 0")],
        features=FEATURES,
        models=[
            firesteel.Model(name, path.name, {f"score_{name}": "probabilities[1]"}, {train.INPUT: INPUTS})
            for name, path in models.items()
        ],
        output=["transaction_id", "customer_id", "ts", "score_lr", "score_gbdt"],
    ).save(folder / "fraud.yaml")
    return Fraud(frame, matrix, models, pipeline)


def recomputed(frame: pd.DataFrame) -> np.ndarray[Any, Any]:
    """The features as pandas has them: float64 throughout, float32 at the end.

    The engine's `ln` is Java's StrictMath, `math.log` the C library's: they may differ in the last bit of a float64,
    which the float32 that a model takes does not have.
    """
    when = frame["TX_DATETIME"].dt
    amount = frame["TX_AMOUNT"].to_numpy()
    return golden.matrix(
        [
            amount,
            [math.log(1 + value) for value in amount.tolist()],
            when.dayofweek.isin([5, 6]),
            when.hour <= 6,
            when.hour,
            frame["TERMINAL_ID"] % 100,
        ]
    )


def as_json(frame: pd.DataFrame) -> pa.Array:
    """One JSON object per payment; its time in each of the three accepted forms, by turns."""
    ts = pa.array(frame["TX_DATETIME"]).cast(pa.timestamp("us"))
    identifier = pa.array(frame["TRANSACTION_ID"])
    turn = pa.array(frame["TRANSACTION_ID"].to_numpy() % 3)
    milliseconds = pc.cast(pc.divide(pc.cast(ts, pa.int64()), 1000), pa.string())
    spaced = pc.binary_join_element_wise('"', pc.strftime(ts.cast(pa.timestamp("s")), "%Y-%m-%d %H:%M:%S"), '"', "")
    rfc3339 = pc.binary_join_element_wise('"', pc.strftime(ts.cast(pa.timestamp("s")), "%Y-%m-%dT%H:%M:%SZ"), '"', "")
    parts = [
        '{"transaction_id":',
        pc.cast(identifier, pa.string()),
        ',"ts":',
        pc.choose(turn, milliseconds, spaced, rfc3339),
        ',"customer_id":',
        pc.cast(pa.array(frame["CUSTOMER_ID"]), pa.string()),
        ',"terminal_id":',
        pc.cast(pa.array(frame["TERMINAL_ID"]), pa.string()),
        ',"amount":',
        pc.cast(pa.array(frame["TX_AMOUNT"]), pa.string()),
        "}",
    ]
    return pc.cast(pc.binary_join_element_wise(*parts, ""), pa.binary())


@pytest.mark.timeout(420)
def test_every_score_equals_pandas_and_onnxruntime_bit_for_bit(
    fraud: Fraud, spark: SparkSession, bootstrap: str, tmp_path: Path
) -> None:
    topic = kafka.new_topic(bootstrap, "fraud", partitions=PARTITIONS)
    records = as_json(fraud.frame)
    sent = kafka.produce(bootstrap, topic, (record.as_py() for record in records), partitions=PARTITIONS)
    assert sent == len(fraud.frame) == ROWS

    since = proof.next_execution(spark)
    options = kafka.source_options(bootstrap, topic, maxOffsetsPerTrigger="400000")
    events = spark.readStream.format("kafka").options(**options).load()
    query = streams.write_available(fraud.pipeline.transform(events), tmp_path, timeout_s=300)

    written = ds.dataset(tmp_path / "out", exclude_invalid_files=True).to_table().sort_by("transaction_id")
    reasons = written["_rejected"].combine_chunks()
    is_scored = pc.is_null(reasons)
    scored = written.filter(is_scored)

    # Conservation: every row in is a row scored or a row rejected, and the source saw them all.
    assert streams.rows_read(query) == written.num_rows == ROWS
    assert scored.num_rows == ROWS - ZERO_AMOUNTS
    check_rejected(reasons.filter(pc.invert(is_scored)), records, topic)

    # The native path did it, each row once.
    assert proof.native_count(spark, since, "rows") == ROWS
    assert proof.native_count(spark, since, "rejected") == ZERO_AMOUNTS

    kept = (fraud.frame["TX_AMOUNT"] > 0).to_numpy()
    expected = fraud.frame[kept]
    np.testing.assert_array_equal(scored["transaction_id"].to_numpy(), expected["TRANSACTION_ID"].to_numpy())
    np.testing.assert_array_equal(scored["customer_id"].to_numpy(), expected["CUSTOMER_ID"].to_numpy())
    times = scored["ts"].cast(pa.timestamp("us")).to_numpy()
    np.testing.assert_array_equal(times, expected["TX_DATETIME"].to_numpy().astype("datetime64[us]"))
    for name, model in fraud.models.items():
        wanted = golden.run(model, {train.INPUT: fraud.matrix[kept]})["probabilities"][:, 1]
        got = scored[f"score_{name}"].to_numpy()
        golden.assert_same_bits(got, wanted, f"score_{name}")


def check_rejected(reasons: pa.StructArray, records: pa.Array, topic: str) -> None:
    """Each rejected payment says why and gives back the very bytes at its place in the topic."""
    assert len(reasons) == ZERO_AMOUNTS
    for reason in reasons.to_pylist():
        assert (reason["topic"], reason["stage"], reason["code"]) == (topic, "clean", "CHECK_FAILED")
        sent_as = reason["offset"] * PARTITIONS + reason["partition"]
        assert reason["raw"] == records[sent_as].as_py()
        assert "amount > 0" in reason["message"]
