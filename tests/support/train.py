"""Small models trained on the spot, the same bytes' worth of trees every time: fixed seeds, one thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

#: The one input that the models below have.
INPUT = "features"


def logistic_regression(features: np.ndarray[Any, Any], labels: np.ndarray[Any, Any], path: Path) -> Path:
    """Standardised logistic regression; outputs `label` and `probabilities`."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500, random_state=0)).fit(features, labels)
    return _write(model, features.shape[1], path)


def random_forest(features: np.ndarray[Any, Any], labels: np.ndarray[Any, Any], path: Path) -> Path:
    """Thirty trees of depth 8; outputs `label` and `probabilities`."""
    from sklearn.ensemble import RandomForestClassifier

    model = RandomForestClassifier(n_estimators=30, max_depth=8, random_state=0, n_jobs=1).fit(features, labels)
    return _write(model, features.shape[1], path)


def gradient_boosting(features: np.ndarray[Any, Any], labels: np.ndarray[Any, Any], path: Path) -> Path:
    """LightGBM, 100 trees of 31 leaves; outputs `label` and `probabilities`."""
    import lightgbm
    from onnxmltools import convert_lightgbm
    from onnxmltools.convert.common.data_types import FloatTensorType

    settings = {"num_threads": 1, "deterministic": True, "force_row_wise": True, "verbose": -1, "random_state": 0}
    model = lightgbm.LGBMClassifier(n_estimators=100, num_leaves=31, **settings).fit(features, labels)
    shape = [None, features.shape[1]]
    onnx = convert_lightgbm(model, initial_types=[(INPUT, FloatTensorType(shape))], zipmap=False, target_opset=15)
    path.write_bytes(onnx.SerializeToString())
    return path


def _write(model: Any, width: int, path: Path) -> Path:
    from skl2onnx.common.data_types import FloatTensorType

    options = {id(model): {"zipmap": False}}
    onnx = to_onnx(model, initial_types=[(INPUT, FloatTensorType([None, width]))], options=options, target_opset=17)
    path.write_bytes(onnx.SerializeToString())
    return path
