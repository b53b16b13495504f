"""Firesteel as a user writes it: a pipeline file and ``Pipeline.load(path).transform(df)``."""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import DataFrame

from benches.events import COLUMNS, DDL, FEATURES

NAME = "firesteel"
WHAT = "Firesteel pipeline over Kafka's columns"
FAMILY = "firesteel"

PIPELINE = """\
name: bench-{name}
input:
  format: json
  schema: {schema}
models:
  - name: bench
    uri: {model}
    inputs: {{{input}: [{features}]}}
    outputs: {{score: "probabilities[1]"}}
output: [event_id, ts, score]
"""


DECODE_ONLY = """\
name: bench-decode
input:
  format: json
  schema: {schema}
output: [{columns}]
"""


def decode_file(folder: Path) -> Path:
    """Writes a pipeline that decodes the benchmark's columns and does nothing else, and gives the file's path."""
    file = folder / "decode.yaml"
    file.write_text(DECODE_ONLY.format(schema=DDL, columns=", ".join(COLUMNS)))
    return file


def pipeline_file(model: Path, tensor: str) -> Path:
    """Writes the pipeline beside its model, whose only input is called `tensor`, and gives the file's path."""
    file = model.with_suffix(".yaml")
    file.write_text(
        PIPELINE.format(name=model.stem, schema=DDL, model=model.name, input=tensor, features=", ".join(FEATURES))
    )
    return file


def score(records: DataFrame, model: str) -> DataFrame:
    """The result carries one more column, ``_rejected``, and a sink takes it too."""
    import firesteel

    return firesteel.Pipeline.load(str(Path(model).with_suffix(".yaml"))).transform(records)
