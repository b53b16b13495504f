"""`firesteel_predict` wherever SQL lets it stand: batched, evaluated once per row, and right row by row.

Three witnesses per query: the answer against onnxruntime, the operator in the physical plan, and the operator's own
row counter after the run.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import firesteel
from firesteel import notebook
from tests.support import golden, proof, streams, train

ROWS = 2_000
GROUPS = 5


@dataclass(frozen=True)
class Case:
    """A table `points`(id, grp, x, y), the model, and what onnxruntime says of each row."""

    df: DataFrame
    model: Path
    probability: np.ndarray[Any, Any]
    label: np.ndarray[Any, Any]

    @property
    def call(self) -> str:
        return f"firesteel_predict('{self.model}', x, y)"


@pytest.fixture(scope="module")
def case(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("plans")
    random = np.random.default_rng(11)
    points = random.normal(size=(ROWS, 2))
    features = points.astype(np.float32)
    labels = (features[:, 0] * features[:, 1] > 0).astype(np.int64)
    model = train.random_forest(features, labels, folder / "forest.onnx")
    answer = golden.run(model, {train.INPUT: features})
    rows = [(i, i % GROUPS, *map(float, point)) for i, point in enumerate(points)]
    # Through Parquet: a real scan, so that no optimizer folds the rows of a local relation away.
    spark.createDataFrame(rows, "id BIGINT, grp INT, x DOUBLE, y DOUBLE").write.parquet(str(folder / "points"))
    df = spark.read.parquet(str(folder / "points"))
    df.createOrReplaceTempView("points")
    return Case(df, model, answer["probabilities"][:, 1], answer["label"])


def collected(df: DataFrame, *, rows: int = ROWS, operators: int = 1) -> list[Any]:
    """Run a query and hold that one Firesteel operator saw each row exactly once."""
    proof.assert_native_plan(df, operators=operators)
    answer = df.collect()
    counted = [found.values["rows"] for found in notebook.metrics(df)]
    assert counted == [rows] * operators
    return answer


def probabilities(rows: list[Any]) -> np.ndarray[Any, Any]:
    return np.array([row.p.probabilities[1] for row in rows], dtype=np.float32)


def test_select_gives_a_struct_of_all_outputs(case: Case) -> None:
    df = case.df.select("id", firesteel.predict(case.model, "x", "y").alias("p")).orderBy("id")
    assert df.schema["p"].dataType.simpleString() == "struct<label:bigint,probabilities:array<float>>"
    rows = collected(df)
    assert [row.p.label for row in rows] == case.label.tolist()
    golden.assert_same_bits(probabilities(rows), case.probability, "probabilities[1]")


def test_several_uses_in_one_query_are_one_evaluation(spark: SparkSession, case: Case) -> None:
    df = spark.sql(
        f"SELECT id, {case.call}.label AS label, {case.call}.probabilities[1] AS p FROM points "
        f"WHERE {case.call}.label = 1 ORDER BY {case.call}.probabilities[1] DESC, id"
    )
    rows = collected(df)
    wanted = sorted(np.flatnonzero(case.label == 1).tolist(), key=lambda i: (-case.probability[i], i))
    assert [row.id for row in rows] == wanted


def test_where_alone(spark: SparkSession, case: Case) -> None:
    rows = collected(spark.sql(f"SELECT id FROM points WHERE {case.call}.probabilities[1] > 0.7"))
    assert sorted(row.id for row in rows) == np.flatnonzero(case.probability > np.float32(0.7)).tolist()


def test_where_after_a_cheap_filter_scores_only_what_is_left(spark: SparkSession, case: Case) -> None:
    df = spark.sql(f"SELECT id FROM (SELECT * FROM points WHERE grp = 3) WHERE {case.call}.label = 1")
    rows = collected(df, rows=ROWS // GROUPS)
    assert sorted(row.id for row in rows) == [i for i in np.flatnonzero(case.label == 1).tolist() if i % GROUPS == 3]


def test_order_by_alone(spark: SparkSession, case: Case) -> None:
    rows = collected(spark.sql(f"SELECT id FROM points ORDER BY {case.call}.probabilities[1], id"))
    assert [row.id for row in rows] == sorted(range(ROWS), key=lambda i: (case.probability[i], i))


def test_aggregate_arguments_and_grouping(spark: SparkSession, case: Case) -> None:
    df = spark.sql(
        f"SELECT {case.call}.label AS label, count(*) AS n, max({case.call}.probabilities[1]) AS top "
        f"FROM points GROUP BY {case.call}.label ORDER BY label"
    )
    rows = collected(df)
    for label, row in enumerate(rows):
        chosen = case.probability[case.label == label]
        assert (row.label, row.n, np.float32(row.top)) == (label, len(chosen), chosen.max())


def test_having(spark: SparkSession, case: Case) -> None:
    df = spark.sql(f"SELECT grp FROM points GROUP BY grp HAVING max({case.call}.probabilities[1]) > 2 OR grp = 1")
    assert [row.grp for row in collected(df)] == [1]


def test_join_condition_on_one_side(spark: SparkSession, case: Case) -> None:
    df = spark.sql(
        "SELECT p.id FROM points p JOIN VALUES (0L), (1L) AS t(wanted) "
        f"ON firesteel_predict('{case.model}', p.x, p.y).label = t.wanted WHERE t.wanted = 1"
    )
    rows = collected(df)
    assert sorted(row.id for row in rows) == np.flatnonzero(case.label == 1).tolist()


def test_join_condition_over_both_sides(spark: SparkSession, case: Case) -> None:
    """The arguments come from two tables, so the call stands above the join's pairs."""
    df = spark.sql(
        "SELECT a.id, b.id AS other FROM (SELECT * FROM points WHERE id < 20) a "
        "JOIN (SELECT * FROM points WHERE id < 20) b "
        f"ON a.grp = b.grp AND firesteel_predict('{case.model}', a.x, b.y).label = 1"
    )
    pairs = df.collect()
    firsts = case.df.where("id < 20").orderBy("id").collect()
    grid = [(i, j) for i in range(20) for j in range(20) if i % GROUPS == j % GROUPS]
    points = np.array([(firsts[i].x, firsts[j].y) for i, j in grid], dtype=np.float32)
    labels = golden.run(case.model, {train.INPUT: points})["label"]
    wanted = [pair for pair, label in zip(grid, labels, strict=True) if label == 1]
    assert sorted((row.id, row.other) for row in pairs) == wanted


