"""A pipeline file as something that turns a DataFrame into scores.

:meth:`Pipeline.transform` is one SQL function over the row, so it works on batch and streaming DataFrames and
over Spark Connect. The engine reads and checks the file on the driver; nothing is checked twice here.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from firesteel._spark import EXTENSIONS, check_versions
from firesteel.errors import NotInstalledError, PipelineError
from firesteel.functions import driver_path

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["Pipeline"]

_FUNCTION = "firesteel_pipeline"


@dataclass(frozen=True)
class Pipeline:
    """A pipeline file on the driver's side: decode, clean, features, models, output.

    Make one with :meth:`load`, or with :meth:`firesteel.PipelineSpec.save`.

    Attributes
    ----------
    path : str
        Where the driver finds the file.
    """

    path: str

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Pipeline:
        """Name a pipeline file; :meth:`transform` has the driver read and check it.

        Parameters
        ----------
        path : str or path
            The YAML file. A relative path that exists here is made absolute; any other is left to the driver
            (over Spark Connect the driver is the server).

        Examples
        --------
        >>> firesteel.Pipeline.load("/pipelines/fraud.yaml")
        Pipeline(path='/pipelines/fraud.yaml')
        """
        return cls(driver_path(path))

    def transform(self, df: DataFrame) -> DataFrame:
        """Run the pipeline on every row: the output columns plus a nullable struct ``_rejected``.

        One row out per row in. A row that was not taken has nulls in the output columns and says why in
        ``_rejected``; :func:`firesteel.accepted` and :func:`firesteel.rejected` split the two.

        Parameters
        ----------
        df : DataFrame
            Kafka's columns (``value`` and, if there, ``topic``, ``partition``, ``offset``), or the typed columns
            of the pipeline's schema. Batch or streaming.

        Raises
        ------
        PipelineError
            When the engine refuses the file or the columns; its ``faults`` say file, line, column and what to
            write. Over Spark Connect the same text arrives from the server with the first action.
        NotInstalledError
            When the session runs without Firesteel.
        VersionMismatchError
            When the jar is of another version than this package.

        Examples
        --------
        >>> scored = firesteel.Pipeline.load("fraud.yaml").transform(df)
        >>> scored.columns
        ['id', 'score', '_rejected']
        >>> firesteel.accepted(scored).count() + firesteel.rejected(scored).count() == df.count()
        True
        """
        from pyspark.errors import PySparkException
        from pyspark.sql import functions as F

        check_versions(df.sparkSession)
        call = F.call_function(_FUNCTION, F.lit(self.path), F.struct("*"))
        try:
            # A projection of a projection: the call stands once, and is evaluated once per row.
            return df.select(call.alias("_firesteel")).select("_firesteel.*")
        except PySparkException as error:
            explained = _explained(error)
            if explained is error:
                raise
            raise explained from error


def _explained(error: Exception) -> Exception:
    """Give the engine's refusal its own class; any other failure stays as Spark raised it."""
    text = str(error)
    if "UNRESOLVED_ROUTINE" in text and _FUNCTION in text:
        return NotInstalledError(
            f"this session has no function {_FUNCTION}. Stop it (spark.stop()) and start it by "
            "firesteel.configure(SparkSession.builder).getOrCreate(), "
            f"or with spark.jars and spark.sql.extensions={EXTENSIONS}"
        )
    # Spark's own conditions stand in brackets, the engine's do not.
    refusal = PipelineError(text)
    return error if text.startswith("[") or not refusal.faults else refusal
