"""The handbook's 15 features and two models: Firesteel's training set, ONNX, and the published figures."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

import firesteel
from examples.fraud import handbook
from tests.support.places import shared
from tests.support.windows import fraud


@pytest.mark.timeout(420)
def test_the_training_set_of_all_payments_is_the_handbooks_table(spark: SparkSession) -> None:
    """Labels come from a table of their own; counts, flags and risks are equal, averages within 1e-9."""
    golden, rows = fraud.golden()
    payments = spark.read.parquet(str(shared("fraud", "transactions.parquet"))).selectExpr(
        "TRANSACTION_ID AS transaction_id",
        "CAST(TX_DATETIME AS TIMESTAMP) AS ts",
        "CUSTOMER_ID AS customer_id",
        "TERMINAL_ID AS terminal_id",
        "TX_AMOUNT AS amount",
        "CAST(TX_FRAUD AS INT) AS tx_fraud",
    )
    made = firesteel.Pipeline.load(handbook.PIPELINE).training_set(
        payments.drop("tx_fraud"), payments.select("transaction_id", "tx_fraud"), "7 days", as_of="2018-10-08"
    )
    handbooks = pq.read_schema(shared("fraud", "features_golden.parquet")).names
    assert list(made.features) == [fraud.GOLDEN[name] for name in handbooks if name in fraud.GOLDEN]
    table = made.rows.toArrow()
    assert table.num_rows == 1_754_155
    names = {"transaction_id": "row"}
    table = table.rename_columns([names.get(name, name) for name in table.column_names])
    ours = fraud.golden_rows(table, rows)
    golden.check(ours, {})

    truth = pq.read_table(shared("fraud", "transactions.parquet"), columns=["TRANSACTION_ID", "TX_FRAUD"])
    labels = table.sort_by("row")["tx_fraud"].cast(pa.int64())
    assert labels.equals(truth.sort_by("TRANSACTION_ID")["TX_FRAUD"].cast(pa.int64()))


@pytest.mark.timeout(420)
def test_the_models_reach_the_published_figures_to_the_third_digit(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Simulated payments, features, training, ONNX, scores: each by the program that a user runs."""
    file = tmp_path / "handbook.yaml"
    shutil.copy(handbook.PIPELINE, file)
    models = {name: tmp_path / "models" / path.name for name, path in handbook.MODELS.items()}
    for name, value in {"PIPELINE": file, "MODELS": models, "MADE_FROM": tmp_path / "models" / "made"}.items():
        monkeypatch.setattr(handbook, name, value)
    assert not handbook.are_trained()
    first = handbook.TRAIN_DAYS[0] - handbook.WARM_UP_DAYS
    payments = handbook.simulate(spark, tmp_path, first, handbook.TEST_DAYS[-1] + 1)
    handbook.train(payments)
    assert handbook.are_trained()

    scored = handbook.score(payments)
    assert len(scored) == payments.events.count()
    test = handbook.judged(scored)
    assert (len(test), int(test["tx_fraud"].sum())) == (58_264, 385)
    found = handbook.figures(test)
    for name, published in handbook.PUBLISHED.items():
        rounded = {measure: round(float(value), 3) for measure, value in found[name].items()}  # type: ignore[arg-type]
        assert rounded == published, name
    for shown in ("random forest", "0.658 / 0.658", "0.871 / 0.871"):
        assert shown in handbook.table(found)

    file.write_text(file.read_text() + "# changed\n")
    assert not handbook.are_trained(), "another file wants other models"
