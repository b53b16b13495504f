"""What Firesteel does in a pipeline or a query, and whether it can run here.

Both ask the driver: by a SQL function where one is enough, so that they work over Spark Connect too.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from firesteel._spark import explained_frame, explained_query
from firesteel.functions import driver_path
from firesteel.pipeline import Pipeline

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.streaming.query import StreamingQuery

__all__ = ["Diagnosis", "Finding", "doctor", "explain"]


@dataclass(frozen=True)
class Finding:
    """One look at one thing.

    Attributes
    ----------
    check : str
        What was looked at, in a word or two.
    level : str
        ``ok``; ``warn``: it works, but slower or nearer to an edge than it must; ``fail``: it does not work.
    found : str
        What is there.
    fix : str
        What to do about it; empty where there is nothing to do.
    where : str
        ``driver``, or an executor and its host.
    """

    check: str
    level: Literal["ok", "warn", "fail"]
    found: str
    fix: str
    where: str

    def __str__(self) -> str:
        shown = self.level if self.level == "ok" else self.level.upper()
        cure = f". To mend it: {self.fix}" if self.fix else ""
        where = "" if self.where == "driver" else f" [{self.where}]"
        return f"{shown:<5} {self.check:<16} {self.found}{cure}{where}"


@dataclass(frozen=True)
class Diagnosis:
    """All findings; printed, a line each.

    Attributes
    ----------
    findings : tuple of Finding
        In the order in which to read them.
    """

    findings: tuple[Finding, ...]

    @property
    def works(self) -> bool:
        """Whether nothing was found that does not work."""
        return all(finding.level != "fail" for finding in self.findings)

    def __str__(self) -> str:
        failed = sum(finding.level == "fail" for finding in self.findings)
        warned = sum(finding.level == "warn" for finding in self.findings)
        if failed:
            end = f"{failed} must be mended before Firesteel works here, {warned} should be looked at"
        else:
            end = f"Firesteel works here; {warned} should be looked at" if warned else "Firesteel works here"
        return "\n".join([*map(str, self.findings), end])


def doctor(spark: SparkSession) -> Diagnosis:
    """Look whether Firesteel can run in a session: driver, settings, and every executor that a small job reaches.

    Parameters
    ----------
    spark : SparkSession
        Classic or Connect, with Firesteel's SQL functions (:func:`firesteel.configure`).

    Examples
    --------
    >>> found = firesteel.doctor(spark)
    >>> found.works
    True
    >>> [finding.level for finding in found.findings if finding.check == "native library"]
    ['ok']
    """
    rows = spark.sql("SELECT firesteel_doctor() AS findings").collect()
    return Diagnosis(tuple(Finding(**one) for one in json.loads(rows[0].findings)))


def explain(
    target: str | os.PathLike[str] | Pipeline | DataFrame | StreamingQuery, spark: SparkSession | None = None
) -> str:
    """Tell what Firesteel does in a pipeline or a query: stages, casts, models, copies, batches, what is row by row.

    Parameters
    ----------
    target : Pipeline, path, DataFrame or StreamingQuery
        A pipeline or its file; or a DataFrame, of which nothing runs; or a running query. The last two in classic
        sessions only.
    spark : SparkSession, optional
        The session for a pipeline; by default the active one.

    Raises
    ------
    TypeError
        Over Spark Connect for anything but a pipeline.
    pyspark.errors.AnalysisException
        When the engine refuses the file.

    Examples
    --------
    >>> text = firesteel.explain("fraud.yaml")
    >>> print(text.splitlines()[1])
      pipeline  card-fraud
    """
    if isinstance(target, Pipeline):
        return _explained_file(target.path, spark)
    if isinstance(target, (str, os.PathLike)):
        return _explained_file(driver_path(target), spark)
    if hasattr(target, "sparkSession"):
        return explained_frame(cast("DataFrame", target))
    return explained_query(target)


def _explained_file(path: str, spark: SparkSession | None) -> str:
    from pyspark.sql import SparkSession

    session = spark or SparkSession.getActiveSession()
    if session is None:
        raise TypeError("NO_SESSION: no Spark session is active. Give one: firesteel.explain(file, spark)")
    quoted = path.replace("\\", "\\\\").replace("'", "\\'")
    text: str = session.sql(f"SELECT firesteel_explain('{quoted}') AS plan").collect()[0].plan
    return text
