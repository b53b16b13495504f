"""A wrong pipeline file is refused before anything starts: file, line, column, what is wrong, the nearest name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

import firesteel
from tests.support import small, submit
from tests.support.jobs import Job

RIGHT = """\
name: card-fraud
input:
  format: json
  schema: id BIGINT, ts TIMESTAMP, x DOUBLE, y DOUBLE
clean:
  - require: [id, x]
  - check: x < 1e6
  - fill: {y: -1}
features:
  x_log: ln(1 + x)
  is_night: hour(ts) <= 6
models:
  - name: small
    uri: small.onnx
    inputs: {features: [x, y]}
    outputs: {score: "probabilities[1]"}
output: [id, x_log, score]
"""


@dataclass(frozen=True)
class Wrong:
    """One edit of the right file, the text that the message must point at, and what it must say."""

    old: str
    new: str
    at: str
    condition: str
    says: str


WRONG = {
    "key": Wrong("features:", "featurs:", "featurs", "UNKNOWN_KEY", "did you mean features?"),
    "inner key": Wrong("    outputs:", "    output:", "output: {score", "UNKNOWN_KEY", "did you mean outputs?"),
    "rule": Wrong("- require:", "- requires:", "requires", "UNKNOWN_KEY", "did you mean require?"),
    "format": Wrong("json", "jsn", "jsn", "BAD_VALUE", "did you mean json?"),
    "type": Wrong("ts TIMESTAMP", "ts TIMESTMP", "TIMESTMP", "BAD_SCHEMA|UNSUPPORTED_TYPE", "TIMESTAMP"),
    "column of a rule": Wrong("[id, x]", "[idd, x]", "idd", "UNKNOWN_COLUMN", "did you mean id?"),
    "column of a check": Wrong("check: x <", "check: xx <", "xx", "UNKNOWN_COLUMN", "did you mean x"),
    "column of a feature": Wrong("ln(1 + x)", "ln(1 + z)", "z)", "UNKNOWN_COLUMN", "known|did you mean"),
    "function": Wrong("hour(ts)", "hourr(ts)", "hourr", "UNKNOWN_FUNCTION", "did you mean hour?"),
    "syntax of a feature": Wrong("ln(1 + x)", "ln(1 +", "\n  is_night", "BAD_EXPRESSION", "x_log"),
    "type of a check": Wrong("x < 1e6", "x + 1", "x + 1", "TYPE_MISMATCH", "must be BOOLEAN"),
    "output column": Wrong("[id, x_log, score]", "[id, x_log, scor]", "scor]", "UNKNOWN_COLUMN", "did you mean score?"),
    "model input": Wrong("{features:", "{featurs:", "[x, y]", "MODEL_INPUT", "did you mean features?"),
    "model input's columns": Wrong("[x, y]", "[x]", "[x]", "MODEL_INPUT", "takes 2 columns"),
    "model output": Wrong("probabilities[1]", "probability[1]", '"probability', "MODEL_OUTPUT", "probabilities"),
    "position in an output": Wrong("probabilities[1]", "probabilities[2]", '"prob', "MODEL_OUTPUT", "2"),
    "no output": Wrong("output: [id, x_log, score]\n", "", "name: card", "MISSING_KEY", "output"),
    "YAML": Wrong("[id, x_log, score]", "[id, x_log, score", "", "BAD_YAML", ""),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("wrong")
    small.write(path)
    return path


@pytest.fixture(scope="module")
def df(spark: SparkSession) -> DataFrame:
    return spark.sql("SELECT 1L AS id, timestamp'2026-01-01 00:00:00' AS ts, 2D AS x, 3D AS y")


def place(text: str, at: str) -> str:
    """Line and column, from 1, of the first place where a text stands."""
    before = text[: text.index(at)]
    return f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"


def test_the_right_file_is_taken(folder: Path, df: DataFrame) -> None:
    (folder / "right.yaml").write_text(RIGHT)
    assert firesteel.Pipeline.load(folder / "right.yaml").transform(df).columns == ["id", "x_log", "score", "_rejected"]


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_file_is_refused_with_its_place_and_a_cure(
    kind: str, folder: Path, df: DataFrame, spark: SparkSession
) -> None:
    wrong = WRONG[kind]
    assert wrong.old in RIGHT
    text = RIGHT.replace(wrong.old, wrong.new, 1)
    file = folder / f"{re.sub(r'[^a-z]+', '_', kind.lower())}.yaml"
    file.write_text(text)
    tracker = spark.sparkContext.statusTracker()
    jobs_before = tracker.getJobIdsForGroup(None)

    with pytest.raises(firesteel.PipelineError) as refused:
        firesteel.Pipeline.load(file).transform(df)

    error = refused.value
    message = str(error)
    assert re.fullmatch(wrong.condition or r"[A-Z_]+", error.condition), message
    assert re.search(rf"{re.escape(str(file))}:\d+:\d+: {error.condition}: ", message), message
    if wrong.at:
        assert f"{file.name}:{place(text, wrong.at)}: " in message, f"expected {place(text, wrong.at)}: {message}"
    assert re.search(wrong.says, message), message
    assert tracker.getJobIdsForGroup(None) == jobs_before, "a job was started"


def test_all_faults_of_a_file_come_at_once(folder: Path, df: DataFrame) -> None:
    file = folder / "many.yaml"
    file.write_text(RIGHT.replace("format", "formt").replace("nput:", "nput:", 1).replace("outputs", "outptus"))
    with pytest.raises(firesteel.PipelineError) as refused:
        firesteel.Pipeline.load(file).transform(df)
    assert len(refused.value.faults) == 2
    assert ["formt" in refused.value.faults[0], "outptus" in refused.value.faults[1]] == [True, True]


def test_faults_of_rules_and_features_come_at_once(folder: Path, df: DataFrame) -> None:
    file = folder / "rules.yaml"
    file.write_text(RIGHT.replace("check: x <", "check: xx <").replace("ln(1 + x)", "ln(1 + xyz)"))
    with pytest.raises(firesteel.PipelineError) as refused:
        firesteel.Pipeline.load(file).transform(df)
    assert [fault.split(": ")[2] for fault in refused.value.faults] == ["clean[1].check", "features.x_log"]


def test_a_column_that_the_dataframe_lacks_is_named(folder: Path, df: DataFrame) -> None:
    (folder / "right.yaml").write_text(RIGHT)
    with pytest.raises(firesteel.PipelineError, match=r"MISSING_COLUMNS: .*`ts`"):
        firesteel.Pipeline.load(folder / "right.yaml").transform(df.drop("ts"))


def test_a_model_that_is_not_there_is_named_with_the_place_looked_at(folder: Path, df: DataFrame) -> None:
    (folder / "no_model.yaml").write_text(RIGHT.replace("small.onnx", "smal.onnx"))
    with pytest.raises(firesteel.PipelineError, match=r"no_model\.yaml:\d+:\d+: MODEL_UNREADABLE") as refused:
        firesteel.Pipeline.load(folder / "no_model.yaml").transform(df)
    assert str(folder / "smal.onnx") in str(refused.value)
    assert "did you mean small.onnx?" in str(refused.value)


def test_a_pipeline_file_that_is_not_there_is_named(folder: Path, df: DataFrame) -> None:
    with pytest.raises(firesteel.PipelineError, match=r"FILE_NOT_FOUND: pipeline file .*nothing\.yaml"):
        firesteel.Pipeline.load(folder / "nothing.yaml").transform(df)


def test_a_session_without_firesteel_says_how_to_get_it() -> None:
    from pyspark.errors import AnalysisException

    from firesteel.pipeline import _explained

    missing = AnalysisException("[UNRESOLVED_ROUTINE] Cannot resolve routine `firesteel_pipeline` on search path")
    explained = _explained(missing)
    assert isinstance(explained, firesteel.NotInstalledError)
    assert "firesteel.configure(SparkSession.builder)" in str(explained)


def submitted(file: Path, jar: Path, folder: Path, *options: str) -> tuple[int, str]:
    """StreamJob's exit code and output. No broker is there: nothing may get as far as wanting one."""
    job = Job(file, "127.0.0.1:1", "nothing", folder, jar, [])
    with submit.SparkProgram(job.command(*options), folder / "job.log") as program:
        code = program.wait(90)
        assert not job.checkpoint.exists()
        assert not job.scores.exists()
        assert not job.rejected.exists()
        return code, program.output()


