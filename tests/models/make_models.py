"""Makes the small ONNX models of the tests and their golden outputs.

Run: .venv/bin/python tests/models/make_models.py

Inputs are a formula (`value` below, the same in rust/engine/tests/model_golden.rs), so only outputs are stored, as
bits. They come from Python's onnxruntime with one thread. For each model the script also checks that onnxruntime gives
a row the same bits in batches of any size (a lone row padded to two), and refuses to write a model where it does not.
"""

import json
import struct
from pathlib import Path

import lightgbm
import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxmltools import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType as LightGbmFloat
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

HERE = Path(__file__).parent
ROWS = 300
FEATURES = [f"f{j}" for j in range(16)]
COUNTRIES = ["FR", "DE", "US", "JP"]


def value(i, j):
    """Feature `j` of row `i`: a double in [-4, 4)."""
    return (((i * 7919 + j * 104729 + 12345) * 48271) % 65537) / 65537.0 * 8.0 - 4.0


def matrix(rows):
    return np.array([[value(i, j) for j in range(16)] for i in range(rows)])


def mixed(rows):
    return {
        "country": np.array([[COUNTRIES[(i * 7) % 4]] for i in range(rows)], dtype=object),
        "age": np.array([[(i * 37) % 80] for i in range(rows)], dtype=np.int64),
        "amount": np.array([[value(i, 0)] for i in range(rows)], dtype=np.float32),
    }


