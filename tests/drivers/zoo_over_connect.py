"""Every model of the zoo over Spark Connect, in a process that has no JVM of its own to call.

Run in a process of its own by test_zoo.py. Prints one JSON object: each model's outputs as they are stored.
"""

import json
import sys
from pathlib import Path

from pyspark.sql import SparkSession

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
import firesteel
from tests.support import zoo

builder = SparkSession.builder.remote("local[2]").config("spark.ui.enabled", "false")
spark = firesteel.configure(builder).getOrCreate()
models = {}
for model in zoo.models():
    df = spark.createDataFrame(model.rows, f"row_id INT, {model.ddl}")
    scored = df.select("row_id", firesteel.predict(model.path, *model.columns).alias("p"))
    rows = [row.p.asDict() for row in sorted(scored.collect(), key=lambda row: row.row_id)]
    models[model.path.stem] = {
        name: [zoo.like(row[name], one) for row, one in zip(rows, wanted, strict=True)]
        for name, wanted in model.outputs.items()
    }
print(json.dumps({"session": f"{type(spark).__module__}.{type(spark).__name__}", "models": models}))
spark.stop()
