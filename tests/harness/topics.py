"""Topics of the broker: create and change them, offsets, read all. Records with gaps are made in `harness.gaps`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

TIMEOUT_S = 30.0
#: How Kafka's record says which kind of time it carries; 0 means none.
NO_TIME = 0


@dataclass(frozen=True)
class Record:
    """A record as it lies in a topic; two of them can be compared and put in order."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    #: Milliseconds since 1970, none if the record has no time.
    timestamp_ms: int | None = None


def create(bootstrap: str, name: str, *, partitions: int = 1, **config: str) -> None:
    """Create a topic; fails if it exists. Topic settings have underscores for dots: `cleanup_policy="compact"`."""
    settings = {key.replace("_", "."): value for key, value in config.items()}
    topic = NewTopic(name, num_partitions=partitions, replication_factor=1, config=settings)
    # Named, so that it lives until the answer comes: a dropped client ends its requests.
    admin = _admin(bootstrap)
    admin.create_topics([topic])[name].result(timeout=TIMEOUT_S)
    _await(admin, name, partitions)


def delete(bootstrap: str, name: str) -> None:
    """Delete a topic with all its records."""
    admin = _admin(bootstrap)
    admin.delete_topics([name], operation_timeout=TIMEOUT_S)[name].result(timeout=TIMEOUT_S)
    _await(admin, name, 0)


def add_partitions(bootstrap: str, name: str, total: int) -> None:
    """Give a topic so many partitions in all; they can only become more."""
    admin = _admin(bootstrap)
    admin.create_partitions([NewPartitions(name, total)])[name].result(timeout=TIMEOUT_S)
    _await(admin, name, total)


def _await(admin: AdminClient, name: str, partitions: int) -> None:
    """Wait until the broker tells so many partitions with leaders; the controller, which answers, knows first."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        found = admin.list_topics(timeout=TIMEOUT_S).topics.get(name)
        led = [] if found is None else [p for p in found.partitions.values() if p.leader >= 0 and p.error is None]
        if len(led) == partitions:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"topic {name} has {len(led)} partitions with a leader, not {partitions}")
        time.sleep(0.05)


def delete_records(bootstrap: str, name: str, before: Mapping[int, int]) -> None:
    """Delete the records below an offset, by partition; -1 means all of a partition."""
    admin = _admin(bootstrap)
    places = [TopicPartition(name, partition, offset) for partition, offset in before.items()]
    for answer in admin.delete_records(places, operation_timeout=TIMEOUT_S).values():
        answer.result(timeout=TIMEOUT_S)


def partitions(bootstrap: str, name: str) -> list[int]:
    """The partitions of a topic."""
    consumer = _consumer(bootstrap)
    try:
        return sorted(consumer.list_topics(name, timeout=TIMEOUT_S).topics[name].partitions)
    finally:
        consumer.close()


def start_offsets(bootstrap: str, name: str) -> dict[int, int]:
    """Offset of the first record that is still there, by partition."""
    return {partition: first for partition, (first, _) in _watermarks(bootstrap, name).items()}


def end_offsets(bootstrap: str, name: str) -> dict[int, int]:
    """Offset after the last record, by partition."""
    return {partition: end for partition, (_, end) in _watermarks(bootstrap, name).items()}


def write(bootstrap: str, name: str, records: Iterable[Record], *, client: Mapping[str, str] | None = None) -> None:
    """Write records to their partitions, in their order; their offsets are the broker's affair.

    `client` are settings of the producer.
    """
    failures: list[KafkaError] = []

    def on_delivery(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            failures.append(error)

    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 5, **(client or {})})
    for record in records:
        time = {} if record.timestamp_ms is None else {"timestamp": record.timestamp_ms}
        headers = list(record.headers) or None
        arguments = {"key": record.key, "partition": record.partition, "headers": headers, "on_delivery": on_delivery}
        while True:
            try:
                producer.produce(name, record.value, **arguments, **time)
                break
            except BufferError:
                producer.poll(0.05)
    left = producer.flush(TIMEOUT_S)
    if left or failures:
        raise RuntimeError(f"topic {name}: {left} records not acknowledged, {len(failures)} refused: {failures[:1]}")


def read_all(
    bootstrap: str, name: str, *, committed: bool = False, client: Mapping[str, str] | None = None
) -> Iterator[Message]:
    """Every record that a topic holds now, partition by partition, in offset order. `client` are its settings.

    With `committed` only those outside transactions and of committed ones, up to the first open transaction.
    """
    isolation = "read_committed" if committed else "read_uncommitted"
    # A partition can end with something that is no record, so ends are told by the broker, not by offsets.
    consumer = _consumer(bootstrap, {"enable.partition.eof": True, "isolation.level": isolation, **(client or {})})
    try:
        for partition in sorted(consumer.list_topics(name, timeout=TIMEOUT_S).topics[name].partitions):
            place = TopicPartition(name, partition)
            first, end = consumer.get_watermark_offsets(place, timeout=TIMEOUT_S)
            consumer.assign([TopicPartition(name, partition, first)])
            position, deadline = first, time.monotonic() + TIMEOUT_S
            while position < end:
                # It waits until there are so many: with gaps there never are, so not for long.
                batch = consumer.consume(min(10_000, end - position), timeout=0.2)
                for message in batch:
                    if message.partition() != partition:
                        # The end of the partition before, told late.
                        continue
                    error = message.error()
                    if error is not None and error.code() != KafkaError._PARTITION_EOF:
                        raise RuntimeError(f"topic {name}: {error}")
                    if error is None and message.offset() < end:
                        yield message
                    # At the end of the partition for this reader, be there an open transaction or the last marker.
                    position = end if error is not None else message.offset() + 1
                if batch:
                    deadline = time.monotonic() + TIMEOUT_S
                elif time.monotonic() > deadline:
                    raise TimeoutError(f"topic {name}, partition {partition}: nothing came after offset {position}")
    finally:
        consumer.close()


def records(bootstrap: str, name: str, *, committed: bool = False) -> list[Record]:
    """Every record that a topic holds now, to be compared."""
    return [_record(message) for message in read_all(bootstrap, name, committed=committed)]


def _record(message: Message) -> Record:
    kind, time = message.timestamp()
    headers = tuple((key, value) for key, value in message.headers() or ())
    timestamp_ms = None if kind == NO_TIME else time
    return Record(message.partition(), message.offset(), message.key(), message.value(), headers, timestamp_ms)


def _watermarks(bootstrap: str, name: str) -> dict[int, tuple[int, int]]:
    consumer = _consumer(bootstrap)
    try:
        found = consumer.list_topics(name, timeout=TIMEOUT_S).topics[name].partitions
        return {p: consumer.get_watermark_offsets(TopicPartition(name, p), timeout=TIMEOUT_S) for p in sorted(found)}
    finally:
        consumer.close()


def _admin(bootstrap: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": bootstrap, "log_level": 4})


def _consumer(bootstrap: str, settings: Mapping[str, str | bool] | None = None) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "firesteel-harness",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            **(settings or {}),
        }
    )
