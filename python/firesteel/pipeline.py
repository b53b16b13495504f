"""A pipeline file as something that turns a DataFrame into scores.

:meth:`Pipeline.transform` is one SQL function over the row, so it works on batch and streaming DataFrames and
over Spark Connect. The engine reads and checks the file on the driver; nothing is checked twice here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from firesteel import training
from firesteel._spark import EXTENSIONS, check_versions, in_parts, transformed_in_parts
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
            if in_parts(df, self.path):
                return transformed_in_parts(df, self.path)
            # A projection of a projection: the call stands once, and is evaluated once per row.
            return df.select(call.alias("_firesteel")).select("_firesteel.*")
        except PySparkException as error:
            explained = _explained(error)
            if explained is error:
                raise
            raise explained from error

    def training_set(
        self,
        df: DataFrame,
        labels: DataFrame,
        delay: str | timedelta,
        *,
        on: str | Sequence[str] | None = None,
        as_of: str | date | None = None,
        time: str | None = None,
        features: Sequence[str] | None = None,
        unlabelled: training.Unlabelled = "drop",
        default: Mapping[str, bool | int | float | str] | None = None,
    ) -> training.TrainingSet:
        """Make what a model is trained on: the features of a history of events, and the labels known at the time.

        The same file that serves gives the features; its models are not read, so they need not exist yet.
        ``docs/reference/training-set.md`` tells which events are left out, and why. Classic sessions only.

        Parameters
        ----------
        df : DataFrame
            A batch of events, as for :meth:`transform`.
        labels : DataFrame
            The columns `on` and at least one label; at most one row for an event. Labels that the pipeline reads and
            `df` lacks come from here.
        delay : str or timedelta
            How long after its event a label is known: ``"7 days"``.
        on : str or sequence of str, optional
            Columns by which a label finds its event. By default the one that labels and events share.
        as_of : str, date or datetime, optional
            The moment to look back from, UTC if it has no zone. An event later than `as_of` less `delay` is left out.
            By default the time of the newest event, for which the events are read once.
        time : str, optional
            The column of event times. By default the windows' time.
        features : sequence of str, optional
            The wanted columns. By default the inputs of the file's models, or the output of a file without.
        unlabelled : {"drop", "keep"}
            What becomes of events without a label: they are left out, or stay with nulls. Default "drop".
        default : dict, optional
            Label to the constant that a missing one means, such as ``{"is_fraud": 0}`` for "no complaint in time".

        Returns
        -------
        TrainingSet
            The rows, what was rejected, and which columns are features and labels.

        Raises
        ------
        PipelineError
            When the file, a column or the labels do not fit: ``DUPLICATE_LABELS``, ``LABEL_LEAK``,
            ``BAD_TRAINING_SET`` and others of ``docs/reference/errors.md``.

        Examples
        --------
        >>> pipeline = firesteel.Pipeline.load("fraud.yaml")
        >>> found = pipeline.training_set(df, labels, "7 days", on="id", time="ts", as_of="2026-01-10")
        >>> found.features
        ('amount', 'age')
        >>> found.rows.orderBy("id").select("id", "amount", "is_fraud").collect()
        [Row(id=1, amount=0.5, is_fraud=1), Row(id=2, amount=3.0, is_fraud=0)]
        """
        from pyspark.errors import PySparkException

        check_versions(df.sparkSession)
        try:
            return training.made(
                self.path,
                df,
                labels,
                delay,
                on=on,
                as_of=as_of,
                time=time,
                features=features,
                unlabelled=unlabelled,
                default=default,
            )
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
