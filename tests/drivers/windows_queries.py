"""Streams of topics through windows, many in one process, with all that a kill -9 of it needs to go on.

Argument: a JSON file with `jar` and `queries`, each with the arguments of `ways.rows`, its `folder`, and how it writes:
`sink` is `parquet`, or `overwrite`, which puts a micro-batch in the place of an attempt before at the same. With
`to_the_end` the program ends when all records are read.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

import firesteel
from tests.support import native
from tests.support.windows import ways


def started(spark: SparkSession, query: dict[str, Any], to_the_end: bool) -> StreamingQuery:
    df = ways.rows(spark, query["bootstrap"], query["topic"], query["file"], query["way"], **query["options"])
    if query["slow_ms"] and not to_the_end:
        df = native.slowed(df, query["slow_ms"])
    writer = df.writeStream.option("checkpointLocation", f"{query['folder']}/checkpoint")
    writer = writer.trigger(availableNow=True) if to_the_end else writer.trigger(processingTime="0 seconds")
    out = f"{query['folder']}/out"
    if query["sink"] == "parquet":
        return writer.format("parquet").start(out)

    def overwrite(rows: DataFrame, batch: int) -> None:
        rows.write.mode("overwrite").parquet(f"{out}/batch={batch}")

    return writer.foreachBatch(overwrite).start()


def main() -> None:
    plan = json.loads(Path(sys.argv[1]).read_text())
    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    builder = builder.config("spark.sql.session.timeZone", "UTC").config("spark.driver.memory", "2g")
    builder = builder.config("spark.ui.showConsoleProgress", "false")
    builder = builder.config("spark.sql.shuffle.partitions", "2").config("spark.driver.host", "127.0.0.1")
    builder = builder.config("spark.sql.streaming.noDataMicroBatches.enabled", "false")
    spark = firesteel.configure(builder, jar=plan["jar"]).getOrCreate()
    spark.sparkContext.setLogLevel("WARN")
    queries = [started(spark, query, plan["to_the_end"]) for query in plan["queries"]]
    for query in queries:
        query.awaitTermination()
    spark.stop()


if __name__ == "__main__":
    main()
