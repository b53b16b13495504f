"""One contender's stream from Kafka to Kafka at the default trigger, until it is told to stop.

Started by ``benches.suites.latency`` as ``python -m benches.workers.latency job.json``. Says that it is ready when the
query has finished its first trigger, and stops when the file appears that the job calls ``stop``.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

from benches.common import spark as sessions
from benches.common.worker import say_ready, write_result
from benches.workers import streams


def main() -> None:
    """Reads the job, runs the query, writes its batch durations."""
    job = json.loads(Path(sys.argv[1]).read_text())
    spark = sessions.for_contender(job["contender"], job["jars"])
    scored = streams.scored(spark, job, job["topic"], job["onnx"], tasks=job["tasks"])
    folder = tempfile.mkdtemp(prefix="firesteel-bench-")
    query = streams.to_kafka(scored, job, job["sink_topic"]).option("checkpointLocation", folder).start()
    try:
        query.processAllAvailable()
        say_ready(job)
        stop = Path(job["stop"])
        while not stop.exists():
            if query.awaitTermination(0.2):
                raise SystemExit(f"benches: the query of {job['contender']} ended by itself")
        query.processAllAvailable()
        batches = [json.loads(p.json) for p in query.recentProgress]
        durations = [p["durationMs"] for p in batches if p["numInputRows"] > 0]
    finally:
        query.stop()
        shutil.rmtree(folder, ignore_errors=True)
        spark.stop()
    steps = sorted({step for batch in durations for step in batch})
    write_result(job, {"duration_ms": {step: [batch.get(step, 0) for batch in durations] for step in steps}})


if __name__ == "__main__":
    main()
