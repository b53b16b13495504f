"""The examples in the package's docstrings run, and print what they say."""

from __future__ import annotations

import doctest
import importlib
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pyspark.sql import SparkSession

import firesteel
from tests.support import small

#: Names that the examples take for granted come from here; the builder's examples run in test_package.py.
MODULES = ["firesteel", "firesteel._spark", "firesteel.functions", "firesteel.pipeline", "firesteel.notebook"]


@pytest.fixture(scope="module")
def world(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the examples find: three rows, one with a null, a model in models/, and fraud.yaml."""
    folder = tmp_path_factory.mktemp("docstrings")
    files = small.write(folder)
    (folder / "models").mkdir()
    shutil.copy(files.model, folder / "models" / "fraud.onnx")
    firesteel.PipelineSpec(
        name="card-fraud",
        schema="id BIGINT, amount DOUBLE, age DOUBLE",
        models=[
            firesteel.Model(
                "fraud", "models/fraud.onnx", {"score": "probabilities[1]"}, {small.INPUT: ["amount", "age"]}
            )
        ],
        output=["id", "score"],
    ).save(folder / "fraud.yaml")
    rows = [(1, 0.5, 2.0), (2, 3.0, -1.0), (3, None, 1.0)]
    df = spark.createDataFrame(rows, "id BIGINT, amount DOUBLE, age DOUBLE")
    return {"folder": folder, "names": {"spark": spark, "df": df, "firesteel": firesteel}}


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
