"""Writes NOTICE: what the jar bundles, with licences. Run after a change of dependencies: `make notice`."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEAD = """\
Firesteel
Copyright 2026 the Firesteel authors

Licensed under the Apache License, Version 2.0 (see LICENSE).

The jar bundles the following software.

1. ONNX Runtime 1.29.0 (libonnxruntime.so, unchanged, from the Maven artifact com.microsoft.onnxruntime:onnxruntime)
   Copyright Microsoft Corporation. MIT License.

2. Apache Arrow (its Rust implementation) and Apache DataFusion, compiled into libfiresteel.so
   Copyright The Apache Software Foundation. Apache License, Version 2.0.

3. The Java client of Apache Kafka 4.4.0 (packages renamed to io.firesteel.shaded.kafka), with what it brings under
   org.apache.kafka.shaded: OpenTelemetry's protocol definitions, Protocol Buffers and Apache Commons Net
   Copyright The Apache Software Foundation. Apache License, Version 2.0.
   Copyright The OpenTelemetry Authors. Apache License, Version 2.0.
   Copyright Google Inc. BSD 3-Clause License.

4. jose4j 0.9.6 (packages renamed to io.firesteel.shaded.jose4j)
   Copyright Brian Campbell. Apache License, Version 2.0.

5. The Rust standard library, and these Rust crates, compiled into libfiresteel.so:

"""


def crates() -> list[str]:
    """Crates that are linked into the native library, as `name version  licence` lines."""
    tree = subprocess.run(
        ["cargo", "tree", "-p", "firesteel-jni", "-e", "normal,no-proc-macro", "--prefix", "none", "-f", "{p}|{l}"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    lines = set()
    for line in tree.splitlines():
        package, licence = line.removesuffix(" (*)").split("|")
        name, version, *place = package.split(" ")
        if not any("/" in part for part in place):
            lines.add(f"   {name} {version.removeprefix('v')}: {licence}")
    return sorted(lines)


def main() -> int:
    text = HEAD + "\n".join(crates()) + "\n"
    target = ROOT / "NOTICE"
    if sys.argv[1:] == ["--check"]:
        if target.read_text() != text:
            print("NOTICE is out of date. Run: make notice", file=sys.stderr)
            return 1
        return 0
    target.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
