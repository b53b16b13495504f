"""One model of every ordinary kind gives Python onnxruntime's bits on every surface: SQL, PySpark, Connect, the CLI.

`tests/models/make_zoo.py` makes the models, their rows and the answers. The Scala API has `ZooSuite`.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import onnxruntime
import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

import firesteel
from tests.support import drivers, proof, zoo
from tests.support.places import CLI, required
from tests.support.zoo import Model

MODELS = zoo.models()
ZOO = pytest.mark.parametrize("model", MODELS, ids=[model.name for model in MODELS])


def test_the_zoo_has_every_kind() -> None:
    assert len(MODELS) >= 25
    assert {model.golden["onnxruntime"] for model in MODELS} == {onnxruntime.__version__}
    types = {column["type"] for model in MODELS for column in model.golden["columns"]}
    assert {"BOOLEAN", "TINYINT", "SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "STRING"} <= types
    assert {"ARRAY<DOUBLE>", "ARRAY<STRING>", "ARRAY<ARRAY<DOUBLE>>", "ARRAY<ARRAY<ARRAY<FLOAT>>>"} <= types


def frame(spark: SparkSession, model: Model) -> DataFrame:
    return spark.createDataFrame(model.rows, f"row_id INT, {model.ddl}").coalesce(1)


def answers(rows: list[Any]) -> list[dict[str, Any]]:
    return [row["p"].asDict() for row in sorted(rows, key=lambda row: row["row_id"])]


def test_pyspark_and_sql_give_the_bits_of_onnxruntime(spark: SparkSession) -> None:
    df = zoo.frame(spark, MODELS)
    scored = df.select("row_id", *zoo.predictions(MODELS))
    proof.assert_native_plan(scored)
    rows = scored.collect()
    for model in MODELS:
        model.check(zoo.answers(rows, model), "PySpark")
    df.createOrReplaceTempView("zoo")
    # By position, two rows at a time, and backwards: a row's answer does not hang on its neighbours.
    calls = (
        f"firesteel_predict('{model.path}', {', '.join(map(model.place, model.columns))}) AS {model.name}"
        for model in MODELS
    )
    spark.conf.set("spark.firesteel.batchSize", "2")
    try:
        rows = spark.sql(f"SELECT row_id, {', '.join(calls)} FROM zoo ORDER BY row_id DESC").collect()
    finally:
        spark.conf.unset("spark.firesteel.batchSize")
    for model in MODELS:
        model.check(zoo.answers(rows, model), "SQL")


@ZOO
def test_the_command_line_gives_the_bits_of_onnxruntime(model: Model, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(json.dumps(model.pipeline()), encoding="utf-8")
    names = ["row_id", *model.columns]
    lines = [json.dumps(dict(zip(names, row, strict=True))) for row in model.rows]
    (tmp_path / "in.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    command = [str(required(CLI, "make cli")), "score", "p.yaml", "--in", "in.jsonl", "--out", "out.jsonl", "-q"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["row_id"] for row in rows] == list(range(len(model.rows)))
    if model.name == "nan_maker":
        # JSON has no NaN.
        rows = [row | {"roots": [float("nan") if v is None else v for v in row["roots"]]} for row in rows]
    model.check(rows, "CLI")


@pytest.mark.timeout(240)
def test_connect_gives_the_bits_of_onnxruntime(jar: Path, tmp_path: Path) -> None:
    got = drivers.answer_of("zoo_over_connect", folder=tmp_path, env={"FIRESTEEL_JAR": str(jar)})
    assert got["session"] == "pyspark.sql.connect.session.SparkSession"
    for model in MODELS:
        assert got["models"][model.name] == model.outputs, f"{model.name} over Connect"


@pytest.mark.parametrize("name", ["sk_lr_zipmap_text", "torch_transformer", "torch_sequence", "keras_mixed"])
def test_typed_columns_in_a_pipeline_give_the_same(name: str, spark: SparkSession, tmp_path: Path) -> None:
    model = next(model for model in MODELS if model.name == name)
    (tmp_path / "p.yaml").write_text(json.dumps(model.pipeline()), encoding="utf-8")
    scored = firesteel.Pipeline.load(tmp_path / "p.yaml").transform(frame(spark, model))
    proof.assert_native_plan(scored)
    rows = [row.asDict() for row in firesteel.accepted(scored).orderBy("row_id").collect()]
    model.check(rows, "pipeline")


def test_ml_vectors_are_taken_dense_and_sparse(spark: SparkSession) -> None:
    from pyspark.ml.linalg import Vectors

    model = next(model for model in MODELS if model.name == "lgbm_three")
    rows = [
        (number, Vectors.dense(values) if number % 2 else Vectors.sparse(4, list(enumerate(values))))
        for number, values in model.rows
    ]
    df = spark.createDataFrame(rows, ["row_id", "v"])
    scored = df.select("row_id", firesteel.predict(model.path, "v").alias("p"))
    proof.assert_native_plan(scored)
    model.check(answers(scored.collect()), "vectors")
    # What a sparse vector leaves out is zero.
    zeros = spark.createDataFrame(
        [(1, Vectors.sparse(4, {2: 1.5})), (2, Vectors.dense([0, 0, 1.5, 0]))], ["row_id", "v"]
    )
    one, two = answers(zeros.select("row_id", firesteel.predict(model.path, "v").alias("p")).collect())
    assert one == two


def test_results_keep_their_types(spark: SparkSession) -> None:
    kinds: dict[str, str] = {}
    for name in ("whole_numbers", "half_precision", "torch_transformer", "sk_lr_zipmap_text", "booleans"):
        model = next(model for model in MODELS if model.name == name)
        schema = frame(spark, model).select(firesteel.predict(model.path, *model.columns).alias("p")).schema
        struct = schema["p"].dataType
        assert isinstance(struct, StructType)
        kinds |= {field.name: field.dataType.simpleString() for field in struct.fields}
    assert kinds == {
        "int8_out": "tinyint",
        "int16_out": "smallint",
        "int32_out": "int",
        "int64_out": "bigint",
        "uint8_out": "smallint",
        "uint16_out": "int",
        "uint32_out": "bigint",
        "uint64_out": "decimal(20,0)",
        "y": "array<float>",
        "last_hidden_state": "array<array<float>>",
        "pooler_output": "array<float>",
        "output_label": "string",
        "output_probability": "array<float>",
        "inverse": "array<boolean>",
        "both": "array<boolean>",
    }


def test_null_arrays_and_empty_batches(spark: SparkSession) -> None:
    model = next(model for model in MODELS if model.name == "torch_embedding")
    df = spark.createDataFrame([(1, [1, 2]), (2, None), (3, [1, None]), (4, [2])], "row_id INT, input_ids ARRAY<INT>")
    call = firesteel.predict(model.path, "input_ids").alias("p")
    got = {row.row_id: row.p for row in df.select("row_id", call).collect()}
    assert [got[i] is None for i in (1, 2, 3, 4)] == [False, True, True, False]
    assert df.where("row_id > 9").select(call).collect() == []
    # As columns of Spark's, not rows: from Parquet's vectorized reader an array comes as a column of elements.
    arrays = pa.table({"row_id": [1, 2], "input_ids": [[1, 2], [2]]})
    same = spark.createDataFrame(arrays).select("row_id", call).collect()
    assert {row.row_id: row.p for row in same} == {1: got[1], 2: got[4]}


def scored(spark: SparkSession, folder: Path, model: dict[str, Any], rows: list[tuple[Any, ...]]) -> tuple[Any, Any]:
    """Rows and rejected rows of a pipeline over (row_id, a, b)."""
    pipeline = {
        "name": "zoo",
        "input": {"schema": "row_id INT, a DOUBLE, b DOUBLE"},
        "models": [{"name": "m", "uri": str(zoo.ZOO / "nan_maker.onnx"), "inputs": {"x": ["a", "b"]}, **model}],
        "output": ["row_id", "roots"],
    }
    (folder / "p.yaml").write_text(json.dumps(pipeline), encoding="utf-8")
    df = spark.createDataFrame(rows, "row_id INT, a DOUBLE, b DOUBLE").coalesce(1)
    out = firesteel.Pipeline.load(folder / "p.yaml").transform(df)
    kept = {row.row_id: row.roots for row in firesteel.accepted(out).collect()}
    rejected = [(row.code, row.message) for row in firesteel.rejected(out).collect()]
    assert len(kept) + len(rejected) == len(rows)
    return kept, rejected


def test_a_result_that_is_nan_passes_becomes_null_or_rejects_its_row(spark: SparkSession, tmp_path: Path) -> None:
    rows = [(1, 4.0, 9.0), (2, 4.0, -1.0), (3, 1.0, 16.0)]
    kept, rejected = scored(spark, tmp_path, {}, rows)
    assert (kept[1], kept[2][0], kept[2][1] != kept[2][1], rejected) == ([2.0, 3.0], 2.0, True, [])
    kept, rejected = scored(spark, tmp_path, {"nan": "null"}, rows)
    assert (kept, rejected) == ({1: [2.0, 3.0], 2: [2.0, None], 3: [1.0, 4.0]}, [])
    kept, rejected = scored(spark, tmp_path, {"nan": "reject"}, rows)
    assert kept == {1: [2.0, 3.0], 3: [1.0, 4.0]}
    assert rejected == [("NAN_RESULT", "a = 4.0, b = -1.0: output roots is NaN")]


def test_nulls_are_rejected_imputed_or_nan(spark: SparkSession, tmp_path: Path) -> None:
    rows = [(1, 4.0, 9.0), (2, None, 1.0)]
    kept, rejected = scored(spark, tmp_path, {}, rows)
    assert (kept, rejected) == ({1: [2.0, 3.0]}, [("NULL_FEATURE", "column `a` is null, and model m needs it")])
    kept, rejected = scored(spark, tmp_path, {"nulls": {"x": {"impute": 25}}}, rows)
    assert (kept, rejected) == ({1: [2.0, 3.0], 2: [5.0, 1.0]}, [])
    kept, rejected = scored(spark, tmp_path, {"nulls": {"x": "nan"}, "nan": "null"}, rows)
    assert (kept, rejected) == ({1: [2.0, 3.0], 2: [None, 1.0]}, [])
