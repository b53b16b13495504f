"""Fitted features: parameters as scikit-learn finds them, written as SQL that the engine reads back bit for bit."""

from __future__ import annotations

import json
import re
import struct
import subprocess
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

import firesteel
from firesteel.fitting import Kind
from tests.support.places import ROOT, required, shared

EVAL_EXPR = ROOT / "target/x86_64-unknown-linux-gnu/release/examples/eval_expr"
KINDS: list[Kind] = ["standard", "minmax", "robust"]
COLUMNS = ["TX_AMOUNT", "TX_TIME_SECONDS"]


def parameters(sql: str) -> tuple[float, ...]:
    """The two constants of `scale_kind(column, first, second)`."""
    found = re.fullmatch(r"scale_[a-z]+\([^,]+, ([^,]+), ([^,]+)\)", sql)
    assert found, sql
    return tuple(map(float, found.groups()))


def by_sklearn(kind: Kind, values: np.ndarray) -> tuple[float, ...]:
    rows = values.reshape(-1, 1).astype(np.float64)
    if kind == "standard":
        standard = StandardScaler().fit(rows)
        return standard.mean_[0], standard.scale_[0]
    if kind == "minmax":
        minmax = MinMaxScaler().fit(rows)
        return minmax.data_min_[0], minmax.data_max_[0]
    robust = RobustScaler().fit(rows)
    return robust.center_[0], robust.scale_[0]


def evaluated(ddl: str, rows: list[list[Any]], expressions: list[str]) -> list[list[Any]]:
    """What the engine gives, column by column; doubles travel as hexadecimal bits."""
    program = required(EVAL_EXPR, "cargo build --release -p firesteel-engine --example eval_expr")
    request = json.dumps({"schema": ddl, "rows": rows, "expressions": expressions})
    done = subprocess.run([program], input=request + "\n", capture_output=True, text=True, timeout=120, check=True)
    results = json.loads(done.stdout)
    assert all("values" in result for result in results), results
    return [[cell["ok"] for cell in result["values"]] for result in results]


def bits(value: float) -> str:
    """The bits of a double, as they travel."""
    return struct.pack(">d", value).hex()


@pytest.fixture(scope="module")
def transactions() -> pa.Table:
    return pq.read_table(shared("fraud", "transactions.parquet"), columns=COLUMNS)


@pytest.mark.parametrize("kind", KINDS)
def test_spark_and_arrow_find_what_scikit_learn_finds(kind: Kind, transactions: pa.Table, spark: SparkSession) -> None:
    frame = spark.read.parquet(str(shared("fraud", "transactions.parquet")))
    by_spark = firesteel.fit_scalers(frame, COLUMNS, kind)
    by_arrow = firesteel.fit_scalers(transactions, COLUMNS, kind)
    assert list(by_spark) == list(by_arrow) == ["TX_AMOUNT_scaled", "TX_TIME_SECONDS_scaled"]
    for column in COLUMNS:
        wanted = by_sklearn(kind, transactions[column].to_numpy())
        np.testing.assert_allclose(parameters(by_spark[f"{column}_scaled"]), wanted, rtol=1e-11)
        np.testing.assert_allclose(parameters(by_arrow[f"{column}_scaled"]), wanted, rtol=1e-11)


@pytest.mark.parametrize("kind", KINDS)
def test_the_engine_scales_with_the_very_bits_that_were_fitted(kind: Kind, transactions: pa.Table) -> None:
    fitted = firesteel.fit_scalers(transactions, ["TX_AMOUNT"], kind)
    amounts = transactions["TX_AMOUNT"].to_numpy()[:2000]
    rows = [[bits(amount)] for amount in amounts]
    (scaled,) = evaluated("TX_AMOUNT DOUBLE", rows, list(fitted.values()))
    first, second = parameters(fitted["TX_AMOUNT_scaled"])
    wanted = (amounts - first) / (second - first if kind == "minmax" else second)
    assert scaled == [bits(value) for value in wanted]


def test_nulls_and_nan_do_not_count(spark: SparkSession) -> None:
    rows = [(1.0,), (None,), (float("nan"),), (2.0,), (6.0,)]
    frame = spark.createDataFrame(rows, "x DOUBLE")
    table = pa.table({"x": pa.array([1.0, None, float("nan"), 2.0, 6.0])})
    for kind, wanted in {"minmax": (1.0, 6.0), "robust": (2.0, 2.5), "standard": (3.0, 2.160246899469287)}.items():
        for data in (frame, table, table.to_batches()[0]):
            fitted = firesteel.fit_scalers(data, ["x"], kind)  # type: ignore[arg-type]
            assert parameters(fitted["x_scaled"]) == wanted, (kind, data)