@pytest.mark.parametrize("options", [("--dry-run",), ()], ids=["dry run", "real run"])
def test_stream_job_refuses_with_the_same_words_and_an_exit_code(
    options: tuple[str, ...], folder: Path, jar: Path, tmp_path: Path
) -> None:
    file = folder / "job.yaml"
    file.write_text(RIGHT.replace("features:\n", "featurs:\n", 1))
    code, output = submitted(file, jar, tmp_path, *options)
    assert code == 2, output
    assert f"{file}:{place(file.read_text(), 'featurs')}: UNKNOWN_KEY: " in output
    assert "did you mean features?" in output
    assert "at io.firesteel" not in output, "a user's mistake is not answered by a stack trace"


def test_stream_job_shows_the_plan_of_a_right_file_and_starts_nothing(folder: Path, jar: Path, tmp_path: Path) -> None:
    file = folder / "right.yaml"
    file.write_text(RIGHT)
    code, output = submitted(file, jar, tmp_path, "--dry-run")
    assert code == 0, output
    for shown in ("card-fraud", "x_log", "small", "score", "Nothing was started"):
        assert shown in output


def test_stream_job_refuses_an_option_that_it_does_not_know(folder: Path, jar: Path, tmp_path: Path) -> None:
    code, output = submitted(folder / "right.yaml", jar, tmp_path, "--outptu-topic", "t")
    assert code == 2, output
    assert "--outptu-topic is unknown (did you mean --output-topic?)" in output
