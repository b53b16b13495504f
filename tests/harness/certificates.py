"""Certificates for one run: an authority, the broker's, a client's, and a stranger's of an authority that nobody knows.

Made by the JDK's keytool, written as PKCS12, JKS and PEM.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import java

TIMEOUT_S = 60.0
FORMS = Path(__file__).resolve().parent / "StoreForms.java"


class CertificateError(Exception):
    """The JDK did not make the certificates; the message holds its words."""


@dataclass(frozen=True)
class Certificates:
    """Files `<who>.p12`, `.jks`, `.pem` (key and chain), `-encrypted.pem`, `-key.pem`, `-chain.pem` of a folder.

    `who` is `broker`, `client` or `stranger`; `trust.p12`, `trust.jks` and `ca.pem` hold the authority.
    """

    folder: Path
    #: Of all stores.
    store_password: str
    #: Of the entry in a JKS store and of the encrypted PEM key.
    key_password: str

    def file(self, name: str) -> Path:
        """A file of the folder, which must be there."""
        path = self.folder / name
        if not path.is_file():
            raise CertificateError(f"{path} was not made")
        return path

    def text(self, name: str) -> str:
        """Content of a PEM file."""
        return self.file(name).read_text()


def make(folder: Path, *, store_password: str, key_password: str) -> Certificates:
    """Make the certificates of a run in an empty folder."""
    env = {**os.environ, "STORE_PASSWORD": store_password, "KEY_PASSWORD": key_password}
    store = folder / "all.p12"
    _pair(store, env, "ca", "-ext", "bc:c")
    _pair(store, env, "broker", "-signer", "ca", "-ext", "san=dns:localhost,ip:127.0.0.1")
    _pair(store, env, "client", "-signer", "ca")
    # Signed by itself, so by an authority that the broker does not know.
    _pair(store, env, "stranger")
    _run([java.program("java"), str(FORMS), str(store), str(folder)], env)
    return Certificates(folder, store_password, key_password)


def _pair(store: Path, env: dict[str, str], alias: str, *options: str) -> None:
    command = [java.program("keytool"), "-genkeypair", "-alias", alias, "-dname", f"CN={alias},O=Firesteel tests"]
    command += ["-keyalg", "EC", "-groupname", "secp256r1", "-validity", "30", "-storetype", "PKCS12"]
    command += ["-keystore", str(store), "-storepass:env", "STORE_PASSWORD", *options]
    _run(command, env)


def _run(command: list[str], env: dict[str, str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S, env=env)
    if done.returncode != 0:
        raise CertificateError(f"{command[0]} {command[1]} ended with {done.returncode}\n{done.stdout}{done.stderr}")
