"""Ten thousand machine records as CSV, from Kafka to Parquet, bit for bit against pandas and onnxruntime.

The file is sent as it is: a record per line, byte-order mark and header line included. The header is no record of
the schema, so it is the one row that must be rejected.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pytest
from pyspark.sql import SparkSession

import firesteel
from tests.support import golden, kafka, proof, streams, train
from tests.support.places import shared

PARTITIONS = 3
NAMES = ["udi", "product", "type", "air_k", "process_k", "speed_rpm", "torque_nm", "wear_min", "failure"]
FEATURES = {
    "type_l": "type = 'L'",
    "type_m": "type = 'M'",
    "heat_k": "process_k - air_k",
    "power_log": "ln(torque_nm * speed_rpm)",
}
INPUTS = ["air_k", "process_k", "speed_rpm", "torque_nm", "wear_min", *FEATURES]


@dataclass(frozen=True)
class Machines:
    lines: list[bytes]
    frame: pd.DataFrame
    matrix: np.ndarray[Any, Any]
    models: dict[str, Path]
    pipeline: firesteel.Pipeline


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Machines:
    source = shared("maintenance", "ai4i2020.csv")
    frame = pd.read_csv(source, encoding="utf-8-sig", names=NAMES, header=0)
    matrix = recomputed(frame)
    folder = tmp_path_factory.mktemp("ai4i")
    labels = frame["failure"].to_numpy()
    models = {
        "lr": train.logistic_regression(matrix, labels, folder / "lr.onnx"),
        "forest": train.random_forest(matrix, labels, folder / "forest.onnx"),
    }
    types = {"udi": "BIGINT", "product": "STRING", "type": "STRING", "speed_rpm": "INT", "failure": "INT"}
    pipeline = firesteel.PipelineSpec(
        name="machine-failure",
        format="csv",
        schema=", ".join(f"{name} {types.get(name, 'DOUBLE')}" for name in NAMES),
        features=FEATURES,
        models=[
            firesteel.Model(
                name, path.name, {f"label_{name}": "label", f"score_{name}": "probabilities[1]"}, {train.INPUT: INPUTS}
            )
            for name, path in models.items()
        ],
        output=["udi", "product", *(f"{what}_{name}" for name in models for what in ("label", "score"))],
    ).save(folder / "ai4i.yaml")
    return Machines(source.read_bytes().splitlines(), frame, matrix, models, pipeline)


def recomputed(frame: pd.DataFrame) -> np.ndarray[Any, Any]:
    return golden.matrix(
        [
            *(frame[name] for name in INPUTS[:5]),
            frame["type"] == "L",
            frame["type"] == "M",
            frame["process_k"] - frame["air_k"],
            [math.log(power) for power in (frame["torque_nm"] * frame["speed_rpm"]).tolist()],
        ]
    )


def test_every_machine_is_scored_as_pandas_and_onnxruntime_do_and_the_header_is_rejected(
    machines: Machines, spark: SparkSession, bootstrap: str, tmp_path: Path
) -> None:
    assert machines.lines[0].startswith(b"\xef\xbb\xbfUDI,")
    topic = kafka.new_topic(bootstrap, "ai4i", partitions=PARTITIONS)
    sent = kafka.produce(bootstrap, topic, machines.lines, partitions=PARTITIONS)
    since = proof.next_execution(spark)
    events = spark.readStream.format("kafka").options(**kafka.source_options(bootstrap, topic)).load()
    query = streams.write_available(machines.pipeline.transform(events), tmp_path)

    written = ds.dataset(tmp_path / "out", exclude_invalid_files=True).to_table().sort_by("udi")
    is_scored = pc.is_null(written["_rejected"])
    scored = written.filter(is_scored)
    rejected = written.filter(pc.invert(is_scored))["_rejected"].to_pylist()

    assert sent == streams.rows_read(query) == scored.num_rows + len(rejected) == 10_001
    assert proof.native_count(spark, since, "rows") == 10_001
    assert [(row["partition"], row["offset"], row["stage"], row["code"]) for row in rejected] == [
        (0, 0, "decode", "WRONG_TYPE")
    ]
    assert rejected[0]["raw"] == machines.lines[0]

    assert scored["udi"].to_pylist() == machines.frame["udi"].tolist()
    assert scored["product"].to_pylist() == machines.frame["product"].tolist()
    for name, model in machines.models.items():
        wanted = golden.run(model, {train.INPUT: machines.matrix})
        golden.assert_same_bits(scored[f"label_{name}"].to_numpy(), wanted["label"], f"label_{name}")
        golden.assert_same_bits(scored[f"score_{name}"].to_numpy(), wanted["probabilities"][:, 1], f"score_{name}")
