"""The wheel as a user gets it: installed somewhere else, one call to configure, no jar named anywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support import drivers, golden, places, small


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, installed by pip into an empty folder, without the network."""
    [wheel] = sorted(places.required(places.DIST, "make wheel").glob("firesteel-*.whl")) or [Path("no wheel")]
    places.required(wheel, "make wheel")
    folder = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile"]
    subprocess.run([*pip, "--target", str(folder), str(wheel)], check=True, timeout=120)
    return folder


def test_the_wheel_scores_with_nothing_but_configure(installed: Path, tmp_path: Path) -> None:
    files = small.write(tmp_path)
    env = {"PYTHONPATH": str(installed), "PYSPARK_SUBMIT_ARGS": "--master local[2] pyspark-shell"}
    assert "FIRESTEEL_JAR" not in os.environ
    answer = drivers.answer_of("first_minute", files.model, files.pipeline, folder=tmp_path, env=env)

    assert Path(answer["package"]).parent == installed / "firesteel"
    assert answer["jar"].endswith(str(installed / "firesteel" / "jars" / places.JAR.name))
    assert "FiresteelEval" in answer["plan"]
    points = np.array([(0.5, -1.0), (-0.25, 3.0), (2.0, 2.0)], dtype=np.float32)
    wanted = golden.run(files.model, {small.INPUT: points})
    assert answer["labels"] == wanted["label"].tolist()
    scores = np.array(answer["scores"], dtype=np.float32)
    golden.assert_same_bits(scores, wanted["probabilities"][:, 1], "score")
