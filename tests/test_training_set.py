"""`Pipeline.training_set`: features and labels as of a moment, against pandas and by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from sklearn.linear_model import LogisticRegression

import firesteel
from firesteel import training
from tests.support.places import ROOT

SEED = 20261123
DAY = timedelta(days=1)
START = datetime(2026, 1, 1)
SCHEMA = "id BIGINT, ts TIMESTAMP, customer BIGINT, terminal BIGINT, amount DOUBLE, is_fraud INT"
WINDOWS = """
windows:
  - {key: customer, time: ts, order: id, over: [1 day, 7 days], compute: {nb: count(*), mean: avg(amount)}}
  - key: terminal
    time: ts
    order: id
    over: [1 day, 7 days]
    delay: 3 days
    compute: {nb: count(*), risk: avg(is_fraud)}
    default: {risk: 0}
"""
PIPELINE = f"""
name: payments
input: {{schema: '{SCHEMA}'}}
clean: [{{check: amount > 0}}]
features: {{large: amount > 90, much: amount > 2 * customer_mean_7d}}
{WINDOWS}
models:
  - name: fraud
    uri: models/nobody-has-trained-it-yet.onnx
    inputs:
      features: [amount, large, much, customer_nb_1d, customer_nb_7d, customer_mean_1d, customer_mean_7d,
        terminal_nb_1d, terminal_nb_7d, terminal_risk_1d, terminal_risk_7d]
    outputs: {{score: "probabilities[1]"}}
