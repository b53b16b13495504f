"""Batches through the bridge, by the hundred thousand, leave the process no larger."""

from __future__ import annotations
