"""The models of the benchmark ``trees``, and the rows that they score.

The boosted ones are those of :mod:`benches.make_models` and further kinds of the same size; the forest is
scikit-learn's, whose trees are deeper. All are trained on events of the load generator, seeded, and kept in
``build/bench/models``. Stream rows are later events of the same generator; random rows are spread evenly over the
features' range, where a processor can guess still less.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benches import make_models
from benches.common.paths import CLI, MODELS, WORK, need

SEED = make_models.SEED
ROWS = 16_384
#: Events that the forest and the isolation forest are trained on: their trees grow with them.
FOREST_ROWS = 10_000
#: No feature of an event lies further out.
RANGE = 3.5


def events(count: int, seed: int) -> np.ndarray:
    """The feature matrix of the generator's first `count` events under `seed`, float32."""
    WORK.mkdir(parents=True, exist_ok=True)
    out = WORK / f"trees-{seed}.json"
    command = [str(need(CLI, "cli")), "loadgen", "bench", "--quiet", "--out", str(out)]
    subprocess.run([*command, "--count", str(count), "--seed", str(seed)], check=True, stdout=subprocess.DEVNULL)
    _, rows = make_models.matrix(out.read_bytes().splitlines())
    out.unlink()
    return rows


def row_files() -> dict[str, Path]:
    """Writes both kinds of rows, 32-bit floats row after row, and gives their files."""
    stream = events(ROWS, 4)
    random = np.random.default_rng(SEED).uniform(-RANGE, RANGE, stream.shape).astype(np.float32)
    paths = {"random": WORK / "random.f32", "stream": WORK / "stream.f32"}
    random.tofile(paths["random"])
    stream.tofile(paths["stream"])
    return paths


def make(names: list[str]) -> dict[str, Path]:
    """Trains the named models that ``build/bench/models`` lacks; gives the path of each."""
    MODELS.mkdir(parents=True, exist_ok=True)
    paths = {name: MODELS / f"{name}.onnx" for name in names}
    missing = [name for name, path in paths.items() if not path.exists()]
    if missing:
        rows = events(make_models.TRAINING_ROWS, SEED)
        target = make_models.labels(rows)
        for name in missing:
            print(f"benches: training {name}", file=sys.stderr)
            paths[name].write_bytes(TRAINERS[name](rows, target))
    return paths


def boosted(name: str) -> Callable[[np.ndarray, np.ndarray], bytes]:
    """One of the boosted models that all benchmarks share."""
    return lambda rows, target: make_models.train(name, rows, target)


def regression(rows: np.ndarray, _target: np.ndarray) -> bytes:
    """LightGBM, 100 trees of 31 leaves, one number."""
    import lightgbm

    value = rows[:, 0] * rows[:, 1] + np.abs(rows[:, 2])
    model = lightgbm.LGBMRegressor(n_estimators=100, num_leaves=31, random_state=SEED, n_jobs=1, verbose=-1)
    return from_lightgbm(model.fit(rows, value))


def classes(rows: np.ndarray, target: np.ndarray) -> bytes:
    """LightGBM, five classes, 40 rounds: 200 trees of 31 leaves."""
    import lightgbm

    label = target * 2 + (rows[:, 3] > 0) + 2 * (rows[:, 5] > 1.5)
    model = lightgbm.LGBMClassifier(n_estimators=40, num_leaves=31, random_state=SEED, n_jobs=1, verbose=-1)
    return from_lightgbm(model.fit(rows, label))


def wide_leaves(rows: np.ndarray, target: np.ndarray) -> bytes:
    """LightGBM, 100 trees of 255 leaves."""
    import lightgbm

    model = lightgbm.LGBMClassifier(n_estimators=100, num_leaves=255, random_state=SEED, n_jobs=1, verbose=-1)
    return from_lightgbm(model.fit(rows, target))


def forest(rows: np.ndarray, target: np.ndarray) -> bytes:
    """scikit-learn's random forest, 500 trees of at most ten levels."""
    from sklearn.ensemble import RandomForestClassifier

    model = RandomForestClassifier(n_estimators=500, max_depth=10, random_state=SEED, n_jobs=2)
    model.fit(rows[:FOREST_ROWS], target[:FOREST_ROWS])
    return from_sklearn(model, {id(model): {"zipmap": False}})


def isolation(rows: np.ndarray, _target: np.ndarray) -> bytes:
    """scikit-learn's isolation forest, 100 trees."""
    from sklearn.ensemble import IsolationForest

    return from_sklearn(IsolationForest(n_estimators=100, random_state=SEED).fit(rows[:FOREST_ROWS]), None)


def from_lightgbm(model: object) -> bytes:
    """The model as ONNX, one input of all features."""
    from onnxmltools import convert_lightgbm
    from onnxmltools.convert.common.data_types import FloatTensorType

    inputs = [(make_models.INPUT, FloatTensorType([None, 16]))]
    return bytes(convert_lightgbm(model, initial_types=inputs, zipmap=False, target_opset=15).SerializeToString())


def from_sklearn(model: object, options: dict[int, dict[str, bool]] | None) -> bytes:
    """The model as ONNX, one input of all features."""
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType

    inputs = [(make_models.INPUT, FloatTensorType([None, 16]))]
    opsets = {"": 15, "ai.onnx.ml": 3}
    return bytes(to_onnx(model, initial_types=inputs, options=options, target_opset=opsets).SerializeToString())


#: name -> how it is trained.
TRAINERS: dict[str, Callable[[np.ndarray, np.ndarray], bytes]] = {
    "gbdt100": boosted("gbdt100"),
    "gbdt300": boosted("gbdt300"),
    "forest500": forest,
    "regression100": regression,
    "classes5": classes,
    "leaves255": wide_leaves,
    "isolation100": isolation,
}
