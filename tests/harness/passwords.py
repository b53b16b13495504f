"""The secrets of a protected broker: new for each, and easy to find where they must not be."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

#: What every secret of the harness starts with.
CANARY = "canary-"
USER = "alice"
CLIENT_ID = "kafka-client"


def canary(use: str) -> str:
    """A new password that names its use."""
    return f"{CANARY}{use}-{secrets.token_hex(6)}"


@dataclass(frozen=True)
class Passwords:
    """Secrets of a broker and its clients; what is not given is new."""

    #: Of all key and trust stores.
    store: str = field(default_factory=lambda: canary("store"))
    #: Of the client's entry in a JKS store and of its encrypted PEM key.
    key: str = field(default_factory=lambda: canary("key"))
    scram: str = field(default_factory=lambda: canary("scram"))
    #: With characters that a JAAS line must quote.
    plain: str = field(default_factory=lambda: canary("plain") + ' ;="x')
    client_secret: str = field(default_factory=lambda: canary("oauth"))

    def wrong(self) -> Passwords:
        """Others, that the broker does not know; stores still open."""
        one = canary("wrong")
        return Passwords(store=self.store, key=self.key, scram=one, plain=one, client_secret=one)

    def all(self) -> tuple[str, ...]:
        """Every secret."""
        return (self.store, self.key, self.scram, self.plain, self.client_secret)
