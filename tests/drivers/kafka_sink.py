"""Copies a topic into another with `format("firesteel")`, in micro-batches, to the end of the input.

Arguments: bootstrap, topic to read, topic to write, checkpoint, then option=value for the sink. `--rows N` records per
batch, `--expression SQL` makes the value, `--tasks N` spreads the rows over another number of tasks, `--fail-once FILE`
lets one task fail in the middle, once.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.functions import expr, udf
from pyspark.sql.types import BinaryType

import firesteel


def failing_once(marker: str) -> object:
    """A function that gives back what it is given, but for one call ever, in the middle of a task's rows."""
    seen = 0

    def pass_on(value: bytes) -> bytes:
        nonlocal seen
        seen += 1
        if seen == 500 and not Path(marker).exists():
            Path(marker).touch()
            raise RuntimeError("injected")
        return value

    # By pickle: with Arrow, Spark 4.2.0 hangs over any source of columns (pythonUDF.columnarInput).
    return udf(pass_on, BinaryType(), useArrow=False)


def copied(spark: SparkSession, arguments: argparse.Namespace) -> DataFrame:
    """The rows to write."""
    source = spark.readStream.format("firesteel").option("kafka.bootstrap.servers", arguments.bootstrap)
    source = source.option("subscribe", arguments.source).option("startingOffsets", "earliest")
    rows = source.option("maxOffsetsPerTrigger", arguments.rows).load()
    rows = rows.select("key", expr(arguments.expression).cast("binary").alias("value"))
    if arguments.fail_once:
        rows = rows.withColumn("value", failing_once(arguments.fail_once)("value"))  # type: ignore[operator]
    if arguments.tasks:
        rows = rows.coalesce(arguments.tasks)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("bootstrap")
    parser.add_argument("source")
    parser.add_argument("sink")
    parser.add_argument("checkpoint")
    parser.add_argument("options", nargs="*")
    parser.add_argument("--rows", default="5000")
    parser.add_argument("--expression", default="value")
    parser.add_argument("--tasks", type=int)
    parser.add_argument("--fail-once")
    parser.add_argument("--jars")
    parser.add_argument("--master", default="local[2]")
    arguments = parser.parse_args()
    builder = SparkSession.builder.master(arguments.master).config("spark.ui.enabled", "false")
    if arguments.jars:
        builder = builder.config("spark.jars", arguments.jars)
    builder = builder.config("spark.sql.session.timeZone", "UTC").config("spark.driver.memory", "1g")
    spark = firesteel.configure(builder, jar=arguments.jars.split(",")[0]).getOrCreate()
    spark.sparkContext.setLogLevel("WARN")
    writer = copied(spark, arguments).writeStream.format("firesteel").trigger(availableNow=True)
    writer = writer.option("checkpointLocation", arguments.checkpoint).option("topic", arguments.sink)
    writer = writer.option("kafka.bootstrap.servers", arguments.bootstrap)
    for option in arguments.options:
        name, value = option.split("=", 1)
        writer = writer.option(name, value)
    writer.start().awaitTermination()
    spark.stop()


if __name__ == "__main__":
    main()
