"""The zoo's models that no converter made here: graphs as PyTorch's, Keras' (tf2onnx), XGBoost's exporters write them.

torch, tensorflow and xgboost are too heavy to install for tests; the shapes of their graphs are not. Weights are drawn
from a seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

F, D, H = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16
I64, I32 = TensorProto.INT64, TensorProto.INT32

Array = np.ndarray[Any, Any]


class Graph:
    """A graph in the making: nodes are added in order, weights as initializers."""

    def __init__(self, producer: str, opset: int, seed: int = 0, ml: int = 0) -> None:
        self.producer, self.opset, self.ml = producer, opset, ml
        self.random = np.random.default_rng(seed)
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []

    def input(self, name: str, kind: int, shape: Sequence[int | str | None] | None) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def sequence(self, name: str, kind: int, shape: Sequence[int | str | None] | None) -> str:
        self.inputs.append(helper.make_tensor_sequence_value_info(name, kind, shape))
        return name

    def output(self, name: str, kind: int, shape: Sequence[int | str | None] | None) -> None:
        self.outputs.append(helper.make_tensor_value_info(name, kind, shape))

    def constant(self, name: str, value: Any, kind: Any = np.float32) -> str:
        self.weights.append(numpy_helper.from_array(np.asarray(value, dtype=kind), name))
        return name

    def weight(self, name: str, *shape: int, scale: float = 0.5) -> str:
        return self.constant(name, self.random.normal(scale=scale, size=shape))

    def node(self, operator: str, inputs: Sequence[str], outputs: str | Sequence[str], **attributes: Any) -> str:
        names = [outputs] if isinstance(outputs, str) else list(outputs)
        self.nodes.append(helper.make_node(operator, list(inputs), names, **attributes))
        return names[0]

    def model(self) -> ModelProto:
        graph = helper.make_graph(self.nodes, "main_graph", self.inputs, self.outputs, self.weights)
        opsets = [helper.make_opsetid("", self.opset)]
        if self.ml:
            opsets.append(helper.make_opsetid("ai.onnx.ml", self.ml))
        version = {7: 3, 9: 4, 13: 7}.get(self.opset, 8 if self.opset < 21 else 10)
        return helper.make_model(graph, opset_imports=opsets, ir_version=version, producer_name=self.producer)


def torch_mlp(batch: int | str = "batch_size") -> ModelProto:
    g = Graph("pytorch", 17, seed=1)
    g.input("input", F, [batch, 4])
    x = g.node("Gemm", ["input", g.weight("fc1.weight", 8, 4), g.weight("fc1.bias", 8)], "h", transB=1)
    x = g.node("Relu", [x], "a")
    x = g.node("Gemm", [x, g.weight("fc2.weight", 3, 8), g.weight("fc2.bias", 3)], "logits", transB=1)
    g.node("Softmax", [x], "probabilities", axis=-1)
    g.output("probabilities", F, [batch, 3])
    return g.model()


def torch_embedding() -> ModelProto:
    """Token ids of any length, embedded and averaged: the text classifier of every tutorial."""
    g = Graph("pytorch", 14, seed=2)
    g.input("input_ids", I64, ["batch", "sequence"])
    x = g.node("Gather", [g.weight("embedding.weight", 50, 6), "input_ids"], "embedded")
    x = g.node("ReduceMean", [x], "pooled", axes=[1], keepdims=0)
    x = g.node("Gemm", [x, g.weight("fc.weight", 2, 6), g.weight("fc.bias", 2)], "logits", transB=1)
    g.output("logits", F, ["batch", 2])
    return g.model()


def torch_recurrent(kind: str) -> ModelProto:
    """`batch_first=True`: transposed, recurrent, transposed back; all hidden states and the last one come out."""
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind]
    g = Graph("pytorch", 15, seed=3)
    g.input("x", F, ["batch", "sequence", 3])
    x = g.node("Transpose", ["x"], "sequence_first", perm=[1, 0, 2])
    w, r = g.weight("W", 1, gates * 4, 3), g.weight("R", 1, gates * 4, 4)
    b = g.weight("B", 1, gates * 8)
    more = ["cell"] if kind == "LSTM" else []
    extra = {"linear_before_reset": 1} if kind == "GRU" else {}
    g.node(kind, [x, w, r, b], ["all", "last", *more], hidden_size=4, **extra)
    y = g.node("Squeeze", ["all", g.constant("axis1", [1], np.int64)], "states_first")
    g.node("Transpose", [y], "states", perm=[1, 0, 2])
    g.node("Squeeze", ["last", g.constant("axis0", [0], np.int64)], "hidden")
    g.output("states", F, ["batch", "sequence", 4])
    g.output("hidden", F, ["batch", 4])
    return g.model()


def torch_conv1d() -> ModelProto:
    g = Graph("pytorch", 17, seed=4)
    g.input("signal", F, ["batch", 2, 12])
    x = g.node(
        "Conv", ["signal", g.weight("c.weight", 3, 2, 3), g.weight("c.bias", 3)], "c", kernel_shape=[3], pads=[1, 1]
    )
    x = g.node("Relu", [x], "r")
    x = g.node("GlobalAveragePool", [x], "pool")
    g.node("Flatten", [x], "features", axis=1)
    g.output("features", F, ["batch", 3])
    return g.model()


def torch_transformer() -> ModelProto:
    """One attention layer over tokens and their mask; the hidden states have rank 3."""
    g = Graph("pytorch", 17, seed=5)
    g.input("input_ids", I64, ["batch", "sequence"])
    g.input("attention_mask", I64, ["batch", "sequence"])
    x = g.node("Gather", [g.weight("tokens", 30, 8), "input_ids"], "e")
    parts = []
    for part in "qkv":
        parts.append(g.node("MatMul", [x, g.weight(f"{part}.weight", 8, 8)], part))
    keys = g.node("Transpose", [parts[1]], "kt", perm=[0, 2, 1])
    s = g.node("MatMul", [parts[0], keys], "scores")
    s = g.node("Div", [s, g.constant("root", 8**0.5)], "scaled")
    m = g.node("Cast", ["attention_mask"], "mask", to=F)
    m = g.node("Unsqueeze", [m, g.constant("one", [1], np.int64)], "mask3")
    m = g.node("Sub", [g.constant("ones", 1.0), m], "inverse")
    m = g.node("Mul", [m, g.constant("low", -1e9)], "bias")
    s = g.node("Softmax", [g.node("Add", [s, m], "masked")], "attention", axis=-1)
    y = g.node("Add", [g.node("MatMul", [s, parts[2]], "context"), x], "residual")
    y = g.node(
        "LayerNormalization", [y, g.constant("ln.w", np.ones(8)), g.constant("ln.b", np.zeros(8))], "last_hidden_state"
    )
    first = g.node("Gather", [y, g.constant("zero", 0, np.int64)], "cls", axis=1)
    g.node("Tanh", [g.node("Gemm", [first, g.weight("p.weight", 5, 8)], "p", transB=1)], "pooler_output")
    g.output("last_hidden_state", F, ["batch", "sequence", 8])
    g.output("pooler_output", F, ["batch", 5])
    return g.model()


def torch_recommender() -> ModelProto:
    """Two ids and a dense vector in, two heads out."""
    g = Graph("pytorch", 17, seed=6)
    g.input("user", I64, ["batch"])
    g.input("item", I64, ["batch"])
    g.input("dense", F, ["batch", 3])
    u = g.node("Gather", [g.weight("users", 20, 4), "user"], "u")
    i = g.node("Gather", [g.weight("items", 30, 4), "item"], "i")
    x = g.node("Concat", [u, i, "dense"], "x", axis=1)
    x = g.node("Relu", [g.node("Gemm", [x, g.weight("w1", 6, 11), g.weight("b1", 6)], "h", transB=1)], "a")
    click = g.node("Gemm", [x, g.weight("w2", 1, 6), g.weight("b2", 1)], "click_logit", transB=1)
    g.node("Sigmoid", [click], "click")
    g.node("Gemm", [x, g.weight("w3", 4, 6), g.weight("b3", 4)], "next", transB=1)
    g.output("click", F, ["batch", 1])
    g.output("next", F, ["batch", 4])
    return g.model()


def torch_sequence() -> ModelProto:
    """A list of tensors: joined, projected, averaged; one answer for the whole list."""
    g = Graph("pytorch", 17, seed=7)
    g.sequence("pieces", F, ["length", 2])
    x = g.node("ConcatFromSequence", ["pieces"], "joined", axis=0)
    x = g.node("MatMul", [x, g.weight("w", 2, 3)], "projected")
    g.node("ReduceMean", [x], "mean", axes=[0], keepdims=0)
    g.node("SequenceLength", ["pieces"], "count")
    g.output("mean", F, [3])
    g.output("count", I64, [])
    return g.model()


def torch_sequence_texts() -> ModelProto:
    g = Graph("pytorch", 17)
    g.sequence("words", TensorProto.STRING, [])
    g.node("ConcatFromSequence", ["words"], "all", axis=0, new_axis=1)
    g.output("all", TensorProto.STRING, ["n"])
    return g.model()


def torch_control_flow() -> ModelProto:
    """`If` and `Loop`, as scripting exports them."""
    g = Graph("pytorch", 16, seed=8)
    g.input("x", F, ["batch", 2])
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_out"]),
            helper.make_node("Mul", ["state", "factor"], ["scaled"]),
            helper.make_node("Add", ["scaled", "x"], ["state_out"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", I64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", F, None),
        ],
        [
            helper.make_tensor_value_info("go_out", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state_out", F, None),
        ],
    )
    g.constant("factor", 0.7)
    g.node("Loop", [g.constant("trips", 4, np.int64), g.constant("true", True, np.bool_), "x"], "looped", body=body)
    g.node("Mul", ["looped", g.constant("half", 0.5)], "y")
    g.output("y", F, ["batch", 2])
    return g.model()


def keras_dense() -> ModelProto:
    """Names and leftovers as tf2onnx has them."""
    g = Graph("tf2onnx", 13, seed=9)
    g.input("dense_input", F, ["unk__10", 4])
    x = g.node("MatMul", ["dense_input", g.weight("sequential/dense/MatMul/ReadVariableOp:0", 4, 6)], "m:0")
    x = g.node("Tanh", [g.node("Add", [x, g.weight("sequential/dense/BiasAdd/ReadVariableOp:0", 6)], "b:0")], "t:0")
    x = g.node("MatMul", [x, g.weight("sequential/dense_1/MatMul/ReadVariableOp:0", 6, 1)], "m1:0")
    g.node("Sigmoid", [x], "dense_1")
    g.output("dense_1", F, ["unk__11", 1])
    return g.model()


def keras_conv2d() -> ModelProto:
    """An image as NHWC, transposed for Conv: rank 4."""
    g = Graph("tf2onnx", 15, seed=10)
    g.input("image", F, ["unk__1", 4, 4, 1])
    x = g.node("Transpose", ["image"], "nchw", perm=[0, 3, 1, 2])
    x = g.node(
        "Conv", [x, g.weight("k", 2, 1, 3, 3), g.weight("kb", 2)], "conv", auto_pad="SAME_UPPER", kernel_shape=[3, 3]
    )
    x = g.node("Relu", [x], "relu")
    g.node("Transpose", [x], "map", perm=[0, 2, 3, 1])
    g.output("map", F, ["unk__2", 4, 4, 2])
    return g.model()


def keras_mixed() -> ModelProto:
    """A functional model: a category as int32 and two numbers, each an input of its own."""
    g = Graph("tf2onnx", 13, seed=11)
    g.input("category", I32, ["unk__5", 1])
    g.input("numbers", F, ["unk__6", 2])
    e = g.node("Gather", [g.weight("embeddings", 9, 3), "category"], "e")
    e = g.node("Squeeze", [e, g.constant("axes", [1], np.int64)], "flat")
    x = g.node("Concat", [e, "numbers"], "x", axis=1)
    x = g.node("Softmax", [g.node("MatMul", [x, g.weight("w", 5, 3)], "m")], "softmax", axis=-1)
    g.node("ArgMax", [x], "class", axis=1, keepdims=0)
    g.output("softmax", F, ["unk__7", 3])
    g.output("class", I64, ["unk__7"])
    return g.model()


def xgboost_binary() -> ModelProto:
    """What onnxmltools makes of an XGBClassifier: `<` at every split, one score shared by both classes."""
    g = Graph("OnnxMLTools", 9, seed=12, ml=1)
    g.input("input", F, [None, 4])
    trees = 6
    nodes: dict[str, list[Any]] = {
        key: []
        for key in ("treeids", "nodeids", "featureids", "values", "hitrates", "modes", "truenodeids", "falsenodeids")
    }
    nodes["missing_value_tracks_true"] = []
    leaves: dict[str, list[Any]] = {key: [] for key in ("treeids", "nodeids", "ids", "weights")}
    for tree in range(trees):
        for node in range(7):
            inner = node < 3
            nodes["treeids"].append(tree)
            nodes["nodeids"].append(node)
            nodes["featureids"].append(int(g.random.integers(4)) if inner else 0)
            nodes["values"].append(float(np.float32(g.random.normal())) if inner else 0.0)
            nodes["hitrates"].append(1.0)
            nodes["modes"].append("BRANCH_LT" if inner else "LEAF")
            nodes["truenodeids"].append(2 * node + 1 if inner else 0)
            nodes["falsenodeids"].append(2 * node + 2 if inner else 0)
            nodes["missing_value_tracks_true"].append(int(inner))
            if not inner:
                leaves["treeids"].append(tree)
                leaves["nodeids"].append(node)
                leaves["ids"].append(0)
                leaves["weights"].append(float(np.float32(g.random.normal(scale=0.3))))
    g.node(
        "TreeEnsembleClassifier",
        ["input"],
        ["label", "probabilities"],
        domain="ai.onnx.ml",
        post_transform="LOGISTIC",
        classlabels_int64s=[0, 1],
        base_values=[0.25],
        **{f"nodes_{key}": value for key, value in nodes.items()},
        **{f"class_{key}": value for key, value in leaves.items()},
    )
    g.output("label", I64, [None])
    g.output("probabilities", F, [None, 2])
    return g.model()


def half_precision() -> ModelProto:
    """A model converted with `keep_io_types=False`: 16-bit floats in and out."""
    g = Graph("onnxconverter-common", 17, seed=13)
    g.input("x", H, ["batch", 4])
    w = g.constant("w", g.random.normal(size=(4, 3)), np.float16)
    x = g.node("MatMul", ["x", w], "m")
    g.node("Add", [x, g.constant("b", [0.1, -0.2, 0.3], np.float16)], "y")
    g.output("y", H, ["batch", 3])
    return g.model()


def quantized() -> ModelProto:
    """Dynamic quantization, as onnxruntime.quantization writes it, and the bytes as an output too."""
    g = Graph("onnx.quantize", 13, seed=14)
    g.input("pixels", TensorProto.UINT8, ["batch", 4])
    g.constant("w", g.random.integers(-100, 100, (4, 3)), np.int8)
    g.node("MatMulInteger", ["pixels", "w", g.constant("zx", 128, np.uint8), g.constant("zw", 0, np.int8)], "i")
    x = g.node("Cast", ["i"], "f", to=F)
    g.node("Mul", [x, g.constant("scale", 0.0123)], "score")
    g.node("Identity", ["pixels"], "seen")
    g.output("score", F, ["batch", 3])
    g.output("seen", TensorProto.UINT8, ["batch", 4])
    return g.model()


def whole_numbers() -> ModelProto:
    """Every integer type, one value per row, in and out."""
    g = Graph("hand", 17)
    for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"):
        kind = getattr(TensorProto, name.upper())
        g.input(name, kind, ["n"])
        g.node("Identity", [name], f"{name}_out")
        g.output(f"{name}_out", kind, ["n"])
    return g.model()


def booleans() -> ModelProto:
    g = Graph("hand", 17)
    g.input("flags", TensorProto.BOOL, ["n", 3])
    g.input("amount", D, ["n", 1])
    g.node("Not", ["flags"], "inverse")
    big = g.node("Greater", ["amount", g.constant("limit", 0.5, np.float64)], "big")
    g.node("And", ["flags", big], "both")
    g.output("inverse", TensorProto.BOOL, ["n", 3])
    g.output("both", TensorProto.BOOL, ["n", 3])
    return g.model()


def opset_7() -> ModelProto:
    """Of 2017: attributes where today's operators have inputs."""
    g = Graph("pytorch", 7, seed=15)
    g.input("x", F, ["n", 6])
    x = g.node("Gemm", ["x", g.weight("w", 4, 6), g.weight("b", 4)], "h", transB=1)
    x = g.node("BatchNormalization", [x, *(g.constant(k, v) for k, v in _bn())], "bn")
    x = g.node("Dropout", [x], "d", ratio=0.5)
    g.node("LogSoftmax", [x], "y", axis=1)
    g.output("y", F, ["n", 4])
    return g.model()


def _bn() -> list[tuple[str, list[float]]]:
    return [("scale", [1, 2, 0.5, 1.5]), ("shift", [0, 1, -1, 0.5]), ("mean", [0.1] * 4), ("var", [1.1, 0.9, 1, 2])]


def newest(opset: int) -> ModelProto:
    """The newest operator set that the runtime takes, with operators of the last years."""
    g = Graph("pytorch", opset, seed=16)
    g.input("x", F, ["n", 4])
    x = g.node("Gelu", ["x"], "g", approximate="tanh")
    x = g.node("Gemm", [x, g.weight("w", 4, 4), g.weight("b", 4)], "h", transB=1)
    x = g.node("GroupNormalization", [x, g.constant("s", np.ones(4)), g.constant("z", np.zeros(4))], "n0", num_groups=2)
    g.node("Mish", [x], "y")
    g.output("y", F, ["n", 4])
    return g.model()


def nan_maker() -> ModelProto:
    """Square roots: NaN below zero."""
    g = Graph("hand", 13)
    g.input("x", F, ["n", 2])
    g.node("Sqrt", ["x"], "roots")
    g.output("roots", F, ["n", 2])
    return g.model()
