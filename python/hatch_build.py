"""Puts the jar, LICENSE and NOTICE into the wheel and gives the wheel the platform of the library in the jar.

The jar is read where `make jar` writes it (`build/dist`) and goes to `firesteel/jars/`; it is never copied into
the source tree.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# The library inside the jar: Linux x86-64, linked against glibc 2.28. Python's own version does not matter.
TAG = "py3-none-manylinux_2_28_x86_64"


class JarHook(BuildHookInterface[Any]):
    """Runs once per wheel, before hatchling collects the files."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the files to include; refuse to build a wheel that could not work."""
        if version == "editable":
            return
        jar_name = f"firesteel-spark_2.13-{self.metadata.version}.jar"
        jar = Path(self.root).parent / "build" / "dist" / jar_name
        if not jar.is_file():
            raise FileNotFoundError(f"{jar} is missing: a wheel without its jar is of no use. Run: make jar")
        build_data["force_include"][str(jar)] = f"firesteel/jars/{jar_name}"
        build_data["pure_python"] = False
        build_data["tag"] = TAG
