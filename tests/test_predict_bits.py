"""Every model in tests/models gives onnxruntime's bits, whatever the batch size and the partitioning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession

import firesteel
from firesteel import notebook
from tests.support import golden, proof
from tests.support.places import FULL, TEST_MODELS

#: Those with golden outputs; the others in the folder are there to be refused.
MODELS = sorted(path.with_suffix("").with_suffix(".onnx") for path in TEST_MODELS.glob("*.golden.json"))
ROWS = 1_500
#: Batch rows by partitions: all 15 in full, otherwise each size and each partitioning at least once.
GRID = [(rows, partitions) for rows in (1, 2, 7, 1024, 8192) for partitions in (1, 3, 8)]
USED = GRID if FULL else [(1, 1), (2, 8), (7, 3), (1024, 3), (8192, 1)]

#: What onnxruntime wants for a tensor's type.
NUMPY: dict[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
    "tensor(string)": np.object_,
}

BATCH_ROWS = "spark.firesteel.batchSize"


def columns_of(onnx: onnxruntime.InferenceSession, seed: int) -> tuple[pd.DataFrame, dict[str, np.ndarray[Any, Any]]]:
    """Random columns that fit a model, and the same values as onnxruntime takes them."""
    random = np.random.default_rng(seed)
    inputs = onnx.get_inputs()
    frame: dict[str, Any] = {}
    feeds: dict[str, np.ndarray[Any, Any]] = {}
    for tensor in inputs:
        width = int(np.prod([dim for dim in tensor.shape[1:] if isinstance(dim, int)])) if len(tensor.shape) > 1 else 1
        names = [tensor.name] if width == 1 else [f"{tensor.name}_{i}" for i in range(width)]
        drawn = [draw(tensor.type, random) for _ in names]
        frame |= dict(zip(names, drawn, strict=True))
        values = np.column_stack(drawn) if len(tensor.shape) > 1 else drawn[0]
        shape = [ROWS, *(dim for dim in tensor.shape[1:])] if len(tensor.shape) > 2 else values.shape
        feeds[tensor.name] = values.astype(NUMPY[tensor.type]).reshape(shape)
    return pd.DataFrame(frame), feeds


def draw(kind: str, random: np.random.Generator) -> np.ndarray[Any, Any]:
    """Values of a Spark type that the model's type takes; doubles for float32, as most tables have."""
    if kind in ("tensor(float)", "tensor(double)"):
        return random.normal(scale=3.0, size=ROWS)
    if kind == "tensor(int64)":
        return random.integers(0, 50, ROWS)
    if kind == "tensor(int32)":
        return random.integers(0, 50, ROWS).astype(np.int32)
    if kind == "tensor(bool)":
        return random.random(ROWS) < 0.5
    return random.choice(np.array(["a", "b", "c", "d"], dtype=object), ROWS)


@pytest.fixture(scope="module", params=MODELS, ids=[path.stem for path in MODELS])
def table(request: pytest.FixtureRequest, spark: SparkSession) -> tuple[Path, DataFrame, list[str], dict[str, Any]]:
    """A model, its rows as a DataFrame, the columns to pass, and onnxruntime's answer."""
    model: Path = request.param
    onnx = golden.session(model)
    frame, feeds = columns_of(onnx, seed=len(model.stem))
    names = list(frame.columns)
    frame.insert(0, "row_id", range(ROWS))
    df = spark.createDataFrame(pa.Table.from_pandas(frame, preserve_index=False))
    return model, df, names, golden.run(model, feeds)


@pytest.mark.parametrize(("batch_rows", "partitions"), USED)
def test_bits_do_not_depend_on_batch_size_or_partitions(
    table: tuple[Path, DataFrame, list[str], dict[str, Any]], spark: SparkSession, batch_rows: int, partitions: int
) -> None:
    model, df, names, wanted = table
    spark.conf.set(BATCH_ROWS, str(batch_rows))
    try:
        scored = df.repartition(partitions).select("row_id", firesteel.predict(model, *names).alias("p"))
        proof.assert_native_plan(scored)
        answer = scored.toArrow().sort_by("row_id")
        counted = sum(found.values["rows"] for found in notebook.metrics(scored))
    finally:
        spark.conf.unset(BATCH_ROWS)
    assert counted == ROWS
    compare(answer["p"].combine_chunks(), wanted, model.stem)


def compare(answer: pa.StructArray, wanted: dict[str, Any], model: str) -> None:
    fields = [field.name for field in answer.type]
    assert fields, f"{model} gave no outputs"
    for name in fields:
        values = answer.field(name)
        if pa.types.is_list(values.type):
            values = values.flatten()
        expected = np.asarray(wanted[name])
        if expected.dtype == object:
            assert values.to_pylist() == expected.reshape(-1).tolist(), f"{model}.{name}"
        else:
            actual = values.to_numpy(zero_copy_only=False)
            golden.assert_same_bits(actual, expected.reshape(-1), f"{model}.{name}")


def test_there_are_models_to_test() -> None:
    assert MODELS, f"no model in {TEST_MODELS}"
