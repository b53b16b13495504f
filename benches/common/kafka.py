"""The broker, the topics and the load of a benchmark run."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from benches.common.paths import CLI, need

PARTITIONS = 8


@contextlib.contextmanager
def broker(bootstrap: str | None) -> Iterator[str]:
    """The address of a broker: the given one, or an embedded one that ends with the block."""
    if bootstrap is not None:
        yield bootstrap
        return
    from tests.harness.broker import Broker

    with Broker() as started:
        yield started.bootstrap


def new_topic(bootstrap: str, name: str, *, partitions: int = PARTITIONS, **config: str) -> str:
    """Creates a topic, in place of one of the same name."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    if name in admin.list_topics(timeout=30).topics:
        for future in admin.delete_topics([name]).values():
            future.result(timeout=60)
    for future in admin.create_topics([NewTopic(name, partitions, 1, config=config)]).values():
        future.result(timeout=60)
    return name


def load(bootstrap: str, topic: str, events: int, *, seed: int) -> None:
    """Fills a topic with `events` benchmark events as fast as the load generator can."""
    subprocess.run(load_command(bootstrap, topic, events, seed=seed), check=True)


def load_command(bootstrap: str, topic: str, events: int, *, seed: int, rate_per_s: int | None = None) -> list[str]:
    """The load generator's command line; with `rate_per_s` it keeps that pace and notes when each event was due."""
    command = [str(need(CLI, "cli")), "loadgen", "bench", "--quiet"]
    command += ["--bootstrap", bootstrap, "--topic", topic, "--partitions", str(PARTITIONS)]
    command += ["--count", str(events), "--seed", str(seed)]
    return command if rate_per_s is None else [*command, "--rate", str(rate_per_s), "--send-time"]


def read(
    bootstrap: str, topic: str, *, limit: int | None = None, timeout_s: float = 60.0
) -> Iterator[tuple[bytes, int]]:
    """Every record of a topic up to its present end, or `limit` of them: value and timestamp (milliseconds).

    With a limit each partition gives its first records, the same number each, so the same topic gives the same set.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "firesteel-bench-reader",
            "enable.auto.commit": False,
            "enable.partition.eof": False,
            "auto.offset.reset": "earliest",
        }
    )
    try:
        partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
        for p in sorted(partitions):
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=30)
            left = high - low if limit is None else min(high - low, limit // len(partitions))
            consumer.assign([TopicPartition(topic, p, low)])
            while left > 0:
                messages = consumer.consume(min(left, 10_000), timeout=timeout_s)
                if not messages:
                    raise TimeoutError(f"benches: {left} records of {topic}-{p} did not come within {timeout_s} s")
                for message in messages:
                    if message.error():
                        raise RuntimeError(str(message.error()))
                    left -= 1
                    yield message.value(), message.timestamp()[1]
    finally:
        consumer.close()
