"""What goes on Spark's class path: the Kafka connector, the JVM peers, Firesteel's jar."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable

from benches.common.paths import JAR, ROOT, WORK, need
from tests.harness import maven

PEERS = ROOT / "benches" / "peers"
FOLDER = WORK / "jars"
STAMP = WORK / "jars.stamp"
#: Contenders that are Firesteel.
FIRESTEEL = frozenset({"firesteel", "native", "native_store"})


def for_contenders(contenders: Iterable[str]) -> dict[str, list[str]]:
    """Paths by group: ``kafka``, ``peers``, ``firesteel``."""
    named = set(contenders)
    return {
        "kafka": [str(jar) for jar in maven.kafka_connector_jars()],
        "peers": peers() if named & {"ort_java", "jackson", "tws_scala"} else [],
        "firesteel": [str(need(JAR, "jar"))] if named & FIRESTEEL else [],
    }


def peers() -> list[str]:
    """The Scala peers and ONNX Runtime for Java; built by sbt when a source is newer than the last build."""
    sources = [PEERS / "build.sbt", *PEERS.glob("src/**/*.scala")]
    if not STAMP.exists() or STAMP.stat().st_mtime < max(s.stat().st_mtime for s in sources):
        subprocess.run([str(ROOT / "sbt"), "--error", "benchPeers/benchLibs"], check=True, cwd=ROOT)
        STAMP.touch()
    return sorted(map(str, FOLDER.glob("*.jar")))
