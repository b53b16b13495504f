"""Holds every surface of one pipeline against the command line: the same log, the same bytes.

``firesteel parity`` goes through the log by itself, in any micro-batches and over restarts; this adds Spark: a batch
DataFrame in any number of partitions, and, if a broker is named, a topic in micro-batches and over a restart.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from firesteel._rows import Reference
from firesteel.errors import FiresteelError
from firesteel.pipeline import Pipeline

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.streaming.query import StreamingQuery

__all__ = ["Parity", "Way", "find_program", "parity"]

#: Environment variable that names the command line's program.
PROGRAM_VARIABLE = "FIRESTEEL_CLI"

#: Lines that become a batch of the log's Parquet file together.
_LINES = 65_536


@dataclass(frozen=True)
class Way:
    """One way through the log.

    Attributes
    ----------
    name : str
        What was done.
    rows : int
        Rows that came out, rejected ones included.
    seconds : float
        How long it took.
    difference : str or None
        What is not as in the command line's one pass; none if all is.
    """

    name: str
    rows: int
    seconds: float
    difference: str | None = None


@dataclass(frozen=True)
class Parity:
    """What :func:`parity` found; as text, a table.

    Attributes
    ----------
    ways : list of Way
        The first one is the reference.
    """

    ways: list[Way]

    @property
    def same(self) -> bool:
        """Whether every way gave the same bytes."""
        return all(way.difference is None for way in self.ways)

    def __str__(self) -> str:
        width = max(len(way.name) for way in self.ways)
        lines = [f"{'way':<{width}}  {'rows':>13}  {'seconds':>9}  same"]
        for number, way in enumerate(self.ways):
            verdict = "" if number == 0 else "yes" if way.difference is None else "NO"
            lines.append(f"{way.name:<{width}}  {way.rows:>13,}  {way.seconds:>9.2f}  {verdict}")
        lines += [f"{way.name}: {way.difference}" for way in self.ways if way.difference is not None]
        return "\n".join(lines)


def find_program() -> Path:
    """Find the command line's program: ``FIRESTEEL_CLI``, a checkout's ``build/bin``, then the ``PATH``.

    Raises
    ------
    FiresteelError
        ``PROGRAM_NOT_FOUND`` when it is nowhere.
    """
    built = Path(__file__).resolve().parents[2] / "build" / "bin" / "firesteel"
    named = os.environ.get(PROGRAM_VARIABLE) or (str(built) if built.is_file() else shutil.which("firesteel"))
    if named is None or not Path(named).is_file():
        raise FiresteelError(
            "PROGRAM_NOT_FOUND",
            f"no program firesteel ({named or built}). Type `make cli` in a checkout, or set {PROGRAM_VARIABLE}",
        )
    return Path(named)


def parity(
    spark: SparkSession,
    log: str | os.PathLike[str],
    pipeline: str | os.PathLike[str] | Pipeline,
    *,
    partitions: Sequence[int] = (1, 3, 8),
    in_base64: bool = False,
    bootstrap: str | None = None,
    topic: str | None = None,
    micro_batches: Sequence[int] = (1_000, 100_000),
    options: Iterable[str] = (),
) -> Parity:
    """Show that Spark and the command line make the same rows of a log, bit for bit.

    The reference is one pass of ``firesteel parity``, which also goes through the log in micro-batches and over
    restarts. Results are held in this process: a log of some million rows is what this is for. The session's driver
    must see this machine's files.

    Parameters
    ----------
    spark : SparkSession
        A classic session with Firesteel (:func:`firesteel.configure`).
    log : str or path
        A file of records, one per line, as ``firesteel score`` takes it.
    pipeline : str, path or Pipeline
        The pipeline file.
    partitions : sequence of int
        Numbers of partitions for :meth:`Pipeline.transform` of a batch DataFrame. It works in the order of time: a log
        whose events are not, key by key, gives other features there if the pipeline has windows. Empty leaves it out.
    in_base64 : bool
        Each line is a record in base64.
    bootstrap : str, optional
        A broker: the log is also read through ``format("firesteel")``.
    topic : str, optional
        An empty topic of one partition, which the log is written to; required with `bootstrap`.
    micro_batches : sequence of int
        Sizes of the stream's micro-batches, in records.
    options : iterable of str
        More options for ``firesteel parity``, such as ``--splits=1,7``.

    Returns
    -------
    Parity
        Every way, what differs, and :attr:`Parity.same`.

    Raises
    ------
    FiresteelError
        ``PROGRAM_NOT_FOUND`` when the program is nowhere; ``PARITY_FAILED`` with its words when it can't go through the
        log at all.

    Examples
    --------
    >>> found = firesteel.parity(spark, "events.jsonl", "fraud.yaml")
    >>> found.same
    True
    """
    import pyarrow as pa

    path = pipeline.path if isinstance(pipeline, Pipeline) else os.fspath(pipeline)
    with tempfile.TemporaryDirectory(prefix="firesteel-parity-") as folder:
        place = Path(folder)
        rows, base64_option = place / "rows.arrow", ["--base64"] if in_base64 else []
        ways = _by_itself(os.fspath(log), path, rows, [*base64_option, *options])
        with pa.ipc.open_stream(rows) as stream:
            reference = Reference.of(stream.read_all())
        records = place / "log.parquet"
        _to_parquet(Path(log), records, in_base64)

        def way(name: str, run: Callable[[], DataFrame], hint: str = "") -> None:
            began = time.monotonic()
            found = run().toArrow()
            took = time.monotonic() - began
            difference = reference.difference(found)
            ways.append(Way(name, found.num_rows, took, difference and difference + hint))

        df = spark.read.parquet(str(records))
        for count in partitions:
            with _shuffled_into(spark, count):
                way(
                    f"Spark batch, {count} partitions",
                    lambda count=count: Pipeline.load(path).transform(df.repartition(count)),  # type: ignore[misc]
                    ". Behind windows Spark's batch works in the order of time: is the log in it, key by key?",
                )
        if bootstrap is not None:
            if topic is None:
                raise FiresteelError("WRONG_ARGUMENT", "bootstrap without topic: name an empty topic of one partition")
            kafka = _Kafka(spark, path, bootstrap, topic, place)
            kafka.fill(df)
            for size in micro_batches:
                way(f"Kafka, micro-batches of {size}", lambda size=size: kafka.streamed(size))  # type: ignore[misc]
            way("Kafka, stopped and started again", lambda: kafka.interrupted(reference.rows))
            way("Kafka, batch", kafka.read)
    return Parity(ways)


def _by_itself(log: str, pipeline: str, rows: Path, options: Iterable[str]) -> list[Way]:
    """Have the command line go through the log, and keep what its one pass gives in `rows`."""
    command = [str(find_program()), "parity", log, "--pipeline", pipeline, "--json", "--out", str(rows), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode > 1 or not done.stdout:
        raise FiresteelError("PARITY_FAILED", done.stderr.strip() or f"exit status {done.returncode}")
    found = json.loads(done.stdout)["ways"]
    # The whole pass is what all others are held against.
    found.sort(key=lambda way: way["way"] != "one pass")
    return [Way(f"firesteel, {way['way']}", way["rows"], way["seconds"], way["difference"]) for way in found]


def _to_parquet(log: Path, file: Path, in_base64: bool) -> None:
    """Write a log's lines as Kafka's columns: the line's number, from 0, is the offset."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        [("value", pa.binary()), ("topic", pa.string()), ("partition", pa.int32()), ("offset", pa.int64())]
    )
    with pq.ParquetWriter(file, schema) as writer:
        first = 0
        for lines in _some(_lines(log, in_base64)):
            count = len(lines)
            columns = [
                pa.array(lines, pa.binary()),
                pa.array([log.name] * count),
                pa.array([0] * count, pa.int32()),
                pa.array(range(first, first + count), pa.int64()),
            ]
            writer.write_table(pa.table(columns, schema=schema))
            first += count


