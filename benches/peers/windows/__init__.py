"""The contenders of the benchmark `windows`, one file each. Each has ``NAME``, ``WHAT`` and ``FAMILY``.

``features(records)`` takes Kafka's columns as a stream (``native`` and ``native_store`` read them themselves:
``stream``), ``training_set`` the payments as a batch; both give the columns of ``payments.COLUMNS``. ``FAMILY`` says
which bar a contender belongs to: ``scala``, ``pandas``, ``sql`` or ``firesteel``.
"""

from __future__ import annotations

import importlib
from types import ModuleType

#: Who takes part in a case, in the order of the tables.
CASES = {
    "stream": ("native", "native_store", "firesteel", "tws_scala", "pandas_state", "tws_pandas"),
    "batch": ("firesteel", "spark_sql", "pandas"),
}
ALL = tuple(dict.fromkeys(name for names in CASES.values() for name in names))
#: Who gets the payments of some customers only: rates are per second, and these would take an hour for all.
SLOW = ("pandas_state", "tws_pandas", "pandas")
#: Modules whose names differ from their contender's.
_MODULES = {"pandas": "pandas_rolling"}


def contender(name: str) -> ModuleType:
    """The module of one contender; the known names stand in the error."""
    if name not in ALL:
        raise SystemExit(f"benches: unknown contender {name!r}; known: {', '.join(ALL)}")
    return importlib.import_module(f"benches.peers.windows.{_MODULES.get(name, name)}")