output: [id, customer, score]
"""


def written(folder: Path, text: str = PIPELINE, name: str = "payments.yaml") -> firesteel.Pipeline:
    file = folder / name
    file.write_text(text)
    return firesteel.Pipeline.load(file)


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> firesteel.Pipeline:
    return written(tmp_path_factory.mktemp("training"))


@pytest.fixture(scope="module")
def history() -> pd.DataFrame:
    """40 days of payments in a random order of rows; ties of time, and the truth about each."""
    chance = np.random.default_rng(SEED)
    count = 3_000
    seconds = np.sort(chance.integers(0, 40 * 86_400 // 60, count)) * 60
    frame = pd.DataFrame(
        {
            "id": np.arange(count),
            "ts": pd.Timestamp(START) + pd.to_timedelta(seconds, unit="s"),
            "customer": chance.integers(0, 25, count),
            "terminal": chance.integers(0, 15, count),
            "amount": np.round(chance.uniform(-2, 100, count), 2),
            "is_fraud": (chance.random(count) < 0.1).astype(np.int32),
        }
    )
    return frame.sample(frac=1, random_state=1)


def events(spark: SparkSession, history: pd.DataFrame) -> DataFrame:
    """The payments without the truth; a few have no customer."""
    frame = history.drop(columns="is_fraud").astype({"customer": "Int64"})
    frame.loc[frame["id"] % 500 == 7, "customer"] = pd.NA
    rows = [
        (row.id, row.ts.to_pydatetime(), None if row.customer is pd.NA else int(row.customer), row.terminal, row.amount)
        for row in frame.itertuples()
    ]
    return spark.createDataFrame(rows, "id BIGINT, ts TIMESTAMP, customer BIGINT, terminal BIGINT, amount DOUBLE")


def complaints(spark: SparkSession, history: pd.DataFrame) -> DataFrame:
    """Frauds only: nobody complains of a good payment."""
    found = history.loc[history["is_fraud"] == 1, ["id", "is_fraud"]]
    return spark.createDataFrame(
        [(int(i), int(f)) for i, f in found.itertuples(index=False)], "id BIGINT, is_fraud INT"
    )


def by_pandas(history: pd.DataFrame) -> pd.DataFrame:
    """Features and label of every payment that is taken, by masks over all of them."""
    taken = history[(history["amount"] > 0) & (history["id"] % 500 != 7)].sort_values(["ts", "id"])
    made = []
    for row in taken.itertuples():
        before = taken[(taken["ts"] < row.ts) | ((taken["ts"] == row.ts) & (taken["id"] <= row.id))]
        found: dict[str, Any] = {"id": row.id, "amount": row.amount, "is_fraud": row.is_fraud, "ts": row.ts}
        for days in (1, 7):
            own = before[(before["customer"] == row.customer) & (before["ts"] > row.ts - days * DAY)]
            found[f"customer_nb_{days}d"], found[f"customer_mean_{days}d"] = len(own), own["amount"].mean()
            late = before[before["terminal"] == row.terminal]
            late = late[(late["ts"] > row.ts - (3 + days) * DAY) & (late["ts"] <= row.ts - 3 * DAY)]
            found[f"terminal_nb_{days}d"] = len(late)
            found[f"terminal_risk_{days}d"] = late["is_fraud"].mean() if len(late) else 0.0
        found["large"] = row.amount > 90
        found["much"] = row.amount > 2 * found["customer_mean_7d"]
        made.append(found)
    return pd.DataFrame(made)


def test_features_and_labels_are_what_pandas_finds(
    spark: SparkSession, pipeline: firesteel.Pipeline, history: pd.DataFrame
) -> None:
    """Labels feed a window and are the target; what is known by the 31st day is all that counts."""
    as_of = START + 31 * DAY
    made = pipeline.training_set(
        events(spark, history), complaints(spark, history), "3 days", as_of=as_of, default={"is_fraud": 0}
    )
    assert (made.on, made.time, made.labels) == (("id",), "ts", ("is_fraud",))
    assert made.as_of == as_of.replace(tzinfo=timezone.utc)
    assert made.features[:3] == ("amount", "large", "much")
    assert len(made.features) == 11
    # The file's own columns come along, but for the model's answer.
    assert made.rows.columns == ["id", "ts", "customer", *made.features, "is_fraud"]

    wanted = by_pandas(history)
    known = wanted[wanted["ts"] <= as_of - 3 * DAY].sort_values("id").reset_index(drop=True)
    frame: Any = made.rows.toPandas()
    found = frame.sort_values("id").reset_index(drop=True)
    assert 1_500 < len(known) < 2_400
    for name in ("id", *made.features, "is_fraud"):
        near = 1e-12 if "mean" in name or "risk" in name else 0
        np.testing.assert_allclose(found[name].astype(float), known[name].astype(float), rtol=near, err_msg=name)
    assert known["terminal_risk_7d"].max() > 0
    assert known["is_fraud"].sum() > 100

    counts = made.counts()
    assert counts == {
        "rows": len(known),
        "rejected": len(history) - len(wanted),
        "undated": 0,
        "too_recent": len(wanted) - len(known),
        "unlabelled": 0,
    }
    assert sum(counts.values()) == len(history)
    refused = {row["code"]: row["count"] for row in made.rejected.groupBy("code").count().collect()}
    assert sum(refused.values()) == counts["rejected"]
    assert refused["NULL_KEY"] >= 5
    assert refused["CHECK_FAILED"] > 20


def test_records_of_bytes_give_the_same_bytes(
    spark: SparkSession, pipeline: firesteel.Pipeline, history: pd.DataFrame
) -> None:
    """Events as Kafka has them, with the labels in them."""
    frame = history[history["id"] % 500 != 7].assign(ts=history["ts"].dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    values = [(json.dumps(record).encode(),) for record in frame.to_dict("records")]
    labels = complaints(spark, history)
    options: dict[str, Any] = {"as_of": "2026-01-25", "default": {"is_fraud": 0}}
    of_bytes = pipeline.training_set(
        spark.createDataFrame(values, "value BINARY"), labels, "3 days", on="id", **options
    )
    typed = events(spark, history).where("id % 500 <> 7")
    of_columns = pipeline.training_set(typed, labels, 3 * DAY, on="id", time="ts", **options)
    assert of_bytes.counts() == of_columns.counts()
    assert of_bytes.rows.count() > 1_000
    assert of_bytes.rows.exceptAll(of_columns.rows).count() == 0
    assert of_columns.rows.exceptAll(of_bytes.rows).count() == 0


def test_features_are_those_of_transform(spark: SparkSession, history: pd.DataFrame, tmp_path: Path) -> None:
    """The same file without its model, transformed: the same bits."""
    plain = PIPELINE[: PIPELINE.index("models:")] + "output: [id, much, terminal_risk_7d, customer_mean_7d]\n"
    rows = [(*row[:1], row.ts.to_pydatetime(), *row[2:]) for row in history.itertuples(index=False)]
    whole = spark.createDataFrame(rows, SCHEMA)
    file = written(tmp_path, plain)
    made = file.training_set(whole, whole.select("id", "is_fraud"), "3 days", on=["id"])
    assert made.features == ("much", "terminal_risk_7d", "customer_mean_7d")
    scored = firesteel.accepted(file.transform(whole)).join(made.rows.select("id"), "id", "left_semi")
    assert scored.count() == made.counts()["rows"] > 2_000
    assert made.rows.select("id", *made.features).exceptAll(scored).count() == 0


FEW = """
name: few
input: {schema: 'id BIGINT, ts TIMESTAMP, x DOUBLE'}
clean: [{check: ts < '2027-01-01'}]
features: {double: 2 * x}
output: [id, double]
"""


def few(spark: SparkSession) -> DataFrame:
    rows = [(i, START + i * DAY, float(i)) for i in range(10)]
    # The pipeline refuses the first, a clock that runs ahead; without a time nothing is known of the second.
    rows += [(10, START + 1_000 * DAY, 1.0), (11, None, 2.0)]  # type: ignore[list-item]
    return spark.createDataFrame(rows, "id BIGINT, ts TIMESTAMP, x DOUBLE")


def labelled(spark: SparkSession) -> DataFrame:
    """Of every second one; 4 was looked at and nothing was said."""
    rows = [(i, None if i == 4 else i % 4 // 2, f"clerk {i}") for i in range(0, 10, 2)]
    return spark.createDataFrame(rows, "id INT, bad INT, by STRING")


def ids(made: firesteel.TrainingSet) -> list[int]:
    return [row["id"] for row in made.rows.select("id").orderBy("id").collect()]


def test_the_newest_event_that_is_taken_is_where_we_look_back_from(spark: SparkSession, tmp_path: Path) -> None:
    file = written(tmp_path, FEW.replace("ts < '2027-01-01'", "ts IS NULL OR ts < '2027-01-01'"))
    made = file.training_set(few(spark), labelled(spark), "3 days", time="ts")
    assert made.as_of == datetime(2026, 1, 10, tzinfo=timezone.utc)
    # Day 9 is the newest: the label of day 6 is just known.
    assert ids(made) == [0, 2, 4, 6]
    assert made.counts() == {"rows": 4, "rejected": 1, "undated": 1, "too_recent": 3, "unlabelled": 3}
    assert [row["code"] for row in made.rejected.collect()] == ["CHECK_FAILED"]
    second = timedelta(microseconds=1)
    assert ids(file.training_set(few(spark), labelled(spark), 3 * DAY + second, time="ts")) == [0, 2, 4]


@pytest.mark.parametrize("as_of", ["2026-01-06", "2026-01-06T00:00:00Z", "2026-01-06T02:00+02:00", date(2026, 1, 6)])
def test_a_moment_may_be_written_in_several_ways(spark: SparkSession, tmp_path: Path, as_of: str | date) -> None:
    made = written(tmp_path, FEW).training_set(few(spark), labelled(spark), "1 day", time="ts", as_of=as_of)
    assert made.as_of == datetime(2026, 1, 6, tzinfo=timezone.utc)
    assert ids(made) == [0, 2, 4]


def test_what_a_missing_label_means_is_the_authors_choice(spark: SparkSession, tmp_path: Path) -> None:
    file, labels = written(tmp_path, FEW), labelled(spark).select("id", "bad")

    def bad(**options: Any) -> list[tuple[int, int | None]]:
        made = file.training_set(few(spark), labels, "5 days", time="ts", **options)
        return [(row["id"], row["bad"]) for row in made.rows.orderBy("id").collect()]

    # A label that is null is none.
    assert bad() == [(0, 0), (2, 1)]
    assert bad(unlabelled="keep") == [(0, 0), (1, None), (2, 1), (3, None), (4, None)]
    assert bad(default={"bad": 0}) == [(0, 0), (1, 0), (2, 1), (3, 0), (4, 0)]


def test_times_without_a_zone_are_utc_whatever_the_sessions_zone(spark: SparkSession, tmp_path: Path) -> None:
    file = written(tmp_path, FEW.replace("ts TIMESTAMP", "ts TIMESTAMP_NTZ"))
    df = few(spark).withColumn("ts", F.col("ts").cast("timestamp_ntz")).where("id < 10")
    zone = spark.conf.get("spark.sql.session.timeZone") or "UTC"
    try:
        spark.conf.set("spark.sql.session.timeZone", "America/New_York")
        made = file.training_set(df.localCheckpoint(), labelled(spark), "3 days", time="ts")
        assert made.as_of == datetime(2026, 1, 10, tzinfo=timezone.utc)
        assert ids(made) == [0, 2, 4, 6]
    finally:
        spark.conf.set("spark.sql.session.timeZone", zone)


def test_key_columns_and_wanted_features_need_not_be_in_the_output(
    spark: SparkSession, pipeline: firesteel.Pipeline, history: pd.DataFrame
) -> None:
    labels = spark.createDataFrame([(5, 3, 1.5)], "terminal BIGINT, customer BIGINT, loss DOUBLE")
    made = pipeline.training_set(
        events(spark, history).withColumn("is_fraud", F.lit(0)),
        labels,
        "3 days",
        on=["terminal", "customer"],
        features=["amount", "customer_nb_1d"],
    )
    assert made.features == ("amount", "customer_nb_1d")
    assert made.rows.columns == ["terminal", "customer", "ts", "id", "amount", "customer_nb_1d", "loss"]
    found = made.rows.select("terminal", "customer", "loss").distinct().collect()
    assert [tuple(row) for row in found] == [(5, 3, 1.5)]


def test_counts_of_an_empty_history_are_0(spark: SparkSession, tmp_path: Path) -> None:
    made = written(tmp_path, FEW).training_set(
        few(spark).limit(0), labelled(spark), "3 days", time="ts", as_of="2026-01-10"
    )
    assert set(made.counts().values()) == {0}


Refused = tuple[str, Callable[[firesteel.Pipeline, DataFrame, DataFrame], object]]
REFUSALS: dict[str, Refused] = {
    "two labels of one event": (
        r'DUPLICATE_LABELS.*such as id 2.*dropDuplicates\(\["id"\]\)',
        lambda file, df, labels: file.training_set(df, labels.union(labels.where("id = 2")), "1 day", time="ts"),
    ),
    "no time": (
        "BAD_TRAINING_SET.*has no windows: say with `time`",
        lambda file, df, labels: file.training_set(df, labels, "1 day"),
    ),
    "a time that is none": (
        "WRONG_TYPE: the time of an event, x, is DOUBLE",
        lambda file, df, labels: file.training_set(df, labels, "1 day", time="x"),
    ),
    "a time that is not there": (
        r"UNKNOWN_COLUMN.*there is no column tss \(did you mean ts\?\)",
        lambda file, df, labels: file.training_set(df, labels, "1 day", time="tss", as_of="2026-01-10"),
    ),
    "nothing in common": (
        "BAD_TRAINING_SET.*share no column.*Say with `on`",
        lambda file, df, labels: file.training_set(df, labels.toDF("no", "bad", "by"), "1 day", time="ts"),
    ),
    "too much in common": (
        "BAD_TRAINING_SET.*share the columns id, x",
        lambda file, df, labels: file.training_set(df, labels.toDF("id", "bad", "x"), "1 day", time="ts"),
    ),
    "a key that labels lack": (
        "MISSING_COLUMNS: labels has no column ts",
        lambda file, df, labels: file.training_set(df, labels, "1 day", time="ts", on=["id", "ts"]),
    ),
    "keys of two kinds": (
        "WRONG_TYPE: id is STRING in labels and BIGINT in the events",
        lambda file, df, labels: file.training_set(
            df, labels.withColumn("id", F.col("id").cast("string")), "1 day", time="ts"
        ),
    ),
    "no label": (
        "BAD_TRAINING_SET: labels has no column beside id",
        lambda file, df, labels: file.training_set(df, labels.select("id"), "1 day", time="ts"),
    ),
    "a default for something else": (
        "BAD_TRAINING_SET: default names worse, which is no label. Labels are: bad, by",
        lambda file, df, labels: file.training_set(df, labels, "1 day", time="ts", default={"worse": 0}),
    ),
    "a default of another kind": (
        "WRONG_TYPE: default is no for bad, which is INT",
        lambda file, df, labels: file.training_set(df, labels, "1 day", time="ts", default={"bad": "no"}),
    ),
    "a label with a feature's name": (
        "DUPLICATE_COLUMN: double is a label and a column",
        lambda file, df, labels: file.training_set(df, labels.toDF("id", "double", "by"), "1 day", time="ts"),
    ),
    "a stream": (
        "BAD_TRAINING_SET.*read events and labels as a batch",
        lambda file, df, labels: file.training_set(
            df.sparkSession.readStream.format("rate").load(), labels, "1 day", time="ts"
        ),
    ),
    "no event at all": (
        "BAD_TRAINING_SET: no event has a ts",
        lambda file, df, labels: file.training_set(df.limit(0), labels, "1 day", time="ts"),
    ),
    "a delay that goes back": (
        "BAD_TRAINING_SET.*before its event",
        lambda file, df, labels: file.training_set(df, labels, timedelta(days=-1), time="ts"),
    ),
    "a feature that is a label": (
        "LABEL_LEAK.*x is, or is made of, x of the same event",
        lambda file, df, labels: file.training_set(
            df, df.select("id", "x"), "1 day", time="ts", on="id", features=["x"]
        ),
    ),
    "a feature made of a label": (
        "LABEL_LEAK.*double is, or is made of, x of the same event",
        lambda file, df, labels: file.training_set(df, df.select("id", "x"), "1 day", time="ts", on="id"),
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_can_not_be_is_refused_with_advice(name: str, spark: SparkSession, tmp_path: Path) -> None:
    message, call = REFUSALS[name]
    with pytest.raises(firesteel.PipelineError, match=message) as refused:
        call(written(tmp_path, FEW), few(spark), labelled(spark))
    assert refused.value.condition in message


LEAKS = {
    "delay: 2 days": r"LABEL_LEAK.*windows\[1\]\.compute\.risk reads labels of events up to 2 days before it.*3 days",
    "current: include": r"LABEL_LEAK.*up to the event itself.*[Ss]et the block's delay to 3 days",
    "delay: 3 days\n    compute: {last: lag(is_fraud)}": r"LABEL_LEAK.*lag\(is_fraud\), takes no notice",
    "delay: 3 days\n    compute: {z: zscore(is_fraud)}": "LABEL_LEAK.*takes no notice",
    "delay: 3 days\n    compute: {w: \"ewma(amount, '1 day') FILTER (WHERE is_fraud = 0)\"}": "takes no notice",
    "delay: 1 day\n    compute: {bad: count(*) FILTER (WHERE wrong)}": r"compute\.bad reads labels",
}


@pytest.mark.parametrize("block", LEAKS)
def test_windows_over_labels_that_nobody_can_know_yet_are_refused(
    block: str, spark: SparkSession, history: pd.DataFrame, tmp_path: Path
) -> None:
    head, compute, rest = "    delay: 3 days\n", "    compute: {nb: count(*), risk: avg(is_fraud)}\n", ""
    text = PIPELINE.replace("much: amount", "wrong: is_fraud = 1, much: amount")
    text = text[: text.index("models:")] + "output: [id, amount]\n"
    if "compute" in block:
        rest = "    default: {risk: 0}\n"
        text = text.replace(compute, "")
    text = text.replace(head, f"    {block}\n").replace(rest, "")
    with pytest.raises(firesteel.PipelineError, match=LEAKS[block]):
        written(tmp_path, text).training_set(events(spark, history), complaints(spark, history), "3 days")


def test_windows_that_look_at_labels_long_known_are_taken(
    spark: SparkSession, history: pd.DataFrame, tmp_path: Path
) -> None:
    """A z-score of something else may leave frauds out, and a delay may be longer than it must."""
    text = PIPELINE.replace("risk: avg(is_fraud)}", "risk: zscore(amount) FILTER (WHERE is_fraud = 0)}")
    file = written(tmp_path, text.replace("delay: 3 days", "delay: 4 days"))
    made = file.training_set(events(spark, history), complaints(spark, history), "3 days", default={"is_fraud": 0})
    assert made.counts()["rows"] > 2_000


def test_a_model_that_does_not_say_what_it_takes_is_refused(
    spark: SparkSession, history: pd.DataFrame, tmp_path: Path
) -> None:
    start, end = PIPELINE.index("    inputs:"), PIPELINE.index("    outputs:")
    file = written(tmp_path, PIPELINE[:start] + PIPELINE[end:])
    made = (events(spark, history), complaints(spark, history), "3 days")
    with pytest.raises(firesteel.PipelineError, match=r"BAD_TRAINING_SET: models\[0\].*Write its inputs"):
        file.training_set(*made)
    assert file.training_set(*made, features=["amount"]).features == ("amount",)


OF_THE_PAGE = """
name: fraud
input:
  schema: transaction_id BIGINT, ts TIMESTAMP, customer_id BIGINT, terminal_id BIGINT, amount DOUBLE, is_fraud INT
