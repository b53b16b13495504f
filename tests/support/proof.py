"""Proof that rows went through the native library: the operator in the plan, and its counters.

A run that proves nothing counts as failed here, never as passed.
"""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame, SparkSession

OPERATOR = "FiresteelEval"


def operators(spark: SparkSession, since: int) -> list[dict[str, str]]:
    """Metrics by name of each Firesteel operator of the SQL executions with an id of at least `since`.

    Spark's status store holds them as the UI shows them; it is kept with the UI switched off, too.
    """
    store = _status_store(spark)
    found = []
    executions = store.executionsList()
    for i in range(executions.size()):
        execution = executions.apply(i)
        if execution.executionId() < since:
            continue
        values = store.executionMetrics(execution.executionId())
        nodes = store.planGraph(execution.executionId()).allNodes()
        for n in range(nodes.size()):
            node = nodes.apply(n)
            if node.name().startswith(OPERATOR):
                found.append(_shown(node, values))
    return found


def next_execution(spark: SparkSession) -> int:
    """The id from which on `operators` sees only what comes after this call."""
    executions = _status_store(spark).executionsList()
    return 1 + max((executions.apply(i).executionId() for i in range(executions.size())), default=-1)


def native_count(spark: SparkSession, since: int, metric: str) -> int:
    """Sum of one counter over all Firesteel operators of the executions from `since` on."""
    found = operators(spark, since)
    assert found, f"no {OPERATOR} in any plan since execution {since}: the native path did not run"
    return sum(int(values[metric].replace(",", "")) for values in found)


def assert_native_plan(df: DataFrame, *, operators: int = 1) -> str:
    """Fail unless the physical plan holds exactly so many Firesteel operators; returns the plan's text."""
    text: str = df._jdf.queryExecution().executedPlan().toString()
    held = text.count(OPERATOR)
    assert held == operators, f"{held} {OPERATOR} in the plan, expected {operators}:\n{text}"
    return text


def scan_metric(df: DataFrame, name: str) -> int:
    """A metric of the scan in the plan that `collect` has run; the plan has one scan and no exchange."""
    plan = df._jdf.queryExecution().executedPlan()
    while plan.children().nonEmpty():
        plan = plan.children().head()
    return int(plan.metrics().apply(name).value())


def _status_store(spark: SparkSession) -> Any:
    store = spark._jsparkSession.sharedState().statusStore()
    # The listener bus is asynchronous: let it deliver what has happened so far.
    spark._jsc.sc().listenerBus().waitUntilEmpty(10_000)
    return store


def _shown(node: Any, values: Any) -> dict[str, str]:
    metrics = node.metrics()
    result = {}
    for m in range(metrics.size()):
        metric = metrics.apply(m)
        value = values.get(metric.accumulatorId())
        if value.isDefined():
            result[metric.name()] = value.get()
    return result
