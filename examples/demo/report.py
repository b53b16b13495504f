"""The demo's figures: from the batches' progress, the written scores and the generator's truth."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from examples.fraud import metrics, protocol


def summarise(
    out: Path, manifest: dict[str, Any], batches: list[dict[str, Any]], in_topics: dict[str, int]
) -> dict[str, Any]:
    """What goes into summary.json. Quality is measured on all scored rows, joined with the truth."""
    rejected: Counter[str] = Counter()
    for batch in batches:
        rejected.update({group["code"]: group["rows"] for group in batch["rejected"]})
    latencies = [batch["duration_ms"]["triggerExecution"] for batch in batches]
    scores = pd.read_parquet(out / "scores")
    truth = pd.read_csv(out / "labels.csv")
    scored = scores.merge(truth, on="transaction_id", how="inner", validate="one_to_one")
    scored["day"] = (scored["ts"].dt.tz_localize(None) - pd.Timestamp(protocol.FIRST_DAY)).dt.days
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
        **metrics.figures(scored),
        "frauds": int(scored["tx_fraud"].sum()),
        "train_days": [protocol.TRAIN_DAYS[0], protocol.TRAIN_DAYS[-1]],
        "scored_days": [manifest["from_day"], manifest["until_day"] - 1],
    }


def rows_per_second(batches: list[dict[str, Any]]) -> float:
    """Rate of the batches after the first one, which warms the JVM up; of that one if it is alone."""
    steady = batches[1:] or batches
    seconds = sum(batch["duration_ms"]["triggerExecution"] for batch in steady) / 1000
    return round(sum(batch["rows_in"] for batch in steady) / seconds, 1)


def faults(summary: dict[str, Any], manifest: dict[str, Any]) -> list[str]:
    """What does not add up, in words; nothing if every record is accounted for, reason by reason."""
    expected = Counter({code: rows for code, rows in manifest["rubbish"]["by_code"].items() if rows})
    # The simulation itself makes some payments of nothing, which the pipeline's check refuses.
    expected["CHECK_FAILED"] += manifest["amounts_of_zero"]
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
    """The closing table."""
    train_days, scored_days = summary["train_days"], summary["scored_days"]
    rows = [
        ("rows in", f"{summary['rows_in']:,}"),
        ("rows scored", f"{summary['rows_scored']:,}"),
        ("rows rejected", f"{sum(summary['rows_rejected'].values()):,}"),
        *((f"  {code}", f"{count:,}") for code, count in summary["rows_rejected"].items()),
        ("rows/s, first batch left out", f"{summary['rows_per_s']:,.0f}"),
        ("batch latency p50 / p99", f"{summary['batch_ms_p50']:,.0f} / {summary['batch_ms_p99']:,.0f} ms"),
        ("AUC", f"{summary['auc']:.4f}"),
        ("average precision", f"{summary['average_precision']:.4f} ({share(summary):.4f} by chance)"),
        ("card precision@100", f"{summary['card_precision_100']:.4f}"),
        ("model trained on / scored days", f"{span(train_days)} / {span(scored_days)}"),
    ]
    width = max(len(name) for name, _ in rows)
    value_width = max(len(value) for _, value in rows)
    line = f"+{'-' * (width + 2)}+{'-' * (value_width + 2)}+"
    return "\n".join([line, *(f"| {name:<{width}} | {value:>{value_width}} |" for name, value in rows), line])


def share(summary: dict[str, Any]) -> float:
    """Share of frauds: the average precision of a blind guess."""
    return summary["frauds"] / summary["rows_joined_with_truth"]


def span(days: list[int]) -> str:
    """First and last day, for people."""
    return f"{days[0]}-{days[1]}"
