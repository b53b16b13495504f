"""A streaming job that copies a topic's records into Parquet through the native source, until the topic is read.

The session is whatever spark-submit makes of `--jars` and `--conf`.
Arguments: bootstrap servers, topic, output folder, records in a batch.
"""

import sys

from pyspark.sql import SparkSession

bootstrap, topic, folder, rows = sys.argv[1:]
spark = SparkSession.builder.getOrCreate()
records = (
    spark.readStream.format("firesteel")
    .option("kafka.bootstrap.servers", bootstrap)
    .option("subscribe", topic)
    .option("startingOffsets", "earliest")
    .option("maxOffsetsPerTrigger", rows)
    .option("batchRows", 100)
    .load()
)
# A row takes a moment, so that a batch lasts long enough to be killed in.
slow = records.where("java_method('java.lang.Thread', 'sleep', CAST(1 AS BIGINT)) <> ''")
query = (
    slow.select("topic", "partition", "offset", "value")
    .writeStream.format("parquet")
    .option("checkpointLocation", f"{folder}/checkpoint")
    .trigger(availableNow=True)
    .start(f"{folder}/out")
)
query.awaitTermination()
spark.stop()
