"""Makes the zoo: one small ONNX model of every ordinary kind, with rows and onnxruntime's answers.

Run: .venv/bin/python tests/models/make_zoo.py

Each `zoo/NAME.json` has the columns in Spark's DDL, the rows, which columns each input takes, and every output of every
row, floats as their bits. The answers are those of Python's onnxruntime with one thread: rows of one shape together, a
lone row padded to two, a model of a fixed batch in batches of that size (the last row repeated), a model of sequences
row by row. A model whose answers depend on the batch is refused.
"""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import onnxruntime
from onnxmltools import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType as LightGbmFloat
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.models import zoo_cases as cases

ZOO = Path(__file__).parent / "zoo"
ROWS = 23
#: A model is refused if it gives a row other bits in batches of these sizes.
SIZES = (1, 2, 5, 16)
OPSETS = {"": 17, "ai.onnx.ml": 3}

NUMPY = {
    "tensor(float16)": np.float16,
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(bool)": np.bool_,
    "tensor(string)": np.object_,
} | {f"tensor({kind}{bits})": np.dtype(f"{kind}{bits}").type for kind in ("int", "uint") for bits in (8, 16, 32, 64)}


@dataclass
class Case:
    """A model and its rows."""

    name: str
    model: Any
    #: Name, Spark type and values of each column, in the order in which firesteel_predict takes them.
    columns: list[tuple[str, str, list[Any]]]
    #: Columns of each input; empty if every input is the column of its name.
    inputs: dict[str, list[str]] = field(default_factory=dict)


def normal(seed: int, *shape: int) -> list[Any]:
    """Numbers that float32 holds, so that DOUBLE and FLOAT columns mean the same."""
    drawn = np.random.default_rng(seed).normal(size=(ROWS, *shape)).astype(np.float32)
    return drawn.astype(float).round(3).tolist()


def whole(seed: int, low: int, high: int, *shape: int) -> list[Any]:
    return np.random.default_rng(seed).integers(low, high, (ROWS, *shape)).tolist()


def ragged(seed: int, of: Callable[[np.random.Generator, int], list[Any]]) -> list[Any]:
    random = np.random.default_rng(seed)
    return [of(random, int(random.integers(1, 6))) for _ in range(ROWS)]


def words(seed: int) -> list[str]:
    known = ["the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "while", "Ünïcode", "cats", "nap"]
    random = np.random.default_rng(seed)
    return [" ".join(random.choice(known, random.integers(2, 8))) for _ in range(ROWS)]


def plain(prefix: str, kind: str, matrix: list[list[Any]]) -> list[tuple[str, str, list[Any]]]:
    return [(f"{prefix}{j}", kind, [row[j] for row in matrix]) for j in range(len(matrix[0]))]


def training(width: int = 4, rows: int = 400) -> tuple[Any, Any]:
    x = np.random.default_rng(99).normal(size=(rows, width)).astype(np.float32)
    return x, (x[:, 0] + x[:, 1] * x[:, 2] > 0.2).astype(int)


def sklearn_cases() -> list[Case]:
    x, y = training()
    vector = [("X", FloatTensorType([None, 4]))]
    named = plain("f", "DOUBLE", normal(1, 4))
    features = {"X": ["f0", "f1", "f2", "f3"]}

    def convert(model: Any, **options: Any) -> Any:
        return to_onnx(model, initial_types=vector, target_opset=OPSETS, **options)

    array = [("features", "ARRAY<DOUBLE>", normal(2, 4))]
    classes = np.array(["blue", "green", "red"])[np.digitize(x[:, 0], [-0.5, 0.5])]
    boosting = GradientBoostingRegressor(n_estimators=8, max_depth=3, random_state=1).fit(x, x[:, 0] * x[:, 1])
    texts = words(3)
    tfidf = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, [i % 2 for i in range(ROWS)])
    # By default the text goes to lower case in the locale en_US, which containers rarely have.
    options = {TfidfVectorizer: {"locale": "C"}, LogisticRegression: {"zipmap": False}}
    text_model = to_onnx(
        tfidf, initial_types=[("text", StringTensorType([None, 1]))], target_opset=OPSETS, options=options
    )
    return [
        Case("sk_lr_zipmap_int", convert(LogisticRegression().fit(x, y + 3)), named, features),
        Case("sk_lr_zipmap_text", convert(LogisticRegression().fit(x, classes)), array, {"X": ["features"]}),
        Case(
            "sk_scaler_pca_svc",
            convert(make_pipeline(StandardScaler(), PCA(3), SVC(kernel="rbf")).fit(x, y), options={"zipmap": False}),
            named,
            features,
        ),
        Case("sk_gaussian_nb", convert(GaussianNB().fit(x, y)), named, features),
        Case("sk_kmeans", convert(KMeans(3, n_init=1, random_state=1).fit(x)), named, features),
        Case("sk_boosting", convert(boosting), named, features),
        Case(
            "sk_multi_output",
            convert(LinearRegression().fit(x, np.stack([x[:, 0], x[:, 1] * 2, y], 1))),
            array,
            {"X": ["features"]},
        ),
        Case("sk_tfidf", text_model, [("text", "STRING", texts)]),
        named_columns(),
    ]


