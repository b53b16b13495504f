"""Two streams with a model by its alias, in a process that is killed: `format("firesteel")`, and transform of files.

Argument: a JSON file with `jar`, `bootstrap`, `topic`, `pipeline`, `folder` and `to_the_end`. Each attempt at a
micro-batch leaves a file, `BATCH-ATTEMPT.json` with version, hash and score of every row, before it is committed.
"""

from __future__ import annotations

import json
import sys
import time
import uuid
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

import firesteel


def started(spark: SparkSession, plan: dict[str, Any], way: str) -> StreamingQuery:
    folder = Path(plan["folder"]) / way
    (folder / "out").mkdir(parents=True, exist_ok=True)
    if way == "source":
        reader = spark.readStream.format("firesteel").option("subscribe", plan["topic"])
        reader = reader.option("kafka.bootstrap.servers", plan["bootstrap"]).option("startingOffsets", "earliest")
        df = reader.option("maxOffsetsPerTrigger", 30).option("pipeline", plan["pipeline"]).load()
    else:
        rows = spark.readStream.format("text").option("maxFilesPerTrigger", 1).load(f"{plan['folder']}/in")
        df = firesteel.Pipeline.load(plan["pipeline"]).transform(rows)

    def attempt(rows: DataFrame, batch: int) -> None:
        found = [list(row) for row in rows.select("id", "fraud_version", "fraud_sha256", "score").collect()]
        place = folder / "out" / f"{batch}-{uuid.uuid4()}.json"
        part = place.with_suffix(".part")
        part.write_text(json.dumps(found))
        part.rename(place)
        # Room for the kill between the rows and the commit.
        if not plan["to_the_end"]:
            time.sleep(0.1)

    writer = df.writeStream.option("checkpointLocation", str(folder / "checkpoint")).foreachBatch(attempt)
    writer = writer.trigger(availableNow=True) if plan["to_the_end"] else writer.trigger(processingTime="0 seconds")
    return writer.start()


def main() -> None:
    plan = json.loads(Path(sys.argv[1]).read_text())
    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    builder = builder.config("spark.driver.memory", "1g").config("spark.driver.host", "127.0.0.1")
    builder = builder.config("spark.sql.session.timeZone", "UTC").config("spark.firesteel.models.refresh", "0")
    spark = firesteel.configure(builder, jar=plan["jar"]).getOrCreate()
    spark.sparkContext.setLogLevel("WARN")
    for query in [started(spark, plan, way) for way in ("source", "transform")]:
        query.awaitTermination()
    spark.stop()


if __name__ == "__main__":
    main()
