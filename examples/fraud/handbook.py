"""Trains the Fraud Detection Handbook's models on Firesteel's training set and holds them against its figures.

    make jar cli && .venv/bin/python examples/fraud/handbook.py

The pipeline file handbook.yaml gives the features here, from a history, and in the stream. The payments are those of
the handbook: `firesteel loadgen fraud` makes them, row by row. Models go to models/, where the file looks for them.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.base import ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))
import firesteel
from examples.fraud import metrics
from examples.fraud.protocol import FIRESTEEL, FIRST_DAY, HERE

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

PIPELINE = HERE / "handbook.yaml"
MODELS = {
    "logistic_regression": HERE / "models" / "handbook_lr.onnx",
    "random_forest": HERE / "models" / "handbook_rf.onnx",
}
#: The columns of the pipeline's output that hold the models' scores.
SCORES = {"logistic_regression": "score_lr", "random_forest": "score_rf"}
#: Says from which pipeline file the models were made.
MADE_FROM = HERE / "models" / "handbook.sha256"

#: The handbook's protocol: a week to train, a week until its frauds are known, a week to test.
TRAIN_DAYS = range(115, 122)
DELAY_DAYS = 7
TEST_DAYS = range(129, 136)
#: The longest window and its delay: before that many days windows are not full.
WARM_UP_DAYS = 30 + 7
#: AUC, average precision, card precision@100 (chapter 5, baseline feature transformation and models).
PUBLISHED: Mapping[str, metrics.Figures] = {
    "logistic_regression": {"auc": 0.871, "average_precision": 0.606, "card_precision_100": 0.291},
    "random_forest": {"auc": 0.867, "average_precision": 0.658, "card_precision_100": 0.287},
}
EVENTS = "transaction_id BIGINT, ts TIMESTAMP, customer_id BIGINT, terminal_id BIGINT, amount DOUBLE"
LABELS = "transaction_id BIGINT, tx_fraud INT, scenario INT"


def main(arguments: list[str] | None = None) -> None:
    """Simulate, compute features, train, score, compare."""
    parser = argparse.ArgumentParser(prog="handbook.py", description="Trains the handbook's models.")
    parser.add_argument("--only-train", action="store_true", help="no scores and no comparison")
    options = parser.parse_args(arguments)
    last = TRAIN_DAYS[-1] if options.only_train else TEST_DAYS[-1]
    with tempfile.TemporaryDirectory() as folder:
        spark = session(Path(folder))
        try:
            payments = simulate(spark, Path(folder), TRAIN_DAYS[0] - WARM_UP_DAYS, last + 1)
            train(payments)
            scored = None if options.only_train else score(payments)
        finally:
            spark.stop()
    if scored is not None:
        print(table(figures(judged(scored))))


@dataclass(frozen=True)
class Payments:
    """Events, and apart from them the truth."""

    events: DataFrame
    labels: DataFrame


def session(folder: Path) -> SparkSession:
    """A Spark session of this process."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").appName("handbook")
    settings = {
        "spark.driver.memory": "2g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.session.timeZone": "UTC",
        "spark.local.dir": str(folder / "spark-tmp"),
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
    }
    for name, value in settings.items():
        builder = builder.config(name, value)
    return firesteel.configure(builder).getOrCreate()


def simulate(spark: SparkSession, folder: Path, from_day: int, until_day: int) -> Payments:
    """Payments of these days, the last one left out."""
    if not FIRESTEEL.exists():
        sys.exit(f"{FIRESTEEL} is missing: run `make cli` first")
    events, labels = folder / "events.csv", folder / "labels.csv"
    command = [FIRESTEEL, "loadgen", "fraud", "--quiet", "--out", events, "--labels", labels]
    command += ["--from-day", from_day, "--until-day", until_day]
    subprocess.run([str(part) for part in command], check=True, stdout=sys.stderr)
    truth = spark.read.csv(str(labels), LABELS, header=True).drop("scenario")
    return Payments(spark.read.csv(str(events), EVENTS, header=True), truth)


