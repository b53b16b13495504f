"""Batches through the bridge, by the hundred thousand, leave the process no larger."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support import submit
from support.places import FULL
