"""A password given to a source is found nowhere afterwards: plans, logs, event log, UI, checkpoint, errors, progress.

On a standalone cluster, so that executors have logs of their own; all logs of ours and of the Kafka client at DEBUG.
Once with Spark's redaction as it comes, once with `spark.redaction.regex` set to something useless.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tests.harness import topics
from tests.harness.access import Access
from tests.harness.broker import Broker
from tests.harness.passwords import CANARY
from tests.harness.topics import Record
from tests.support import cluster, sources
from tests.support.kafka import new_topic
from tests.support.places import ONLY_IN_FULL, ROOT
from tests.support.submit import SparkProgram, submit_command

RECORDS = 40
TIMEOUT_S = 200
USELESS = {"spark.redaction.regex": "zzz-nothing", "spark.sql.redaction.options.regex": "zzz-nothing"}
LOGGING = """
status = warn
appender.out.type = Console
appender.out.name = out
appender.out.target = SYSTEM_ERR
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{HH:mm:ss.SSS} %p %c: %m%n%ex
rootLogger.level = info
rootLogger.appenderRef.out.ref = out
logger.ours.name = io.firesteel
logger.ours.level = debug
logger.native.name = firesteel
logger.native.level = debug
logger.sparks.name = org.apache.spark.sql.kafka010
logger.sparks.level = debug
logger.client.name = org.apache.kafka.clients
logger.client.level = debug
"""
#: Where the topic's name must stand, as proof that the file holds what it should.
MUST_NAME_THE_TOPIC = ("explain-batch.txt", "progress.json", "driver.log")


@dataclass(frozen=True)
class Told:
    """What a run left behind."""

    folder: Path
    topic: str

    def files(self) -> list[Path]:
        """Every file with something that the run told, the harness's own orders left out."""
        return [path for path in self.folder.rglob("*") if path.is_file() and path.name != "orders.json"]

    def leaks(self, secrets: tuple[str, ...]) -> dict[str, str]:
        """Files that hold a secret, and what stands around it."""
        found = {}
        for path in self.files():
            content = path.read_bytes()
            at = max(content.find(secret.encode()) for secret in (*secrets, CANARY))
            if at >= 0:
                place = str(path.relative_to(self.folder))
                found[place] = content[max(0, at - 150) : at + 30].decode(errors="replace")
        return found


@dataclass(frozen=True)
class Ways:
    """A way into the broker and the same with a wrong password."""

    right: Access
    wrong: Access


def run(source: str, ways: Ways, broker: Broker, folder: Path, jars: list[Path], conf: dict[str, str]) -> Told:
    """Run the driver on a cluster of its own and collect what was told."""
    topic = new_topic(broker.bootstrap, "secret-topic", partitions=2)
    topics.write(broker.bootstrap, topic, [Record(i % 2, -1, None, f"{i}".encode()) for i in range(RECORDS)])
    told = folder / "told"
    for place in (told, told / "events", told / "cluster"):
        place.mkdir(parents=True)
    reading = {"subscribe": topic, "startingOffsets": "earliest", "fetchOffset.numRetries": "1"}
    patience = {"kafka.default.api.timeout.ms": "5000", "kafka.request.timeout.ms": "4000"}
    orders = told / "orders.json"
    orders.write_text(
        json.dumps(
            {
                "source": source,
                "options": {**ways.right.spark(), **reading},
                "wrong_options": {**ways.wrong.spark(), **reading, **patience},
                "topic": topic,
                "folder": str(told),
            }
        )
    )
    log4j = told / "log4j2.properties"
    log4j.write_text(LOGGING)
    java = f"-Dlog4j2.configurationFile={log4j}"
    settings = {
        "spark.ui.enabled": "true",
        "spark.ui.port": "0",
        "spark.eventLog.enabled": "true",
        "spark.eventLog.compress": "false",
        "spark.eventLog.dir": (told / "events").as_uri(),
        "spark.driver.extraJavaOptions": java,
        "spark.executor.extraJavaOptions": java,
        "spark.executor.memory": "1g",
        "spark.task.maxFailures": "1",
        **conf,
    }
    driver = ROOT / "tests" / "drivers" / "canary_stream.py"
    with cluster.standalone(told / "cluster") as spark_cluster:
        command = submit_command(master=spark_cluster.url, jars=jars, conf=settings)
        command += [str(driver), str(orders)]
        with SparkProgram(command, told / "driver.log", name="the canary driver") as program:
            answer = [line for line in program.finish(TIMEOUT_S).splitlines() if line.startswith("{")][-1]
    assert json.loads(answer) == {"rows": RECORDS}
    return Told(told, topic)


