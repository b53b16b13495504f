"""The state of a query whose windows live in Spark's state store, in a file that ``firesteel state inspect`` reads."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from firesteel.errors import FiresteelError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

#: What the states of a window block are called in every checkpoint.
_HISTORIES, _BOOK = "histories", "book"


def dump_state(spark: SparkSession, checkpoint: str | Path, out: str | Path) -> int:
    """Write what the windows of a query know, as it was after the query's last committed micro-batch.

    For queries over ``Pipeline.transform``, whose windows live in Spark's state store; those of ``format("firesteel")``
    lie beside the partitions, and ``firesteel state inspect CHECKPOINT`` reads them as they are.

    Parameters
    ----------
    spark : SparkSession
        Any session, set up by :func:`firesteel.configure`.
    checkpoint : str or Path
        The query's ``checkpointLocation``. The query may be running.
    out : str or Path
        The file, one JSON object per line, on this machine. It should end with ``.jsonl``.

    Returns
    -------
    int
        Keys that were written.

    Raises
    ------
    FiresteelError
        If no windows are in this checkpoint.

    Examples
    --------
    >>> firesteel.dump_state(spark, "/checkpoints/fraud", "state.jsonl")
    4987
    """
    # Reading a store reports to a coordinator that only streams start: without it, a session that has never run one
    # can't read a store of which Spark has written a snapshot. To ask for the streams is enough.
    _ = spark.streams
    operators = _operators(spark, str(checkpoint))
    if not operators:
        message = (
            f"{checkpoint} has no windows in Spark's state store. Name the checkpointLocation of a query over "
            'Pipeline.transform that has committed a micro-batch; windows of format("firesteel") are read by '
            "firesteel state inspect CHECKPOINT"
        )
        raise FiresteelError("NO_STATE", message)
    keys = 0
    with Path(out).open("w", encoding="utf-8") as file:
        for operator in operators:
            for row in _read(spark, checkpoint, operator, _BOOK).select("key.value", "value.value").toLocalIterator():
                _line(file, operator=operator, bucket=row[0], book=_text(row[1]))
        for operator in operators:
            entries = _read(spark, checkpoint, operator, _HISTORIES)
            wanted = entries.select("key.value", "user_map_key.value", "user_map_value.value")
            for row in wanted.toLocalIterator():
                _line(file, operator=operator, bucket=row[0], key=_text(row[1]), history=_text(row[2]))
                keys += 1
    return keys


def _operators(spark: SparkSession, checkpoint: str) -> list[int]:
    """Numbers of the operators that are window blocks, in the file's order: Spark counts them from a plan's end."""
    try:
        found = spark.read.format("state-metadata").load(checkpoint).collect()
    except Exception as error:
        # Of Py4J or of PySpark, by what is missing.
        raise FiresteelError("NO_STATE", f"{checkpoint} is no checkpoint with state: {error}") from error
    blocks = set()
    for row in found:
        properties = json.loads(row["operatorProperties"] or "{}") if "operatorProperties" in row else {}
        names = {state["stateName"] for state in properties.get("stateVariables", [])}
        if {_HISTORIES, _BOOK} <= names:
            blocks.add(int(row["operatorId"]))
    return sorted(blocks, reverse=True)


def _read(spark: SparkSession, checkpoint: str | Path, operator: int, state: str) -> Any:
    reader = spark.read.format("statestore").option("operatorId", operator).option("stateVarName", state)
    return reader.load(str(checkpoint))


def _text(value: bytes | bytearray) -> str:
    return base64.b64encode(value).decode("ascii")


def _line(file: IO[str], **fields: Any) -> None:
    file.write(json.dumps(fields) + "\n")