def named_columns() -> Case:
    import pandas as pd

    random = np.random.default_rng(5)
    frame = pd.DataFrame(
        {
            "country": random.choice(["FR", "DE", "US"], 300),
            "age": random.integers(18, 80, 300),
            "amount": random.normal(size=300),
        }
    )
    steps = [("c", OneHotEncoder(handle_unknown="ignore"), ["country"]), ("n", StandardScaler(), ["age", "amount"])]
    model = make_pipeline(ColumnTransformer(steps), LogisticRegression())
    model.fit(frame, np.where((frame["age"] > 40) & (frame["country"] != "DE"), "fraud", "ok"))
    types = [
        ("country", StringTensorType([None, 1])),
        ("age", Int64TensorType([None, 1])),
        ("amount", FloatTensorType([None, 1])),
    ]
    drawn = [["FR", "DE", "US", "??"][i % 4] for i in range(ROWS)]
    columns = [
        ("country", "STRING", drawn),
        ("age", "INT", whole(6, 18, 80)),
        ("amount", "DOUBLE", normal(7)),
    ]
    return Case("sk_named_columns", to_onnx(model, initial_types=types, target_opset=OPSETS), columns)


def lightgbm_cases() -> list[Case]:
    x, y = training()
    spec = [("input", LightGbmFloat([None, 4]))]
    shape = {"n_estimators": 10, "num_leaves": 6, "random_state": 1, "n_jobs": 1, "verbose": -1, "deterministic": True}
    binary = lightgbm.LGBMClassifier(**shape).fit(x, np.where(y == 1, "yes", "no"))
    three = lightgbm.LGBMClassifier(**(shape | {"n_estimators": 4})).fit(x, np.digitize(x[:, 0], [-0.4, 0.4]))
    regression = lightgbm.LGBMRegressor(**shape).fit(x, x[:, 0] ** 2)
    named = plain("f", "FLOAT", normal(11, 4))
    array = [("v", "ARRAY<FLOAT>", normal(12, 4))]
    features = {"input": ["f0", "f1", "f2", "f3"]}
    return [
        Case("lgbm_zipmap_text", convert_lightgbm(binary, initial_types=spec, target_opset=15), named, features),
        Case(
            "lgbm_three",
            convert_lightgbm(three, initial_types=spec, zipmap=False, target_opset=15),
            array,
            {"input": ["v"]},
        ),
        Case("lgbm_regression", convert_lightgbm(regression, initial_types=spec, target_opset=15), named, features),
        Case("xgb_binary", cases.xgboost_binary(), named, features),
    ]


def torch_cases() -> list[Case]:
    steps = ragged(21, lambda random, n: random.normal(size=(n, 3)).astype(np.float32).astype(float).round(3).tolist())
    tokens = ragged(22, lambda random, n: random.integers(0, 30, n).tolist())
    pieces = ragged(
        23,
        lambda random, n: [
            random.normal(size=2 * int(random.integers(1, 4)))
            .astype(np.float32)
            .round(3)
            .astype(float)
            .reshape(-1, 2)
            .tolist()
            for _ in range(n)
        ],
    )
    named = plain("f", "DOUBLE", normal(24, 4))
    features = {"input": ["f0", "f1", "f2", "f3"]}
    vectors = [("steps", "ARRAY<ARRAY<DOUBLE>>", steps)]
    ids = [
        ("user", "INT", whole(25, 0, 20)),
        ("item", "BIGINT", whole(26, 0, 30)),
        ("dense", "ARRAY<FLOAT>", normal(27, 3)),
    ]
    return [
        Case("torch_mlp", cases.torch_mlp(), named, features),
        Case("torch_fixed_1", cases.torch_mlp(1), named, features),
        Case("torch_fixed_8", cases.torch_mlp(8), named, features),
        Case("torch_embedding", cases.torch_embedding(), [("input_ids", "ARRAY<INT>", tokens)]),
        Case("torch_lstm", cases.torch_recurrent("LSTM"), vectors, {"x": ["steps"]}),
        Case("torch_gru", cases.torch_recurrent("GRU"), vectors, {"x": ["steps"]}),
        Case("torch_rnn", cases.torch_recurrent("RNN"), vectors, {"x": ["steps"]}),
        Case("torch_conv1d", cases.torch_conv1d(), [("signal", "ARRAY<DOUBLE>", normal(28, 24))]),
        Case(
            "torch_transformer",
            cases.torch_transformer(),
            [
                ("input_ids", "ARRAY<BIGINT>", tokens),
                (
                    "attention_mask",
                    "ARRAY<BIGINT>",
                    [[1] * (len(row) - 1) + [0 if len(row) > 1 else 1] for row in tokens],
                ),
            ],
        ),
        Case("torch_recommender", cases.torch_recommender(), ids),
        Case("torch_sequence", cases.torch_sequence(), [("pieces", "ARRAY<ARRAY<ARRAY<FLOAT>>>", pieces)]),
        Case(
            "torch_sequence_texts",
            cases.torch_sequence_texts(),
            [("words", "ARRAY<STRING>", [text.split() for text in words(29)])],
        ),
        Case("torch_control_flow", cases.torch_control_flow(), plain("x", "FLOAT", normal(30, 2)), {"x": ["x0", "x1"]}),
    ]


