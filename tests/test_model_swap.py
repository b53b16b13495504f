"""An alias moves while streams run whose driver is killed: no micro-batch is scored with two versions of a model."""

from __future__ import annotations

import itertools
import json
import os
import random
import subprocess
import sys
import threading
from collections import defaultdict
from pathlib import Path

import pytest

from tests.support import checkpoints, kafka
from tests.support.places import FULL, ROOT
from tests.support.submit import SparkProgram

CLI = ROOT / "build" / "bin" / "firesteel"
MODELS = ROOT / "tests" / "models"
KILLS = 20 if FULL else 2
BATCHES = 12 * KILLS
PATH = {"PYTHONPATH": f"{ROOT}:{ROOT / 'python'}"}


def model(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [str(CLI), "model", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def done(*arguments: object) -> str:
    ran = model(*arguments)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def pipeline(folder: Path, uri: str) -> Path:
    features = ", ".join(f"f{i}: x * {i + 1}" for i in range(16))
    file = folder / "p.yaml"
    file.write_text(
        f"name: swapped\ninput: {{schema: 'id BIGINT, x DOUBLE'}}\nfeatures: {{{features}}}\n"
        f"models:\n  - {{name: fraud, uri: {uri}, outputs: {{score: 'probabilities[1]'}}}}\noutput: [id, score]\n"
    )
    return file


def record(i: int) -> bytes:
    return json.dumps({"id": i, "x": (i % 50) / 50}).encode()


@pytest.mark.faults
@pytest.mark.timeout(1200 if FULL else 240)
def test_a_killed_driver_repeats_a_batch_with_the_version_it_had(bootstrap: str, jar: Path, tmp_path: Path) -> None:
    chance = random.Random(6)
    store = tmp_path / "fraud"
    done("add", store, MODELS / "lr.onnx", "--alias", "champion")
    done("add", store, MODELS / "gbdt.onnx")
    topic = kafka.new_topic(bootstrap, "swap", partitions=2)
    rows = 30 * BATCHES
    kafka.produce(bootstrap, topic, map(record, range(rows)), partitions=2)
    (tmp_path / "in").mkdir()
    for number in range(BATCHES):
        lines = [record(i).decode() for i in range(number * 30, number * 30 + 30)]
        (tmp_path / "in" / f"{number:05}.txt").write_text("\n".join(lines))
    plan = {"jar": str(jar), "bootstrap": bootstrap, "topic": topic, "folder": str(tmp_path)}
    plan["pipeline"] = str(pipeline(tmp_path, "fraud@champion"))
    over = threading.Event()
    moves = 0

    def move() -> None:
        nonlocal moves
        while not over.wait(chance.uniform(0, 0.2)):
            moves += 1
            done("move", store, "champion", 1 + moves % 2)

    mover = threading.Thread(target=move)
    mover.start()
    folders = [tmp_path / "source", tmp_path / "transform"]
    hits = 0
    try:
        for run in range(KILLS + 1):
            last = run == KILLS
            file = tmp_path / f"run-{run}.json"
            file.write_text(json.dumps({**plan, "to_the_end": last}))
            driver = [sys.executable, str(ROOT / "tests" / "drivers" / "swap_queries.py"), str(file)]
            with SparkProgram(driver, file.with_suffix(".log"), name="swap_queries", env=PATH) as program:
                if last:
                    program.finish(180)
                    continue
                goal = min(checkpoints.committed(folder / "checkpoint") for folder in folders) + chance.randint(3, 6)
                reached = lambda goal=goal: all(  # noqa: E731
                    checkpoints.committed(folder / "checkpoint") >= goal for folder in folders
                )
                program.wait_until(reached, timeout_s=120, what="the moment of the kill")
                over.wait(chance.uniform(0, 0.2))
                program.kill()
            hits += sum(checkpoints.is_mid_batch(folder / "checkpoint") for folder in folders)
    finally:
        over.set()
        mover.join()
    for folder in folders:
        repeated, swaps = right(folder, rows)
        told = f"{moves} moves, {swaps} swaps, {KILLS} kills, {hits} in a batch, {repeated} batches repeated"
        print(f"{folder.name}: {told}")
        assert swaps > 0
    assert hits > 0


def right(folder: Path, rows: int) -> tuple[int, int]:
    """Checks every attempt at every batch; batches that were repeated, and swaps between batches."""
    attempts = defaultdict(list)
    for file in (folder / "out").glob("*.json"):
        attempts[int(file.name.split("-")[0])].append(sorted(json.loads(file.read_text())))
    versions, seen, scores = [], [], defaultdict(set)
    for batch in sorted(attempts):
        first, *others = attempts[batch]
        assert all(other == first for other in others), f"batch {batch} differs when it is repeated"
        assert len({(row[1], row[2]) for row in first}) == 1, f"batch {batch} has two versions"
        if batch > max(attempts) - 90:
            file = folder / "checkpoint" / "firesteel-models" / "swapped" / f"{batch}.json"
            assert json.loads(file.read_text())["models"][0]["sha256"] == first[0][2]
        versions.append(first[0][1])
        seen += [row[0] for row in first]
        for row in first:
            scores[row[0] % 50, row[1]].add(row[3])
    assert sorted(seen) == list(range(rows)), "every record once"
    assert all(len(values) == 1 for values in scores.values()), "one version gives one score to the same features"
    repeated = sum(len(tries) > 1 for tries in attempts.values())
    return repeated, sum(a != b for a, b in itertools.pairwise(versions))


def test_the_program_and_the_jar_read_what_the_other_wrote(jar: Path, tmp_path: Path) -> None:
    store = tmp_path / "fraud"

    def by_jar(*arguments: object) -> str:
        command = [sys.executable, "-m", "firesteel", "model", *map(str, arguments)]
        env = {**os.environ, "PYTHONPATH": str(ROOT / "python"), "FIRESTEEL_JAR": str(jar)}
        ran = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, env=env)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    done("add", store, MODELS / "lr.onnx", "--alias", "champion", "--note", "first")
    assert by_jar("add", store, MODELS / "mlp.onnx", "--alias", "challenger").startswith(f"{store}@2 added")
    assert done("promote", store, "challenger", "champion") == f"{store}@champion is version 2 (move 2)\n"
    assert by_jar("rollback", store, "champion") == f"{store}@champion is version 1 (move 3)\n"
    assert done("verify", store) == by_jar("verify", store) == "2 versions are whole and load\n"
    assert done("list", store) == by_jar("list", store)
    assert "@champion" in done("list", store).splitlines()[0]
    refused = model("rollback", store, "champion")
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: MODEL_ALIAS:")
    log = tmp_path / "log.jsonl"
    log.write_bytes(b"\n".join(map(record, range(5))))
    scored = subprocess.run(
        [str(CLI), "score", str(pipeline(tmp_path, "fraud@champion")), "--in", str(log), "--out", str(tmp_path / "o")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert scored.returncode == 0, scored.stderr
    assert [json.loads(line)["fraud_version"] for line in (tmp_path / "o").read_text().splitlines()] == [1] * 5


def test_mlflow_uris_come_from_a_real_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "registry").as_uri())
    monkeypatch.setenv("FIRESTEEL_MODEL_CACHE", str(tmp_path / "cache"))
    mlflow = pytest.importorskip("mlflow", reason="pip install mlflow-skinny, which brings 40 packages")
    from firesteel._models import resolve_model
    from firesteel.errors import FiresteelError

    client = mlflow.MlflowClient()
    client.create_registered_model("fraud")
    runs = []
    for name in ("lr", "gbdt"):
        with mlflow.start_run() as run:
            mlflow.log_artifact(str(MODELS / f"{name}.onnx"), "model")
        client.create_model_version("fraud", f"{run.info.artifact_uri}/model", run.info.run_id)
        runs.append(run.info.run_id)
    client.set_registered_model_alias("fraud", "champion", "1")
    for uri, version, name in [
        ("models:/fraud@champion", 1, "lr"),
        ("models:/fraud/2", 2, "gbdt"),
        ("models:/fraud/latest", 2, "gbdt"),
        (f"runs:/{runs[0]}/model", None, "lr"),
    ]:
        found = resolve_model(uri)
        assert found["version"] == version
        assert Path(found["file"]).read_bytes() == (MODELS / f"{name}.onnx").read_bytes()
    client.set_registered_model_alias("fraud", "champion", "2")
    assert resolve_model("models:/fraud@champion")["uri"] == "models:/fraud/2"
    with pytest.raises(FiresteelError, match="MLFLOW: models:/nope/1"):
        resolve_model("models:/nope/1")
