"""The zoo of `tests/models/zoo`: its rows, and answers in the form in which they are stored."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any

from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F

import firesteel
from tests.support.places import TEST_MODELS

ZOO = TEST_MODELS / "zoo"


@dataclass(frozen=True)
class Model:
    """A model of the zoo with its rows and onnxruntime's answers."""

    path: Path
    golden: dict[str, Any]

    @property
    def name(self) -> str:
        return self.path.stem

    def place(self, column: str) -> str:
        """Where one of its columns stands in `frame`."""
        return f"{self.name}__{column}"

    @property
    def columns(self) -> list[str]:
        return [column["name"] for column in self.golden["columns"]]

    @property
    def ddl(self) -> str:
        return ", ".join(f"{column['name']} {column['type']}" for column in self.golden["columns"])

    @property
    def outputs(self) -> dict[str, list[Any]]:
        outputs: dict[str, list[Any]] = self.golden["outputs"]
        return outputs

    @property
    def rows(self) -> list[tuple[Any, ...]]:
        """The rows, each with its number in front."""
        return [(number, *row) for number, row in enumerate(self.golden["rows"])]

    def pipeline(self) -> dict[str, Any]:
        """A pipeline file that scores the rows, in the form of JSON, which is YAML."""
        model = {"name": "m", "uri": str(self.path)} | (
            {"inputs": self.golden["inputs"]} if self.golden["inputs"] else {}
        )
        return {
            "name": "zoo",
            "input": {"schema": f"row_id INT, {self.ddl}"},
            "models": [model],
            "output": ["row_id", *self.outputs],
        }

    def check(self, answers: Sequence[dict[str, Any]], where: str) -> None:
        """Fail unless all answers, by row number, have the golden bits."""
        assert len(answers) == len(self.golden["rows"]), f"{self.name} {where}: {len(answers)} rows"
        for name, wanted in self.outputs.items():
            got = [like(answer[name], one) for answer, one in zip(answers, wanted, strict=True)]
            differs = [i for i, (a, b) in enumerate(zip(got, wanted, strict=True)) if a != b]
            assert not differs, (
                f"{self.name} {where}: output {name} differs in rows {differs[:5]}: "
                f"got {got[differs[0]]}, want {wanted[differs[0]]}"
            )


def like(value: Any, wanted: Any) -> Any:
    """A value as it is stored: floats as bits, of the width that is wanted."""
    if isinstance(wanted, list):
        inner = wanted[0] if wanted else None
        return [like(item, inner) for item in value]
    if isinstance(value, str) and value.isdecimal() and isinstance(wanted, int):
        # A DECIMAL in JSON.
        return int(value)
    if isinstance(value, float) and value != value:
        return "nan"
    if isinstance(value, float) or (isinstance(value, int) and isinstance(wanted, str) and not isinstance(value, bool)):
        return struct.pack(">d" if len(wanted) == 16 else ">f", value).hex()
    return int(value) if isinstance(value, Decimal) else value


def frame(spark: SparkSession, models: Sequence[Model]) -> DataFrame:
    """All models' rows side by side, in one partition: their columns with the model's name in front."""
    assert len({len(model.rows) for model in models}) == 1
    rows = [
        (number, *chain(*cells)) for number, cells in enumerate(zip(*(m.golden["rows"] for m in models), strict=True))
    ]
    columns = (f"{model.place(c['name'])} {c['type']}" for model in models for c in model.golden["columns"])
    return spark.createDataFrame(rows, f"row_id INT, {', '.join(columns)}").coalesce(1)


def predictions(models: Sequence[Model]) -> list[Column]:
    """A column of each model's name: its score of the rows of `frame`, the inputs under their own names."""
    return [
        firesteel.predict(model.path, *(F.col(model.place(name)).alias(name) for name in model.columns)).alias(
            model.name
        )
        for model in models
    ]


def answers(rows: list[Row], model: Model) -> list[dict[str, Any]]:
    """A model's scores in the order of the rows."""
    return [row[model.name].asDict() for row in sorted(rows, key=lambda row: row["row_id"])]


def models() -> list[Model]:
    return [
        Model(path.with_suffix(".onnx"), json.loads(path.read_text(encoding="utf-8")))
        for path in sorted(ZOO.glob("*.json"))
    ]
