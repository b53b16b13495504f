"""StreamJob writes scores and rejected records to topics: by the native sink the same records as by Spark's."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tests.support import kafka
from tests.support.jobs import MAIN
from tests.support.submit import SparkProgram, submit_command


def record(i: int) -> bytes | None:
    if i % 10 == 3:
        return None if i % 20 == 3 else b'{"id": '
    amount = "null" if i % 7 == 0 else '"NaN"' if i % 11 == 0 else str(i / 8)
    return b'{"id": %d, "amount": %s, "at": "2026-01-02T03:04:05.%06dZ"}' % (i, amount.encode(), i)


@pytest.mark.timeout(300)
def test_the_native_sink_writes_the_records_of_sparks(
    spark: SparkSession, bootstrap: str, jar: Path, kafka_connector: list[Path], tmp_path: Path
) -> None:
    topic = kafka.new_topic(bootstrap, "in", partitions=2)
    kafka.produce(bootstrap, topic, map(record, range(500)), partitions=2)
    pipeline = tmp_path / "p.yaml"
    pipeline.write_text(
        "name: p\ninput: {format: json, schema: 'id BIGINT NOT NULL, amount DOUBLE, at TIMESTAMP'}\n"
        "features: {double: amount * 2}\noutput: [id, double, at]\n"
    )
    written = {}
    for sink in ("native", "spark"):
        scores, rejected = (kafka.new_topic(bootstrap, f"{stem}-{sink}") for stem in ("scores", "rejected"))
        # The native job needs nothing of Spark's connector.
        command = submit_command(master="local[2]", jars=kafka_connector if sink == "spark" else [])
        command += ["--class", MAIN, str(jar), "--pipeline", str(pipeline), "--bootstrap-servers", bootstrap]
        command += ["--topic", topic, "--checkpoint", str(tmp_path / sink), "--output-topic", scores]
        command += ["--output-key", "id", "--rejected-topic", rejected]
        command += ["--sink", "spark"] if sink == "spark" else []
        with SparkProgram(command, tmp_path / f"{sink}.log") as job:
            job.finish(100)
        written[sink] = [records(spark, bootstrap, name) for name in (scores, rejected)]
    assert written["native"] == written["spark"]
    scored, refused = (sum(counts.values()) for counts in written["native"])
    assert scored + refused == 500
    assert refused >= 50
    assert any(b'"double":null' in (value or b"") for _, value, _ in written["native"][0]), "nulls are written"


def records(
    spark: SparkSession, bootstrap: str, topic: str
) -> Counter[tuple[bytes | None, bytes | None, tuple[tuple[str, bytes | None], ...]]]:
    reader = spark.read.format("kafka").option("kafka.bootstrap.servers", bootstrap).option("subscribe", topic)
    rows = reader.option("includeHeaders", "true").load().collect()
    return Counter(
        (
            row.key and bytes(row.key),
            None if row.value is None else bytes(row.value),
            tuple((h.key, None if h.value is None else bytes(h.value)) for h in row.headers or ()),
        )
        for row in rows
    )
