"""The Python package by itself: what it writes and says, without Spark, a jar or a broker."""

from __future__ import annotations

import doctest
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import firesteel
import firesteel.errors
import firesteel.spec
from firesteel import _spark
from tests.support.places import ROOT


class Settings:
    """A builder that remembers what it was told, as Spark's does."""

    def __init__(self, **options: str) -> None:
        self._options: dict[str, Any] = {key.replace("__", "."): value for key, value in options.items()}

    def config(self, key: str, value: str) -> Settings:
        self._options[key] = value
        return self


@pytest.fixture
def some_jar(tmp_path: Path) -> Path:
    jar = tmp_path / "any.jar"
    jar.touch()
    return jar


def test_import_is_light() -> None:
    code = "import sys, firesteel; print(sorted({'pyspark', 'pandas', 'pyarrow', 'numpy'} & set(sys.modules)))"
    env = {"PYTHONPATH": str(ROOT / "python")}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr


def test_every_public_name_exists_and_has_a_docstring() -> None:
    for name in firesteel.__all__:
        value = getattr(firesteel, name)
        assert isinstance(value, str) or value.__doc__, name


def test_configure_adds_jar_and_extensions_to_an_empty_builder(some_jar: Path) -> None:
    builder = Settings()
    returned: Any = firesteel.configure(builder, jar=some_jar)  # type: ignore[arg-type]
    assert returned is builder
    columnar_input = "spark.sql.execution.arrow.pythonUDF.columnarInput.enabled"
    wanted = {"spark.jars": str(some_jar), "spark.sql.extensions": _spark.EXTENSIONS, columnar_input: "false"}
    wanted |= _spark._STATE_STORE
    assert builder._options == wanted


def test_configure_keeps_what_the_builder_has_and_adds_once(some_jar: Path) -> None:
    builder = Settings(spark__jars="a.jar, b.jar", spark__sql__extensions="org.other.Extension")
    for _ in range(2):
        firesteel.configure(builder, jar=some_jar)  # type: ignore[arg-type]
    assert builder._options["spark.jars"] == f"a.jar,b.jar,{some_jar}"
    assert builder._options["spark.sql.extensions"] == f"org.other.Extension,{_spark.EXTENSIONS}"