def other_cases() -> list[Case]:
    limits = {"int8": "TINYINT", "int16": "SMALLINT", "int32": "INT", "int64": "BIGINT"}
    limits |= {"uint8": "SMALLINT", "uint16": "INT", "uint32": "BIGINT", "uint64": "BIGINT"}
    columns = []
    for seed, (name, kind) in enumerate(limits.items()):
        low, high = np.iinfo(name).min, min(np.iinfo(name).max, 2**63 - 1)
        values = np.random.default_rng(seed).integers(low, high, ROWS, endpoint=True).tolist()
        columns.append((name, kind, [int(low), int(high), *values[2:]]))
    pixels = plain("p", "INT", whole(41, 0, 256, 4))
    half = plain("h", "DOUBLE", normal(42, 4))
    flags = [(f"b{j}", "BOOLEAN", [bool(row[j]) for row in whole(43, 0, 2, 3)]) for j in range(3)]
    six = plain("x", "FLOAT", normal(44, 6))
    opset = 23
    return [
        Case(
            "keras_dense",
            cases.keras_dense(),
            plain("f", "DOUBLE", normal(45, 4)),
            {"dense_input": ["f0", "f1", "f2", "f3"]},
        ),
        Case("keras_conv2d", cases.keras_conv2d(), [("image", "ARRAY<ARRAY<ARRAY<FLOAT>>>", normal(46, 4, 4, 1))]),
        Case(
            "keras_mixed",
            cases.keras_mixed(),
            [("category", "TINYINT", whole(47, 0, 9)), *plain("n", "DOUBLE", normal(48, 2))],
            {"category": ["category"], "numbers": ["n0", "n1"]},
        ),
        Case("half_precision", cases.half_precision(), half, {"x": [name for name, *_ in half]}),
        Case("quantized", cases.quantized(), pixels, {"pixels": [name for name, *_ in pixels]}),
        Case("whole_numbers", cases.whole_numbers(), columns),
        Case(
            "booleans",
            cases.booleans(),
            [*flags, ("amount", "DOUBLE", normal(49))],
            {"flags": ["b0", "b1", "b2"], "amount": ["amount"]},
        ),
        Case("opset_7", cases.opset_7(), six, {"x": [name for name, *_ in six]}),
        Case("opset_newest", cases.newest(opset), half, {"x": [name for name, *_ in half]}),
        Case("nan_maker", cases.nan_maker(), plain("x", "DOUBLE", normal(50, 2)), {"x": ["x0", "x1"]}),
    ]


