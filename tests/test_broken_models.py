"""Models that are broken or mean harm are refused before they serve, with the reason; the JVM lives on."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession

import firesteel
from tests.support import broken
from tests.support.places import ROOT


def test_every_broken_model_is_refused_with_its_reason_and_the_jvm_lives(spark: SparkSession, tmp_path: Path) -> None:
    found = broken.all_of_them()
    assert len(found) >= 20
    rows = spark.createDataFrame([(1.0, 2.0)], "a FLOAT, b FLOAT")
    wrong = {}
    for name, (content, condition, reason) in found.items():
        file = tmp_path / f"{name}.onnx"
        file.write_bytes(content)
        with pytest.raises(AnalysisException) as refused:
            rows.select(firesteel.predict(file, "a", "b")).collect()
        text = str(refused.value)
        print(f"{name}: {' '.join(text.split())[-200:]}")
        if condition not in text or reason not in text:
            wrong[name] = text
    assert not wrong
    good = tmp_path / "good.onnx"
    good.write_bytes(broken.good().SerializeToString())
    assert rows.select(firesteel.predict(good, "a", "b").alias("p")).select("p.y").first() == (1.25,)


def test_a_store_takes_none_of_them(tmp_path: Path) -> None:
    for number, (content, condition, _) in enumerate(broken.all_of_them().values()):
        file = tmp_path / f"{number}.onnx"
        file.write_bytes(content)
        command = [str(ROOT / "build" / "bin" / "firesteel"), "model", "add", str(tmp_path / "store"), str(file)]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert ran.returncode == 2, f"{number}: {ran.stdout}{ran.stderr}"
        assert condition in ran.stderr
    assert not (tmp_path / "store").exists()
