"""An executor with eight tasks at a time that score a large model; prints what the process takes, as one JSON line.

Arguments: a small model and a large one, both of one BIGINT input.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import psutil
from pyspark.sql import SparkSession

import firesteel

TASKS = 8
ROWS = 80_000
#: Threads end, and memory that nobody holds goes back to the system.
SETTLE_S = 3

small, large = sys.argv[1:3]
# A heap that is all there from the start, so that only memory outside of it can grow.
heap = "-Xms1500m -XX:+AlwaysPreTouch -XX:+UseSerialGC"
builder = firesteel.configure(SparkSession.builder.master(f"local[{TASKS}]")).config("spark.driver.memory", "1500m")
spark = (
    builder.config("spark.driver.defaultJavaOptions", heap)
    .config("spark.ui.enabled", "false")
    .config("spark.sql.shuffle.partitions", TASKS)
    .getOrCreate()
)
[java] = [child for child in psutil.Process(os.getpid()).children(recursive=True) if child.name() == "java"]


def score(model: str, tasks: int) -> None:
    rows = spark.range(0, ROWS, 1, tasks).selectExpr("id % 1000 AS id")
    rows.selectExpr(f"firesteel_predict('{model}', id) AS p").write.format("noop").mode("overwrite").save()


def models() -> list[dict[str, Any]]:
    assert spark._jvm is not None
    return json.loads(spark._jvm.io.firesteel.spark.bridge.NativeModels.report())


def now() -> dict[str, Any]:
    time.sleep(SETTLE_S)
    threads = [path.read_text().strip() for path in Path(f"/proc/{java.pid}/task").glob("*/comm")]
    return {"rss": java.memory_info().rss, "threads": threads, "models": models()}


# Everything but the large model: classes, code, the arenas of batches.
for _ in range(2):
    score(small, TASKS)
before = now()
for _ in range(2):
    score(large, TASKS)
eight = now()
report = firesteel.explain(spark.range(1).selectExpr(f"firesteel_predict('{large}', id) AS p"))
doctor = str(firesteel.doctor(spark))
spark.stop()
print(json.dumps({"before": before, "eight": eight, "explain": report, "doctor": doctor}))
