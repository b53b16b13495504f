"""What one wants to see in a notebook: the plan, the operator's metrics, and a stream's progress.

Nothing here changes a query. The metrics come from the executed plan of a classic session; a Spark Connect
client does not see them, and the functions say so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from firesteel._spark import executed_nodes, is_classic, metric_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import DataFrame

__all__ = ["OperatorMetrics", "metrics", "plan"]

_OPERATOR = "FiresteelEval"


@dataclass(frozen=True)
class OperatorMetrics:
    """The SQL metrics of one Firesteel operator after an action.

    Attributes
    ----------
    operator : str
        The operator as the plan shows it.
    values : mapping of str to int
        Metric name to value; times are in nanoseconds, as the engine counts them.
    """

    operator: str
    values: Mapping[str, int]

    def _repr_html_(self) -> str:
        cells = ((name, f"<td style='text-align:right'>{value:,}</td>") for name, value in self.values.items())
        rows = "".join(f"<tr><td>{name}</td>{cell}</tr>" for name, cell in cells)
        return f"<table><tr><th colspan='2'>{self.operator}</th></tr>{rows}</table>"


def metrics(df: DataFrame) -> list[OperatorMetrics]:
    """Read the metrics of every Firesteel operator in a DataFrame's executed plan.

    Run an action on this very DataFrame first (``collect``, ``toPandas``): the counters belong to its plan, and
    ``count`` or ``write`` run another one.

    Parameters
    ----------
    df : DataFrame
        A batch DataFrame of a classic session.

    Raises
    ------
    TypeError
        For a DataFrame of a Spark Connect session, which has no executed plan on this side.

    Examples
    --------
    >>> from firesteel import notebook
    >>> scored = firesteel.Pipeline.load("fraud.yaml").transform(df)
    >>> pandas = scored.toPandas()
    >>> notebook.metrics(scored)[0].values["rows"]
    3
    """
    if not is_classic(df):
        raise TypeError("NO_METRICS: a Spark Connect client has no executed plan; open the server's Spark UI instead")
    return [
        OperatorMetrics(node.nodeName(), metric_values(node))
        for node in executed_nodes(df)
        if node.nodeName().startswith(_OPERATOR)
    ]


def plan(df: DataFrame) -> str:
    """Give the plan as text, as ``df.explain(mode="formatted")`` prints it.

    Examples
    --------
    >>> from firesteel import notebook
    >>> scored = firesteel.Pipeline.load("fraud.yaml").transform(df)
    >>> "FiresteelEval" in notebook.plan(scored)
    True
    """
    import contextlib
    import io

    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        df.explain(mode="formatted")
    return text.getvalue()
