"""The benchmark's event: what `firesteel loadgen bench` writes and what every contender decodes.

One JSON object of about 365 bytes: ``event_id``, ``ts``, sixteen numeric features ``f0`` … ``f15`` and a few strings
that nobody asks for, as in real topics. All contenders decode ``event_id``, ``ts`` and the features, nothing else.
"""

from __future__ import annotations

FEATURES = tuple(f"f{i}" for i in range(16))
COLUMNS = ("event_id", "ts", *FEATURES)
DDL = "event_id BIGINT, ts TIMESTAMP, " + ", ".join(f"{name} FLOAT" for name in FEATURES)
