"""The JDK's programs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


class JavaError(Exception):
    """There is no JDK here."""


def program(name: str) -> str:
    """Path of one of the JDK's programs, such as `java` or `keytool`."""
    home = os.environ.get("JAVA_HOME")
    found = str(Path(home, "bin", name)) if home else shutil.which(name)
    if found is None:
        raise JavaError(f"Java's {name} is missing: install a JDK 17, or set JAVA_HOME")
    return found
