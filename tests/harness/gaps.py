"""Topics whose offsets have gaps: compacted ones, and ones with transactions, committed, aborted and open."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from confluent_kafka import Producer

from . import topics
from .topics import TIMEOUT_S, Record

#: Compaction starts when the broker's cleaner looks next, and needs a moment.
COMPACTION_S = 60.0


def compacted(bootstrap: str, name: str, *, keys: int = 20, rounds: int = 30, partitions: int = 1) -> list[Record]:
    """Create a compacted topic, write `rounds` values to each key, wait for real gaps, and return what is left.

    Of each key the latest value is left, and one earlier one near the end, which Kafka does not compact. Each round
    also writes a key of its own, so that there are gaps before and after it. Fails without gaps after a minute.
    """
    # A record with a later time than the segment's first closes the segment: only closed ones are compacted.
    topics.create(
        bootstrap,
        name,
        partitions=partitions,
        cleanup_policy="compact",
        segment_ms="1000",
        min_cleanable_dirty_ratio="0.01",
        min_compaction_lag_ms="0",
        delete_retention_ms="0",
    )
    start_ms = int(time.time() * 1000) - rounds * 10_000
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 1})
    for number in range(rounds):
        for partition in range(partitions):
            for key in (*(f"key {i}" for i in range(keys)), f"once {number}"):
                value = f"{key}, round {number}"
                time_of = {"timestamp": start_ms + number * 10_000}
                producer.produce(name, value.encode(), key.encode(), partition=partition, **time_of)
        # A batch per round, so that each round has a time of its own.
        if producer.flush(TIMEOUT_S):
            raise TimeoutError(f"topic {name}: records were not acknowledged within {TIMEOUT_S:.0f} s")
    # The last two rounds stay as they are, of the others what is the only one of its key.
    most = partitions * (2 * (keys + 1) + rounds)
    deadline, before = time.monotonic() + COMPACTION_S, -1
    while time.monotonic() < deadline:
        left = topics.records(bootstrap, name)
        if len(left) <= most and len(left) == before:
            return left
        before = len(left)
        time.sleep(0.5)
    raise TimeoutError(f"topic {name} was not compacted within {COMPACTION_S:.0f} s: {before} records left")


@dataclass(frozen=True)
class Transaction:
    """Values of one transaction and its end."""

    values: Sequence[bytes]
    commits: bool


def transactions(bootstrap: str, name: str, wanted: Sequence[Transaction], *, partitions: int = 1) -> None:
    """Write transactions at the same time, value i of each to partition i modulo `partitions`, in turns.

    All are open together, so their records lie between each other; then each commits or aborts, in order. Every end
    leaves a marker in each partition that it wrote to, which takes an offset.
    """
    with contextlib.ExitStack() as open_ones:
        producers = [open_ones.enter_context(_transaction(bootstrap)) for _ in wanted]
        for i in range(max((len(one.values) for one in wanted), default=0)):
            for producer, one in zip(producers, wanted, strict=True):
                if i < len(one.values):
                    producer.produce(name, one.values[i], partition=i % partitions)
                    # Written before the next one's record, so that the order in the topic is this one.
                    producer.flush(TIMEOUT_S)
        for producer, one in zip(producers, wanted, strict=True):
            if one.commits:
                producer.commit_transaction(TIMEOUT_S)
            else:
                producer.abort_transaction(TIMEOUT_S)


@contextlib.contextmanager
def open_transaction(
    bootstrap: str,
    name: str,
    values: Sequence[bytes],
    *,
    partition: int = 0,
    key: bytes | None = None,
    transactional_id: str | None = None,
    timeout_ms: int = 60_000,
) -> Iterator[Producer]:
    """Inside the block the values are written and their transaction is open; it is aborted afterwards, unless ended."""
    with _transaction(bootstrap, transactional_id, timeout_ms) as producer:
        for value in values:
            producer.produce(name, value, key=key, partition=partition)
        producer.flush(TIMEOUT_S)
        yield producer


@contextlib.contextmanager
def _transaction(bootstrap: str, transactional_id: str | None = None, timeout_ms: int = 60_000) -> Iterator[Producer]:
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "transactional.id": transactional_id or f"harness-{uuid.uuid4().hex[:8]}",
            "transaction.timeout.ms": timeout_ms,
            "linger.ms": 0,
            "log_level": 4,
        }
    )
    producer.init_transactions(TIMEOUT_S)
    producer.begin_transaction()
    try:
        yield producer
    finally:
        # Does nothing to a transaction that has ended.
        with contextlib.suppress(Exception):
            producer.abort_transaction(TIMEOUT_S)
