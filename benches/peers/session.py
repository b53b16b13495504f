"""ONNX Runtime in a Python worker: one session per process, kept over tasks and batches."""

from __future__ import annotations

import functools

import numpy as np
import onnxruntime as ort


@functools.cache
def open_session(path: str) -> ort.InferenceSession:
    """One intra-op thread and no spinning: Spark's task slots are already the cores."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def probabilities(path: str, features: np.ndarray) -> np.ndarray:
    """Probability of class 1 for a float32 matrix of rows by features."""
    session = open_session(path)
    (both,) = session.run(["probabilities"], {session.get_inputs()[0].name: features})
    return both[:, 1]
