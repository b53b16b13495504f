"""What a client must say to get into a protected broker: as for Kafka's Java client, and as for librdkafka."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from .certificates import Certificates
from .passwords import CLIENT_ID, USER, Passwords
from .ports import HOST

#: Package of Kafka's login modules.
MODULES = "org.apache.kafka.common.security"

#: Ways in, for `Doors.access`: a listener, and the form of the stores or the mechanism.
ACCESSES = (
    "tls-pkcs12",
    "tls-jks",
    "tls-pem",
    "mtls-pkcs12",
    "mtls-jks",
    "mtls-pem",
    "mtls-pem-encrypted",
    "mtls-pem-inline",
    "scram-sha-512",
    "scram-sha-256",
    "plain",
    "oauthbearer",
    "open-scram-sha-256",
)
#: Those of them that show who they are, so that they can be refused.
REFUSABLE = tuple(name for name in ACCESSES if not name.startswith("tls-"))


@dataclass(frozen=True)
class Access:
    """What a client must say to read and write through one listener."""

    name: str
    bootstrap: str
    #: As for Kafka's Java client.
    java: Mapping[str, str]
    #: As for librdkafka.
    librdkafka: Mapping[str, str]

    def spark(self) -> dict[str, str]:
        """Options of a Spark source or sink."""
        return {"kafka.bootstrap.servers": self.bootstrap, **{f"kafka.{key}": it for key, it in self.java.items()}}

    def client(self) -> dict[str, str]:
        """Configuration of a client of confluent_kafka."""
        return {"bootstrap.servers": self.bootstrap, **self.librdkafka}


@dataclass(frozen=True)
class Doors:
    """All ways into one broker."""

    #: By listener.
    ports: Mapping[str, int]
    certificates: Certificates
    token_url: str

    def access(self, name: str, secret: Passwords, who: str) -> Access:
        """One of `ACCESSES`, with these passwords and the certificate of `who`."""
        if name not in ACCESSES:
            raise ValueError(f"no access {name!r}; there are {', '.join(ACCESSES)}")
        kind, _, form = name.partition("-")
        if kind in ("tls", "mtls"):
            keys = kind == "mtls"
            java = {"security.protocol": "SSL", **self._trust(form), **(self._keys(form, who) if keys else {})}
            native = {"security.protocol": "SSL", **self._native_trust(), **(self._native_keys(who) if keys else {})}
            return self._to(kind.upper(), name, java, native)
        if kind == "open":
            java, native = _password_login("SCRAM-SHA-256", secret.scram)
            protocol = {"security.protocol": "SASL_PLAINTEXT"}
            return self._to("OPENSCRAM", name, {**protocol, **java}, {**protocol, **native})
        if kind == "oauthbearer":
            java, native = self._token_login(secret.client_secret)
        elif kind == "plain":
            java, native = _password_login("PLAIN", secret.plain)
        else:
            java, native = _password_login(name.upper(), secret.scram)
        listener = {"oauthbearer": "OAUTH", "plain": "PLAIN", "scram": "SCRAM"}[kind]
        protocol = {"security.protocol": "SASL_SSL"}
        java, native = {**protocol, **self._trust("pkcs12"), **java}, {**protocol, **self._native_trust(), **native}
        return self._to(listener, name, java, native)

    def _to(self, listener: str, name: str, java: dict[str, str], native: dict[str, str]) -> Access:
        bootstrap = f"{HOST}:{self.ports[listener]}"
        return Access(name, bootstrap, MappingProxyType(java), MappingProxyType(native))

    def _trust(self, form: str) -> dict[str, str]:
        if form == "pem-inline":
            return {"ssl.truststore.type": "PEM", "ssl.truststore.certificates": self.certificates.text("ca.pem")}
        if form.startswith("pem"):
            return {"ssl.truststore.type": "PEM", "ssl.truststore.location": str(self.certificates.file("ca.pem"))}
        return self._store("truststore", "trust", form)

    def _keys(self, form: str, who: str) -> dict[str, str]:
        made, password = self.certificates, {"ssl.key.password": self.certificates.key_password}
        if form == "pem-inline":
            return {
                "ssl.keystore.type": "PEM",
                "ssl.keystore.key": made.text(f"{who}-key.pem"),
                "ssl.keystore.certificate.chain": made.text(f"{who}-chain.pem"),
            }
        if form == "pem":
            return {"ssl.keystore.type": "PEM", "ssl.keystore.location": str(made.file(f"{who}.pem"))}
        if form == "pem-encrypted":
            location = str(made.file(f"{who}-encrypted.pem"))
            return {"ssl.keystore.type": "PEM", "ssl.keystore.location": location, **password}
        store = self._store("keystore", who, form)
        return {**store, **password} if form == "jks" else store

    def _store(self, what: str, stem: str, form: str) -> dict[str, str]:
        kind, ending = ("JKS", "jks") if form == "jks" else ("PKCS12", "p12")
        return {
            f"ssl.{what}.type": kind,
            f"ssl.{what}.location": str(self.certificates.file(f"{stem}.{ending}")),
            f"ssl.{what}.password": self.certificates.store_password,
        }

    def _native_trust(self) -> dict[str, str]:
        return {"ssl.ca.location": str(self.certificates.file("ca.pem"))}

    def _native_keys(self, who: str) -> dict[str, str]:
        made = self.certificates
        return {
            "ssl.key.location": str(made.file(f"{who}-key.pem")),
            "ssl.certificate.location": str(made.file(f"{who}-chain.pem")),
        }

    def _token_login(self, secret: str) -> tuple[dict[str, str], dict[str, str]]:
        url = {"sasl.oauthbearer.token.endpoint.url": self.token_url}
        who = f"clientId={jaas_value(CLIENT_ID)} clientSecret={jaas_value(secret)} scope={jaas_value('kafka')}"
        java = {
            "sasl.mechanism": "OAUTHBEARER",
            "sasl.jaas.config": f"{MODULES}.oauthbearer.OAuthBearerLoginModule required {who};",
            "sasl.login.callback.handler.class": f"{MODULES}.oauthbearer.secured.OAuthBearerLoginCallbackHandler",
        }
        native = {
            "sasl.mechanism": "OAUTHBEARER",
            "sasl.oauthbearer.method": "oidc",
            "sasl.oauthbearer.client.id": CLIENT_ID,
            "sasl.oauthbearer.client.secret": secret,
            "sasl.oauthbearer.scope": "kafka",
        }
        return {**java, **url}, {**native, **url}


def _password_login(mechanism: str, password: str) -> tuple[dict[str, str], dict[str, str]]:
    module = "plain.PlainLoginModule" if mechanism == "PLAIN" else "scram.ScramLoginModule"
    jaas = f"{MODULES}.{module} required username={jaas_value(USER)} password={jaas_value(password)};"
    java = {"sasl.mechanism": mechanism, "sasl.jaas.config": jaas}
    return java, {"sasl.mechanism": mechanism, "sasl.username": USER, "sasl.password": password}


def jaas_value(text: str) -> str:
    """A value as a JAAS line has it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
