"""pandas' rolling windows by customer, as the Fraud Detection Handbook makes its features. No Spark."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benches.payments import AVERAGES, COLUMNS, COUNTS, DAYS

NAME = "pandas"
WHAT = "pandas: groupby and rolling over a Parquet file"
FAMILY = "pandas"


def training_set(file: Path | str) -> pd.DataFrame:
    """The features of every payment of a file."""
    payments = pd.read_parquet(file, columns=["transaction_id", "customer_id", "ts", "amount"])
    payments = payments.sort_values(["customer_id", "ts"], ignore_index=True)
    groups = payments.groupby("customer_id", sort=False)
    for days, count, average in zip(DAYS, COUNTS, AVERAGES, strict=True):
        # Open on the left, closed on the right: (t - W, t].
        rolling = groups.rolling(f"{days}D", on="ts")["amount"]
        payments[count] = rolling.count().to_numpy().astype("int64")
        payments[average] = rolling.mean().to_numpy()
    return payments[list(COLUMNS)]
