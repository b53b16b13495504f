"""A challenger scores live rows beside the champion, and its figures come out as columns, aggregates and progress."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pyspark.errors import AnalysisException
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

import firesteel
from tests.support import kafka, train
from tests.support.jobs import Job
from tests.support.submit import SparkProgram

ROWS = 600


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models that disagree on some points, a pipeline with one, and one with both."""
    folder = tmp_path_factory.mktemp("challengers")
    points = np.random.default_rng(3).normal(size=(300, 2)).astype(np.float32)
    for name, labels in (("old", points[:, 0] > points[:, 1]), ("new", points[:, 0] > 0)):
        train.logistic_regression(points, labels.astype(np.int64), folder / f"{name}.onnx")
    champion = firesteel.Model("old", "old.onnx", {"score": "probabilities[1]"}, {train.INPUT: ["x", "y"]})
    challenger = firesteel.Model(
        "new",
        "new.onnx",
        {"new_score": "probabilities[1]"},
        {train.INPUT: ["x", "y"]},
        challenges="old",
        sample=firesteel.Sample(0.5, "card"),
    )
    for name, models in (("alone", [champion]), ("both", [champion, challenger])):
        firesteel.PipelineSpec(
            name=name,
            schema="id BIGINT, card BIGINT, x DOUBLE, y DOUBLE, label INT",
            models=models,
            output=["id", "card", "score", "label"],
        ).save(folder / f"{name}.yaml")
    return folder


def record(i: int) -> bytes:
    point = np.random.default_rng(i).normal(size=2)
    known = None if i % 3 == 0 else int(point[0] > 0)
    return json.dumps({"id": i, "card": i // 10, "x": point[0], "y": point[1], "label": known}).encode()


def expected(rows: list[Row]) -> dict[str, float]:
    """The figures by their definitions."""
    old = np.array([row.score for row in rows], dtype=float)
    new = np.array([np.nan if row.new_score is None else row.new_score for row in rows], dtype=float)
    truth = np.array([np.nan if row.label is None else row.label for row in rows], dtype=float)
    both = ~np.isnan(new)
    known = both & ~np.isnan(truth)
    apart = (new - old)[both]
    found = {
        "rows": len(rows),
        "compared": both.sum(),
        "disagreements": ((old >= 0.5) != (new >= 0.5))[both].sum(),
        "mean_difference": apart.mean(),
        "mean_absolute_difference": np.abs(apart).mean(),
        "max_absolute_difference": np.abs(apart).max(),
        "labelled": known.sum(),
    }
    for name, score in (("champion", old[known]), ("challenger", new[known])):
        found[f"{name}_accuracy"] = ((score >= 0.5) == truth[known]).mean()
        found[f"{name}_brier"] = ((score - truth[known]) ** 2).mean()
        found[f"{name}_log_loss"] = -np.log(np.where(truth[known] == 1, score, 1 - score)).mean()
    return found


def test_a_batch_and_a_stream_compare_alike(spark: SparkSession, folder: Path, tmp_path: Path) -> None:
    rows = spark.createDataFrame([(record(i),) for i in range(ROWS)], "value BINARY").repartition(3)
    both = firesteel.Pipeline.load(folder / "both.yaml").transform(rows)
    assert both.columns == ["id", "card", "score", "label", "new_score", "_rejected"]
    scored = both.collect()
    alone = firesteel.Pipeline.load(folder / "alone.yaml").transform(rows)
    assert {row.id: row.score for row in scored} == {row.id: row.score for row in alone.collect()}
    cards = {row.card for row in scored if row.new_score is not None}
    assert 15 <= len(cards) <= 45, "half of sixty cards, about"
    assert all((row.new_score is not None) == (row.card in cards) for row in scored), "all rows of a card, or none"
    wanted = expected(scored)
    assert wanted["disagreements"] > 10
    assert wanted["challenger_accuracy"] > wanted["champion_accuracy"]
    figures = firesteel.compare("score", "new_score", "label").alias("new")
    [found] = both.select(figures).collect()
    assert found.new.asDict() == pytest.approx(wanted, rel=1e-9)
    [[unlabelled]] = both.select(firesteel.compare("score", "new_score", threshold=0.9)).collect()
    assert "labelled" not in unlabelled
    assert unlabelled.disagreements != found.new.disagreements

    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_bytes(b"\n".join(map(record, range(ROWS))))
    stream = spark.readStream.text(str(tmp_path / "in")).select(F.col("value").cast("binary"))
    watched = firesteel.Pipeline.load(folder / "both.yaml").transform(stream).observe("new", figures)
    query = watched.writeStream.format("noop").option("checkpointLocation", str(tmp_path / "c"))
    running = query.trigger(availableNow=True).start()
    assert running.awaitTermination(60)
    [observed] = [p.observedMetrics["new"].new for p in running.recentProgress if "new" in p.observedMetrics]
    assert observed == pytest.approx(wanted, rel=1e-9)


def test_answers_are_compared_too_and_what_has_no_order_is_not(spark: SparkSession) -> None:
    answers = spark.createDataFrame(
        [("a", "a", "a"), ("a", "b", "b"), ("b", None, "b"), ("c", "c", None)], "old STRING, new STRING, truth STRING"
    )
    [[found]] = answers.select(firesteel.compare("old", "new", "truth")).collect()
    assert found.asDict() == {
        "rows": 4,
        "compared": 3,
        "disagreements": 1,
        "labelled": 2,
        "champion_accuracy": 0.5,
        "challenger_accuracy": 1.0,
    }
    for old, new in (("old", F.lit(0.5)), (F.array("old"), F.array("new"))):
        with pytest.raises(AnalysisException, match="WRONG_ARGUMENT: firesteel_compare compares two scores"):
            answers.select(firesteel.compare(old, new))


@pytest.mark.timeout(200)
def test_stream_job_reports_challengers_of_each_batch(
    bootstrap: str, jar: Path, kafka_connector: list[Path], folder: Path, tmp_path: Path, spark: SparkSession
) -> None:
    topic = kafka.new_topic(bootstrap, "challengers", partitions=2)
    kafka.produce(bootstrap, topic, map(record, range(ROWS)), partitions=2)
    job = Job(folder / "both.yaml", bootstrap, topic, tmp_path, jar, kafka_connector)
    with SparkProgram(job.command(), tmp_path / "job.log") as program:
        program.finish(120)
    wanted = expected(spark.read.parquet(str(job.scores)).collect())
    [batch] = [line["challengers"]["new_score"] for line in job.progress() if line["rows_in"]]
    assert batch == pytest.approx({name: wanted[name] for name in batch}, rel=1e-9)
    assert batch["rows"] == ROWS
