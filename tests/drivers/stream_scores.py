"""A user's own streaming job in PySpark: a topic through a pipeline into Parquet, until the topic is read.

The session is whatever spark-submit makes of `--jars` and `--conf`; no path of ours is set here.
Arguments: bootstrap servers, topic, pipeline file, output folder.
"""

import sys

from pyspark.sql import SparkSession

import firesteel

bootstrap, topic, pipeline, folder = sys.argv[1:]
spark = SparkSession.builder.getOrCreate()
events = (
    spark.readStream.format("kafka")
    .option("kafka.bootstrap.servers", bootstrap)
    .option("subscribe", topic)
    .option("startingOffsets", "earliest")
    .option("maxOffsetsPerTrigger", 20_000)
    .load()
)
scored = firesteel.accepted(firesteel.Pipeline.load(pipeline).transform(events))
query = (
    scored.writeStream.format("parquet")
    .option("checkpointLocation", f"{folder}/checkpoint")
    .trigger(availableNow=True)
    .start(f"{folder}/out")
)
query.awaitTermination()
query.explain()
spark.stop()
