"""The broker, the topics and the load of a benchmark run."""

from __future__ import annotations

import contextlib
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from confluent_kafka.admin import AdminClient

from benches import make_models
from benches.common.paths import CLI, need
from tests.harness import topics
from tests.harness.broker import Broker

PARTITIONS = 8
LEADER_TIMEOUT_S = 30


@contextlib.contextmanager
def broker(bootstrap: str | None) -> Iterator[str]:
    """The address of a broker: the given one, or an embedded one that ends with the block."""
    if bootstrap is not None:
        yield bootstrap
        return
    with Broker() as started:
        yield started.bootstrap


@contextlib.contextmanager
def topic(bootstrap: str, stem: str, partitions: int = PARTITIONS, /, **config: str) -> Iterator[str]:
    """A topic with a name of its own, gone after the block."""
    name = f"{stem}-{uuid.uuid4().hex[:8]}"
    topics.create(bootstrap, name, partitions=partitions, **config)
    wait_for_leaders(bootstrap, name, partitions)
    try:
        yield name
    finally:
        # Named, so that it lives until the answer comes: a dropped client ends its requests.
        admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 4})
        admin.delete_topics([name])[name].result(timeout=60)


def wait_for_leaders(bootstrap: str, name: str, partitions: int = PARTITIONS) -> None:
    """Waits until a new topic shows all its partitions: its creation is answered a little earlier."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 4})
    deadline = time.monotonic() + LEADER_TIMEOUT_S
    while len(admin.list_topics(name, timeout=LEADER_TIMEOUT_S).topics[name].partitions) < partitions:
        if time.monotonic() > deadline:
            raise TimeoutError(f"benches: {name} has no leaders after {LEADER_TIMEOUT_S} s")
        time.sleep(0.05)


def load(bootstrap: str, topic: str, events: int, *, seed: int) -> None:
    """Fills a topic with `events` benchmark events as fast as the load generator can."""
    subprocess.run(load_command(bootstrap, topic, events, seed=seed), check=True)


def load_command(bootstrap: str, topic: str, events: int, *, seed: int, rate_per_s: int | None = None) -> list[str]:
    """The load generator's command line; with `rate_per_s` it keeps that pace and notes when each event was due."""
    command = [str(need(CLI, "cli")), "loadgen", "bench", "--quiet"]
    command += ["--bootstrap", bootstrap, "--topic", topic, "--partitions", str(PARTITIONS)]
    command += ["--count", str(events), "--seed", str(seed)]
    return command if rate_per_s is None else [*command, "--rate", str(rate_per_s), "--send-time"]


def replay(bootstrap: str, topic: str, file: Path, *, key: str, time: str) -> None:
    """Writes a Parquet file's rows to a topic in the order of `time`, each to the partition that Java's client would
    choose for its `key`."""
    command = [str(need(CLI, "cli")), "loadgen", "replay", str(file), "--quiet", "--key-column", key]
    command += ["--time-column", time, "--bootstrap", bootstrap, "--topic", topic]
    subprocess.run(command, check=True)


def read(bootstrap: str, topic: str) -> Iterator[tuple[bytes, int]]:
    """Every record of a topic up to its present end, partition by partition: value and timestamp (milliseconds)."""
    for message in topics.read_all(bootstrap, topic):
        yield message.value(), message.timestamp()[1]


def training_events(bootstrap: str) -> Iterator[bytes]:
    """The events that the models are trained on; written and read only if somebody asks for the first one."""
    with topic(bootstrap, "bench-training") as name:
        load(bootstrap, name, make_models.TRAINING_ROWS, seed=make_models.SEED)
        for value, _ in read(bootstrap, name):
            yield value
