"""Where things lie. Tests read the shared data in place; nothing of it is ever copied into the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
BUILD = ROOT / "build"
DIST = BUILD / "dist"
JAR = DIST / "firesteel-spark_2.13-0.1.0.jar"
SHARED_DATA = ROOT.parent / "shared" / "data"
CLI = BUILD / "bin" / "firesteel"
TEST_MODELS = ROOT / "tests" / "models"

#: The long schedules run in full with FIRESTEEL_FULL=1, a seeded part of them otherwise.
FULL = os.environ.get("FIRESTEEL_FULL") == "1"
#: For the slow ones among cases that are alike.
ONLY_IN_FULL = pytest.mark.skipif(not FULL, reason="one of some that are alike: FIRESTEEL_FULL=1 runs it")


def shared(*parts: str) -> Path:
    """A file of the shared test data; skips the test, with the reason, where it is not present."""
    path = SHARED_DATA.joinpath(*parts)
    if not path.is_file():
        pytest.skip(f"test data is not here: {path}")
    return path


def required(path: Path, how: str) -> Path:
    """A build output that must be there; fails, with the command that makes it, where it is not."""
    if not path.exists():
        pytest.fail(f"{path} is missing. Run: {how}", pytrace=False)
    return path
