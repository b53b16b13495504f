"""How good a fraud score is: AUC, average precision and card precision@k.

Card precision@k is the Fraud Detection Handbook's measure of what investigators gain. Each day the k cards with the
highest scores are checked; the share of frauds among them counts. A card found to be compromised is blocked, so it
is left out on the days that follow. The result is the mean over the days.
"""

from __future__ import annotations

from typing import TypedDict

import pandas as pd
from sklearn.metrics import average_precision_score, roc_auc_score

#: Cards that the investigators check a day.
CARDS_PER_DAY = 100


class Figures(TypedDict):
    """Names as in `build/demo/summary.json`."""

    auc: float
    average_precision: float
    card_precision_100: float


def figures(payments: pd.DataFrame) -> Figures:
    """All three measures of payments with the columns `day`, `customer_id`, `tx_fraud` (0 or 1) and `score`."""
    truth, score = payments["tx_fraud"], payments["score"]
    return {
        "auc": float(roc_auc_score(truth, score)),
        "average_precision": float(average_precision_score(truth, score)),
        "card_precision_100": card_precision(payments, CARDS_PER_DAY),
    }


def card_precision(payments: pd.DataFrame, k: int) -> float:
    """Card precision@k. Of equal scores the customer with the lower number is checked first."""
    found: set[int] = set()
    precisions = []
    for _, day in payments.groupby("day", sort=True):
        open_cards = day[~day["customer_id"].isin(found)]
        cards = open_cards.groupby("customer_id", sort=True)[["score", "tx_fraud"]].max()
        checked = cards.sort_values("score", ascending=False, kind="stable").head(k)
        compromised = checked.index[checked["tx_fraud"] == 1]
        found.update(compromised)
        precisions.append(len(compromised) / k)
    return sum(precisions) / len(precisions)


def without_known_cards(
    payments: pd.DataFrame, *, train_days: range, delay_days: int, test_days: range
) -> pd.DataFrame:
    """The test rows of the handbook's protocol: payments of `test_days` by cards not yet known as compromised.

    Known on test day n are the customers with a fraud in the training days, and those with a fraud from the last
    training day until `delay_days` before the test day: frauds come to light that much later.
    """
    frauds = payments[payments["tx_fraud"] == 1]
    known = set(frauds.loc[frauds["day"].isin(train_days), "customer_id"])
    kept = []
    for day in test_days:
        late = frauds[(frauds["day"] >= train_days[-1]) & (frauds["day"] < day - delay_days)]
        known |= set(late["customer_id"])
        today = payments[payments["day"] == day]
        kept.append(today[~today["customer_id"].isin(known)])
    return pd.concat(kept)