def test_a_column_that_cannot_be_fitted_is_named(spark: SparkSession) -> None:
    ddl = "word STRING, nothing DOUBLE, huge DOUBLE, flag BOOLEAN"
    frame = spark.createDataFrame([("a", None, float("inf"), True), ("b", None, 1.0, False)], ddl)
    for data in (frame, frame.toArrow()):
        for column, reason in [("word", "wants numbers"), ("nothing", "no value"), ("huge", "infinite")]:
            with pytest.raises(firesteel.FitError, match=f"BAD_FIT: column {column} .*{reason}"):
                firesteel.fit_scalers(data, [column])
        with pytest.raises(firesteel.FitError, match=r"BAD_FIT: column huge .*categories are"):
            firesteel.fit_one_hot(data, ["huge"])
        with pytest.raises(firesteel.FitError, match="BAD_FIT: column nothing"):
            firesteel.fit_one_hot(data.select(["nothing"]), ["nothing"])
    with pytest.raises(TypeError, match=r"write \['huge'\]"):
        firesteel.fit_scalers(frame, "huge")
    with pytest.raises(ValueError, match="kind is 'normal'"):
        firesteel.fit_scalers(frame, ["huge"], "normal")  # type: ignore[arg-type]


def test_categories_become_columns_that_the_engine_reads(spark: SparkSession) -> None:
    words = ["web", "app", "web", None, "it's", "it's", "São Paulo", "back\\slash", "São Paulo", "SAO PAULO", "", ""]
    frame = spark.createDataFrame([(word,) for word in words], "channel STRING")
    for data in (frame, frame.toArrow()):
        fitted = firesteel.fit_one_hot(data, ["channel"])
        assert list(fitted) == [
            "channel_",
            "channel_SAO_PAULO",
            "channel_S_o_Paulo",
            "channel_app",
            "channel_back_slash",
            "channel_it_s",
            "channel_web",
        ]
        columns = evaluated("channel STRING", [[word] for word in words], list(fitted.values()))
        categories = ["", "SAO PAULO", "São Paulo", "app", "back\\slash", "it's", "web"]
        assert columns == [[word == category for word in words] for category in categories]
        # The four that occur twice, in ascending order.
        assert list(firesteel.fit_one_hot(data, ["channel"], most=4)) == [
            "channel_",
            "channel_S_o_Paulo",
            "channel_it_s",
            "channel_web",
        ]


def test_names_of_features_are_valid_and_differ(spark: SparkSession) -> None:
    frame = spark.createDataFrame([((1.0,), 2.0, 3)], "geo STRUCT<lat: DOUBLE>, geo_lat DOUBLE, `größe in m` INT")
    for data in (frame, frame.toArrow()):
        assert firesteel.fit_scalers(data, ["geo.lat", "geo_lat", "größe in m"], "minmax", suffix="_01") == {
            "geo_lat_01": "scale_minmax(geo.lat, 1.0, 1.0)",
            "geo_lat_01_2": "scale_minmax(geo_lat, 2.0, 2.0)",
            "gr_e_in_m_01": "scale_minmax(`größe in m`, 3.0, 3.0)",
        }
        assert firesteel.fit_one_hot(data, ["größe in m"]) == {"gr_e_in_m_3": "`größe in m` <=> 3"}


def test_a_column_may_have_the_name_of_a_keyword() -> None:
    words = ["null", "true", "interval", "trim", "distinct", "all", "current_date", "case", "order", "date", "select"]
    table = pa.table({word: [5, 7] for word in words})
    expressions = [
        *firesteel.fit_scalers(table, words, "minmax").values(),
        *firesteel.fit_one_hot(table, words).values(),
    ]
    ddl = ", ".join(f"`{word}` INT" for word in words)
    columns = evaluated(ddl, [[5] * len(words), [7] * len(words)], expressions)
    zero, one = "0000000000000000", "3ff0000000000000"
    assert columns == [[zero, one]] * len(words) + [[True, False], [False, True]] * len(words)
