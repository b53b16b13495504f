"""Rates from a streaming query's progress: pure arithmetic, so it is tested without Spark."""

from __future__ import annotations

import datetime as dt
from typing import Any


def _started_s(progress: dict[str, Any]) -> float:
    return dt.datetime.fromisoformat(progress["timestamp"]).timestamp()


def _took_s(progress: dict[str, Any]) -> float:
    return float(progress["durationMs"]["triggerExecution"]) / 1000.0


def kept_rate(progress: list[dict[str, Any]], dropped: int = 1) -> dict[str, Any]:
    """Rows per second without the first `dropped` batches: the rest's rows over the rest's wall time.

    The wall time goes from the start of the first kept batch to the end of the last one, so what Spark does between
    batches counts. Triggers without rows are left out (the last one of an AvailableNow run may be such).
    """
    batches = [p for p in progress if p["numInputRows"] > 0]
    kept = batches[dropped:]
    if not kept:
        raise ValueError(f"{len(batches)} batches with rows: none is left after dropping {dropped}")
    seconds = _started_s(kept[-1]) + _took_s(kept[-1]) - _started_s(kept[0])
    rows = sum(int(p["numInputRows"]) for p in kept)
    return {
        "rows_per_s": rows / seconds,
        "rows": rows,
        "rows_total": sum(int(p["numInputRows"]) for p in batches),
        "seconds": seconds,
        "batch_seconds": [round(_took_s(p), 3) for p in batches],
    }