def session(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def run(sess, feed):
    """All outputs as arrays; a ZipMap's list of dictionaries as a matrix in label order."""
    outputs = []
    for out in sess.run(None, feed):
        if isinstance(out, list):
            out = np.array([[row[key] for key in sorted(row)] for row in out], dtype=np.float32)
        outputs.append(out)
    return outputs


def cut(feed, start, stop):
    part = {name: array[start:stop] for name, array in feed.items()}
    return {name: np.concatenate([a, a]) if len(a) == 1 else a for name, a in part.items()}


def bits(array):
    return [str(v) for v in array.ravel()] if array.dtype == object else array.tobytes()


def check_batches(name, sess, feed, whole):
    rows = len(next(iter(feed.values())))
    for size in (1, 2, 3, 7, 16, 50, 51, 128, 299):
        for start in range(0, rows, size):
            stop = min(rows, start + size)
            for full, part in zip(whole, run(sess, cut(feed, start, stop)), strict=True):
                if bits(full[start:stop]) != bits(part[: stop - start]):
                    raise SystemExit(f"{name}: rows {start}..{stop} differ at batch size {size}")


def encode(array):
    array = array.reshape(len(array), -1)
    kinds = {
        "float32": ("f32", "I"),
        "float64": ("f64", "Q"),
        "int64": ("i64", None),
        "int32": ("i32", None),
        "bool": ("bool", None),
        "object": ("string", None),
    }
    kind, letter = kinds[str(array.dtype)]
    if letter is None:
        values = [str(v).lower() if kind == "bool" else str(v) for v in array.ravel()]
    else:
        size = struct.calcsize(letter)
        raw = array.astype(array.dtype.newbyteorder(">")).tobytes()
        values = raw.hex()
        assert len(values) == array.size * size * 2
    return {"type": kind, "width": array.shape[1], "values": values}


def write(name, model, feed=None, columns=None):
    data = model if isinstance(model, bytes) else model.SerializeToString()
    (HERE / f"{name}.onnx").write_bytes(data)
    if feed is None:
        return
    sess = session(data)
    whole = run(sess, feed)
    check_batches(name, sess, feed, whole)
    golden = {
        "onnxruntime": onnxruntime.__version__,
        "rows": ROWS,
        "columns": columns,
        "outputs": {out.name: encode(array) for out, array in zip(sess.get_outputs(), whole, strict=True)},
    }
    (HERE / f"{name}.golden.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(f"{name}: {len(data)} bytes, {len(whole)} outputs")


def external(tensor, location):
    tensor.ClearField("raw_data")
    tensor.ClearField("float_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", location
    return tensor


def graph_model(nodes, inputs, outputs, initializers=(), opset=17):
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(initializers))
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8, producer_name="firesteel-tests"
    )


def sklearn_models(x, y, feed):
    floats = [{"name": name, "type": "double"} for name in FEATURES]
    spec = [("X", FloatTensorType([None, 16]))]
    off = {"zipmap": False}
    lr = LogisticRegression().fit(x, y)
    write("lr", to_onnx(lr, initial_types=spec, options=off, target_opset={"": 17, "ai.onnx.ml": 3}), feed, floats)
    words = LogisticRegression().fit(x, np.where(y == 1, "fraud", "ok"))
    write("lr_zipmap", to_onnx(words, initial_types=spec, target_opset={"": 17, "ai.onnx.ml": 3}), feed, floats)
    three = LogisticRegression().fit(x, np.digitize(x[:, 0], [-1.5, 1.5]) + 7)
    write("lr_three_zipmap", to_onnx(three, initial_types=spec, target_opset={"": 17, "ai.onnx.ml": 3}), feed, floats)
    forest = RandomForestClassifier(n_estimators=15, max_depth=5, random_state=1).fit(x, y)
    write(
        "random_forest",
        to_onnx(forest, initial_types=spec, options=off, target_opset={"": 17, "ai.onnx.ml": 3}),
        feed,
        floats,
    )
    boosting = GradientBoostingClassifier(n_estimators=100, max_depth=3, random_state=1).fit(x, y)
    write(
        "gbdt_sklearn",
        to_onnx(boosting, initial_types=spec, options=off, target_opset={"": 17, "ai.onnx.ml": 3}),
        feed,
        floats,
    )
    targets = RandomForestRegressor(n_estimators=8, max_depth=5, random_state=1).fit(
        x, np.stack([x[:, 0], x[:, 1] ** 2], 1)
    )
    write("forest_targets", to_onnx(targets, initial_types=spec, target_opset={"": 17, "ai.onnx.ml": 3}), feed, floats)
    three = RandomForestClassifier(n_estimators=8, max_depth=4, random_state=1)
    three.fit(x, np.array(["high", "low", "mid"])[np.digitize(x[:, 0] + x[:, 1], [-2, 2])])
    write(
        "forest_three",
        to_onnx(three, initial_types=spec, options=off, target_opset={"": 17, "ai.onnx.ml": 3}),
        feed,
        floats,
    )
    mlp = MLPClassifier((16, 8), max_iter=30, random_state=1).fit(x, y)
    write("mlp", to_onnx(mlp, initial_types=spec, options=off, target_opset={"": 17, "ai.onnx.ml": 3}), feed, floats)
    scaled = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y)
    write(
        "scaler_lr",
        to_onnx(scaled, initial_types=spec, options=off, target_opset={"": 17, "ai.onnx.ml": 3}),
        feed,
        floats,
    )
    ridge = LinearRegression().fit(x, x[:, 0] * 3 + x[:, 1])
    write("regression", to_onnx(ridge, initial_types=spec, target_opset={"": 17, "ai.onnx.ml": 3}), feed, floats)
    double = to_onnx(ridge, initial_types=[("X", DoubleTensorType([None, 16]))], target_opset={"": 17, "ai.onnx.ml": 3})
    write("double", double, {"X": matrix(ROWS)}, floats)
    wrong = to_onnx(forest, initial_types=spec, options=off, target_opset={"": 17, "ai.onnx.ml": 3})
    for output in wrong.graph.output:
        for dim in output.type.tensor_type.shape.dim:
            dim.ClearField("dim_param")
            dim.dim_value = 3
    write("wrong_shape", wrong, feed, floats)


