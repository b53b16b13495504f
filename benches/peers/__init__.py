"""The contenders, one file each. Each has ``NAME``, ``WHAT``, ``FAMILY`` and ``score(records, model) -> DataFrame``.

``records`` has Kafka's columns; the result has ``event_id``, ``ts`` and ``score`` (the probability of class 1).
``FAMILY`` says which bar a contender belongs to: ``from_json``, ``jackson`` or ``firesteel``.
"""

from __future__ import annotations

import importlib
from types import ModuleType

#: In the order of the tables. `map_in_arrow` is written and can be named, but loses to `arrow_udf` (see README).
DEFAULT = ("pandas_udf", "arrow_udf", "predict_batch_udf", "ort_java", "jackson", "firesteel")
ALL = ("pandas_udf", "arrow_udf", "map_in_arrow", "predict_batch_udf", "ort_java", "jackson", "firesteel", "native")


def contender(name: str) -> ModuleType:
    """The module of one contender; the known names stand in the error."""
    if name not in ALL:
        raise SystemExit(f"benches: unknown contender {name!r}; known: {', '.join(ALL)}")
    return importlib.import_module(f"benches.peers.{name}")
