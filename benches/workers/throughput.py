"""One contender in one fresh Spark session: check the scores, warm up, then measure each model's stream.

Started by ``benches.suites.inference`` as ``python -m benches.workers.throughput job.json``; writes its result as JSON
to the path named in the job. A process per contender and repetition keeps the JIT's profile, the heap and the Python
workers of one contender away from another's.
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
from benches.common.worker import write_result
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


def measure(spark: SparkSession, job: dict[str, Any], model: dict[str, str]) -> dict[str, Any]:
    """One warm-up stream and one timed one."""
    contend = contender(job["contender"])

    def scored(topic: str) -> DataFrame:
        records = sessions.stream(spark, job["bootstrap"], topic, job["max_offsets"])
        return contend.score(records, model["onnx"])

    run_stream(scored(job["warm_topic"]))
    before = tree_seconds(os.getpid())
    progress = run_stream(scored(job["topic"]))
    cpu = tree_seconds(os.getpid()) - before
    rate = kept_rate(progress)
    rate["cpu_s_per_million_rows"] = cpu / (rate["rows_total"] / 1e6)
    return rate


def main() -> None:
    """Reads the job, measures, writes the result."""
    job = json.loads(Path(sys.argv[1]).read_text())
    spark = sessions.for_contender(job["contender"], job["jars"])
    results: dict[str, Any] = {}
    for model in job["models"]:
        result: dict[str, Any] = {}
        if job["check"]:
            result["check"] = check(spark, job, model)
        if job["measure"]:
            result["rate"] = measure(spark, job, model)
        results[model["name"]] = result
    spark.stop()
    write_result(job, results)


if __name__ == "__main__":
    main()
