"""Payments for the demo's topic: simulated, with their labels and some rubbish, keyed by customer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaError, Message, Producer

from examples.fraud.protocol import FIRESTEEL
from tests.harness.process import Program, ProgramError

TIMEOUT_S = 300
#: An event as the generator writes it; anything else is rubbish and goes as it is.
EVENT = re.compile(rb'\{"transaction_id":(\d+),"ts":"[^"]+","customer_id":(\d+),"terminal_id":\d+,"amount":[0-9.e-]+\}')


def simulate(out: Path, *, from_day: int, until_day: int, rubbish: float) -> dict[str, Any]:
    """Write events.jsonl and labels.csv; returns the generator's manifest."""
    command: list[object] = [FIRESTEEL, "loadgen", "fraud", "--quiet", "--out", out / "events.jsonl"]
    command += ["--from-day", from_day, "--until-day", until_day, "--rubbish", rubbish]
    command += ["--labels", out / "labels.csv", "--manifest", out / "manifest.json"]
    with Program("the load generator", [str(part) for part in command], out / "loadgen.log") as generator:
        if generator.wait(TIMEOUT_S) != 0:
            raise ProgramError(f"the load generator failed: {generator.tail(3)}")
    manifest: dict[str, Any] = json.loads((out / "manifest.json").read_text())
    return manifest


def records(out: Path) -> Iterator[tuple[bytes | None, bytes]]:
    """Key and value of each record: an event with its label, as a bank's archive would have it, or rubbish."""
    labels = {}
    with (out / "labels.csv").open("rb") as lines:
        next(lines)
        for line in lines:
            transaction, fraud, _ = line.split(b",")
            labels[transaction] = fraud
    with (out / "events.jsonl").open("rb") as lines:
        for line in lines:
            value = line.rstrip(b"\n")
            event = EVENT.fullmatch(value)
            if event and event[1] in labels:
                yield event[2], value[:-1] + b',"tx_fraud":' + labels[event[1]] + b"}"
            else:
                yield None, value


def produce(bootstrap: str, topic: str, out: Path) -> int:
    """Send them all; a customer's payments lie in one partition, in their order. Returns how many there are."""
    refused: list[KafkaError] = []

    def on_delivery(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            refused.append(error)

    # The partitioner of Kafka's Java client, by which keyed topics are commonly written.
    settings = {"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "compression.type": "lz4"}
    settings |= {"linger.ms": 20, "enable.idempotence": True, "queue.buffering.max.messages": 500_000}
    # A broker that has just started says once or twice that it is not ready; the client asks again.
    settings |= {"log_level": 3}
    producer = Producer(settings)
    count = 0
    for key, value in records(out):
        while True:
            try:
                producer.produce(topic, value, key, on_delivery=on_delivery)
                break
            except BufferError:
                producer.poll(0.05)
        count += 1
        if count % 10_000 == 0:
            producer.poll(0)
    if producer.flush(60) or refused:
        raise ProgramError(f"the broker did not take all payments: {refused[:1] or 'no answer within 60 s'}")
    return count
