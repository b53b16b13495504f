"""StreamJob as a user starts it, and what it leaves on disk: checkpoint, scores, rejected rows."""

from __future__ import annotations
