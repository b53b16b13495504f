"""Where the parts lie. A missing part is one sentence that says what to run, never a stack trace."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
WORK = BUILD / "bench"
MODELS = WORK / "models"
JAR = BUILD / "dist" / "firesteel-spark_2.13-0.1.0.jar"
CLI = BUILD / "bin" / "firesteel"
ONNXRUNTIME = BUILD / "native" / "libonnxruntime.so"
TARGET = "x86_64-unknown-linux-gnu"


class MissingPart(SystemExit):
    """A part that another make target builds is not there."""

    def __init__(self, part: Path, make: str) -> None:
        super().__init__(f"benches: {part.relative_to(ROOT)} is missing. Run: make {make}")


def need(part: Path, make: str) -> Path:
    """`part` if it exists; otherwise ends the run with the make target that builds it."""
    if not part.exists():
        raise MissingPart(part, make)
    return part
