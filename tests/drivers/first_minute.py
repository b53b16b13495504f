"""A user's first minute with nothing but the installed wheel: configure a builder, score a DataFrame.

Run in a process of its own by test_wheel.py, with the folder that the wheel was installed into on the path.
Arguments: an ONNX model of two inputs, a pipeline file. Prints one JSON object.
"""

import json
import sys

from pyspark.sql import SparkSession

import firesteel
import firesteel.notebook

model, pipeline = sys.argv[1:]
spark = firesteel.configure(SparkSession.builder).getOrCreate()
df = spark.createDataFrame([(1, 0.5, -1.0), (2, -0.25, 3.0), (3, 2.0, 2.0)], "id BIGINT, x DOUBLE, y DOUBLE")
labels = [row.label for row in df.select(firesteel.predict(model, "x", "y").label.alias("label")).collect()]
scored = firesteel.Pipeline.load(pipeline).transform(df)
print(
    json.dumps(
        {
            "package": firesteel.__file__,
            "jar": spark.conf.get("spark.jars"),
            "labels": labels,
            "scores": [row.score for row in firesteel.accepted(scored).collect()],
            "plan": firesteel.notebook.plan(scored),
        }
    )
)
