"""A case through `firesteel score`."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.json

from tests.support.places import BUILD, required
from tests.support.windows.case import Case


@dataclass(frozen=True)
class Scored:
    """What came out: accepted rows as a table, codes of the others by row, and what the program said."""

    accepted: pa.Table
    rejected: dict[int, str]
    said: str


def program() -> Path:
    """The command line's binary."""
    return required(Path(os.environ.get("FIRESTEEL_CLI", BUILD / "bin" / "firesteel")), "make cli")


def score(case: Case, folder: Path, *, timeout: float = 200) -> Scored:
    """Run a case; fails unless the program ends well and its books balance."""
    pipeline, events = case.write(folder)
    out, refused = folder / "out.jsonl", folder / "rejected.jsonl"
    command = [str(program()), "score", str(pipeline), "--in", str(events), "-q"]
    command += ["--out", str(out), "--rejected", str(refused)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, f"{' '.join(command)}\n{said}"
    accepted = _lines(out, case.schema)
    # A record's place in its file is its offset.
    found = _lines(refused, pa.schema([("offset", pa.int64()), ("code", pa.string())]))
    rejected = dict(zip(found["offset"].to_pylist(), found["code"].to_pylist(), strict=True))
    total = len(case.events)
    assert f"{total} rows in, {len(accepted)} scored, {len(rejected)} rejected" in said, said
    return Scored(accepted, rejected, said)


def check(case: Case, folder: Path) -> Scored:
    """Run a case and hold it against what it wants."""
    scored = score(case, folder)
    case.check(scored.accepted, scored.rejected, nan_is_null=True)
    return scored


def _lines(path: Path, schema: pa.Schema) -> pa.Table:
    if path.stat().st_size == 0:
        return schema.empty_table()
    options = pa.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    return pa.json.read_json(path, parse_options=options).select(schema.names)