windows:
  - {key: customer_id, time: ts, over: 7 days, compute: {nb: count(*), mean: avg(amount)}}
  - {key: terminal_id, time: ts, over: 7 days, delay: 7 days, compute: {risk: avg(is_fraud)}, default: {risk: 0}}
models:
  - name: fraud
    uri: fraud.onnx
    inputs: {features: [amount, customer_id_nb_7d, customer_id_mean_7d, terminal_id_risk_7d]}
    outputs: {score: "probabilities[1]"}
output: [transaction_id, score]
"""


def test_the_pages_example_runs(
    spark: SparkSession,
    history: pd.DataFrame,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = (ROOT / "docs" / "reference" / "training-set.md").read_text()
    example = page.split("```python\n")[1].split("```")[0]
    written(tmp_path, OF_THE_PAGE, "fraud.yaml")
    names = ("transaction_id", "ts", "customer_id", "terminal_id", "amount")
    later = events(spark, history).toDF(*names).withColumn("ts", F.expr("ts + INTERVAL 30 DAYS"))
    for name, frame in {
        "payments": later,
        "chargebacks": complaints(spark, history).toDF("transaction_id", "is_fraud"),
    }.items():
        frame.write.parquet(str(tmp_path / name))
        # The JVM's working directory is another one.
        example = example.replace(f'"{name}"', repr(str(tmp_path / name)))
    monkeypatch.chdir(tmp_path)
    world: dict[str, Any] = {"spark": spark, "firesteel": firesteel, "LogisticRegression": LogisticRegression}
    exec(example, world)
    assert world["model"].n_features_in_ == 4
    assert 1_000 < len(world["frame"]) < world["made"].counts()["rows"]
    assert "'too_recent'" in capsys.readouterr().out


def test_what_python_can_tell_needs_no_session(pipeline: firesteel.Pipeline, spark: SparkSession) -> None:
    df = spark.range(1)
    with pytest.raises(ValueError, match="write a whole number and a unit"):
        pipeline.training_set(df, df, "a week")
    with pytest.raises(ValueError, match="it must be drop or keep"):
        pipeline.training_set(df, df, "7 days", unlabelled="guess")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="features is a text"):
        pipeline.training_set(df, df, "7 days", features="amount")


@pytest.mark.parametrize(
    ("text", "length"),
    [("7 days", 7 * DAY), ("1 Week", 7 * DAY), ("500ms", DAY / 172_800), ("3 m", DAY / 480), ("0 s", 0 * DAY)],
)
def test_a_delay_is_written_as_in_a_pipeline_file(text: str, length: timedelta) -> None:
    assert training._delay(text) == length
