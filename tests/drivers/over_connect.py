"""Scores over Spark Connect: a server inside this process's JVM, a client that has no JVM at all.

Run in a process of its own by test_connect.py, since a process is either a Connect client or a classic driver.
Arguments: an ONNX model of two inputs, a pipeline file, a wrong pipeline file. Prints one JSON object.
"""

import json
import sys

from pyspark.sql import SparkSession

import firesteel
from firesteel import notebook

model, pipeline, wrong = sys.argv[1:]
builder = SparkSession.builder.remote("local[2]").config("spark.ui.enabled", "false")
spark = firesteel.configure(builder).getOrCreate()
df = spark.createDataFrame([(1, 0.5, -1.0), (2, None, 3.0), (3, 2.0, -2.0)], "id BIGINT, x DOUBLE, y DOUBLE")

predicted = df.select("id", firesteel.predict(model, "x", "y").alias("p")).orderBy("id")
by_sql = spark.sql("SELECT firesteel_predict('" + model + "', x, y).label AS label FROM {df}", df=df)
scored = firesteel.Pipeline.load(pipeline).transform(df)
typed = firesteel.Pipeline.load(pipeline).transform(
    df.selectExpr("cast(to_json(struct(*)) AS BINARY) AS value", "'t' AS topic", "7 AS partition", "id AS offset")
)
try:
    firesteel.Pipeline.load(wrong).transform(df).collect()
    refusal = ""
except Exception as error:  # whatever class the client gives it: the words are what is tested
    refusal = str(error)
try:
    notebook.metrics(scored)
    no_metrics = ""
except TypeError as error:
    no_metrics = str(error)

print(
    json.dumps(
        {
            "session": f"{type(spark).__module__}.{type(spark).__name__}",
            "predicted": [row.p and row.p.probabilities for row in predicted.collect()],
            "sql_labels": [row.label for row in by_sql.collect()],
            "columns": scored.columns,
            "accepted": [row.asDict() for row in firesteel.accepted(scored).orderBy("id").collect()],
            "codes": [(row.stage, row.code) for row in firesteel.rejected(scored).collect()],
            "from_bytes": [row.asDict() for row in firesteel.accepted(typed).orderBy("id").collect()],
            "places": [(row.topic, row.partition, row.offset) for row in firesteel.rejected(typed).collect()],
            "plan": notebook.plan(scored),
            "refusal": refusal,
            "works": firesteel.doctor(spark).works,
            "explained": firesteel.explain(pipeline, spark),
            "transformed": spark.sql(
                "SELECT r.* FROM (SELECT firesteel_transform('" + pipeline + "', struct(*)) AS r FROM {df})", df=df
            ).columns,
            "no_metrics": no_metrics,
            "fitted": {kind: firesteel.fit_scalers(df, ["x", "y"], kind) for kind in ("standard", "minmax", "robust")},
            "one_hot": firesteel.fit_one_hot(df, ["id"], most=2),
        }
    )
)
spark.stop()
