"""What a log became, as bytes: accepted rows in the order of their ids, and why others were refused.

What is right is what `firesteel score` makes of the records in one pass.
"""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json
from pyspark.sql import SparkSession

from tests.harness.topics import Record
from tests.support import places


@dataclass(frozen=True)
class Outcome:
    """Rows as text, which tells any two values of a column apart; codes of refused records by partition and offset."""

    rows: bytes
    refused: Mapping[tuple[int, int], str]

    @property
    def codes(self) -> set[str]:
        """Why records were refused."""
        return set(self.refused.values())


@dataclass(frozen=True)
class Right:
    """What must come out."""

    accepted: Path
    refused: Mapping[tuple[int, int], str]

    def outcome(self, schema: pa.Schema) -> Outcome:
        """With these types, which JSON has not."""
        if self.accepted.stat().st_size == 0:
            return Outcome(_text(schema.empty_table()), self.refused)
        options = pa.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error")
        return Outcome(
            _text(pa.json.read_json(self.accepted, parse_options=options).select(schema.names)), self.refused
        )


def scored(records: Sequence[Record], pipeline: str, folder: Path) -> Right:
    """What one pass over the records, in this order, gives."""
    folder.mkdir(parents=True, exist_ok=True)
    file, lines, out, refused = (folder / name for name in ("pipeline.yaml", "log", "out.jsonl", "refused.jsonl"))
    file.write_text(pipeline)
    lines.write_bytes(b"".join((record.value or b"") + b"\n" for record in records))
    command = [str(places.required(places.CLI, "make cli")), "score", str(file), "--in", str(lines), "--out", str(out)]
    subprocess.run([*command, "--rejected", str(refused), "--quiet"], check=True, capture_output=True, timeout=120)
    codes = {}
    for row in map(json.loads, refused.read_text().splitlines()):
        record = records[row["offset"]]
        codes[record.partition, record.offset] = row["code"]
    return Right(out, codes)


def written(spark: SparkSession, out: Path) -> tuple[Outcome, pa.Schema]:
    """What a sink of Parquet files holds, be they in folders of micro-batches or not."""
    table = spark.read.parquet(str(out)).drop("batch").toArrow()
    refused = table.filter(pc.is_valid(table["_rejected"]))["_rejected"].to_pylist()
    accepted = table.filter(pc.is_null(table["_rejected"])).drop_columns(["_rejected"])
    codes = {(why["partition"], why["offset"]): why["code"] for why in refused}
    assert len(codes) == len(refused), "a record was refused twice"
    return Outcome(_text(accepted), codes), accepted.schema


def assert_right(spark: SparkSession, out: Path, right: Right, *, waits: bool = False) -> Outcome:
    """Fail unless the sink's rows are the right ones, byte for byte; shows the first that is not.

    With `waits` some records were not worked on: those that are refused for what they are come out even so.
    """
    ours, schema = written(spark, out)
    theirs = right.outcome(schema)
    if ours.rows != theirs.rows:
        pair = ours.rows.splitlines(), theirs.rows.splitlines()
        wrong = [(mine, his) for mine, his in zip(*pair, strict=False) if mine != his]
        raise AssertionError(f"{len(pair[0])} rows for {len(pair[1])}, {len(wrong)} differ, such as {wrong[:2]}")
    if waits:
        late = {place: code for place, code in ours.refused.items() if code == "LATE_EVENT"}
        assert late == {place: code for place, code in theirs.refused.items() if code == "LATE_EVENT"}
        assert theirs.refused.items() <= ours.refused.items()
    else:
        assert ours.refused == theirs.refused
    return ours


def _text(table: pa.Table) -> bytes:
    """Numbers in the fewest digits that stand for them alone."""
    sink = io.BytesIO()
    pa.csv.write_csv(table.sort_by("id"), sink)
    return sink.getvalue()
