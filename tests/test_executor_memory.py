"""Eight tasks in one executor: the weights of a model are there once, and ONNX Runtime has no threads beside them."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.support import drivers

#: Weights that ONNX Runtime takes as they are (a table that rows are looked up in), and such as it rearranges when it
#: loads them (matrices): with a session for each task both would be there several times.
#: Those that the JVM starts and ends as it likes.
JVM_THREADS = ("C1 ", "C2 ", "Executor task", "task-result", "broadcast", "Thread-", "java", "block-", "RemoteBlock")
TABLE_ROWS, WIDTH, HIDDEN, CLASSES = 240_000, 256, 1024, 4


def write_model(path: Path, rows: int) -> Path:
    """Look a row up by its number, two dense layers."""
    random = np.random.default_rng(3)
    weights = {
        "table": random.normal(size=(rows, WIDTH)).astype(np.float32),
        "first": random.normal(size=(WIDTH, HIDDEN)).astype(np.float32),
        "second": random.normal(size=(HIDDEN, CLASSES)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Gather", ["table", "id"], ["found"]),
        helper.make_node("MatMul", ["found", "first"], ["wide"]),
        helper.make_node("Relu", ["wide"], ["positive"]),
        helper.make_node("MatMul", ["positive", "second"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "lookup",
        [helper.make_tensor_value_info("id", TensorProto.INT64, [None])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [None, CLASSES])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    onnx.save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
    return path


@pytest.fixture(scope="module")
def seen(jar: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("memory")
    small = write_model(folder / "small.onnx", 1000)
    large = write_model(folder / "large.onnx", TABLE_ROWS)
    answer = drivers.answer_of("eight_tasks", small, large, folder=folder, env={"FIRESTEEL_JAR": str(jar)})
    sha256 = hashlib.sha256(large.read_bytes()).hexdigest()
    for state in answer.values():
        if isinstance(state, dict):
            state["large"] = next((model for model in state["models"] if model["sha256"] == sha256), None)
    return {**answer, "sha256": sha256, "file": large.stat().st_size}


def session(state: dict[str, Any]) -> dict[str, Any]:
    [only] = state["large"]["sessions"]
    return dict(only)


def test_one_session_serves_eight_tasks_and_says_what_it_takes(seen: dict[str, Any]) -> None:
    of_eight = session(seen["eight"])
    assert (of_eight["device"], of_eight["threads"]) == ("cpu", 1)
    assert of_eight["weights"] == seen["file"]
    assert of_eight["arena"] >= of_eight["working"] > 0


def test_resident_memory_is_one_copy_and_the_stated_arenas(seen: dict[str, Any]) -> None:
    grown = seen["eight"]["rss"] - seen["before"]["rss"]
    stated = session(seen["eight"])
    print(f"grown by {grown >> 20} MiB; weights {stated['weights'] >> 20} MiB, arena {stated['arena'] >> 20} MiB")
    assert grown < 1.1 * stated["weights"] + stated["arena"], (grown, stated)
    # And it is there at all.
    assert grown > 0.9 * stated["weights"], (grown, stated)


def test_onnx_runtime_has_no_thread_for_a_task(seen: dict[str, Any]) -> None:
    def started(state: str) -> Counter[str]:
        return Counter(name for name in seen[state]["threads"] if not name.startswith(JVM_THREADS))

    # A thread has the name of the one that started it: ONNX Runtime's own would have that of a task, or of the thread
    # that loaded it; there it has started one, for the process.
    assert started("before")["firesteel-onnx-"] <= 1
    assert started("eight") - started("before") == Counter()
    assert Counter(seen["eight"]["threads"])["Executor task l"] <= 8, sorted(seen["eight"]["threads"])


def test_explain_and_doctor_show_it(seen: dict[str, Any]) -> None:
    [batches] = seen["eight"]["large"]["batches"]
    assert 64 <= batches["rows"] <= 4096
    for text in (seen["explain"], seen["doctor"]):
        [line] = [line for line in text.splitlines() if f"{seen['sha256'][:12]}; " in line]
        assert "MiB of weights" in line, line
        assert f"{batches['rows']} rows a call" in line, line
