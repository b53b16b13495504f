"""A pipeline written in Python: frozen dataclasses that become the YAML the engine reads.

The classes hold what the author wrote and check nothing: the engine validates the file, once, with line numbers
of the YAML that :meth:`PipelineSpec.to_yaml` gives.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from firesteel.pipeline import Pipeline

__all__ = ["Avro", "Check", "Fill", "Impute", "Model", "PipelineSpec", "Protobuf", "Registry", "Require", "Sample"]


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
class Sample:
    """A part of the rows, chosen by the values of some columns: the same rows in every run.

    Examples
    --------
    >>> Sample(0.1, "customer_id")
    Sample(share=0.1, by=('customer_id',))
    """

    share: float
    by: tuple[str, ...]

    def __init__(self, share: float, *by: str) -> None:
        object.__setattr__(self, "share", share)
        object.__setattr__(self, "by", by)

    def _yaml(self) -> dict[str, Any]:
        return {"share": self.share, "by": list(self.by)}


@dataclass(frozen=True)
class Impute:
    """Give a model a value in place of a null in its input.

    Examples
    --------
    >>> Impute(-1)
    Impute(value=-1)
    """

    value: str | int | float | bool


NullPolicy = Literal["reject", "nan"] | Impute


def _policy(policy: NullPolicy) -> str | dict[str, Any]:
    return {"impute": policy.value} if isinstance(policy, Impute) else policy


@dataclass(frozen=True)
class Model:
    """One ONNX model of a pipeline.

    Parameters
    ----------
    name : str
        Name in messages and metrics.
    uri : str
        The ``.onnx`` file, relative to the pipeline file; or a model in a store, such as ``"models/fraud@champion"``.
    outputs : mapping of str to str
        New column to selector, such as ``{"score": "probabilities[1]"}``.
    inputs : mapping of str to sequence of str, optional
        Model input to columns, in order. Empty: matched by name.
    nulls : {"reject", "nan"}, Impute, or mapping of str to these
        What a null in an input's column does: its row is rejected, the model gets NaN, or a value. For all inputs,
        or by input; an input without an entry rejects. Default "reject".
    nan : {"pass", "null", "reject"}
        What a result that is NaN becomes: itself, null, or the rejection of its row. Default "pass".
    allow_lossy : bool
        Whether whole numbers may be rounded where the model takes floats; else such rows are rejected. Default False.
    kernel : {"auto", "onnxruntime"}
        What may compute the scores. Default "auto": Firesteel's own kernel where it gives ONNX Runtime's bits.
    device : {"cpu", "cuda", "auto"}
        What the model runs on. Default "cpu", the only one with the promise of equal bits; "cuda" is an error where it
        can't be had, "auto" takes it where it can.
    threads : int
        Threads of ONNX Runtime for one call, the task's own included. Default 1; with more, bits may differ.
    batch_size : int, (int, int) or "auto"
        Rows of a call of ONNX Runtime: a number, or the bounds of the number that is measured before the first batch.
        Default "auto": 64 to 4,096.
    stamp : bool
        Whether a model of a store adds ``<name>_version`` and ``<name>_sha256`` to the output. Default True.
    challenges : str, optional
        Name of an earlier model that this one is compared with. A challenger rejects no row.
    sample : Sample, optional
        Which rows a challenger scores. By default all.
    """

    name: str
    uri: str
    outputs: Mapping[str, str]
    inputs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    nulls: NullPolicy | Mapping[str, NullPolicy] = "reject"
    nan: Literal["pass", "null", "reject"] = "pass"
    allow_lossy: bool = False
    kernel: Literal["auto", "onnxruntime"] = "auto"
    device: Literal["cpu", "cuda", "auto"] = "cpu"
    threads: int = 1
    batch_size: int | tuple[int, int] | Literal["auto"] = "auto"
    stamp: bool = True
    challenges: str | None = None
    sample: Sample | None = None

    def _yaml(self) -> dict[str, Any]:
        entry: dict[str, Any] = {"name": self.name, "uri": self.uri}
        if self.inputs:
            entry["inputs"] = {key: list(columns) for key, columns in self.inputs.items()}
        entry["outputs"] = dict(self.outputs)
        if self.nulls != "reject":
            if isinstance(self.nulls, Mapping):
                entry["nulls"] = {input_: _policy(policy) for input_, policy in self.nulls.items()}
            else:
                entry["nulls"] = _policy(self.nulls)
        if self.nan != "pass":
            entry["nan"] = self.nan
        if self.allow_lossy:
            entry["allow_lossy"] = True
        if self.kernel != "auto":
            entry["kernel"] = self.kernel
        if self.device != "cpu":
            entry["device"] = self.device
        if self.threads != 1:
            entry["threads"] = self.threads
        if isinstance(self.batch_size, tuple):
            entry["batch_size"] = dict(zip(("min", "max"), self.batch_size, strict=True))
        elif self.batch_size != "auto":
            entry["batch_size"] = self.batch_size
        if not self.stamp:
            entry["stamp"] = False
        if self.challenges is not None:
            entry["challenges"] = self.challenges
        if self.sample is not None:
            entry["sample"] = self.sample._yaml()
        return entry


@dataclass(frozen=True)
class Registry:
    """A schema registry that follows Confluent's REST API.

    Secrets are references, ``${env:NAME}`` or ``${file:PATH}``, looked up where they are needed; the engine refuses
    a secret itself.

    Parameters
    ----------
    url : str
        Address, such as ``"https://registry:8081"``.
    subject : str, optional
        Without a schema: the newest schema of this subject says what the columns are.
    username, password : str, optional
        Basic authentication: a user, and where the password stands.
    bearer_token : str, optional
        Where a bearer token stands.
    timeout_s : int, optional
        Longest time for one question, in seconds. Default 30.
    """

    url: str
    subject: str | None = None
    username: str | None = None
    password: str | None = None
    bearer_token: str | None = None
    timeout_s: int | None = None


@dataclass(frozen=True)
class Avro:
    """Which schemas Avro records are written by.

    Parameters
    ----------
    schema : str, optional
        JSON text of the schema of all records; with `registry`, of the reader.
    schema_file : str, optional
        The same from a file, relative to the pipeline file.
    registry : Registry, optional
        Records are in Confluent's wire format, and their schemas are asked for here.

    Examples
    --------
    >>> Avro(schema_file="payments.avsc").schema_file
    'payments.avsc'
    """

    schema: str | None = None
    schema_file: str | None = None
    registry: Registry | None = None


@dataclass(frozen=True)
class Protobuf:
    """Which message Protobuf records hold.

    Parameters
    ----------
    message : str
        Full name of the message.
    descriptor_file : str, optional
        What ``protoc --include_imports --descriptor_set_out=FILE`` wrote, relative to the pipeline file.
    descriptor : str, optional
        The same in base64.
    framing : {"bare", "confluent"}
        What stands in front of the message. Default "bare".
    """

    message: str
    descriptor_file: str | None = None
    descriptor: str | None = None
    framing: Literal["bare", "confluent"] = "bare"


def _given(block: Avro | Protobuf | Registry) -> dict[str, Any]:
    """Give the keys that differ from their defaults, in the order of the class."""
    entry: dict[str, Any] = {}
    for key in fields(block):
        value = getattr(block, key.name)
        if value != key.default:
            entry[key.name] = _given(value) if isinstance(value, Registry) else value
    return entry


@dataclass(frozen=True)
class PipelineSpec:
    """A pipeline file's content, with the file's own names.

    Parameters
    ----------
    name : str
        Name of the pipeline.
    schema : str
        Spark DDL of the input, such as ``"id BIGINT, ts TIMESTAMP, amount DOUBLE"``. Empty with Avro or Protobuf: all
        that can be columns.
    models : sequence of Model
        At least one.
    output : sequence of str
        The columns to give.
    format : {"json", "csv", "avro", "protobuf"}
        How the record's bytes are written. Default "json".
    clean : sequence of Require, Check or Fill, optional
        Applied in order.
    features : mapping of str to str, optional
        New column to Spark SQL expression, in order.
    avro : Avro, optional
        Needed with ``format="avro"``.
    protobuf : Protobuf, optional
        Needed with ``format="protobuf"``.

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
    format: Literal["json", "csv", "avro", "protobuf"] = "json"
    clean: Sequence[Require | Check | Fill] = ()
    features: Mapping[str, str] = field(default_factory=dict)
    avro: Avro | None = None
    protobuf: Protobuf | None = None

    def to_yaml(self) -> str:
        """Write the pipeline file's text; the same spec gives the same text."""
        columns: dict[str, Any] = {"format": self.format}
        if self.schema:
            columns["schema"] = self.schema
        if self.avro:
            columns["avro"] = _given(self.avro)
        if self.protobuf:
            columns["protobuf"] = _given(self.protobuf)
        document: dict[str, Any] = {"name": self.name, "input": columns}
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
