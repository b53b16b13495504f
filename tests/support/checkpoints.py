"""Reads a streaming query's checkpoint from outside: which batches were planned, which were committed."""

from __future__ import annotations

import json
from pathlib import Path


def planned(checkpoint: Path) -> int:
    """The latest batch whose offsets are logged; -1 for none."""
    return _latest(checkpoint / "offsets")


def committed(checkpoint: Path) -> int:
    """The latest batch that is done; -1 for none."""
    return _latest(checkpoint / "commits")


def is_mid_batch(checkpoint: Path) -> bool:
    """Whether a batch has been planned and is not done."""
    return planned(checkpoint) > committed(checkpoint)


def forget_last_commit(checkpoint: Path) -> int:
    """Delete the last file of the commit log, as a crash between sink and log would; returns the batch."""
    last = committed(checkpoint)
    assert last >= 0, f"{checkpoint} has no commit to forget"
    for name in (f"{last}", f".{last}.crc"):
        (checkpoint / "commits" / name).unlink(missing_ok=True)
    return last


def query_id(checkpoint: Path) -> str:
    """The query's name for itself, which stays over restarts."""
    return str(json.loads((checkpoint / "metadata").read_text())["id"])


def _latest(folder: Path) -> int:
    return max((int(entry.name) for entry in folder.glob("[0-9]*") if entry.name.isdigit()), default=-1)
