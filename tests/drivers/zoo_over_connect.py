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
everything = zoo.models()
rows = zoo.frame(spark, everything).select("row_id", *zoo.predictions(everything)).collect()
models = {}
for model in everything:
    answers = zoo.answers(rows, model)
    models[model.name] = {
        name: [zoo.like(answer[name], one) for answer, one in zip(answers, wanted, strict=True)]
        for name, wanted in model.outputs.items()
    }
print(json.dumps({"session": f"{type(spark).__module__}.{type(spark).__name__}", "models": models}))
spark.stop()
