"""Spark Connect: the same functions over the wire, and the same words when a pipeline is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support import drivers, golden, small


@pytest.fixture(scope="module")
def answer(jar: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("connect")
    files = small.write(folder)
    wrong = folder / "wrong.yaml"
    wrong.write_text(files.pipeline.read_text().replace("models:", "modles:"))
    got = drivers.answer_of(
        "over_connect", files.model, files.pipeline, wrong, folder=folder, env={"FIRESTEEL_JAR": str(jar)}
    )
    points = np.array([(0.5, -1.0), (2.0, -2.0)], dtype=np.float32)
    return {**got, "golden": golden.run(files.model, {small.INPUT: points})}


def test_the_client_is_a_connect_client(answer: dict[str, Any]) -> None:
    assert answer["session"] == "pyspark.sql.connect.session.SparkSession"
    assert answer["no_metrics"].startswith("NO_METRICS: ")


def test_predict_works_over_connect(answer: dict[str, Any]) -> None:
    first, missing, last = answer["predicted"]
    assert missing is None
    golden.assert_same_bits(
        np.array([first, last], dtype=np.float32), answer["golden"]["probabilities"], "probabilities"
    )


def test_sql_works_over_connect(answer: dict[str, Any]) -> None:
    first, last = answer["golden"]["label"].tolist()
    assert answer["sql_labels"] == [first, None, last]


def test_a_pipeline_works_over_connect_natively(answer: dict[str, Any]) -> None:
    assert answer["columns"] == ["id", "score", "_rejected"]
    assert "FiresteelEval" in answer["plan"]
    scores = np.array([row["score"] for row in answer["accepted"]], dtype=np.float32)
    golden.assert_same_bits(scores, answer["golden"]["probabilities"][:, 1], "score")
    assert answer["codes"] == [["model", "NULL_FEATURE"]]


def test_bytes_and_typed_columns_give_the_same_over_connect(answer: dict[str, Any]) -> None:
    assert answer["from_bytes"] == answer["accepted"]
    assert answer["places"] == [["t", 7, 2]]


def test_a_wrong_file_is_refused_with_its_place_over_connect(answer: dict[str, Any]) -> None:
    assert "wrong.yaml:" in answer["refusal"]
    assert "UNKNOWN_KEY" in answer["refusal"]
    assert "models" in answer["refusal"]


def test_explain_doctor_and_transform_work_over_connect(answer: dict[str, Any]) -> None:
    assert answer["works"] is True
    assert answer["explained"].startswith("Pipeline\n  pipeline  small\n")
    assert answer["transformed"] == answer["columns"]


def test_scalers_and_categories_are_fitted_over_connect(answer: dict[str, Any]) -> None:
    # x is 0.5, null and 2; y is -1, 3 and -2.
    assert answer["fitted"] == {
        "standard": {
            "x_scaled": "scale_standard(x, 1.25, 0.75)",
            "y_scaled": "scale_standard(y, 0.0, 2.160246899469287)",
        },
        "minmax": {"x_scaled": "scale_minmax(x, 0.5, 2.0)", "y_scaled": "scale_minmax(y, -2.0, 3.0)"},
        "robust": {"x_scaled": "scale_robust(x, 1.25, 0.75)", "y_scaled": "scale_robust(y, -1.0, 2.5)"},
    }
    assert answer["one_hot"] == {"id_1": "id <=> 1", "id_2": "id <=> 2"}
