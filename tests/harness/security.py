"""TLS and SASL for the broker of the tests: listeners, certificates, users, and what a client must say to get in.

with Broker(security=Security()) as broker:
    access = broker.access("scram-sha-512")
    spark.read.format("kafka").options(**access.spark())

Every password starts with `canary-`: whoever finds that text in a plan, a log or a file has found a leak.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from . import certificates, tokens
from .access import MODULES, REFUSABLE, Access, Doors, jaas_value
from .certificates import Certificates
from .passwords import CLIENT_ID, USER, Passwords
from .tokens import TokenEndpoint

#: Listener names and their protocols. Each takes the SASL mechanisms below.
LISTENERS = {
    "TLS": "SSL",
    "MTLS": "SSL",
    "SCRAM": "SASL_SSL",
    "PLAIN": "SASL_SSL",
    "OAUTH": "SASL_SSL",
    "OPENSCRAM": "SASL_PLAINTEXT",
}
MECHANISMS = {
    "SCRAM": ("SCRAM-SHA-512", "SCRAM-SHA-256"),
    "PLAIN": ("PLAIN",),
    "OAUTH": ("OAUTHBEARER",),
    "OPENSCRAM": ("SCRAM-SHA-256",),
}


@dataclass(frozen=True)
class Security:
    """What to protect a broker with."""

    passwords: Passwords = field(default_factory=Passwords)
    #: Of the tokens that the endpoint gives.
    token_lifetime_s: int = 300


class Secured:
    """The protection of one broker, made before it starts."""

    def __init__(self, wanted: Security, folder: Path, ports: Mapping[str, int]) -> None:
        """`ports` has one for each of `LISTENERS`."""
        self.passwords = wanted.passwords
        self.certificates: Certificates = certificates.make(
            folder, store_password=self.passwords.store, key_password=self.passwords.key
        )
        self.tokens = TokenEndpoint(CLIENT_ID, self.passwords.client_secret, lifetime_s=wanted.token_lifetime_s)
        self._doors = Doors(ports, self.certificates, self.tokens.url)
        self._jwks = folder / "jwks.json"
        self.tokens.write_jwks(self._jwks)

    def close(self) -> None:
        """Stop the token endpoint."""
        self.tokens.close()

    def java_options(self) -> list[str]:
        """What the broker's JVM must be told: it reads keys from places on a list only."""
        return [f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={self._jwks.as_uri()}"]

    def format_options(self) -> list[str]:
        """What Kafka's storage must be formatted with: the users of SCRAM."""
        user = f"name={USER},password={self.passwords.scram}"
        return [part for name in MECHANISMS["SCRAM"] for part in ("--add-scram", f"{name}=[{user}]")]

    def settings(self) -> Mapping[str, str]:
        """Broker properties beside the listeners themselves."""
        stores, password = self.certificates, self.passwords.store
        result = {
            "ssl.keystore.type": "PKCS12",
            "ssl.keystore.location": str(stores.file("broker.p12")),
            "ssl.keystore.password": password,
            "ssl.truststore.type": "PKCS12",
            "ssl.truststore.location": str(stores.file("trust.p12")),
            "ssl.truststore.password": password,
            "listener.name.mtls.ssl.client.auth": "required",
        }
        quoted = jaas_value(self.passwords.plain)
        jaas = {
            "SCRAM-SHA-512": f"{MODULES}.scram.ScramLoginModule required;",
            "SCRAM-SHA-256": f"{MODULES}.scram.ScramLoginModule required;",
            "PLAIN": f"{MODULES}.plain.PlainLoginModule required user_{USER}={quoted};",
            "OAUTHBEARER": f"{MODULES}.oauthbearer.OAuthBearerLoginModule required;",
        }
        for listener, mechanisms in MECHANISMS.items():
            prefix = f"listener.name.{listener.lower()}"
            result[f"{prefix}.sasl.enabled.mechanisms"] = ",".join(mechanisms)
            for mechanism in mechanisms:
                result[f"{prefix}.{mechanism.lower()}.sasl.jaas.config"] = jaas[mechanism]
        prefix = "listener.name.oauth.oauthbearer"
        handler = f"{MODULES}.oauthbearer.OAuthBearerValidatorCallbackHandler"
        result[f"{prefix}.sasl.server.callback.handler.class"] = handler
        result[f"{prefix}.sasl.oauthbearer.jwks.endpoint.url"] = self._jwks.as_uri()
        result[f"{prefix}.sasl.oauthbearer.expected.audience"] = tokens.AUDIENCE
        result[f"{prefix}.sasl.oauthbearer.expected.issuer"] = tokens.ISSUER
        return result

    def access(self, name: str) -> Access:
        """One of `access.ACCESSES`, with the right credentials."""
        return self._doors.access(name, self.passwords, "client")

    def wrong_access(self, name: str) -> Access:
        """One of `REFUSABLE`, with a wrong password, or a certificate of an authority that the broker does not know."""
        if name not in REFUSABLE:
            raise ValueError(f"{name} asks for no credentials")
        return self._doors.access(name, self.passwords.wrong(), "stranger")
