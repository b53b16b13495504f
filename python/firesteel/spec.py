"""A pipeline written in Python: frozen dataclasses that become the YAML the engine reads.

The classes hold what the author wrote and check nothing: the engine validates the file, once, with line numbers
of the YAML that :meth:`PipelineSpec.to_yaml` gives.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from firesteel.pipeline import Pipeline

__all__ = ["Check", "Fill", "Model", "PipelineSpec", "Require"]


@dataclass(frozen=True)
class Require:
    """Reject a row that lacks one of these columns.

    Examples
    --------
    >>> Require("amount", "ts")
    Require(columns=('amount', 'ts'))
    """

    columns: tuple[str, ...]

    def __init__(self, *columns: str) -> None:
        object.__setattr__(self, "columns", columns)

    def _yaml(self) -> dict[str, Any]:
        return {"require": list(self.columns)}


@dataclass(frozen=True)
class Check:
    """Reject a row on which this SQL condition is false or null.

    Examples
    --------
    >>> Check("amount > 0 AND amount < 1e6")
    Check(condition='amount > 0 AND amount < 1e6')
    """

    condition: str

    def _yaml(self) -> dict[str, Any]:
        return {"check": self.condition}


@dataclass(frozen=True)
class Fill:
    """Give nulls a value, per column.

    Examples
    --------
    >>> Fill({"terminal_id": -1})
    Fill(values={'terminal_id': -1})
    """

    values: Mapping[str, str | int | float | bool]

    def _yaml(self) -> dict[str, Any]:
        return {"fill": dict(self.values)}


@dataclass(frozen=True)
class Model:
    """One ONNX model of a pipeline.

    Parameters
    ----------
    name : str
        Name in messages and metrics.
    uri : str
        The ``.onnx`` file, relative to the pipeline file.
    outputs : mapping of str to str
        New column to selector, such as ``{"score": "probabilities[1]"}``.
    inputs : mapping of str to sequence of str, optional
        Model input to columns, in order. Empty: matched by name.
    nulls : {"reject", "nan"}
        What a null input does to its row. Default "reject".
    """

    name: str
    uri: str
    outputs: Mapping[str, str]
    inputs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    nulls: Literal["reject", "nan"] = "reject"

    def _yaml(self) -> dict[str, Any]:
        entry: dict[str, Any] = {"name": self.name, "uri": self.uri}
        if self.inputs:
            entry["inputs"] = {key: list(columns) for key, columns in self.inputs.items()}
        entry["outputs"] = dict(self.outputs)
        if self.nulls != "reject":
            entry["nulls"] = self.nulls
        return entry


@dataclass(frozen=True)
class PipelineSpec:
    """A pipeline file's content, with the file's own names.

    Parameters
    ----------
    name : str
        Name of the pipeline.
    schema : str
        Spark DDL of the input, such as ``"id BIGINT, ts TIMESTAMP, amount DOUBLE"``.
    models : sequence of Model
        At least one.
    output : sequence of str
        The columns to give.
    format : {"json", "csv"}
        How the record's bytes are written. Default "json".
    clean : sequence of Require, Check or Fill, optional
        Applied in order.
    features : mapping of str to str, optional
        New column to Spark SQL expression, in order.

    Examples
    --------
    >>> spec = PipelineSpec(
    ...     name="card-fraud",
    ...     schema="id BIGINT, amount DOUBLE",
    ...     features={"amount_log": "ln(1 + amount)"},
    ...     models=[Model("fraud", "fraud.onnx", outputs={"score": "probabilities[1]"})],
    ...     output=["id", "score"],
    ... )
    >>> print(spec.to_yaml())
    name: "card-fraud"
    input:
      format: "json"
      schema: "id BIGINT, amount DOUBLE"
    features:
      amount_log: "ln(1 + amount)"
    models:
      - name: "fraud"
        uri: "fraud.onnx"
        outputs:
          score: "probabilities[1]"
    output: ["id", "score"]
    <BLANKLINE>
    """

    name: str
    schema: str
    models: Sequence[Model]
    output: Sequence[str]
    format: Literal["json", "csv"] = "json"
    clean: Sequence[Require | Check | Fill] = ()
    features: Mapping[str, str] = field(default_factory=dict)

    def to_yaml(self) -> str:
        """Write the pipeline file's text; the same spec gives the same text."""
        document: dict[str, Any] = {"name": self.name, "input": {"format": self.format, "schema": self.schema}}
        if self.clean:
            document["clean"] = [rule._yaml() for rule in self.clean]
        if self.features:
            document["features"] = dict(self.features)
        document["models"] = [model._yaml() for model in self.models]
        document["output"] = list(self.output)
        return "\n".join(_lines(document)) + "\n"

    def save(self, path: str | os.PathLike[str]) -> Pipeline:
        """Write the file and name it as a :class:`firesteel.Pipeline`.

        Parameters
        ----------
        path : str or path
            Where to write; model URIs are relative to its folder. Over Spark Connect the server must be able to
            read it.
        """
        Path(path).write_text(self.to_yaml(), encoding="utf-8")
        return Pipeline.load(path)


def _lines(value: Mapping[str, Any]) -> list[str]:
    """Write a mapping as block YAML. Scalars and flat lists are JSON, which YAML contains."""
    lines: list[str] = []
    for key, item in value.items():
        if isinstance(item, Mapping):
            lines += [f"{_key(key)}:", *(f"  {line}" for line in _lines(item))]
        elif isinstance(item, list) and any(isinstance(part, Mapping) for part in item):
            lines.append(f"{_key(key)}:")
            for part in item:
                first, *rest = _lines(part)
                lines += [f"  - {first}", *(f"    {line}" for line in rest)]
        else:
            lines.append(f"{_key(key)}: {json.dumps(item, ensure_ascii=False)}")
    return lines


def _key(key: str) -> str:
    """Write a key plainly where it can't be read as anything else."""
    return key if key.isidentifier() and key.isascii() and key.lower() not in _NOT_TEXT else json.dumps(key)


#: What a YAML 1.1 reader would not take for text.
_NOT_TEXT = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
