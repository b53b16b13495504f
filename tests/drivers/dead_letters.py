"""Reads a topic with a schema and `deadLetterTopic` in micro-batches, to its end, to Parquet: a folder per batch.

Arguments: bootstrap, topic to read, topic of the dead letters, folder (checkpoint and out are made in it), then
option=value for the source.
"""

from __future__ import annotations

import argparse

from pyspark.sql import DataFrame, SparkSession

import firesteel


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("bootstrap")
    parser.add_argument("source")
    parser.add_argument("letters")
    parser.add_argument("folder")
    parser.add_argument("options", nargs="*")
    parser.add_argument("--jar", required=True)
    parser.add_argument("--schema", required=True)
    arguments = parser.parse_args()
    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    builder = builder.config("spark.sql.session.timeZone", "UTC").config("spark.driver.memory", "1g")
    spark = firesteel.configure(builder, jar=arguments.jar).getOrCreate()
    spark.sparkContext.setLogLevel("WARN")
    reader = spark.readStream.format("firesteel").option("kafka.bootstrap.servers", arguments.bootstrap)
    reader = reader.option("subscribe", arguments.source).option("startingOffsets", "earliest")
    reader = reader.option("schema", arguments.schema).option("deadLetterTopic", arguments.letters)
    for option in arguments.options:
        name, value = option.split("=", 1)
        reader = reader.option(name, value)

    def batch(rows: DataFrame, number: int) -> None:
        rows.write.mode("overwrite").parquet(f"{arguments.folder}/out/batch_id={number}")

    writer = reader.load().writeStream.trigger(availableNow=True)
    writer.option("checkpointLocation", f"{arguments.folder}/checkpoint").foreachBatch(batch).start().awaitTermination()
    spark.stop()


if __name__ == "__main__":
    main()
