"""Topics of the broker: create, offsets, read all."""

from __future__ import annotations

from collections.abc import Iterator

from confluent_kafka import Consumer, Message, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

TIMEOUT_S = 30.0


def create(bootstrap: str, name: str, *, partitions: int = 1, **config: str) -> None:
    """Create a topic; fails if it exists."""
    topic = NewTopic(name, num_partitions=partitions, replication_factor=1, config=config)
    # Named, so that it lives until the answer comes: a dropped client ends its requests.
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 4})
    admin.create_topics([topic])[name].result(timeout=TIMEOUT_S)


def end_offsets(bootstrap: str, name: str) -> dict[int, int]:
    """Offset after the last record, by partition."""
    consumer = _consumer(bootstrap)
    try:
        partitions = consumer.list_topics(name, timeout=TIMEOUT_S).topics[name].partitions
        return {p: consumer.get_watermark_offsets(TopicPartition(name, p), timeout=TIMEOUT_S)[1] for p in partitions}
    finally:
        consumer.close()


def read_all(bootstrap: str, name: str) -> Iterator[Message]:
    """Every record that a topic holds now, partition by partition, in offset order."""
    ends = end_offsets(bootstrap, name)
    consumer = _consumer(bootstrap)
    try:
        for partition, end in sorted(ends.items()):
            consumer.assign([TopicPartition(name, partition, 0)])
            position = 0
            while position < end:
                batch = consumer.consume(min(10_000, end - position), timeout=TIMEOUT_S)
                if not batch:
                    raise TimeoutError(f"topic {name}, partition {partition}: nothing came after offset {position}")
                for message in batch:
                    if message.error():
                        raise RuntimeError(f"topic {name}: {message.error()}")
                    position = message.offset() + 1
                    yield message
    finally:
        consumer.close()


def _consumer(bootstrap: str) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "firesteel-harness",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
        }
    )