def lightgbm_models(x, y, feed):
    floats = [{"name": name, "type": "double"} for name in FEATURES]
    spec = [("X", LightGbmFloat([None, 16]))]
    shape = {"n_estimators": 30, "num_leaves": 15, "random_state": 1, "n_jobs": 1, "verbose": -1, "deterministic": True}
    classifier = lightgbm.LGBMClassifier(**shape).fit(x, y)
    write("gbdt", convert_lightgbm(classifier, initial_types=spec, zipmap=False, target_opset=15), feed, floats)
    write("gbdt_zipmap", convert_lightgbm(classifier, initial_types=spec, target_opset=15), feed, floats)
    regressor = lightgbm.LGBMRegressor(**shape).fit(x, x[:, 0] ** 2)
    write("gbdt_regression", convert_lightgbm(regressor, initial_types=spec, target_opset=15), feed, floats)
    small = shape | {"n_estimators": 8}
    three = lightgbm.LGBMClassifier(**small).fit(x, np.digitize(x[:, 0] * x[:, 1], [-1.5, 1.5]))
    write("gbdt_three", convert_lightgbm(three, initial_types=spec, zipmap=False, target_opset=15), feed, floats)
    holes = np.where(np.random.default_rng(1).random(x.shape) < 0.2, np.nan, x)
    missing = lightgbm.LGBMClassifier(**small).fit(holes, y)
    write("gbdt_missing", convert_lightgbm(missing, initial_types=spec, zipmap=False, target_opset=15), feed, floats)


def mixed_model():
    import pandas as pd

    feed = mixed(2000)
    frame = pd.DataFrame({name: array.ravel() for name, array in feed.items()})
    frame["amount"] = frame["amount"].astype(float)
    y = ((frame["age"] > 40) & (frame["country"] != "DE")).astype(int)
    columns = ColumnTransformer(
        [
            ("country", OneHotEncoder(handle_unknown="ignore"), ["country"]),
            ("age", StandardScaler(), ["age"]),
            ("amount", "passthrough", ["amount"]),
        ]
    )
    model = make_pipeline(columns, LogisticRegression()).fit(frame, y)
    types = [
        ("country", StringTensorType([None, 1])),
        ("age", Int64TensorType([None, 1])),
        ("amount", FloatTensorType([None, 1])),
    ]
    onnx_model = to_onnx(model, initial_types=types, options={"zipmap": False}, target_opset={"": 17, "ai.onnx.ml": 3})
    kinds = [
        {"name": "country", "type": "string"},
        {"name": "age", "type": "bigint"},
        {"name": "amount", "type": "double"},
    ]
    write("mixed", onnx_model, mixed(ROWS), kinds)


