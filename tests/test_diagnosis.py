"""`firesteel.explain` and the doctor: true of what runs, and every fault with its cure."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

import firesteel
from tests.support import kafka, places, proof, small
from tests.support.places import ROOT
from tests.support.submit import SparkProgram, submit_command


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> small.Small:
    return small.write(tmp_path_factory.mktemp("diagnosis"))


def section(text: str, title: str) -> list[str]:
    """The lines under a title."""
    lines = text.splitlines()
    start = lines.index(title) + 1
    end = next((i for i in range(start, len(lines)) if not lines[i].startswith("  ")), len(lines))
    return [line.strip() for line in lines[start:end]]


def test_a_pipelines_file_tells_its_stages_and_its_surroundings(spark: SparkSession, files: small.Small) -> None:
    text = firesteel.explain(files.pipeline, spark)
    stages = section(text, "Pipeline")
    assert any(line.startswith("runs in") for line in stages)
    assert any("DOUBLE -> " in line for line in stages), "casts are listed"
    around = section(text, "Runs with")
    assert around[0].startswith("tasks     2 at a time on ")
    assert around[1] == "batch     8192 rows, or 32 MiB of text, whichever comes first"
    assert section(text, "Row by row") == ["nothing"]
    assert text == firesteel.explain(firesteel.Pipeline.load(files.pipeline), spark)
    assert text == spark.sql(f"SELECT firesteel_explain('{files.pipeline}') AS plan").collect()[0].plan


def test_a_query_tells_what_is_batched_and_why_something_is_not(spark: SparkSession, files: small.Small) -> None:
    df = spark.range(10).selectExpr("id", "double(id) AS x", "double(-id) AS y")
    batched = df.selectExpr(f"firesteel_predict('{files.model}', x, y).label AS label")
    proof.assert_native_plan(batched)
    text = firesteel.explain(batched)
    assert any(line.startswith("runs in") for line in section(text, "FiresteelEval"))
    assert section(text, "Row by row") == ["nothing"]
    for query, why in (
        (f"SELECT firesteel_predict('{files.model}', sum(x), sum(y)) AS p FROM points", "an aggregate's result"),
        (
            f"SELECT a.x FROM points a JOIN points b ON firesteel_predict('{files.model}', a.x, b.y).label > 0",
            "both sides of a join",
        ),
        (
            f"SELECT transform(array(x), v -> firesteel_predict('{files.model}', v, v).label) AS l FROM points",
            "each element of an array",
        ),
        (
            f"SELECT CASE WHEN id <> 0 THEN firesteel_predict('{files.model}', 1 / (id - 1), y).label END FROM points",
            "could fail for the others",
        ),
    ):
        df.createOrReplaceTempView("points")
        frame = spark.sql(query)
        (line,) = section(firesteel.explain(frame), "Row by row")
        assert line.startswith("firesteel_predict('"), line
        assert why in line, line
    spark.conf.set("spark.firesteel.batch.enabled", "false")
    try:
        (line,) = section(firesteel.explain(batched), "Row by row")
        assert "spark.firesteel.batch.enabled is false" in line
    finally:
        spark.conf.unset("spark.firesteel.batch.enabled")
    assert firesteel.explain(df) == "Firesteel takes no part in this query"


def test_a_stream_tells_before_and_while_it_runs(
    spark: SparkSession, files: small.Small, bootstrap: str, tmp_path: Path
) -> None:
    topic = kafka.new_topic(bootstrap, "explained")
    kafka.produce(bootstrap, topic, [b'{"id": 1, "x": 1.0, "y": 2.0}'])
    reader = spark.readStream.format("firesteel").option("kafka.bootstrap.servers", bootstrap)
    frame = (
        reader.option("subscribe", topic)
        .option("startingOffsets", "earliest")
        .option("pipeline", str(files.pipeline))
        .load()
    )
    before = firesteel.explain(frame)
    assert any(line.startswith("runs in") for line in section(before, "Source"))
    behind = firesteel.Pipeline.load(files.pipeline).transform(
        spark.readStream.format("kafka").options(**kafka.source_options(bootstrap, topic)).load()
    )
    assert any(line.startswith("runs in") for line in section(firesteel.explain(behind), "FiresteelEval"))
    writer = frame.writeStream.format("memory").queryName("explained").option("checkpointLocation", str(tmp_path / "c"))
    query = writer.start()
    try:
        query.processAllAvailable()
        assert section(firesteel.explain(query), "Source") == section(before, "Source")
    finally:
        query.stop()


def test_the_doctor_finds_this_session_fit_and_a_wrong_setting(spark: SparkSession) -> None:
    found = firesteel.doctor(spark)
    assert found.works, str(found)
    checks = {finding.check: finding for finding in found.findings}
    assert checks["C library"].found.startswith("glibc 2.")
    assert checks["ONNX Runtime"].level == "ok"
    assert checks["Python UDFs"].level == "ok"
    assert checks["Spark"].found == spark.version
    assert str(found).splitlines()[-1].startswith("Firesteel works here")
    key = "spark.sql.execution.arrow.pythonUDF.columnarInput.enabled"
    before = spark.conf.get(key)
    spark.conf.set(key, "true")
    try:
        (udfs,) = (finding for finding in firesteel.doctor(spark).findings if finding.check == "Python UDFs")
        assert udfs.level == "warn"
        assert f"set {key}=false" in udfs.fix
    finally:
        spark.conf.set(key, str(before))


def test_the_command_line_has_a_doctor_too(tmp_path: Path) -> None:
    cli = places.required(places.CLI, "make cli")
    good = subprocess.run([cli, "doctor", "--json"], capture_output=True, text=True, timeout=60, check=False)
    assert good.returncode == 0, good.stderr
    findings = {one["check"]: one for one in json.loads(good.stdout)["findings"]}
    assert findings["ONNX Runtime"]["level"] == "ok"
    missing = [str(cli), "doctor", "--onnxruntime", str(tmp_path / "nowhere.so")]
    bad = subprocess.run(missing, capture_output=True, text=True, timeout=60, check=False)
    (line,) = (line for line in bad.stdout.splitlines() if "ONNX Runtime" in line)
    assert line.startswith("WARN")
    assert "FIRESTEEL_ONNXRUNTIME" in line


def test_from_a_shell_with_a_session_that_lacks_everything(jar: Path, tmp_path: Path) -> None:
    """spark-submit with the jar alone: it works, and says what the session should have."""
    command = [
        *submit_command(master="local[8]", jars=[])[:-2],
        "--class",
        "io.firesteel.spark.doctor.Doctor",
        str(jar),
    ]
    with SparkProgram(command, tmp_path / "doctor.log", name="doctor") as program:
        said = program.finish(120)
    assert "WARN  SQL functions" in said
    assert "FiresteelExtensions" in said
    assert "WARN  tasks" in said
    assert "8 at a time on " in said
    assert "WARN  state store" in said
    assert "Firesteel works here; " in said
    module = [
        sys.executable,
        "-m",
        "firesteel",
        "explain",
        str(ROOT / "examples" / "nowhere.yaml"),
        "--master",
        "local[1]",
    ]
    refused = subprocess.run(module, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT / "python")
    assert refused.returncode == 2
    assert "FILE_NOT_FOUND" in refused.stderr
