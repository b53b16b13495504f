"""A stream through our source whose model's alias moves meanwhile; gives each micro-batch's time and version.

Started by ``benches.suites.swap`` as ``python -m benches.workers.swap job.json``. Stops when the file appears that the
job calls ``stop``.
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
    """Reads the job, runs the query, writes its batches."""
    job = json.loads(Path(sys.argv[1]).read_text())
    settings = {"spark.firesteel.models.refresh": "100"}
    spark = sessions.for_contender(job["contender"], job["jars"], settings)
    scored = streams.scored(spark, job, job["topic"], job["onnx"])
    folder = tempfile.mkdtemp(prefix="firesteel-bench-")
    query = scored.writeStream.format("noop").option("checkpointLocation", folder).start()
    try:
        query.processAllAvailable()
        say_ready(job)
        stop = Path(job["stop"])
        while not stop.exists():
            if query.awaitTermination(0.2):
                raise SystemExit("benches: the query ended by itself")
        query.processAllAvailable()
        found = [json.loads(progress.json) for progress in query.recentProgress]
    finally:
        query.stop()
        shutil.rmtree(folder, ignore_errors=True)
        spark.stop()
    batches = [
        {
            "ms": progress["durationMs"]["triggerExecution"],
            "rows": progress["numInputRows"],
            "version": progress["sources"][0]["metrics"]["modelVersion.bench"],
        }
        for progress in found
        if progress["numInputRows"] > 0
    ]
    write_result(job, {"batches": batches})


if __name__ == "__main__":
    main()
