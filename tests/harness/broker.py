"""An Apache Kafka broker in KRaft mode: one node, one JVM of its own, loopback and free ports only.

with Broker() as broker:
    print(broker.bootstrap)
"""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from . import maven
from .process import Program, ProgramError, sigterm_as_exit

#: Records up to 16 MiB: the tests send one of 8 MB.
MAX_RECORD_BYTES = 16 * 1024 * 1024
START_S = 60.0
#: A free port can be taken by another program before the broker binds it.
ATTEMPTS = 3


class BrokerError(Exception):
    """The broker did not start; the message holds the end of its log."""


class Broker:
    """A broker that lives as long as its `with` block. Its data lie in a folder of their own, gone afterwards."""

    def __init__(self, *, heap: str = "1g", log: Path | None = None) -> None:
        """`log` takes the broker's output; by default it lies beside the data."""
        self._heap = heap
        self._wanted_log = log
        self._running = contextlib.ExitStack()
        self._bootstrap = ""
        self._program: Program | None = None

    @property
    def bootstrap(self) -> str:
        """Address for clients, host and port."""
        if not self._bootstrap:
            raise BrokerError("the broker is not running")
        return self._bootstrap

    @property
    def is_running(self) -> bool:
        """False before the start and after the end, also an unwanted one."""
        return self._program is not None and self._program.status is None

    def tail(self) -> str:
        """The end of the broker's log."""
        return self._program.tail() if self._program else ""

    def __enter__(self) -> Broker:
        with contextlib.ExitStack() as starting:
            starting.enter_context(sigterm_as_exit())
            folder = Path(tempfile.mkdtemp(prefix="firesteel-kafka-"))
            starting.callback(shutil.rmtree, folder, ignore_errors=True)
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    starting.enter_context(self._start(folder / str(attempt)))
                    break
                except ProgramError as failure:
                    if attempt == ATTEMPTS or "Address already in use" not in str(failure):
                        raise BrokerError(str(failure)) from None
            self._running = starting.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._bootstrap = ""
        self._running.close()

    def _start(self, folder: Path) -> Program:
        """Format the storage, start the JVM, and wait until it answers."""
        folder.mkdir()
        log = self._wanted_log or folder / "broker.log"
        port, controller = free_ports(2)
        properties = folder / "server.properties"
        properties.write_text(_properties(folder / "data", port, controller))
        java = _java(self._heap)
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        # An id that starts with a dash would read as an option.
        form = ["kafka.tools.StorageTool", "format", "--standalone", f"--cluster-id={cluster}", "-c", str(properties)]
        formatted = subprocess.run([*java, *form], capture_output=True, text=True, check=False, timeout=START_S)
        if formatted.returncode != 0:
            raise BrokerError(f"Kafka's storage could not be formatted:\n{formatted.stdout}{formatted.stderr}")
        program = Program("the Kafka broker", [*java, "kafka.Kafka", str(properties)], log)
        try:
            bootstrap = f"127.0.0.1:{port}"
            _wait_until_it_answers(program, bootstrap)
        except BaseException:
            program.stop()
            raise
        self._program, self._bootstrap = program, bootstrap
        return program


def _wait_until_it_answers(program: Program, bootstrap: str) -> None:
    deadline = time.monotonic() + START_S
    port = int(bootstrap.rsplit(":", 1)[1])
    while True:
        if program.status is not None:
            raise ProgramError(f"{program.name} ended with status {program.status}\n{program.tail()}")
        if time.monotonic() > deadline:
            raise ProgramError(f"{program.name} did not answer within {START_S:.0f} s\n{program.tail()}")
        # librdkafka backs off for long after a refused connection: knock first.
        if _accepts(port):
            with contextlib.suppress(KafkaException):
                admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
                if admin.list_topics(timeout=5).brokers:
                    return
        time.sleep(0.1)


def _accepts(port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex(("127.0.0.1", port)) == 0


def free_ports(count: int) -> list[int]:
    """Ports of the loopback interface that nobody listens on right now."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _java(heap: str) -> list[str]:
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home, "bin", "java")) if home else shutil.which("java")
    if java is None:
        raise BrokerError("Java is missing: install a JDK 17, or set JAVA_HOME")
    logging = maven.HERE / "kafka" / "log4j2.properties"
    class_path = os.pathsep.join(map(str, maven.broker_jars()))
    return [
        java,
        f"-Xmx{heap}",
        "-XX:+UseG1GC",
        "-Djava.awt.headless=true",
        f"-Dlog4j2.configurationFile={logging}",
        "-cp",
        class_path,
    ]


def _properties(data: Path, port: int, controller: int) -> str:
    settings = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller}",
        "log.dirs": str(data),
        "auto.create.topics.enable": "false",
        "message.max.bytes": str(MAX_RECORD_BYTES),
        # The topics that Kafka keeps for itself: one node has no room for copies.
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
        "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
        # Test records keep their old timestamps; none may expire during a run.
        "log.retention.ms": "-1",
        "num.network.threads": "2",
        "num.io.threads": "4",
    }
    return "".join(f"{key}={value}\n" for key, value in settings.items())