def session(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def feeds(case: Case, onnx: onnxruntime.InferenceSession) -> list[dict[str, Any]]:
    """For each row, what each input gets: an array without a dimension for rows, or a list of arrays."""
    columns = {name: (kind, values) for name, kind, values in case.columns}
    out: list[dict[str, Any]] = [{} for _ in range(ROWS)]
    for tensor in onnx.get_inputs():
        names = case.inputs.get(tensor.name, [tensor.name])
        is_sequence = tensor.type.startswith("seq(")
        kind = NUMPY[tensor.type.removeprefix("seq(").removesuffix(")") if is_sequence else tensor.type]
        for row in range(ROWS):
            if is_sequence:
                value: Any = [np.array(piece, dtype=kind) for piece in columns[names[0]][1][row]]
            elif columns[names[0]][0].startswith("ARRAY"):
                value = np.array(columns[names[0]][1][row], dtype=kind)
                if value.ndim == 1 and len(tensor.shape) > 2:
                    value = value.reshape(tensor.shape[1:])
            else:
                value = np.array(
                    [columns[name][1][row] for name in names], dtype=np.float64 if kind == np.float16 else None
                ).astype(kind)
                value = value.reshape([]) if len(tensor.shape) == 1 else value
            out[row][tensor.name] = value
    return out


def score(onnx: onnxruntime.InferenceSession, rows: list[dict[str, Any]], size: int) -> list[list[Any]]:
    """Every output of every row, rows of one shape in batches of at most `size`."""
    inputs = onnx.get_inputs()
    if any(tensor.type.startswith("seq(") for tensor in inputs):
        return [[np.asarray(out) for out in onnx.run(None, row)] for row in rows]
    first = [tensor.shape[0] for tensor in inputs]
    fixed = next((dim for dim in first if isinstance(dim, int)), None)
    groups: dict[Any, list[int]] = {}
    for i, row in enumerate(rows):
        groups.setdefault(tuple(value.shape for value in row.values()), []).append(i)
    answers: list[Any] = [None] * len(rows)
    for group in groups.values():
        size = fixed or size
        for start in range(0, len(group), size):
            part = group[start : start + size]
            padded = part + [part[-1]] * ((fixed or max(len(part), 2)) - len(part))
            feed = {tensor.name: np.stack([rows[i][tensor.name] for i in padded]) for tensor in inputs}
            outputs = [as_array(out) for out in onnx.run(None, feed)]
            for at, i in enumerate(part):
                answers[i] = [out[at] for out in outputs]
    return answers


def as_array(out: Any) -> Any:
    """A ZipMap's list of dictionaries as a matrix in the order of the labels."""
    if isinstance(out, list):
        return np.array([[row[key] for key in sorted(row)] for row in out], dtype=np.float32)
    return np.asarray(out)


def shown(value: Any) -> Any:
    """A value as it is stored: floats as bits, 16-bit ones as the 32-bit ones that they become."""
    if isinstance(value, np.ndarray):
        if value.dtype == np.float16:
            value = value.astype(np.float32)
        return [shown(item) for item in value] if value.ndim else shown(value[()])
    if isinstance(value, np.floating) and np.isnan(value):
        # One of many: which bits a NaN has depends on the batch.
        return "nan"
    if isinstance(value, np.float16 | np.float32):
        return struct.pack(">f", value).hex()
    if isinstance(value, np.float64):
        return struct.pack(">d", value).hex()
    if isinstance(value, np.bool_):
        return bool(value)
    return int(value) if isinstance(value, np.integer) else str(value)


def one_value(values: list[Any]) -> bool:
    return (
        all(value.size == 1 and set(value.shape) <= {1} for value in values)
        and len({value.shape for value in values}) == 1
    )


def write(case: Case) -> int:
    data = case.model if isinstance(case.model, bytes) else case.model.SerializeToString()
    onnx = session(data)
    rows = feeds(case, onnx)
    answers = score(onnx, rows, ROWS)
    names = [output.name for output in onnx.get_outputs()]
    for size in SIZES:
        for row, (a, b) in enumerate(zip(answers, score(onnx, rows, size), strict=True)):
            if [shown(out) for out in a] != [shown(out) for out in b]:
                raise SystemExit(f"{case.name}: row {row} differs in batches of {size}")
    outputs = {}
    for i, name in enumerate(names):
        values = [np.asarray(answer[i]) for answer in answers]
        outputs[name] = [shown(value.reshape([])) if one_value(values) else shown(value) for value in values]
    golden = {
        "onnxruntime": onnxruntime.__version__,
        "columns": [{"name": name, "type": kind} for name, kind, _ in case.columns],
        "rows": [list(row) for row in zip(*(values for _, _, values in case.columns), strict=True)],
        "inputs": case.inputs,
        "outputs": outputs,
    }
    (ZOO / f"{case.name}.onnx").write_bytes(data)
    (ZOO / f"{case.name}.json").write_text(json.dumps(golden, separators=(",", ":"), ensure_ascii=False) + "\n")
    print(f"{case.name}: {len(data)} bytes")
    return len(data)


def main() -> None:
    ZOO.mkdir(exist_ok=True)
    every = [*sklearn_cases(), *lightgbm_cases(), *torch_cases(), *other_cases()]
    total = sum(write(case) for case in every)
    print(f"{len(every)} models, {total} bytes")


if __name__ == "__main__":
    main()
