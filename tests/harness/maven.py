"""Jars that pip does not bring, resolved by Maven from a small pom into a folder below build/."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TIMEOUT_S = 600


class MavenError(Exception):
    """Maven is missing or could not resolve a pom."""


def broker_jars() -> list[Path]:
    """Class path of a Kafka broker."""
    return resolved(HERE / "kafka" / "pom.xml", ROOT / "build" / "kafka" / "lib")


def kafka_connector_jars() -> list[Path]:
    """Spark's Kafka connector and what it needs beyond the jars of the pyspark package: for `spark.jars`."""
    return resolved(HERE / "kafka-connector" / "pom.xml", ROOT / "build" / "kafka-connector" / "lib")


def resolved(pom: Path, folder: Path) -> list[Path]:
    """The runtime jars of a pom, copied into `folder` unless they are there for this very pom already."""
    folder.mkdir(parents=True, exist_ok=True)
    stamp = folder / ".resolved"
    wanted = hashlib.sha256(pom.read_bytes()).hexdigest()
    with (folder.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            for old in folder.glob("*.jar"):
                old.unlink()
            _copy_dependencies(pom, folder)
            stamp.write_text(wanted)
    return sorted(folder.glob("*.jar"))


def _copy_dependencies(pom: Path, folder: Path) -> None:
    mvn = shutil.which("mvn")
    if mvn is None:
        raise MavenError("Maven is missing: install the package `maven` and run this again")
    command = [mvn, "-B", "-q", "-f", str(pom), "dependency:copy-dependencies"]
    command += ["-DincludeScope=runtime", f"-DoutputDirectory={folder}"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise MavenError(f"Maven did not resolve {pom} within {TIMEOUT_S} s") from None
    if done.returncode != 0:
        raise MavenError(f"Maven could not resolve {pom}:\n{(done.stdout + done.stderr)[-2000:]}")
