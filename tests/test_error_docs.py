"""Every condition that an error message can begin with is explained on a page of the reference."""

from __future__ import annotations

import re

from tests.support.places import ROOT

REFERENCE = ROOT / "docs" / "reference"
#: `SpecError::new("CONDITION", …)` and its like, over line breaks.
MADE = re.compile(r"""(?:SpecError::new|ModelError::new|self\.fault|fault)\(\s*"([A-Z][A-Z_]{3,})\"""")
#: A message that carries its condition: `"CONDITION: …`, `s"CONDITION: …`.
WRITTEN = re.compile(r"""(?:#\[error\(|s|\(|\s|^)"([A-Z][A-Z_]{3,}): """)


def sources() -> dict[str, set[str]]:
    """Conditions by the file that makes them; tests inside Rust files count too, they name real ones."""
    found: dict[str, set[str]] = {}
    roots = [("rust", "*.rs"), ("spark-plugin/src/main", "*.scala"), ("spark-plugin/src/main", "*.java")]
    for folder, pattern in roots:
        for file in (ROOT / folder).rglob(pattern):
            if "tests" in file.parts or "examples" in file.parts:
                continue
            text = file.read_text()
            found[str(file)] = {*MADE.findall(text), *WRITTEN.findall(text)}
    return found


def test_every_condition_is_documented() -> None:
    documented = set()
    for page in REFERENCE.glob("*.md"):
        documented |= set(re.findall(r"`([A-Z][A-Z_]{3,})`", page.read_text()))
    made = sources()
    assert sum(len(conditions) for conditions in made.values()) > 40, "the patterns find too little"
    missing = {file: sorted(conditions - documented) for file, conditions in made.items() if conditions - documented}
    assert not missing