def _lines(log: Path, in_base64: bool) -> Iterator[bytes]:
    with log.open("rb") as file:
        for line in file:
            text = line.removesuffix(b"\n").removesuffix(b"\r")
            yield base64.b64decode(text, validate=True) if in_base64 else text


def _some(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    taken: list[bytes] = []
    for line in lines:
        taken.append(line)
        if len(taken) == _LINES:
            yield taken
            taken = []
    yield taken


@contextmanager
def _shuffled_into(spark: SparkSession, partitions: int) -> Iterator[None]:
    """Have shuffles give exactly so many partitions."""
    settings = {
        "spark.sql.shuffle.partitions": str(partitions),
        "spark.sql.adaptive.coalescePartitions.enabled": "false",
    }
    # What nobody has set has Spark's default, which takes its place.
    before = {name: spark.conf.get(name) for name in settings}
    for name, value in settings.items():
        spark.conf.set(name, value)
    try:
        yield
    finally:
        for name, earlier in before.items():
            spark.conf.set(name, str(earlier))


@dataclass(frozen=True)
class _Kafka:
    """The log in a topic, read by the native source."""

    spark: SparkSession
    pipeline: str
    bootstrap: str
    topic: str
    folder: Path

    def fill(self, df: DataFrame) -> None:
        """Write the log in its order: one task, one partition."""
        ordered = df.repartition(1).sortWithinPartitions("offset").select("value")
        writer = ordered.write.format("firesteel").option("kafka.bootstrap.servers", self.bootstrap)
        writer.option("topic", self.topic).save()

    def options(self, **more: str) -> dict[str, str]:
        # The log says nothing of record keys: one partition has them all.
        own = {"subscribe": self.topic, "pipeline": self.pipeline, "stateKeys": "trust", "startingOffsets": "earliest"}
        return {"kafka.bootstrap.servers": self.bootstrap, **own, **more}

    def read(self) -> DataFrame:
        """Read all of it at once."""
        return self.spark.read.format("firesteel").options(**self.options()).load()

    def streamed(self, size: int) -> DataFrame:
        """Read it in micro-batches of a size."""
        folder = self.folder / f"of-{size}"
        query = self._start(folder, {"maxOffsetsPerTrigger": str(size)})
        _ended(query)
        return self.spark.read.parquet(str(folder / "out"))

    def interrupted(self, rows: int) -> DataFrame:
        """Stop about half-way, where the process forgets its state, and go on from a snapshot and the log."""
        folder, size = self.folder / "interrupted", max(1, rows // 10)
        options = {"maxOffsetsPerTrigger": str(size), "snapshotEvents": str(max(1, rows // 5))}
        query = self._start(folder, options, available_now=False)
        try:
            while query.isActive and sum(progress["numInputRows"] for progress in query.recentProgress) < rows // 2:
                time.sleep(0.02)
        finally:
            query.stop()
        if query.exception() is not None:
            raise FiresteelError("PARITY_FAILED", str(query.exception()))
        _ended(self._start(folder, options))
        return self.spark.read.parquet(str(folder / "out"))

    def _start(self, folder: Path, options: dict[str, str], *, available_now: bool = True) -> StreamingQuery:
        stream = self.spark.readStream.format("firesteel").options(**self.options(**options)).load()
        writer = stream.writeStream.format("parquet").option("checkpointLocation", str(folder / "checkpoint"))
        trigger = writer.trigger(availableNow=True) if available_now else writer.trigger(processingTime="0 seconds")
        return trigger.start(str(folder / "out"))


def _ended(query: StreamingQuery) -> None:
    try:
        query.awaitTermination()
    finally:
        query.stop()
