"""The smallest useful pipeline: two numbers in, one score out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

import firesteel
from tests.support import train

INPUT = train.INPUT


@dataclass(frozen=True)
class Small:
    """Where the model and the pipeline file lie."""

    model: Path
    pipeline: Path


def write(folder: Path) -> Small:
    """Train the model and write both files into `folder`; the same bytes every time."""
    points = np.random.default_rng(3).normal(size=(300, 2)).astype(np.float32)
    labels = (points[:, 0] > points[:, 1]).astype(np.int64)
    model = train.logistic_regression(points, labels, folder / "small.onnx")
    pipeline = firesteel.PipelineSpec(
        name="small",
        schema="id BIGINT, x DOUBLE, y DOUBLE",
        clean=[firesteel.Require("id")],
        models=[firesteel.Model("small", model.name, {"score": "probabilities[1]"}, {INPUT: ["x", "y"]})],
        output=["id", "score"],
    ).save(folder / "small.yaml")
    return Small(model, Path(pipeline.path))
