"""The harness's broker under stress: it comes back with its data, and topics get the gaps that tests need."""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import pytest
from confluent_kafka.admin import AdminClient

from tests.harness import gaps, topics
from tests.harness.broker import QUICK_RESTART, Broker, BrokerError
from tests.harness.gaps import Transaction
from tests.harness.topics import Record
from tests.support.kafka import new_topic


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    """A broker of this file's own: its tests stop it."""
    with Broker(heap="512m", settings=QUICK_RESTART) as started:
        yield started


def some_records(count: int = 20, *, partition: int = 0) -> list[Record]:
    """Records with everything that a record can have."""
    odd = (("trace", b"1"), ("trace", None), ("other", b""))
    return [
        Record(partition, i, f"k{i}".encode() if i % 3 else None, f"v{i}".encode() if i % 5 else None, odd, 1000 + i)
        for i in range(count)
    ]


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_broker_comes_back_at_the_same_address_with_its_data(broker: Broker, end: str) -> None:
    topic = new_topic(broker.bootstrap, "comes-back")
    wanted = some_records()
    topics.write(broker.bootstrap, topic, wanted)
    address = broker.bootstrap
    getattr(broker, end)()
    assert not broker.is_running
    with pytest.raises(BrokerError, match="not running"):
        broker.stop()
    with socket.socket() as client:
        client.settimeout(5)
        host, port = address.split(":")
        assert client.connect_ex((host, int(port))) != 0, "nobody may answer there now"
    broker.start()
    assert broker.bootstrap == address
    assert topics.records(address, topic) == wanted
    with pytest.raises(BrokerError, match="runs already"):
        broker.start()


def test_a_paused_broker_answers_nothing_and_then_goes_on(broker: Broker) -> None:
    topic = new_topic(broker.bootstrap, "paused")
    topics.write(broker.bootstrap, topic, some_records())
    broker.pause()
    try:
        client = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
        with pytest.raises(Exception, match=r"Timed out|transport failure"):
            client.list_topics(timeout=2)
        assert broker.is_running
    finally:
        broker.resume()
    assert len(topics.records(broker.bootstrap, topic)) == 20


def test_a_paused_broker_still_ends_with_its_block() -> None:
    with Broker(heap="512m") as other:
        other.pause()
        began = time.monotonic()
    assert time.monotonic() - began < 15
    assert not other.is_running


def test_partitions_come_records_go_and_a_topic_starts_anew(broker: Broker) -> None:
    bootstrap, topic = broker.bootstrap, new_topic(broker.bootstrap, "changes", partitions=2)
    topics.write(bootstrap, topic, [*some_records(), *some_records(partition=1)])
    topics.add_partitions(bootstrap, topic, 5)
    assert topics.partitions(bootstrap, topic) == [0, 1, 2, 3, 4]
    topics.delete_records(bootstrap, topic, {0: 7, 1: -1})
    assert topics.start_offsets(bootstrap, topic) == {0: 7, 1: 20, 2: 0, 3: 0, 4: 0}
    assert topics.end_offsets(bootstrap, topic) == {0: 20, 1: 20, 2: 0, 3: 0, 4: 0}
    assert topics.records(bootstrap, topic) == some_records()[7:]
    topics.delete(bootstrap, topic)
    topics.create(bootstrap, topic)
    assert topics.end_offsets(bootstrap, topic) == {0: 0}


def test_a_compacted_topic_has_gaps_and_every_keys_latest_value(broker: Broker) -> None:
    keys, rounds = 5, 12
    left = gaps.compacted(broker.bootstrap, f"compacted-{time.monotonic_ns()}", keys=keys, rounds=rounds, partitions=2)
    for partition in range(2):
        mine = [record for record in left if record.partition == partition]
        offsets = [record.offset for record in mine]
        jumps = [b - a for a, b in pairwise(offsets)]
        assert sum(jump > 1 for jump in jumps) >= rounds - 3, f"too few gaps: {offsets}"
        assert offsets[-1] == rounds * (keys + 1) - 1
        latest = {record.key: record.value for record in mine}
        assert latest == {
            **{f"key {i}".encode(): f"key {i}, round {rounds - 1}".encode() for i in range(keys)},
            **{f"once {n}".encode(): f"once {n}, round {n}".encode() for n in range(rounds)},
        }


def test_transactions_lie_between_each_other_and_leave_markers(broker: Broker) -> None:
    bootstrap, topic = broker.bootstrap, new_topic(broker.bootstrap, "transactions", partitions=2)
    good, bad, late = ([f"{name}{i}".encode() for i in range(count)] for name, count in (("a", 8), ("b", 6), ("c", 3)))
    wanted = [Transaction(good, commits=True), Transaction(bad, commits=False), Transaction(late, commits=True)]
    gaps.transactions(bootstrap, topic, wanted, partitions=2)
    everything = topics.records(bootstrap, topic)
    committed = topics.records(bootstrap, topic, committed=True)
    assert Counter(record.value for record in everything) == Counter([*good, *bad, *late])
    assert Counter(record.value for record in committed) == Counter([*good, *late])
    first = [record.value for record in everything if record.partition == 0]
    assert first == [b"a0", b"b0", b"c0", b"a2", b"b2", b"c2", b"a4", b"b4", b"a6"]
    ends = topics.end_offsets(bootstrap, topic)
    assert sum(ends.values()) == len(everything) + 6, "three transactions leave a marker in each of two partitions"


def test_a_reader_of_committed_records_stops_at_an_open_transaction(broker: Broker) -> None:
    bootstrap, topic = broker.bootstrap, new_topic(broker.bootstrap, "open")
    topics.write(bootstrap, topic, [Record(0, -1, None, b"before")])
    with gaps.open_transaction(bootstrap, topic, [b"inside"]):
        topics.write(bootstrap, topic, [Record(0, -1, None, b"after")])
        assert [record.value for record in topics.records(bootstrap, topic)] == [b"before", b"inside", b"after"]
        assert [record.value for record in topics.records(bootstrap, topic, committed=True)] == [b"before"]
    assert [record.value for record in topics.records(bootstrap, topic, committed=True)] == [b"before", b"after"]