def hand_made():
    def info(name, kind, shape):
        return helper.make_tensor_value_info(name, kind, shape)

    # A table lookup that fails on a key outside 0..7: the rows that must be found and rejected.
    table = numpy_helper.from_array(np.arange(8, dtype=np.float32) * 10, "table")
    write(
        "lookup",
        graph_model(
            [helper.make_node("Gather", ["table", "key"], ["score"])],
            [info("key", TensorProto.INT64, ["n"])],
            [info("score", TensorProto.FLOAT, ["n"])],
            [table],
        ),
    )
    # Every element type, in and out.
    kinds = {
        "i32": TensorProto.INT32,
        "i64": TensorProto.INT64,
        "f64": TensorProto.DOUBLE,
        "flag": TensorProto.BOOL,
        "text": TensorProto.STRING,
    }
    nodes = [helper.make_node("Identity", [name], [f"{name}_out"]) for name in kinds]
    write(
        "types",
        graph_model(
            nodes,
            [info(n, k, ["n", 1]) for n, k in kinds.items()],
            [info(f"{n}_out", k, ["n", 1]) for n, k in kinds.items()],
        ),
    )
    # An output whose second dimension the file leaves open, and one with two inner dimensions.
    axes = numpy_helper.from_array(np.array([2], dtype=np.int64), "axes")
    nodes = [helper.make_node("Identity", ["X"], ["same"]), helper.make_node("Unsqueeze", ["X", "axes"], ["deep"])]
    write(
        "arrays",
        graph_model(
            nodes,
            [info("X", TensorProto.FLOAT, ["n", "c"])],
            [info("same", TensorProto.FLOAT, ["n", "c"]), info("deep", TensorProto.FLOAT, ["n", 3, 1])],
            [axes],
        ),
    )
    # A model whose file takes any width, but whose weights take four.
    w = numpy_helper.from_array(np.ones((4, 1), dtype=np.float32), "w")
    write(
        "open_width",
        graph_model(
            [helper.make_node("MatMul", ["X", "w"], ["y"])],
            [info("X", TensorProto.FLOAT, ["n", "c"])],
            [info("y", TensorProto.FLOAT, ["n", 1])],
            [w],
        ),
    )
    # A ZipMap in a file that imports no operators but ai.onnx.ml.
    nodes = [
        helper.make_node("Normalizer", ["X"], ["p"], norm="L2", domain="ai.onnx.ml"),
        helper.make_node("ZipMap", ["p"], ["classes"], classlabels_strings=["a", "b"], domain="ai.onnx.ml"),
    ]
    scores = helper.make_map_type_proto(TensorProto.STRING, helper.make_tensor_type_proto(TensorProto.FLOAT, None))
    maps = helper.make_sequence_type_proto(scores)
    only_ml = graph_model(nodes, [info("X", TensorProto.FLOAT, ["n", 2])], [helper.make_value_info("classes", maps)])
    del only_ml.opset_import[:]
    only_ml.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))
    two = [{"name": name, "type": "double"} for name in FEATURES[:2]]
    write("zipmap_only_ml", only_ml, {"X": matrix(ROWS)[:, :2].astype(np.float32)}, two)
    # A model that can't run one row at a time.
    write(
        "fixed_rows",
        graph_model(
            [helper.make_node("Identity", ["X"], ["y"])],
            [info("X", TensorProto.FLOAT, [4, 2])],
            [info("y", TensorProto.FLOAT, [4, 2])],
        ),
    )

    def weights(location):
        return external(numpy_helper.from_array(np.ones(4, dtype=np.float32), "weights"), location)

    x = [info("X", TensorProto.FLOAT, ["n", 4])]
    y = [info("y", TensorProto.FLOAT, ["n", 4])]
    add = helper.make_node("Add", ["X", "weights"], ["y"])
    write("external", graph_model([add], x, y, [weights("/etc/passwd")]))
    write("memory_address", graph_model([add], x, y, [weights("*/_ORT_MEM_ADDR_/*")]))
    # The same, hidden in the constant of a subgraph.
    branch = helper.make_graph(
        [helper.make_node("Constant", [], ["w"], value=weights("../secret"))],
        "b",
        [],
        [info("w", TensorProto.FLOAT, [4])],
    )
    nodes = [
        helper.make_node("If", ["flag"], ["w"], then_branch=branch, else_branch=branch),
        helper.make_node("Add", ["X", "w"], ["y"]),
    ]
    flag = numpy_helper.from_array(np.array(True), "flag")
    write("external_in_subgraph", graph_model(nodes, x, y, [flag]))
    custom = graph_model([helper.make_node("Magic", ["X"], ["y"], domain="com.example")], x, y)
    custom.opset_import.append(helper.make_opsetid("com.example", 1))
    write("custom_operator", custom)


def main():
    x = matrix(2000).astype(np.float32)
    y = (np.sin(x[:, 0]) + x[:, 1] * 0.5 + x[:, 2] * x[:, 3] * 0.2 > 0.3).astype(int)
    feed = {"X": x[:ROWS]}
    sklearn_models(x, y, feed)
    lightgbm_models(x, y, feed)
    mixed_model()
    hand_made()
    total = sum(path.stat().st_size for path in HERE.iterdir() if path.suffix in (".onnx", ".json"))
    print(f"{total} bytes in all")


if __name__ == "__main__":
    main()
