"""Trains models/fraud.onnx on simulated payments and prints how good it is on later days.

    make cli && .venv/bin/python examples/fraud/train.py

Firesteel computes the training features itself, by the same file and the same engine that score the stream: the
script runs `firesteel score` on fraud.yaml without its model. So training and serving can't drift apart.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
import yaml
from onnxmltools import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from examples.fraud import metrics
from examples.fraud.protocol import (
    DELAY_DAYS,
    FIRESTEEL,
    FIRST_DAY,
    MODEL,
    PIPELINE,
    ROOT,
    TEST_DAYS,
    TRAIN_DAYS,
)

#: Chosen on days 60 to 86, before the training days. Few payments are large, and each is telling: the default of 255
#: bins would put all amounts above 190 into one.
TREES = {"n_estimators": 60, "num_leaves": 7, "learning_rate": 0.1, "min_child_samples": 20, "max_bin": 4095}
#: The same bytes every time.
DETERMINISTIC = {"num_threads": 1, "deterministic": True, "force_row_wise": True, "random_state": 0, "verbose": -1}


def main() -> None:
    """Generate, compute features, train, convert, evaluate."""
    columns = feature_columns()
    with tempfile.TemporaryDirectory() as folder:
        payments = load_payments(Path(folder), columns)
    model = train(payments[payments["day"].isin(TRAIN_DAYS)], columns)
    MODEL.parent.mkdir(exist_ok=True)
    MODEL.write_bytes(convert(model, len(columns)))
    print(f"{MODEL.relative_to(ROOT)}: {MODEL.stat().st_size:,} bytes, trained on days {span(TRAIN_DAYS)}")

    test = payments[payments["day"].isin(TEST_DAYS)].copy()
    test["score"] = model.predict_proba(matrix(test, columns))[:, 1]
    show(f"days {span(TEST_DAYS)}, all payments", test)
    week = TEST_DAYS[:7]
    unknown = metrics.without_known_cards(
        pd.concat([payments[payments["day"] < week[0]].assign(score=np.nan), test]),
        train_days=TRAIN_DAYS,
        delay_days=DELAY_DAYS,
        test_days=week,
    )
    show(f"days {span(week)}, without cards already known", unknown)


def span(days: range) -> str:
    """First and last of some days, for people."""
    return f"{days[0]} to {days[-1]}"


def feature_columns() -> list[str]:
    """The model's inputs in order, as the pipeline file maps them."""
    (columns,) = yaml.safe_load(PIPELINE.read_text())["models"][0]["inputs"].values()
    return list(columns)


def load_payments(folder: Path, columns: list[str]) -> pd.DataFrame:
    """Simulated payments of all days needed, with their labels and the features that Firesteel computes."""
    events, labels, scored = folder / "events.jsonl", folder / "labels.csv", folder / "features.jsonl"
    firesteel(
        *("loadgen", "fraud", "--quiet", "--out", events, "--labels", labels),
        *("--from-day", TRAIN_DAYS[0], "--until-day", TEST_DAYS[-1] + 1),
    )
    pipeline = yaml.safe_load(PIPELINE.read_text())
    del pipeline["models"]
    pipeline["output"] = ["transaction_id", "customer_id", "ts", *columns]
    features_only = folder / "features.yaml"
    features_only.write_text(yaml.safe_dump(pipeline, sort_keys=False))
    firesteel("score", features_only, "--quiet", "--in", events, "--out", scored)
    payments = pd.read_json(scored, lines=True, convert_dates=["ts"]).merge(pd.read_csv(labels), on="transaction_id")
    payments["day"] = (payments["ts"].dt.tz_localize(None) - pd.Timestamp(FIRST_DAY)).dt.days
    return payments


def firesteel(*arguments: object) -> None:
    """Run the command line tool, its messages to standard error."""
    if not FIRESTEEL.exists():
        sys.exit(f"{FIRESTEEL} is missing: run `make cli` first")
    subprocess.run([str(FIRESTEEL), *map(str, arguments)], check=True, stdout=sys.stderr)


def train(payments: pd.DataFrame, columns: list[str]) -> lightgbm.LGBMClassifier:
    """Gradient boosted trees, small: four inputs hold no more."""
    model = lightgbm.LGBMClassifier(**TREES, **DETERMINISTIC)
    return model.fit(matrix(payments, columns), payments["tx_fraud"])


def matrix(payments: pd.DataFrame, columns: list[str]) -> np.ndarray:
    """What the model is given: float32, as in the ONNX graph."""
    return payments[columns].to_numpy(dtype=np.float32)


def convert(model: lightgbm.LGBMClassifier, width: int) -> bytes:
    """ONNX with the input `features` and the outputs `label` and `probabilities` (a matrix, no map)."""
    inputs = [("features", FloatTensorType([None, width]))]
    onnx = convert_lightgbm(model, initial_types=inputs, zipmap=False, target_opset=15, name="fraud")
    # The converter declares exactly one label; ONNX Runtime would warn at every batch of another size.
    onnx.graph.output[0].type.tensor_type.shape.dim[0].Clear()
    return onnx.SerializeToString(deterministic=True)


def show(what: str, payments: pd.DataFrame) -> None:
    """Print the measures of one set of scored payments."""
    frauds = int(payments["tx_fraud"].sum())
    print(f"{what}: {len(payments):,} payments, {frauds:,} frauds: {json.dumps(metrics.figures(payments))}")


if __name__ == "__main__":
    main()
