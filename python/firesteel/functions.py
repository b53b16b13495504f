"""Columns and splits, each built from a SQL function, so that it works over Spark Connect too.

Nothing here runs anything or reads a row. pyspark is imported when a function is called, not before.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

__all__ = ["REJECTED", "accepted", "compare", "predict", "rejected"]

#: Name of the struct column that says why a row was not taken; null on the rows that were.
REJECTED = "_rejected"


def predict(model: str | os.PathLike[str], *columns: Column | str) -> Column:
    """Score rows with an ONNX model: a struct of all the model's outputs.

    The call is batched wherever it stands: in SELECT, WHERE, ORDER BY, aggregates and joins, on batch and on
    streaming DataFrames, and evaluated once per row.

    Parameters
    ----------
    model : str or path
        The ``.onnx`` file. A relative path that exists here is made absolute; any other is left to the driver
        (over Spark Connect the driver is the server).
    *columns : Column or str
        The model's inputs, in the order of the model: numbers, booleans, texts, arrays of them, ml vectors. A row
        with a null among them gives a null struct.

    Returns
    -------
    Column
        A struct with one field per output of the model: a plain value, or arrays nested as the output's dimensions.

    Raises
    ------
    pyspark.errors.AnalysisException
        When the model can't be read, or the columns do not fit its inputs; the message names both.

    Examples
    --------
    >>> import firesteel
    >>> p = firesteel.predict("models/fraud.onnx", "amount", "age").alias("p")
    >>> df.select("id", p).select("id", "p.label").orderBy("id").show()
    +---+-----+
    | id|label|
    +---+-----+
    |  1|    0|
    |  2|    1|
    |  3| NULL|
    +---+-----+
    <BLANKLINE>

    The same in SQL, in the WHERE clause; SQL takes the path as it is, so make it absolute:

    >>> import os
    >>> model = os.path.abspath("models/fraud.onnx")
    >>> df.createOrReplaceTempView("events")
    >>> spark.sql(f"SELECT id FROM events WHERE firesteel_predict('{model}', amount, age).label = 1").collect()
    [Row(id=2)]
    """
    from pyspark.sql import functions as F

    return F.call_function("firesteel_predict", F.lit(driver_path(model)), *columns)


def compare(
    champion: Column | str,
    challenger: Column | str,
    label: Column | str | None = None,
    *,
    threshold: float = 0.5,
) -> Column:
    """Compare the answers of two models: an aggregate, a struct of counts and means.

    Stands wherever ``avg`` does, so a stream can watch a challenger by ``DataFrame.observe``: the figures of each
    micro-batch are in ``query.lastProgress["observedMetrics"]``.

    Parameters
    ----------
    champion, challenger : Column or str
        Two scores (FLOAT or DOUBLE), or two answers of one type (whole numbers, texts, booleans). Rows that the
        challenger has not scored count in ``rows`` only.
    label : Column or str, optional
        What was true: 0 and 1 or a boolean beside scores, an answer beside answers. Null where it is not known.
    threshold : float
        From which score on a model says yes. Default 0.5.

    Returns
    -------
    Column
        ``rows``, ``compared``, ``disagreements``; of scores ``mean_difference`` (challenger less champion),
        ``mean_absolute_difference``, ``max_absolute_difference``; with a label ``labelled`` and, for champion and
        challenger, ``accuracy`` and of scores ``brier`` and ``log_loss``.

    Examples
    --------
    >>> scored = spark.createDataFrame([(0.9, 0.8, 1), (0.2, 0.6, 0), (0.4, None, 1)], "old DOUBLE, new DOUBLE, y INT")
    >>> found = scored.select(firesteel.compare("old", "new", "y").alias("c")).first().c
    >>> found.rows, found.compared, found.disagreements, found.champion_accuracy, found.challenger_accuracy
    (3, 2, 1, 1.0, 0.5)
    """
    from pyspark.sql import functions as F

    columns = [F.col(of) if isinstance(of, str) else of for of in (champion, challenger)]
    known = F.lit(None) if label is None else F.col(label) if isinstance(label, str) else label
    return F.call_function("firesteel_compare", *columns, known, F.lit(threshold))


def accepted(df: DataFrame) -> DataFrame:
    """Return the rows that a pipeline took, without the ``_rejected`` column.

    Parameters
    ----------
    df : DataFrame
        What :meth:`firesteel.Pipeline.transform` gave.

    Examples
    --------
    >>> scored = firesteel.Pipeline.load("fraud.yaml").transform(df)
    >>> firesteel.accepted(scored).columns
    ['id', 'score']
    """
    return df.filter(f"{REJECTED} IS NULL").drop(REJECTED)


def rejected(df: DataFrame) -> DataFrame:
    """Return the rows that a pipeline did not take: topic, partition, offset, stage, code, message, raw.

    Parameters
    ----------
    df : DataFrame
        What :meth:`firesteel.Pipeline.transform` gave.

    Examples
    --------
    >>> scored = firesteel.Pipeline.load("fraud.yaml").transform(df)
    >>> firesteel.rejected(scored).groupBy("stage", "code").count().collect()
    [Row(stage='model', code='NULL_FEATURE', count=1)]
    """
    return df.filter(f"{REJECTED} IS NOT NULL").select(f"{REJECTED}.*")


def driver_path(path: str | os.PathLike[str]) -> str:
    """Make a path absolute if it exists on this machine; otherwise the driver resolves it."""
    text = os.fspath(path)
    return os.path.abspath(text) if os.path.exists(text) else text
