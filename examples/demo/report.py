"""The demo's figures: from the batches' progress, the written scores and the generator's truth."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from examples.fraud import handbook


def summarise(
    out: Path, manifest: dict[str, Any], batches: list[dict[str, Any]], in_topics: dict[str, int], days: range
) -> dict[str, Any]:
    """What goes into summary.json. Quality is measured as the handbook does, on these days."""
    rejected: Counter[str] = Counter()
    for batch in batches:
        rejected.update({group["code"]: group["rows"] for group in batch["rejected"]})
    latencies = [batch["duration_ms"]["triggerExecution"] for batch in batches]
    scores = pd.read_parquet(out / "scores")
    truth = pd.read_csv(out / "labels.csv")
    scored = scores.merge(truth, on="transaction_id", how="inner", validate="one_to_one")
    test = handbook.judged(scored, days)
    return {
        "rows_in": sum(batch["rows_in"] for batch in batches),
        "rows_scored": sum(batch["rows_scored"] for batch in batches),
        "rows_rejected": dict(sorted(rejected.items())),
        "rows_in_parquet": len(scores),
        "rows_joined_with_truth": len(scored),
        "rows_in_topics": in_topics,
        "batches": len(batches),
        "rows_per_s": rows_per_second(batches),
        "batch_ms_p50": float(np.percentile(latencies, 50)),
        "batch_ms_p99": float(np.percentile(latencies, 99)),
        "models": handbook.figures(test),
        "published": handbook.PUBLISHED,
        "rows_judged": len(test),
        "frauds_judged": int(test["tx_fraud"].sum()),
        "train_days": [handbook.TRAIN_DAYS[0], handbook.TRAIN_DAYS[-1]],
        "scored_days": [manifest["from_day"], manifest["until_day"] - 1],
        "judged_days": [days[0], days[-1]],
    }


def rows_per_second(batches: list[dict[str, Any]]) -> float:
    """Rate of the batches after the first one, which warms the JVM up; of that one if it is alone."""
    steady = batches[1:] or batches
    seconds = sum(batch["duration_ms"]["triggerExecution"] for batch in steady) / 1000
    return round(sum(batch["rows_in"] for batch in steady) / seconds, 1)


def faults(summary: dict[str, Any], manifest: dict[str, Any]) -> list[str]:
    """What does not add up, in words; nothing if every record is accounted for, reason by reason."""
    expected = Counter({code: rows for code, rows in manifest["rubbish"]["by_code"].items() if rows})
    rejected = sum(summary["rows_rejected"].values())
    scores_topic, rejected_topic = summary["rows_in_topics"].values()
    claims = {
        "records sent and rows in": (manifest["records"], summary["rows_in"]),
        "rows in and rows scored plus rejected": (summary["rows_in"], summary["rows_scored"] + rejected),
        "rejected rows by reason": (dict(sorted((+expected).items())), summary["rows_rejected"]),
        "rows scored and rows in Parquet": (summary["rows_scored"], summary["rows_in_parquet"]),
        "rows scored and payments known": (summary["rows_scored"], summary["rows_joined_with_truth"]),
        "rows scored and records in the topic of scores": (summary["rows_scored"], scores_topic),
        "rows rejected and records in the topic of rejected rows": (rejected, rejected_topic),
    }
    return [f"{what}: {left} and {right}" for what, (left, right) in claims.items() if left != right]


def table(summary: dict[str, Any]) -> str:
    """The closing tables: the stream, and the models."""
    rows = [
        ("rows in", f"{summary['rows_in']:,}"),
        ("rows scored", f"{summary['rows_scored']:,}"),
        ("rows rejected", f"{sum(summary['rows_rejected'].values()):,}"),
        *((f"  {code}", f"{count:,}") for code, count in summary["rows_rejected"].items()),
        ("rows/s, first batch left out", f"{summary['rows_per_s']:,.0f}"),
        ("batch latency p50 / p99", f"{summary['batch_ms_p50']:,.0f} / {summary['batch_ms_p99']:,.0f} ms"),
        ("models trained on / scored days", f"{span(summary['train_days'])} / {span(summary['scored_days'])}"),
        ("judged days", span(summary["judged_days"])),
        ("payments judged / frauds", f"{summary['rows_judged']:,} / {summary['frauds_judged']:,}"),
    ]
    width = max(len(name) for name, _ in rows)
    value_width = max(len(value) for _, value in rows)
    line = f"+{'-' * (width + 2)}+{'-' * (value_width + 2)}+"
    stream = [line, *(f"| {name:<{width}} | {value:>{value_width}} |" for name, value in rows), line]
    return "\n".join([*stream, "", handbook.table(summary["models"]), *notes(summary)])


def notes(summary: dict[str, Any]) -> list[str]:
    """What one has to know to compare the figures."""
    known = "Judged: payments by cards not known as compromised before the day; the days before fill the windows."
    full = [handbook.TEST_DAYS[0] - handbook.WARM_UP_DAYS, handbook.TEST_DAYS[-1]]
    if summary["scored_days"] == full:
        return [known]
    return [
        known,
        f"Published are days {span([handbook.TEST_DAYS[0], full[1]])}, with windows filled from day {full[0]}.",
    ]


def span(days: list[int]) -> str:
    """First and last day, for people."""
    return f"{days[0]}-{days[1]}"
