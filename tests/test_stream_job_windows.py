"""StreamJob with windows: histories outlive a micro-batch, beside the partitions and in Spark's state store."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tests.support import kafka
from tests.support.jobs import MAIN
from tests.support.submit import SparkProgram, submit_command
from tests.support.windows.log import PIPELINE, order, same, scored, values, write

EVENTS = 1_500
#: Windows of another entity, whose events lie in all partitions.
OF_PLACES = "  - {key: place, time: ts, over: 1 day, late: {allow: 3650 days}, compute: {n: count(*)}}\nfeatures:"


@pytest.mark.timeout(400)
def test_every_source_and_any_keys_give_the_same_scores(
    spark: SparkSession, bootstrap: str, jar: Path, kafka_connector: list[Path], tmp_path: Path
) -> None:
    topic = kafka.new_topic(bootstrap, "windows-job", partitions=1)
    write(bootstrap, topic, values(EVENTS))
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text(PIPELINE)
    two.write_text(PIPELINE.replace("features:", OF_PLACES).replace("output: [", "output: [place_n_1d, "))
    homes = {
        (one, "native"): "beside the topic's partitions",
        (one, "spark"): "in Spark's state store",
        (two, "native"): "in Spark's state store",
    }
    for (pipeline, source), home in homes.items():
        name = f"{pipeline.stem}-{source}"
        command = submit_command(master="local[2]", jars=kafka_connector if source == "spark" else [])
        command += ["--class", MAIN, str(jar), "--pipeline", str(pipeline), "--bootstrap-servers", bootstrap]
        command += ["--topic", topic, "--checkpoint", str(tmp_path / f"{name}-checkpoint"), "--source", source]
        command += ["--max-offsets-per-trigger", "400"]
        command += ["--output-parquet", str(tmp_path / name), "--rejected-parquet", str(tmp_path / f"{name}-rejected")]
        log = tmp_path / f"{name}.log"
        with SparkProgram(command, log) as job:
            job.finish(120)
        assert f"windows: histories of keys are {home}" in log.read_text()
        accepted = [row.asDict() for row in spark.read.parquet(str(tmp_path / name)).drop("batch_id").collect()]
        refused = spark.read.parquet(str(tmp_path / f"{name}-rejected")).collect()
        found = accepted + [{"rejected": [row["partition"], row["offset"], row["code"]]} for row in refused]
        assert len(refused) > 50
        same(sorted(found, key=order), scored(bootstrap, topic, pipeline, tmp_path / f"{name}-scored"))
