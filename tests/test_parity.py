"""One log by every way, from the shell and from Python: the same bytes, and where there is a difference it is found."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
import pytest
from onnx import TensorProto, helper
from pyspark.sql import SparkSession

import firesteel
from firesteel import _rows
from tests.support import kafka, places, small
from tests.support.windows.log import PIPELINE, values

EVENTS = 3_000
#: Late events come before the newest of their key: Spark's batch sorts them in, the log has them where they are.
IN_ORDER = EVENTS // 2
START = 1_767_225_600


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Out of order, with nulls and rubbish."""
    file = tmp_path_factory.mktemp("parity") / "events.jsonl"
    file.write_text("".join(value + "\n" for _, value in values(EVENTS)))
    return file


@pytest.fixture(scope="module")
def ordered(log: Path) -> Path:
    """Every event later than the one before it, and lines that are none."""
    file = log.parent / "ordered.jsonl"
    with file.open("w") as out:
        for number, line in enumerate(log.read_text().splitlines()[:IN_ORDER]):
            if not line.startswith("rubbish"):
                record = json.loads(line)
                if record["ts"] is not None:
                    record["ts"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(START + number))
                line = json.dumps(record)
            out.write(line + "\n")
    return file


@pytest.fixture(scope="module")
def pipeline(log: Path) -> Path:
    file = log.parent / "windows.yaml"
    file.write_text(PIPELINE)
    return file


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    program = places.required(places.CLI, "make cli")
    command = [str(program), "parity", *map(str, arguments), "--quiet"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def ways(*arguments: object) -> dict[str, dict[str, Any]]:
    done = run(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["same"] is True
    return {way["way"]: way for way in found["ways"]}


def test_windows_are_the_same_by_every_way(log: Path, pipeline: Path) -> None:
    found = ways(log, "--pipeline", pipeline, "--restarts", 50, "--seed", 7)
    assert list(found) == [
        "one pass",
        *(f"micro-batches of {size}" for size in (1, 7, 1_000, 100_000)),
        "50 restarts, seed 7",
    ]
    assert {way["rows"] for way in found.values()} == {EVENTS}
    assert len({way["sha256"] for way in found.values()}) == 1
    assert len({way["state_sha256"] for way in found.values()}) == 1
    assert [way["same"] for way in found.values()] == [None, True, True, True, True, True]


@pytest.mark.parametrize("seed", range(10))
def test_restarts_anywhere_lose_nothing(log: Path, pipeline: Path, seed: int) -> None:
    ways(log, "--pipeline", pipeline, "--splits", 997, "--restarts", 20, "--seed", seed)


def test_a_large_log_is_cut_for_small_micro_batches(log: Path, pipeline: Path) -> None:
    found = ways(log, "--pipeline", pipeline, "--batches", 200, "--splits", "1,7,1000", "--restarts", 1)
    rows = {name: way["rows"] for name, way in found.items()}
    assert rows == {
        "one pass, first 200 rows": 200,
        "micro-batches of 1, first 200 rows": 200,
        "one pass, first 1,400 rows": 1_400,
        "micro-batches of 7, first 1,400 rows": 1_400,
        "one pass": EVENTS,
        "micro-batches of 1000": EVENTS,
        "1 restarts, seed 1": EVENTS,
    }
    assert found["one pass"]["sha256"] != found["one pass, first 200 rows"]["sha256"]


def test_a_pipeline_without_windows_and_an_empty_log(tmp_path: Path) -> None:
    files = small.write(tmp_path)
    log = tmp_path / "events.jsonl"
    log.write_text("".join(json.dumps({"id": i, "x": i / 7, "y": 1 - i}) + "\n" for i in range(500)))
    found = ways(log, "--pipeline", files.pipeline)
    assert len({way["sha256"] for way in found.values()}) == 1
    assert {way["state_sha256"] for way in found.values()} == {None}
    log.write_text("")
    assert {way["rows"] for way in ways(log, "--pipeline", files.pipeline).values()} == {0}


def test_records_in_base64_and_the_one_pass_as_arrow(log: Path, pipeline: Path, tmp_path: Path) -> None:
    import base64

    coded, out = tmp_path / "coded.txt", tmp_path / "rows.arrow"
    coded.write_bytes(b"".join(base64.b64encode(line) + b"\n" for line in log.read_bytes().splitlines()))
    found = ways(coded, "--base64", "--pipeline", pipeline, "--splits", 100, "--out", out)
    assert found["one pass"]["rows"] == EVENTS
    with pa.ipc.open_stream(out) as stream:
        table = stream.read_all()
    assert table.num_rows == EVENTS
    assert table.column_names[-1] == "_rejected"
    # The topic is the file's name, and part of a rejected row; all else is the same.
    plain = ways(log, "--pipeline", pipeline, "--splits", 100)
    assert found["one pass"]["state_sha256"] == plain["one pass"]["state_sha256"]


def test_a_table_for_people(log: Path, pipeline: Path) -> None:
    done = run(log, "--pipeline", pipeline, "--splits", "10", "--restarts", 0)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["way", "rows", "SHA-256", "of", "rows", "of", "the", "state", "seconds", "same"]
    assert lines[1].startswith("one pass")
    assert lines[2].startswith("micro-batches of 10")
    assert lines[2].endswith("yes")


def moody(folder: Path) -> Path:
    """A pipeline whose model looks at its whole batch: what no two ways can agree on."""
    points = helper.make_tensor_value_info("points", TensorProto.FLOAT, ["rows", 2])
    score = helper.make_tensor_value_info("score", TensorProto.FLOAT, ["rows", 1])
    nodes = [
        helper.make_node("ReduceSum", ["points", "across"], ["own"], keepdims=1),
        helper.make_node("ReduceSum", ["points"], ["all"], keepdims=1),
        helper.make_node("Add", ["own", "all"], ["score"]),
    ]
    across = helper.make_tensor("across", TensorProto.INT64, [1], [1])
    graph = helper.make_graph(nodes, "moody", [points], [score], [across])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(folder / "moody.onnx"))
    made = firesteel.PipelineSpec(
        name="moody",
        schema="id BIGINT, x DOUBLE, y DOUBLE",
        models=[firesteel.Model("moody", "moody.onnx", {"sum": "score"}, {"points": ["x", "y"]})],
        output=["id", "sum"],
    ).save(folder / "moody.yaml")
    return Path(made.path)


def test_what_differs_is_found_with_its_place(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    log.write_text("".join(json.dumps({"id": i, "x": i, "y": 2 * i}) + "\n" for i in range(100)))
    done = run(log, "--pipeline", moody(tmp_path), "--splits", "7,1000", "--restarts", 0)
    assert done.returncode == 1, done.stdout
    verdicts = [line.split()[-1] for line in done.stdout.splitlines()[1:]]
    assert verdicts == ["-", "NO", "yes"]
    # 3 * 0 + the sum of the first 7 rows, and of all 100.
    sums = [np.float32(3 * sum(range(count))) for count in (7, 100)]
    shown = [f"{value:.1f} (bits {value.view(np.uint32):08x})" for value in sums]
    assert "error: micro-batches of 7: 100 rows differ; the first is row 0 (line 1), column sum: " in done.stderr
    assert f"{shown[0]}, but one pass gives {shown[1]}" in done.stderr


def test_wrong_arguments_are_refused(log: Path, pipeline: Path, tmp_path: Path) -> None:
    missing = run(tmp_path / "nowhere", "--pipeline", pipeline)
    assert missing.returncode == 1
    assert "nowhere" in missing.stderr
    assert run(log, "--pipeline", tmp_path / "nowhere.yaml").returncode == 1
    assert run(log, "--pipeline", pipeline, "--splits", 0).returncode == 2
    assert run(log).returncode == 2


def test_spark_and_kafka_make_the_same_rows(spark: SparkSession, bootstrap: str, ordered: Path, pipeline: Path) -> None:
    topic = kafka.new_topic(bootstrap, "parity")
    found = firesteel.parity(
        spark,
        ordered,
        pipeline,
        partitions=[1, 3],
        bootstrap=bootstrap,
        topic=topic,
        micro_batches=[200, 100_000],
        options=["--splits=7"],
    )
    assert found.same, str(found)
    assert {way.rows for way in found.ways} == {IN_ORDER}
    assert [way.name for way in found.ways] == [
        "firesteel, one pass",
        "firesteel, micro-batches of 7",
        "firesteel, 20 restarts, seed 1",
        "Spark batch, 1 partitions",
        "Spark batch, 3 partitions",
        "Kafka, micro-batches of 200",
        "Kafka, micro-batches of 100000",
        "Kafka, stopped and started again",
        "Kafka, batch",
    ]


def test_spark_without_windows_is_held_against_the_program_too(spark: SparkSession, tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    lines = [json.dumps({"id": i % 50 or None, "x": i / 7, "y": 1 - i}) for i in range(400)]
    log.write_text("\n".join([*lines, "rubbish"]) + "\n")
    found = firesteel.parity(spark, log, small.write(tmp_path).pipeline, options=["--splits=100", "--restarts=1"])
    assert found.same, str(found)
    assert found.ways[-1].rows == 401


def test_a_log_out_of_order_is_another_one_to_sparks_batch(spark: SparkSession, log: Path, pipeline: Path) -> None:
    """Documented: so the command says where, and what it may be."""
    found = firesteel.parity(spark, log, pipeline, partitions=[2], options=["--splits=7"])
    assert not found.same
    assert [way.difference is None for way in found.ways] == [True, True, True, False]
    assert "in the order of time" in str(found)


@pytest.mark.parametrize("key", [True, False])
def test_rows_are_compared_by_their_bits(key: bool) -> None:
    ids = list(range(6)) if key else [1] * 6
    why = [None] * 5 + [{"partition": 0, "offset": 5, "stage": "s", "code": "C", "message": "m"}]
    ids[5] = None  # type: ignore[call-overload]
    values = [0.0, 1.5, float("nan"), None, 2.0, None]
    wanted = pa.table({"id": ids, "x": pa.array(values, pa.float64()), "_rejected": why})
    reference = _rows.Reference.of(wanted)
    assert reference.key == ("id" if key else None)
    assert reference.difference(wanted.take([5, 3, 1, 0, 2, 4])) is None
    for at, value in [(0, -0.0), (1, 1.5000000000000002), (2, None), (3, 1.0)]:
        other = wanted.set_column(1, "x", pa.array([*values[:at], value, *values[at + 1 :]], pa.float64()))
        said = reference.difference(other)
        assert said is not None, (at, value)
        if key:
            assert said.startswith(f"id {at}, column x: "), said
    assert "5 rows" in str(reference.difference(wanted.slice(1)))
    assert "columns" in str(reference.difference(wanted.rename_columns(["id", "y", "_rejected"])))


def test_from_a_shell(ordered: Path, pipeline: Path) -> None:
    import os
    import sys

    command = [sys.executable, "-m", "firesteel", "parity", str(ordered), "--pipeline", str(pipeline)]
    command += ["--partitions", "2", "--restarts", "2", "--master", "local[1]"]
    env = {**os.environ, "PYTHONPATH": str(places.ROOT / "python")}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Spark batch, 2 partitions" in done.stdout
    command[command.index(str(ordered))] = "nowhere.jsonl"
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "error: PARITY_FAILED" in done.stderr
