"""The examples in the package's docstrings run, and print what they say."""

from __future__ import annotations

import doctest
import importlib
import shutil
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pyspark.sql import SparkSession

import firesteel
from tests.support import small

#: Names that the examples take for granted come from here; the builder's examples run in test_package.py.
MODULES = [
    "firesteel",
    "firesteel._spark",
    "firesteel.diagnosis",
    "firesteel.fitting",
    "firesteel.functions",
    "firesteel.pipeline",
    "firesteel.training",
    "firesteel.notebook",
]


@pytest.fixture(scope="module")
def world(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the examples find: three rows, one with a null, labels of two, a model in models/, and fraud.yaml."""
    folder = tmp_path_factory.mktemp("docstrings")
    files = small.write(folder)
    (folder / "models").mkdir()
    shutil.copy(files.model, folder / "models" / "fraud.onnx")
    firesteel.PipelineSpec(
        name="card-fraud",
        schema="id BIGINT, amount DOUBLE, age DOUBLE, ts TIMESTAMP",
        models=[
            firesteel.Model(
                "fraud", "models/fraud.onnx", {"score": "probabilities[1]"}, {small.INPUT: ["amount", "age"]}
            )
        ],
        output=["id", "score"],
    ).save(folder / "fraud.yaml")
    days = [datetime(2026, 1, day) for day in (1, 2, 9)]
    rows = [(1, 0.5, 2.0, days[0]), (2, 3.0, -1.0, days[1]), (3, None, 1.0, days[2])]
    df = spark.createDataFrame(rows, "id BIGINT, amount DOUBLE, age DOUBLE, ts TIMESTAMP")
    labels = spark.createDataFrame([(1, 1), (2, 0)], "id BIGINT, is_fraud INT")
    return {"folder": folder, "names": {"spark": spark, "df": df, "labels": labels, "firesteel": firesteel}}


def examples(module: ModuleType) -> list[doctest.DocTest]:
    found = doctest.DocTestFinder().find(module, module.__name__)
    return [test for test in found if test.examples]


@pytest.mark.parametrize("name", MODULES)
def test_examples_print_what_they_say(name: str, world: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    folder: Path = world["folder"]
    monkeypatch.chdir(folder)
    tests = examples(importlib.import_module(name))
    assert tests, f"{name} has no examples"
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    report: list[str] = []
    for test in tests:
        test.globs = dict(world["names"])
        runner.run(test, out=report.append, clear_globs=False)
    assert runner.summarize(verbose=False).failed == 0, "".join(report)