def test_find_jar_takes_the_one_that_the_environment_names(some_jar: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRESTEEL_JAR", str(some_jar))
    assert firesteel.find_jar() == some_jar


def test_find_jar_refuses_a_named_jar_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRESTEEL_JAR", "/nowhere/f.jar")
    with pytest.raises(firesteel.JarNotFoundError, match=r"JAR_NOT_FOUND: FIRESTEEL_JAR=/nowhere/f\.jar is not a file"):
        firesteel.find_jar()


def test_find_jar_lists_the_places_it_looked_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FIRESTEEL_JAR", raising=False)
    monkeypatch.setattr(_spark, "_PACKAGE", tmp_path / "python" / "firesteel")
    with pytest.raises(firesteel.JarNotFoundError) as refused:
        firesteel.find_jar()
    assert str(tmp_path / "python" / "firesteel" / "jars") in str(refused.value)
    assert str(tmp_path / "build" / "dist") in str(refused.value)
    assert "make dist" in str(refused.value)


def test_load_makes_a_path_absolute_only_if_it_exists_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here.yaml").touch()
    monkeypatch.chdir(tmp_path)
    assert firesteel.Pipeline.load("here.yaml").path == str(tmp_path / "here.yaml")
    assert firesteel.Pipeline.load("dbfs:/pipelines/there.yaml").path == "dbfs:/pipelines/there.yaml"


def test_a_refusal_keeps_the_engines_lines_and_its_first_condition() -> None:
    text = (
        "fraud.yaml:7:3: UNKNOWN_KEY: featurs: no such key (did you mean features?)\n"
        "fraud.yaml:9:12: UNKNOWN_COLUMN: output[1]: no column scor (nearest: score)\n"
    )
    error = firesteel.PipelineError(text)
    assert error.condition == "UNKNOWN_KEY"
    assert [fault.split(": ")[1] for fault in error.faults] == ["UNKNOWN_KEY", "UNKNOWN_COLUMN"]
    assert str(error) == "\n".join(error.faults)


def test_a_version_mismatch_names_both_and_the_line_to_type() -> None:
    text = str(firesteel.VersionMismatchError("0.1.0", "0.2.0"))
    assert text.startswith("VERSION_MISMATCH: ")
    assert "is 0.1.0" in text
    assert "is 0.2.0" in text
    assert 'pip install "firesteel==0.2.0"' in text


def full_spec() -> firesteel.PipelineSpec:
    return firesteel.PipelineSpec(
        name='odd "name": #1',
        format="csv",
        schema="id BIGINT, größe DOUBLE, on BOOLEAN",
        clean=[firesteel.Require("id"), firesteel.Check("größe > 0 AND id <> 7"), firesteel.Fill({"größe": -1.5})],
        features={"on": "id % 2 = 0", "größe_log": "ln(größe)"},
        models=[
            firesteel.Model("a", "a.onnx", {"score": "probabilities[1]"}, {"input": ["größe", "größe_log"]}, "nan"),
            firesteel.Model("b", "b.onnx", {"label": "label"}, kernel="onnxruntime", nulls=firesteel.Impute(0)),
            firesteel.Model(
                "c", "c.onnx", {"y": "y"}, nulls={"x": firesteel.Impute("?")}, nan="null", allow_lossy=True, stamp=False
            ),
        ],
        output=["id", "score", "label"],
    )


def test_a_spec_becomes_yaml_that_any_reader_reads_back() -> None:
    # BaseLoader keeps every scalar as the text that stands in the file: `on` must stay a key, not become true.
    read = yaml.load(full_spec().to_yaml(), Loader=yaml.BaseLoader)
    assert read == {
        "name": 'odd "name": #1',
        "input": {"format": "csv", "schema": "id BIGINT, größe DOUBLE, on BOOLEAN"},
        "clean": [{"require": ["id"]}, {"check": "größe > 0 AND id <> 7"}, {"fill": {"größe": "-1.5"}}],
        "features": {"on": "id % 2 = 0", "größe_log": "ln(größe)"},
        "models": [
            {
                "name": "a",
                "uri": "a.onnx",
                "inputs": {"input": ["größe", "größe_log"]},
                "outputs": {"score": "probabilities[1]"},
                "nulls": "nan",
            },
            {
                "name": "b",
                "uri": "b.onnx",
                "outputs": {"label": "label"},
                "nulls": {"impute": "0"},
                "kernel": "onnxruntime",
            },
            {
                "name": "c",
                "uri": "c.onnx",
                "outputs": {"y": "y"},
                "nulls": {"x": {"impute": "?"}},
                "nan": "null",
                "allow_lossy": "true",
                "stamp": "false",
            },
        ],
        "output": ["id", "score", "label"],
    }
    assert list(yaml.safe_load(full_spec().to_yaml())["features"]) == ["on", "größe_log"]


def test_binary_formats_bring_their_blocks() -> None:
    registry = firesteel.Registry("https://r:8081", username="me", password="${env:PASSWORD}")
    spec = firesteel.PipelineSpec(
        name="a", schema="", models=[], output=["id"], format="avro", avro=firesteel.Avro(registry=registry)
    )
    read = yaml.safe_load(spec.to_yaml())
    assert read["input"] == {
        "format": "avro",
        "avro": {"registry": {"url": "https://r:8081", "username": "me", "password": "${env:PASSWORD}"}},
    }
    protobuf = firesteel.Protobuf("acme.Payment", descriptor_file="pay.desc", framing="confluent")
    spec = firesteel.PipelineSpec("a", "id BIGINT", [], ["id"], "protobuf", protobuf=protobuf)
    assert yaml.safe_load(spec.to_yaml())["input"]["protobuf"] == {
        "message": "acme.Payment",
        "descriptor_file": "pay.desc",
        "framing": "confluent",
    }


def test_save_writes_the_file_and_names_it(tmp_path: Path) -> None:
    pipeline = full_spec().save(tmp_path / "p.yaml")
    assert pipeline == firesteel.Pipeline(str(tmp_path / "p.yaml"))
    assert (tmp_path / "p.yaml").read_text(encoding="utf-8") == full_spec().to_yaml()


def test_docstring_examples_of_the_builder_hold() -> None:
    finder = doctest.DocTestFinder(recurse=True)
    runner = doctest.DocTestRunner()
    names = {name: getattr(firesteel.spec, name) for name in firesteel.spec.__all__}
    for example in finder.find(firesteel.spec, globs=names):
        runner.run(example)
    assert runner.summarize(verbose=False).attempted >= 5
    assert runner.failures == 0
