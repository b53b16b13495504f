"""Topics and records on the test broker, over loopback, with Kafka's ordinary client."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from confluent_kafka import Producer

from tests.harness import topics
from tests.harness.broker import MAX_RECORD_BYTES


def new_topic(bootstrap: str, stem: str, *, partitions: int = 1) -> str:
    """Create a topic with a name of its own."""
    name = f"{stem}-{uuid.uuid4().hex[:8]}"
    topics.create(bootstrap, name, partitions=partitions)
    return name


def produce(bootstrap: str, topic: str, values: Iterable[bytes | None], *, partitions: int = 1) -> int:
    """Write records, row i to partition i modulo `partitions`; returns how many the broker acknowledged."""
    delivered = 0
    failures: list[Any] = []

    def on_delivery(error: Any, _message: Any) -> None:
        nonlocal delivered
        if error is None:
            delivered += 1
        else:
            failures.append(error)

    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "linger.ms": 20,
            "batch.size": 1024 * 1024,
            "compression.type": "lz4",
            "message.max.bytes": MAX_RECORD_BYTES,
            "queue.buffering.max.messages": 500_000,
            "enable.idempotence": True,
        }
    )
    for i, value in enumerate(values):
        while True:
            try:
                producer.produce(topic, value=value, partition=i % partitions, on_delivery=on_delivery)
                break
            except BufferError:
                producer.poll(0.05)
        if i % 10_000 == 0:
            producer.poll(0)
    left = producer.flush(120)
    assert left == 0, f"{left} records of {topic} were not acknowledged within 120 s"
    assert not failures, f"the broker refused {len(failures)} records of {topic}, the first: {failures[0]}"
    return delivered


def source_options(bootstrap: str, topic: str, **options: str) -> Mapping[str, str]:
    """Options of Spark's Kafka source that read a topic from its start."""
    return {
        "kafka.bootstrap.servers": bootstrap,
        "subscribe": topic,
        "startingOffsets": "earliest",
        "kafka.max.partition.fetch.bytes": str(MAX_RECORD_BYTES),
        **options,
    }
