"""One contender in one Spark session: does what it is asked, one request after the other.

Started by ``benches.suites.inference`` as ``python -m benches.workers.throughput job.json``. A process per contender
keeps the JIT's profile, the heap and the Python workers of one contender away from another's; it stays for all
repetitions, so that they run warm. A request names a model and what to do with it: ``check``, ``warm`` or ``measure``.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from pyspark.sql import DataFrame, SparkSession

from benches.common import spark as sessions
from benches.common.cpu import tree_seconds
from benches.common.progress import kept_rate
from benches.common.worker import requests
from benches.peers import contender


def check(spark: SparkSession, job: dict[str, Any], model: dict[str, str]) -> dict[str, float]:
    """Scores the check topic as a batch and compares with the reference that the driver computed."""
    scored = contender(job["contender"]).score(
        sessions.table(spark, job["bootstrap"], job["check_topic"]), model["onnx"]
    )
    got = scored.select("event_id", "score").toPandas().sort_values("event_id")
    want = np.load(model["reference"])
    if not np.array_equal(got["event_id"].to_numpy(), want["event_id"]):
        raise SystemExit(f"benches: {job['contender']} did not give every event of the check topic exactly once")
    scores = got["score"].to_numpy(dtype=np.float32)
    return {
        "rows": len(scores),
        "bit_equal": int(np.count_nonzero(scores.view(np.uint32) == want["score"].view(np.uint32))),
        "max_difference": float(np.max(np.abs(scores.astype(np.float64) - want["score"].astype(np.float64)))),
    }


def run_stream(scored: DataFrame) -> list[dict[str, Any]]:
    """Runs an AvailableNow stream into the noop sink, which takes every column of every row; gives its progress."""
    folder = tempfile.mkdtemp(prefix="firesteel-bench-")
    try:
        query = (
            scored.writeStream.format("noop").option("checkpointLocation", folder).trigger(availableNow=True).start()
        )
        query.awaitTermination()
        return [json.loads(p.json) for p in query.recentProgress]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def scored(spark: SparkSession, job: dict[str, Any], model: dict[str, str], topic: str) -> DataFrame:
    """The contender's stream of scores of a topic."""
    records = sessions.stream(spark, job["bootstrap"], job[topic], job["max_offsets"])
    return contender(job["contender"]).score(records, model["onnx"])


def warm(spark: SparkSession, job: dict[str, Any], model: dict[str, str]) -> dict[str, Any]:
    """One untimed stream over the warm-up topic."""
    return {"batches": len(run_stream(scored(spark, job, model, "warm_topic")))}


def measure(spark: SparkSession, job: dict[str, Any], model: dict[str, str]) -> dict[str, Any]:
    """One timed stream."""
    before = tree_seconds(os.getpid())
    progress = run_stream(scored(spark, job, model, "topic"))
    cpu = tree_seconds(os.getpid()) - before
    rate = kept_rate(progress)
    rate["cpu_s_per_million_rows"] = cpu / (rate["rows_total"] / 1e6)
    return rate


def main() -> None:
    """Answers requests until the benchmark ends this process."""
    job = json.loads(Path(sys.argv[1]).read_text())
    spark = sessions.for_contender(job["contender"], job["jars"])
    models = {model["name"]: model for model in job["models"]}
    actions = {"check": check, "warm": warm, "measure": measure}
    for request in requests(job):
        request.answer(actions[request.action](spark, job, models[request.subject]))


if __name__ == "__main__":
    main()
