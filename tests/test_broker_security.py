"""The harness's protected broker: real clients get in through each listener, and nobody with wrong credentials does."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest
from confluent_kafka import KafkaError, Producer
from confluent_kafka.admin import AdminClient

from tests.harness import topics
from tests.harness.access import ACCESSES, REFUSABLE
from tests.harness.broker import Broker
from tests.harness.passwords import CANARY
from tests.harness.topics import Record
from tests.support.kafka import new_topic

#: A client is told no within this time.
REFUSED_S = 15.0


def is_refusal(error: Any) -> bool:
    """Whether librdkafka was told no: to a password or token, or, in TLS's own words, to a certificate."""
    return error.code() == KafkaError._AUTHENTICATION or "alert bad certificate" in error.str()


@pytest.fixture(scope="module")
def topic(secured_broker: Broker) -> str:
    """A topic that every listener serves."""
    return new_topic(secured_broker.bootstrap, "secured")


@pytest.mark.parametrize("name", ACCESSES)
def test_a_client_with_the_right_credentials_writes_and_reads(secured_broker: Broker, topic: str, name: str) -> None:
    access = secured_broker.access(name)
    topics.write(access.bootstrap, topic, [Record(0, -1, None, name.encode())], client=access.librdkafka)
    values = [message.value() for message in topics.read_all(access.bootstrap, topic, client=access.librdkafka)]
    assert values.count(name.encode()) == 1


@pytest.mark.parametrize("name", REFUSABLE)
def test_a_client_with_wrong_credentials_is_refused(secured_broker: Broker, topic: str, name: str) -> None:
    errors: list[Any] = []
    access = secured_broker.secured.wrong_access(name)
    producer = Producer({**access.client(), "log_level": 0, "error_cb": errors.append})
    producer.produce(topic, b"from a stranger")
    deadline = time.monotonic() + REFUSED_S
    while not any(map(is_refusal, errors)):
        assert time.monotonic() < deadline, f"not refused within {REFUSED_S} s: {errors[:3]}"
        producer.poll(0.1)
    producer.purge()
    values = [message.value() for message in topics.read_all(secured_broker.bootstrap, topic)]
    assert b"from a stranger" not in values


def test_a_client_without_a_certificate_is_refused_where_one_is_required(secured_broker: Broker) -> None:
    open_door, closed_door = secured_broker.access("tls-pem"), secured_broker.access("mtls-pem")
    settings = {**open_door.client(), "log_level": 0}
    assert AdminClient(settings).list_topics(timeout=REFUSED_S).brokers
    errors: list[Any] = []
    client = AdminClient({**settings, "bootstrap.servers": closed_door.bootstrap, "error_cb": errors.append})
    with pytest.raises(Exception, match="transport failure"):
        client.list_topics(timeout=3)
    client.poll(1)
    assert any(map(is_refusal, errors)), errors[:3]


def test_nothing_crosses_a_tls_listener_in_the_clear(secured_broker: Broker) -> None:
    port = int(secured_broker.access("plain").bootstrap.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        # A request for API versions, as Kafka has it, to somebody who waits for TLS.
        client.sendall(b"\x00\x00\x00\x0a\x00\x12\x00\x00\x00\x00\x00\x01\xff\xff")
        answer = client.recv(64)
    assert answer[:1] in (b"", b"\x15"), f"neither closed nor a TLS alert: {answer!r}"


def test_an_expired_or_forged_token_is_refused(secured_broker: Broker) -> None:
    endpoint, access = secured_broker.secured.tokens, secured_broker.access("oauthbearer")
    good = endpoint.token()
    body, signature = good.rsplit(".", 1)
    forged = f"{body}.{signature[::-1]}"

    def outcome(token: str) -> str:
        errors: list[Any] = []
        settings = {key: value for key, value in access.client().items() if not key.startswith("sasl.oauthbearer")}
        client = AdminClient(
            {
                **settings,
                "log_level": 0,
                "oauth_cb": lambda _: (token, time.time() + 300),
                "error_cb": errors.append,
            }
        )
        deadline = time.monotonic() + REFUSED_S
        while time.monotonic() < deadline:
            client.poll(0.1)
            if any(map(is_refusal, errors)):
                return "refused"
            try:
                if client.list_topics(timeout=1).brokers:
                    return "let in"
            except Exception:
                continue
        return f"no answer: {errors[:3]}"

    assert outcome(good) == "let in"
    assert outcome(endpoint.token(lifetime_s=-600)) == "refused"
    assert outcome(forged) == "refused"


def test_the_endpoint_gives_tokens_only_for_the_secret(secured_broker: Broker) -> None:
    endpoint = secured_broker.secured.tokens
    given, refused = endpoint.given, endpoint.refused
    grant = {"grant_type": ["client_credentials"]}
    assert endpoint.answer(None, grant)[0] == 401
    assert endpoint.answer("Basic !", grant)[0] == 401
    assert endpoint.answer(None, {})[0] == 400
    secret = secured_broker.secured.passwords.client_secret
    right = {**grant, "client_id": ["kafka-client"], "client_secret": [secret]}
    status, answer = endpoint.answer(None, right)
    assert (status, answer["token_type"]) == (200, "Bearer")
    assert (endpoint.given, endpoint.refused) == (given + 1, refused + 2)


def test_every_secret_can_be_found_by_its_mark(secured_broker: Broker) -> None:
    secured = secured_broker.secured
    assert all(password.startswith(CANARY) for password in secured.passwords.all())
    wrong = secured.wrong_access("scram-sha-512").java["sasl.jaas.config"]
    assert CANARY in wrong
    assert secured.passwords.scram not in wrong
