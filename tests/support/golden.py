"""Golden scores: Python's onnxruntime on features recomputed outside Firesteel.

The same ONNX Runtime version as in the jar, one thread, a lone row padded to two: under these rules the scores
must be equal bit for bit, so every comparison here is on the bits, never with a tolerance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

CHUNK_ROWS = 8192


def session(model: Path | str) -> onnxruntime.InferenceSession:
    """A session that computes like the engine's: CPU, one thread, no spinning to change the order of sums."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def run(model: Path | str, feeds: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, np.ndarray[Any, Any]]:
    """All outputs of a model for all rows, in chunks; a lone row is scored twice and one answer kept."""
    onnx = session(model)
    rows = len(next(iter(feeds.values())))
    names = [output.name for output in onnx.get_outputs()]
    parts: list[Sequence[Any]] = []
    for start in range(0, rows, CHUNK_ROWS):
        chunk = {name: values[start : start + CHUNK_ROWS] for name, values in feeds.items()}
        count = len(next(iter(chunk.values())))
        if count == 1:
            chunk = {name: np.concatenate([values, values]) for name, values in chunk.items()}
        parts.append([as_array(answer)[:count] for answer in onnx.run(names, chunk)])
    return {name: np.concatenate([part[i] for part in parts]) for i, name in enumerate(names)}


def as_array(answer: Any) -> np.ndarray[Any, Any]:
    """An output as an array; a ZipMap's list of dictionaries becomes a matrix in the order of the labels."""
    if isinstance(answer, list):
        return np.array([[row[label] for label in sorted(row)] for row in answer], dtype=np.float32)
    return np.asarray(answer)


def matrix(columns: Sequence[Any]) -> np.ndarray[Any, Any]:
    """Columns in float64 side by side as the float32 matrix that a model takes."""
    return np.column_stack([np.asarray(column, dtype=np.float64) for column in columns]).astype(np.float32)


def assert_same_bits(actual: Any, expected: Any, what: str) -> None:
    """Fail unless two numeric arrays hold the same bits; shows the first rows that differ."""
    actual, expected = np.ascontiguousarray(actual), np.ascontiguousarray(expected)
    assert actual.dtype == expected.dtype, f"{what}: {actual.dtype} against {expected.dtype}"
    assert actual.shape == expected.shape, f"{what}: {actual.shape} against {expected.shape}"
    word = np.dtype(f"u{actual.dtype.itemsize}")
    differs = np.flatnonzero(actual.reshape(-1).view(word) != expected.reshape(-1).view(word))
    if len(differs):
        shown = "\n".join(
            f"  row {i}: got {actual.reshape(-1)[i]!r}, want {expected.reshape(-1)[i]!r}" for i in differs[:5]
        )
        raise AssertionError(f"{what}: {len(differs)} of {actual.size} values differ in their bits\n{shown}")
