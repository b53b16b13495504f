"""A user's job on a protected broker, which says everything that Spark would tell about it into files of a folder.

Arguments: a JSON file with `source`, `options`, `wrong_options` (with another password), `topic` and `folder`.
"""

import contextlib
import io
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

#: What the status server is asked for, below the application.
QUESTIONS = ("environment", "sql?details=true&planDescription=true", "jobs", "stages?details=true", "allexecutors")
#: Pages of the UI, which show what the REST interface leaves out.
PAGES = ("environment/", "SQL/", "SQL/execution/?id=0", "SQL/execution/?id=1", "SQL/execution/?id=2", "StreamingQuery/")
WAIT_S = 60

wanted = json.loads(Path(sys.argv[1]).read_text())
folder = Path(wanted["folder"])
spark = SparkSession.builder.getOrCreate()


def keep(name: str, text: object) -> None:
    (folder / name).write_text(str(text))


def explain_all(name: str, df: DataFrame) -> None:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        for mode in ("simple", "extended", "codegen", "cost", "formatted"):
            df.explain(mode=mode)
    execution = df._jdf.queryExecution()
    plans = [execution.logical(), execution.analyzed(), execution.optimizedPlan()]
    said.write("\n".join([execution.toString(), *(plan.toJSON() for plan in plans), *map(str, plans)]))
    keep(name, said.getvalue())


def failure_of(name: str, action: Callable[[], Any]) -> None:
    try:
        action()
    except Exception as failure:
        java = getattr(failure, "_origin", None) or getattr(failure, "java_exception", None)
        trace = ""
        if java is not None:
            assert spark._jvm is not None
            trace = spark._jvm.org.apache.spark.util.Utils.exceptionString(java)
        keep(name, f"{failure}\n{failure!r}\n{trace}")
    else:
        raise SystemExit(f"{name}: the query with the wrong password ended well")


def written(df: DataFrame, where: str) -> StreamingQuery:
    query = (
        df.writeStream.format("parquet")
        .option("checkpointLocation", str(folder / f"checkpoint-{where}"))
        .queryName(where)
        .trigger(availableNow=True)
        .start(str(folder / f"out-{where}"))
    )
    if not query.awaitTermination(WAIT_S):
        query.stop()
        raise SystemExit(f"{where} did not end within {WAIT_S} s")
    return query


source, options = wanted["source"], wanted["options"]
batch = spark.read.format(source).options(**options).load()
rows = len(batch.collect())
explain_all("explain-batch.txt", batch)

stream = spark.readStream.format(source).options(**options).load()
query = written(stream, "stream")
keep("progress.json", "\n".join(progress.json for progress in query.recentProgress))
said = io.StringIO()
with contextlib.redirect_stdout(said):
    query.explain(True)
keep("explain-stream.txt", said.getvalue() + str(query.status))

wrong = wanted["wrong_options"]
failure_of("failure-batch.txt", lambda: spark.read.format(source).options(**wrong).load().collect())
failure_of("failure-stream.txt", lambda: written(spark.readStream.format(source).options(**wrong).load(), "wrong"))

base = spark.sparkContext.uiWebUrl
application = spark.sparkContext.applicationId
for place in [*(f"api/v1/applications/{application}/{question}" for question in QUESTIONS), *PAGES]:
    with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(f"{base}/{place}", timeout=30) as answer:
        name = "ui-" + "".join(letter if letter.isalnum() else "-" for letter in place.replace(application, "app"))
        (folder / f"{name}.txt").write_bytes(answer.read())
spark.stop()
print(json.dumps({"rows": rows}))
