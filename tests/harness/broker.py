"""An Apache Kafka broker in KRaft mode: one node, one JVM of its own, loopback and ports of its own only.

with Broker() as broker:
    print(broker.bootstrap)

It can be stopped, killed, paused and started again with the same data at the same address (`stop`, `kill`, `pause`,
`start`), and protected by TLS and SASL (`harness.security`).
"""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from . import java, maven
from .access import Access
from .ports import HOST, HeldPorts, accepts
from .process import Program, ProgramError, sigterm_as_exit
from .security import LISTENERS, Secured, Security

#: Records up to 16 MiB: the tests send one of 8 MB.
MAX_RECORD_BYTES = 16 * 1024 * 1024
START_S = 60.0
#: Settings for tests that restart the broker: the next start waits until the controller forgets the last one, by
#: default for 9 s. Not for all tests, since a busy machine can miss a heartbeat for as long as this.
QUICK_RESTART = {"broker.session.timeout.ms": "3000", "broker.heartbeat.interval.ms": "500"}


class BrokerError(Exception):
    """The broker did not start, or is not in the state that a call needs; the message holds the end of its log."""


class Broker:
    """A broker that lives as long as its `with` block. Its data lie in a folder of their own, gone afterwards."""

    def __init__(
        self,
        *,
        heap: str = "1g",
        log: Path | None = None,
        security: Security | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """`log` takes the broker's output; by default it lies beside the data.

        `security` adds listeners that `access` tells about. `settings` are broker properties of the test's own.
        """
        self._heap = heap
        self._wanted_log = log
        self._security = security
        self._settings = dict(settings or {})
        self._running = contextlib.ExitStack()
        self._command: list[str] = []
        self._log = Path(os.devnull)
        self._bootstrap = ""
        self._secured: Secured | None = None
        self._program: Program | None = None

    @property
    def bootstrap(self) -> str:
        """Address for clients without credentials, host and port."""
        if not self._bootstrap:
            raise BrokerError("the broker is not running")
        return self._bootstrap

    @property
    def secured(self) -> Secured:
        """The protection: certificates, token endpoint, passwords."""
        if self._secured is None:
            raise BrokerError("this broker has no protected listeners: give Broker(security=Security())")
        return self._secured

    def access(self, name: str) -> Access:
        """One of `access.ACCESSES`: what a client must say to get in there."""
        return self.secured.access(name)

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
            names = ["PLAINTEXT", "CONTROLLER", *(LISTENERS if self._security else ())]
            held = HeldPorts(len(names))
            starting.callback(held.close)
            ports = dict(zip(names, held.numbers, strict=True))
            if self._security:
                keys = folder / "keys"
                keys.mkdir()
                self._secured = Secured(self._security, keys, ports)
                starting.callback(self._secured.close)
            self._format(folder, ports)
            self._bootstrap = f"{HOST}:{ports['PLAINTEXT']}"
            starting.callback(self._end)
            try:
                self.start()
            except ProgramError as failure:
                raise BrokerError(str(failure)) from None
            self._running = starting.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def start(self) -> None:
        """Start a broker that was stopped or killed, and wait until it answers."""
        if self.is_running:
            raise BrokerError("the broker runs already")
        self._program = Program("the Kafka broker", self._command, self._log)
        _wait_until_it_answers(self._program, self.bootstrap)

    def stop(self) -> None:
        """End the broker in good order: data written, connections closed."""
        self._runs().stop()

    def kill(self) -> None:
        """SIGKILL to the broker."""
        self._runs().kill()

    def pause(self) -> None:
        """Stop the broker's threads: it keeps its connections and answers nothing until `resume`."""
        self._runs().pause()

    def resume(self) -> None:
        """Let a paused broker go on."""
        self._runs().resume()

    def _runs(self) -> Program:
        if self._program is None or self._program.status is not None:
            raise BrokerError(f"the broker is not running\n{self.tail()}")
        return self._program

    def _end(self) -> None:
        self._bootstrap = ""
        if self._program is not None:
            self._program.stop()

    def _format(self, folder: Path, ports: Mapping[str, int]) -> None:
        """Format the storage, and know the command that starts the broker from then on."""
        self._log = self._wanted_log or folder / "broker.log"
        properties = folder / "server.properties"
        settings = {**_settings(folder / "data", ports), **(self._secured.settings() if self._secured else {})}
        properties.write_text(_written({**settings, **self._settings}))
        run = _java(self._heap, self._secured.java_options() if self._secured else [])
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        # An id that starts with a dash would read as an option.
        form = ["kafka.tools.StorageTool", "format", "--standalone", f"--cluster-id={cluster}", "-c", str(properties)]
        form += self._secured.format_options() if self._secured else []
        formatted = subprocess.run([*run, *form], capture_output=True, text=True, check=False, timeout=START_S)
        if formatted.returncode != 0:
            raise BrokerError(f"Kafka's storage could not be formatted:\n{formatted.stdout}{formatted.stderr}")
        self._command = [*run, "kafka.Kafka", str(properties)]


def _wait_until_it_answers(program: Program, bootstrap: str) -> None:
    deadline = time.monotonic() + START_S
    port = int(bootstrap.rsplit(":", 1)[1])
    while True:
        if program.status is not None:
            raise ProgramError(f"{program.name} ended with status {program.status}\n{program.tail()}")
        if time.monotonic() > deadline:
            raise ProgramError(f"{program.name} did not answer within {START_S:.0f} s\n{program.tail()}")
        # librdkafka backs off for long after a refused connection: knock first.
        if accepts(port):
            with contextlib.suppress(KafkaException):
                admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
                if admin.list_topics(timeout=5).brokers:
                    return
        time.sleep(0.1)


def _java(heap: str, options: list[str]) -> list[str]:
    logging = maven.HERE / "kafka" / "log4j2.properties"
    class_path = os.pathsep.join(map(str, maven.broker_jars()))
    return [
        java.program("java"),
        f"-Xmx{heap}",
        "-XX:+UseG1GC",
        "-Djava.awt.headless=true",
        f"-Dlog4j2.configurationFile={logging}",
        *options,
        "-cp",
        class_path,
    ]


def _settings(data: Path, ports: Mapping[str, int]) -> dict[str, str]:
    protocols = {name: LISTENERS.get(name, "PLAINTEXT") for name in ports}
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "listeners": ",".join(f"{name}://{HOST}:{port}" for name, port in ports.items()),
        "listener.security.protocol.map": ",".join(f"{name}:{protocol}" for name, protocol in protocols.items()),
        "inter.broker.listener.name": "PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.bootstrap.servers": f"{HOST}:{ports['CONTROLLER']}",
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
        # Tests wait for compaction and for deleted topics to go.
        "log.cleaner.backoff.ms": "200",
        "log.initial.task.delay.ms": "500",
        "log.segment.delete.delay.ms": "1000",
        # Test records keep their old timestamps; none may expire during a run.
        "log.retention.ms": "-1",
        "num.network.threads": "2",
        "num.io.threads": "4",
    }


def _written(settings: Mapping[str, str]) -> str:
    """As a Java properties file has them."""
    return "".join(f"{key}={value.replace(chr(92), chr(92) * 2)}\n" for key, value in settings.items())
