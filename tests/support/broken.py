"""Files that are no good models, each with the word by which Firesteel refuses it and a part of the reason."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import onnx
from onnx import TensorProto, helper

MODELS = Path(__file__).resolve().parents[1] / "models"


def good() -> onnx.ModelProto:
    """`y = x W`, two features, one score."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])
    weights = helper.make_tensor("w", TensorProto.FLOAT, [2, 1], [0.25, 0.5])
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", [x], [y], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model


def edited(edit: Callable[[onnx.ModelProto], object]) -> bytes:
    model = good()
    edit(model)
    return model.SerializeToString()


def external(place: str) -> bytes:
    def edit(model: onnx.ModelProto) -> None:
        weights = model.graph.initializer[0]
        weights.ClearField("float_data")
        weights.data_location = TensorProto.EXTERNAL
        entry = weights.external_data.add()
        entry.key, entry.value = "location", place

    return edited(edit)


def weights(dims: list[int], values: int) -> bytes:
    def edit(model: onnx.ModelProto) -> None:
        tensor = model.graph.initializer[0]
        tensor.ClearField("float_data")
        del tensor.dims[:]
        tensor.dims.extend(dims)
        tensor.raw_data = bytes(4 * values)

    return edited(edit)


def node(**changes: object) -> bytes:
    def edit(model: onnx.ModelProto) -> None:
        for key, value in changes.items():
            if key == "input":
                model.graph.node[0].input[0] = str(value)
            else:
                setattr(model.graph.node[0], key, value)

    return edited(edit)


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("model.onnx", good().SerializeToString())
    return out.getvalue()


def cyclic(model: onnx.ModelProto) -> None:
    del model.graph.node[:]
    model.graph.node.extend([helper.make_node("Add", ["x", "b"], ["y"]), helper.make_node("Neg", ["y"], ["b"])])


def deep() -> bytes:
    inner = b""
    for _ in range(60):
        for field in (b"\x32", b"\x2a", b"\x0a"):  # attribute.g, node.attribute, graph.node
            inner = field + varint(len(inner)) + inner
    return b"\x08\x08\x3a" + varint(len(inner)) + inner


def varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def all_of_them() -> dict[str, tuple[bytes, str, str]]:
    """By name: the file, the condition, and a part of the reason."""
    whole = good().SerializeToString()
    noise = random.Random(1).randbytes(4096)
    return {
        "empty": (b"", "MODEL_MALFORMED", "empty"),
        "cut in a third": (whole[: len(whole) // 3], "MODEL_MALFORMED", "cut short"),
        "cut at the end": (whole[:-1], "MODEL_MALFORMED", "past the end"),
        "random bytes": (noise, "MODEL_MALFORMED", "no ONNX file"),
        "a zip": (zipped(), "MODEL_MALFORMED", "no ONNX file"),
        "a pickle": (b"\x80\x04\x95\x10\x00\x00\x00 sklearn", "MODEL_MALFORMED", "no ONNX file"),
        "a web page": (b"<html><body>404</body></html>", "MODEL_MALFORMED", "no ONNX file"),
        "ONNX Runtime's own format": (b"\x18\0\0\0ORTM" + noise, "MODEL_FORMAT", ".ort"),
        "no graph": (edited(lambda m: m.ClearField("graph")), "MODEL_MALFORMED", "no graph"),
        "two graphs": (whole + b"\x3a\x00", "MODEL_MALFORMED", "two graphs"),
        "graphs in graphs": (deep(), "MODEL_TOO_DEEP", "nest deeper"),
        "custom domain": (node(domain="com.example"), "MODEL_REFUSED", "com.example"),
        "unknown operator": (node(op_type="Frobnicate"), "MODEL_REFUSED", "Frobnicate"),
        "opset of the future": (edited(lambda m: setattr(m.opset_import[0], "version", 99)), "MODEL_REFUSED", "99"),
        "format of the future": (edited(lambda m: setattr(m, "ir_version", 999)), "MODEL_REFUSED", "999"),
        "weights outside": (external("../../../etc/passwd"), "MODEL_EXTERNAL_DATA", "`w`"),
        "weights at a root": (external("/etc/passwd"), "MODEL_EXTERNAL_DATA", "`w`"),
        "weights beside": (external("weights.bin"), "MODEL_EXTERNAL_DATA", "`w`"),
        "weights in memory": (external("*/_ORT_MEM_ADDR_/*"), "MODEL_MEMORY_ADDRESS", "`w`"),
        "weights larger than said": (weights([2, 1], 5), "MODEL_REFUSED", "does not match expected size"),
        "weights smaller than said": (weights([2, 1], 1), "MODEL_REFUSED", "does not match expected size"),
        "weights of minus two": (weights([-2, 1], 2), "MODEL_REFUSED", "Out of bounds dimensions"),
        "weights beyond all numbers": (weights([2, 2**62], 2), "MODEL_REFUSED", ""),
        "weights that do not fit": (weights([3, 1], 3), "MODEL_REFUSED", "Incompatible dimensions"),
        "an input from nowhere": (node(input="nowhere"), "MODEL_REFUSED", "nowhere"),
        "a circle": (edited(cyclic), "MODEL_REFUSED", "acyclic"),
    }