def test_window_function(spark: SparkSession, case: Case) -> None:
    df = spark.sql(
        f"SELECT id, rank() OVER (PARTITION BY grp ORDER BY {case.call}.probabilities[1] DESC, id) AS place FROM points"
    )
    firsts = sorted(row.id for row in collected(df) if row.place == 1)
    best = [max(range(g, ROWS, GROUPS), key=lambda i: (case.probability[i], -i)) for g in range(GROUPS)]
    assert firsts == sorted(best)


def test_different_calls_share_one_pass_and_each_counts_once(spark: SparkSession, case: Case) -> None:
    swapped = f"firesteel_predict('{case.model}', y, x)"
    df = spark.sql(f"SELECT id, {case.call}.label AS a, {swapped}.label AS b FROM points")
    answers = df.collect()
    counted = [found.values["rows"] for found in notebook.metrics(df)]
    assert counted
    assert set(counted) <= {ROWS, 2 * ROWS}
    assert [row.a for row in sorted(answers, key=lambda row: row.id)] == case.label.tolist()


def test_expressions_as_arguments_and_a_nested_call(spark: SparkSession, case: Case) -> None:
    inner = f"{case.call}.probabilities[1]"
    df = spark.sql(
        f"SELECT id, firesteel_predict('{case.model}', {inner}, x * 2).label AS label FROM points ORDER BY id"
    )
    answers = [row.label for row in df.collect()]
    x = np.array([row.x for row in case.df.orderBy("id").collect()])
    wanted = golden.run(case.model, {train.INPUT: golden.matrix([case.probability, x * 2])})["label"]
    assert answers == wanted.tolist()


def test_case_when_does_not_change_the_answer(spark: SparkSession, case: Case) -> None:
    df = spark.sql(f"SELECT id, CASE WHEN grp = 0 THEN {case.call}.label ELSE -1 END AS label FROM points ORDER BY id")
    wanted = [label if i % GROUPS == 0 else -1 for i, label in enumerate(case.label.tolist())]
    assert [row.label for row in df.collect()] == wanted


def test_nulls_give_a_null_struct_and_leave_the_others_alone(case: Case) -> None:
    df = case.df.withColumn("x", F.when(F.col("id") % 3 != 0, F.col("x")))
    rows = collected(df.select("id", firesteel.predict(case.model, "x", "y").alias("p")).orderBy("id"))
    assert [row.p is None for row in rows] == [i % 3 == 0 for i in range(ROWS)]
    assert [row.p.label for row in rows if row.p] == [label for i, label in enumerate(case.label.tolist()) if i % 3]


def test_micro_batches_are_scored_by_the_operator(spark: SparkSession, case: Case, tmp_path: Path) -> None:
    since = proof.next_execution(spark)
    stream = spark.readStream.schema(case.df.schema).parquet(str(case.model.parent / "points"))
    scored = stream.select("id", firesteel.predict(case.model, "x", "y").alias("p")).where("p.label = 1")
    streams.write_available(scored, tmp_path)
    written = spark.read.parquet(str(tmp_path / "out")).orderBy("id").collect()
    assert [row.id for row in written] == np.flatnonzero(case.label == 1).tolist()
    assert proof.native_count(spark, since, "rows") == ROWS


def test_no_rows(case: Case) -> None:
    assert case.df.where("id < 0").select(firesteel.predict(case.model, "x", "y")).collect() == []


def test_unknown_model_is_refused_before_any_job(case: Case, tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"nothing\.onnx"):
        case.df.select(firesteel.predict(tmp_path / "nothing.onnx", "x", "y"))


def test_wrong_number_of_columns_is_refused_before_any_job(case: Case) -> None:
    with pytest.raises(Exception, match="MODEL_INPUT") as refused:
        case.df.select(firesteel.predict(case.model, "x"))
    assert "features" in str(refused.value)


def test_wrong_type_of_column_is_refused_before_any_job(case: Case) -> None:
    with pytest.raises(Exception, match="MODEL_INPUT") as refused:
        case.df.select(firesteel.predict(case.model, F.lit("text").alias("t"), "y"))
    assert "STRING" in str(refused.value)


def test_row_by_row_is_equal_and_not_batched(spark: SparkSession, case: Case) -> None:
    spark.conf.set("spark.firesteel.batch.enabled", "false")
    try:
        df = case.df.select("id", firesteel.predict(case.model, "x", "y").alias("p")).orderBy("id")
        proof.assert_native_plan(df, operators=0)
        rows = df.collect()
    finally:
        spark.conf.unset("spark.firesteel.batch.enabled")
    assert [row.p.label for row in rows] == case.label.tolist()
    golden.assert_same_bits(probabilities(rows), case.probability, "probabilities[1]")