def train(payments: Payments) -> None:
    """Train both models on the features of the training week, with the labels known when the test week begins."""
    made = firesteel.Pipeline.load(PIPELINE).training_set(
        payments.events,
        payments.labels,
        f"{DELAY_DAYS} days",
        on="transaction_id",
        as_of=midnight(TRAIN_DAYS[-1] + 1 + DELAY_DAYS),
    )
    first = midnight(TRAIN_DAYS[0]).isoformat()
    frame: pd.DataFrame = made.rows.where(f"ts >= '{first}'").toPandas()
    # Which payments a tree is grown on is a matter of their order.
    frame = frame[with_days(frame)["day"].isin(TRAIN_DAYS)].sort_values("transaction_id")
    inputs, labels = frame[list(made.features)].to_numpy(), frame["tx_fraud"].to_numpy()
    for name, model in fitted(inputs, labels).items():
        MODELS[name].parent.mkdir(exist_ok=True)
        MODELS[name].write_bytes(convert(model, len(made.features)))
        print(f"{MODELS[name].name}: {MODELS[name].stat().st_size:,} bytes, {len(labels):,} payments")
    MADE_FROM.write_text(of_pipeline())


def fitted(inputs: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> dict[str, ClassifierMixin]:
    """The handbook's models, with its settings: scikit-learn's defaults."""
    # The solver's default stops before the third digit of its scores is final.
    regression = LogisticRegression(tol=1e-8, max_iter=1000, random_state=0)
    models = {
        "logistic_regression": make_pipeline(StandardScaler(), regression),
        "random_forest": RandomForestClassifier(random_state=0, n_jobs=-1),
    }
    return {name: model.fit(inputs, labels) for name, model in models.items()}


def convert(model: ClassifierMixin, width: int) -> bytes:
    """ONNX with the input `features` and the outputs `label` and `probabilities` (a matrix, no map)."""
    inputs = [("features", FloatTensorType([None, width]))]
    onnx = to_onnx(model, initial_types=inputs, options={id(model): {"zipmap": False}}, target_opset=17)
    return onnx.SerializeToString(deterministic=True)


def are_trained() -> bool:
    """Whether the models are there and belong to the pipeline file as it is now."""
    have = all(model.exists() for model in (*MODELS.values(), MADE_FROM))
    return have and MADE_FROM.read_text() == of_pipeline()


def of_pipeline() -> str:
    """What the models depend on: the pipeline file and this one."""
    return hashlib.sha256(PIPELINE.read_bytes() + Path(__file__).read_bytes()).hexdigest()


def score(payments: Payments) -> pd.DataFrame:
    """All payments through the whole pipeline file, with the truth; windows read it when it is a week old."""
    events = payments.events.join(payments.labels, "transaction_id")
    scored = firesteel.accepted(firesteel.Pipeline.load(PIPELINE).transform(events))
    return scored.join(payments.labels, "transaction_id").toPandas()


def judged(scored: pd.DataFrame, days: range = TEST_DAYS) -> pd.DataFrame:
    """The payments that count, of scored ones from the training week on: by cards not known as compromised."""
    return metrics.without_known_cards(
        with_days(scored).sort_values("transaction_id"),
        train_days=TRAIN_DAYS,
        delay_days=DELAY_DAYS,
        test_days=days,
    )


def figures(test: pd.DataFrame) -> dict[str, metrics.Figures]:
    """The measures of payments that count, by model."""
    # Many payments get the same votes of the trees. Adding them up in float32 tells them apart in the last digits,
    # which no measure should take for an order.
    return {name: metrics.figures(test.assign(score=test[column].round(6))) for name, column in SCORES.items()}


def with_days(payments: pd.DataFrame) -> pd.DataFrame:
    """With the column `day`, counted from the first day of the simulation."""
    times = pd.to_datetime(payments["ts"], utc=True).dt.tz_localize(None)
    return payments.assign(day=(times - pd.Timestamp(FIRST_DAY)).dt.days)


def midnight(day: int) -> Any:
    """The beginning of a day of the simulation."""
    return (pd.Timestamp(FIRST_DAY) + pd.Timedelta(days=day)).to_pydatetime()


def table(found: Mapping[str, metrics.Figures]) -> str:
    """Published figures beside ours."""
    columns = {"auc": "AUC", "average_precision": "average precision", "card_precision_100": "card precision@100"}
    lines = [f"{'published / ours':<20}" + "".join(f"{title:>20}" for title in columns.values())]
    for name, ours in found.items():
        theirs = PUBLISHED[name]
        pairs = [f"{theirs[key]:.3f} / {ours[key]:.3f}" for key in columns]  # type: ignore[literal-required]
        lines.append(f"{name.replace('_', ' '):<20}" + "".join(f"{pair:>20}" for pair in pairs))
    return "\n".join(lines)


if __name__ == "__main__":
    main()
