"""Trains and converts the benchmark's models: logistic regression, GBDT of 100 trees by 31 leaves, of 300 by 63.

The training rows are benchmark events (the load generator's, so the trees split where the events are) with a label
drawn from a fixed non-linear rule. Everything is seeded: the same events give the same models. The files go to
``build/bench/models``; none is committed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from benches.events import FEATURES

SEED = 20261122
TRAINING_ROWS = 50_000
INPUT = "features"

#: name -> (trees, leaves); logistic regression has neither.
MODELS: dict[str, tuple[int, int] | None] = {"lr": None, "gbdt100": (100, 31), "gbdt300": (300, 63)}


def matrix(values: Iterable[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """Event ids and the float32 feature matrix of JSON events, as Python's own decoder reads them."""
    events = [json.loads(v) for v in values]
    ids = np.array([e["event_id"] for e in events], dtype=np.int64)
    rows = np.array([[e[name] for name in FEATURES] for e in events], dtype=np.float32)
    return ids, rows


def labels(rows: np.ndarray) -> np.ndarray:
    """A rule with a linear part, products and steps over all features, and noise: about 20 % positives."""
    rng = np.random.default_rng(SEED)
    z = (rows - rows.mean(axis=0)) / (rows.std(axis=0) + 1e-9)
    logit = z @ rng.normal(0.0, 0.5, z.shape[1])
    for i in range(0, z.shape[1], 2):
        logit += 0.6 * z[:, i] * z[:, i + 1] + 0.8 * (z[:, i] > rng.normal())
    logit += rng.normal(0.0, 0.7, len(z))
    return (logit > np.quantile(logit, 0.8)).astype(np.int64)


def train(name: str, rows: np.ndarray, target: np.ndarray) -> bytes:
    """One model as ONNX bytes, ZipMap off: input ``features`` [n, 16] float, outputs ``label``, ``probabilities``."""
    shape = MODELS[name]
    if shape is None:
        from skl2onnx import to_onnx
        from skl2onnx.common.data_types import FloatTensorType
        from sklearn.linear_model import LogisticRegression

        # Scaled by hand into the coefficients' prior: the model sees raw features, as the other two do.
        model = LogisticRegression(max_iter=2000, C=1e-3).fit(rows, target)
        converted = to_onnx(
            model,
            initial_types=[(INPUT, FloatTensorType([None, rows.shape[1]]))],
            options={id(model): {"zipmap": False}},
            target_opset=15,
        )
    else:
        import lightgbm
        from onnxmltools import convert_lightgbm
        from onnxmltools.convert.common.data_types import FloatTensorType as LightGbmTensor

        trees, leaves = shape
        model = lightgbm.LGBMClassifier(
            n_estimators=trees,
            num_leaves=leaves,
            learning_rate=0.1,
            random_state=SEED,
            deterministic=True,
            force_row_wise=True,
            n_jobs=1,
            verbose=-1,
        ).fit(rows, target)
        converted = convert_lightgbm(
            model,
            initial_types=[(INPUT, LightGbmTensor([None, rows.shape[1]]))],
            zipmap=False,
            target_opset=15,
        )
    return bytes(converted.SerializeToString())


def make(values: Iterable[bytes], folder: Path, names: Iterable[str] = tuple(MODELS)) -> dict[str, Path]:
    """Trains the named models that `folder` lacks; gives the path of each."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {name: folder / f"{name}.onnx" for name in names}
    missing = [name for name, path in paths.items() if not path.exists()]
    if missing:
        _, rows = matrix(values)
        target = labels(rows)
        for name in missing:
            print(f"benches: training {name} on {len(rows):,} events", file=sys.stderr)
            paths[name].write_bytes(train(name, rows, target))
    return paths