def assert_told_everything(told: Told) -> None:
    """Hold that the files are what they should be: a test that searches empty files proves nothing."""
    for name in MUST_NAME_THE_TOPIC:
        assert told.topic in (told.folder / name).read_text(), f"{name} does not name the topic"
    for name in ("explain-stream.txt", "failure-batch.txt", "failure-stream.txt"):
        assert len((told.folder / name).read_text()) > 200, f"{name} says nothing"
    logs = [*told.folder.glob("cluster/work/*/*/stderr"), told.folder / "driver.log"]
    assert len(logs) >= 2, "no executor has left a log"
    assert all(" DEBUG " in log.read_text(errors="replace") for log in logs), "a log is not at DEBUG"
    events = [path for path in told.folder.rglob("events/**/*") if path.is_file() and path.suffix != ".crc"]
    assert any("SparkListenerSQLExecutionStart" in path.read_text(errors="replace") for path in events)
    assert any(
        told.topic.encode() in path.read_bytes() for path in told.folder.glob("checkpoint-stream/offsets/[0-9]*")
    )
    pages = [path.name for path in told.folder.glob("ui-*")]
    assert {"environment", "sql"} <= {word for name in pages for word in name.lower().replace(".txt", "").split("-")}


@pytest.fixture
def told_by(
    spark: SparkSession, secured_broker: Broker, kafka_connector: list[Path], jar: Path, tmp_path: Path
) -> Callable[[str, str, dict[str, str]], dict[str, str]]:
    """Runs a source with an access and settings; gives the places that tell a password, with the text around it."""

    def leaks(source: str, name: str, conf: dict[str, str]) -> dict[str, str]:
        sources.required(spark, source)
        secured = secured_broker.secured
        ways = Ways(secured.access(name), secured.wrong_access(name))
        told = run(source, ways, secured_broker, tmp_path, [*kafka_connector, jar], conf)
        assert_told_everything(told)
        return told.leaks(secured.passwords.all())

    return leaks


#: Where Spark's redaction is useless only ours is left; with it as it comes, the two must not be in each other's way.
@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("name", "conf"),
    [
        pytest.param("scram-sha-512", {}, id="scram, spark's redaction"),
        pytest.param("scram-sha-512", USELESS, id="scram", marks=ONLY_IN_FULL),
        pytest.param("mtls-jks", USELESS, id="mtls", marks=ONLY_IN_FULL),
        pytest.param("oauthbearer", USELESS, id="oauthbearer"),
    ],
)
def test_a_password_is_told_nowhere(told_by: Callable[..., dict[str, str]], name: str, conf: dict[str, str]) -> None:
    leaks = told_by(sources.OURS, name, conf)
    assert not leaks, "\n".join(f"{place}: {text}" for place, text in leaks.items())


@pytest.mark.timeout(400)
def test_the_search_finds_what_sparks_own_source_tells(told_by: Callable[..., dict[str, str]]) -> None:
    assert told_by(sources.SPARKS, "scram-sha-512", USELESS), "a search that finds nothing there proves nothing"


def test_the_search_finds_a_secret_in_any_file(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "log").write_bytes(b"\xff\x00 password=" + CANARY.encode() + b"x \xfe")
    (tmp_path / "clean").write_text("nothing here")
    (tmp_path / "orders.json").write_text(CANARY)
    assert list(Told(tmp_path, "t").leaks(())) == ["deep/log"]
    (tmp_path / "clean").write_text("my own secret")
    assert sorted(Told(tmp_path, "t").leaks(("own",))) == ["clean", "deep/log"]
