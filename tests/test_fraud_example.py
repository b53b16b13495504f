"""The fraud example: its measures against published figures, and its model against its own description."""

from __future__ import annotations

import numpy as np
import onnx
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from examples.fraud import metrics
from tests.support.places import ROOT, shared

EXAMPLE = ROOT / "examples" / "fraud"

#: One day of payments is (customer, score, fraud).
TWO_DAYS = [
    (0, 1, 0.9, 1),
    (0, 1, 0.2, 0),
    (0, 2, 0.8, 0),
    (0, 3, 0.1, 1),
    (1, 1, 0.99, 1),
    (1, 4, 0.5, 0),
    (1, 5, 0.4, 1),
    (1, 6, 0.3, 1),
]


def payments(rows: list[tuple[int, int, float, int]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["day", "customer_id", "score", "tx_fraud"])


def test_a_card_counts_once_a_day_by_its_highest_score_and_not_after_it_was_found() -> None:
    # Day 0 checks cards 1 (found) and 2. Day 1 leaves card 1 out and checks 4 and 5 (found).
    assert metrics.card_precision(payments(TWO_DAYS), 2) == pytest.approx((0.5 + 0.5) / 2)
    assert metrics.card_precision(payments(TWO_DAYS), 1) == pytest.approx((1 + 0) / 2)


def test_fewer_cards_than_places_still_divide_by_the_places() -> None:
    assert metrics.card_precision(payments(TWO_DAYS), 100) == pytest.approx((2 / 100 + 2 / 100) / 2)


def test_the_measures_repeat_the_published_logistic_regression() -> None:
    features = pq.read_table(shared("fraud", "features_golden.parquet")).to_pandas()
    columns = ["TRANSACTION_ID", "TX_TIME_DAYS", "TX_FRAUD"]
    labels = pq.read_table(shared("fraud", "transactions.parquet"), columns=columns).to_pandas()
    frame = features.merge(labels, on="TRANSACTION_ID")
    frame = frame.rename(columns={"TX_TIME_DAYS": "day", "CUSTOMER_ID": "customer_id", "TX_FRAUD": "tx_fraud"})
    known = {"TRANSACTION_ID", "TX_DATETIME", "customer_id", "TERMINAL_ID", "day", "tx_fraud"}
    inputs = [name for name in frame.columns if name not in known]
    assert len(inputs) == 15

    train_days, test_days = range(115, 122), range(129, 136)
    train = frame[frame["day"].isin(train_days)]
    test = metrics.without_known_cards(frame, train_days=train_days, delay_days=7, test_days=test_days)
    assert (len(train), int(train["tx_fraud"].sum())) == (67_240, 598)
    assert (len(test), int(test["tx_fraud"].sum())) == (58_264, 385)

    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(train[inputs], train["tx_fraud"])
    figures = metrics.figures(test.assign(score=model.predict_proba(test[inputs])[:, 1]))
    assert figures["auc"] == pytest.approx(0.8703, abs=5e-4)
    assert figures["average_precision"] == pytest.approx(0.6055, abs=5e-4)
    assert figures["card_precision_100"] == pytest.approx(0.2914, abs=2e-3)


def test_the_committed_model_takes_what_the_pipeline_file_gives() -> None:
    path = EXAMPLE / "models" / "fraud.onnx"
    assert path.stat().st_size < 1_000_000
    graph = onnx.load(path).graph
    (declared,) = graph.input
    pipeline = yaml.safe_load((EXAMPLE / "fraud.yaml").read_text())
    ((name, columns),) = pipeline["models"][0]["inputs"].items()
    assert declared.name == name
    assert declared.type.tensor_type.shape.dim[1].dim_value == len(columns)
    assert set(columns) <= set(pipeline["features"])
    first_dimensions = [value.type.tensor_type.shape.dim[0] for value in (*graph.input, *graph.output)]
    assert not any(dimension.HasField("dim_value") for dimension in first_dimensions), "any number of rows"


def test_the_committed_model_ranks_large_amounts_high() -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(EXAMPLE / "models" / "fraud.onnx", providers=["CPUExecutionProvider"])
    noon = [[np.log1p(amount), 0, 0, 12] for amount in (20, 80, 300)]
    probabilities = session.run(["probabilities"], {"features": np.array(noon, dtype=np.float32)})[0][:, 1]
    assert probabilities[2] > 0.9
    assert probabilities[:2].max() < 0.1
