"""What goes on Spark's class path: the Kafka connector, the JVM peers, Firesteel's jar."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable

from benches.common.paths import JAR, ROOT, WORK, need

FOLDER = WORK / "jars"


def for_contenders(contenders: Iterable[str]) -> dict[str, list[str]]:
    """Paths by group: ``kafka``, ``peers``, ``firesteel``. Builds the first two; they are quick when up to date."""
    subprocess.run([str(ROOT / "sbt"), "--error", "benchPeers/benchLibs"], check=True, cwd=ROOT)
    return {
        "kafka": sorted(map(str, (FOLDER / "kafka").glob("*.jar"))),
        "peers": sorted(map(str, (FOLDER / "peers").glob("*.jar"))),
        "firesteel": [str(need(JAR, "jar"))] if "firesteel" in contenders else [],
    }
