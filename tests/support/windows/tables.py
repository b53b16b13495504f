"""Tiny tables by hand: what each sentence of `docs/reference/windows.md` means for a few events.

Times are minutes. `wanted` has a value per row; a rejected row has its code in every column. The reference and the
engine are both held against them.
"""

from __future__ import annotations

from math import inf, nan, sqrt
from typing import Any

from tests.support.windows.spec import Aggregate, Block, Expression, column
from tests.support.windows.table import COUNT, LATE, NULL, SUM, B, K, N, S, Table, X, one


def _ewma() -> list[Any]:
    # Half-life 10 minutes; rows at 0, 10, 10, 30 with values 4, 8, null, 1.
    second = (4 * 0.5 + 8) / 1.5
    last = (4 * 0.125 + 8 * 0.25 + 1) / (0.125 + 0.25 + 1)
    return [4.0, second, second, last]


TABLES = [
    Table(
        "an event exactly as old as the window is out, this one is in",
        [one({"nb": COUNT}, "10 minutes")],
        [0, 5, 10, 10, 20],
        {"nb_10m": [1, 2, 2, 3, 1]},
    ),
    Table(
        "a microsecond younger is in",
        [one({"nb": COUNT}, "1 second")],
        [0, 1 / 60 - 1 / 60_000_000, 1 / 60],
        {"nb_1s": [1, 2, 2]},
    ),
    Table(
        "a delay moves the window back",
        [one({"nb": COUNT}, "10 minutes", delay="5 minutes")],
        [0, 5, 5, 10, 15, 20],
        # (t-15, t-5]
        {"nb_10m": [0, 1, 1, 3, 3, 2]},
    ),
    Table(
        "of one time each sees itself and those that came before",
        [one({"nb": COUNT, "x": SUM}, "1 minute")],
        [3, 3, 3],
        {"nb_1m": [1, 2, 3], "x_1m": [1.0, 3.0, 7.0]},
        {"x": [1.0, 2.0, 4.0]},
    ),
    Table(
        "an event may be left out of its own windows",
        [one({"nb": COUNT, "x": SUM}, "10 minutes", "last 2", current="exclude", keep="1 day")],
        [0, 0, 5, 10],
        {
            "nb_10m": [0, 1, 2, 1],
            "x_10m": [NULL, 1.0, 3.0, 4.0],
            "nb_last2": [0, 1, 2, 2],
            "x_last2": [NULL, 1.0, 3.0, 6.0],
        },
        {"x": [1.0, 2.0, 4.0, 8.0]},
    ),
    Table(
        "keys know nothing of each other",
        [one({"nb": COUNT, "before": Aggregate("lag", X)}, "1 hour")],
        [0, 1, 2, 3],
        {"nb_1h": [1, 1, 2, 2], "before": [NULL, NULL, 1.0, 2.0]},
        {"k": ["a", "b", "a", "b"], "x": [1.0, 2.0, 3.0, 4.0]},
    ),
    Table(
        "an idle key waits for no other, however far that one has come",
        [one({"nb": COUNT, "gap": Aggregate("since_last")}, "1 hour")],
        [0, 60 * 24 * 900, 1, 60 * 24 * 900 + 1, 2],
        {"nb_1h": [1, 1, 2, 2, 3], "gap": [NULL, NULL, 60.0, 60.0, 60.0]},
        {"k": ["slow", "fast", "slow", "fast", "slow"]},
    ),
    Table(
        "a key of two columns",
        [Block(("k", "m"), {"nb": COUNT}, ("1 hour",))],
        [0, 1, 2, 3],
        {"k_m_nb_1h": [1, 1, 1, 2]},
        {"k": ["a", "b", "a", "a"], "m": [1, 1, 2, 1]},
    ),
    Table(
        "the empty text is a key like any other",
        [one({"nb": COUNT}, "1 hour")],
        [0, 1, 2],
        {"nb_1h": [1, "NULL_KEY", 2]},
        {"k": ["", NULL, ""]},
    ),
    Table(
        "every unit has its letters",
        [
            Block(
                K,
                {"nb": COUNT},
                (
                    "250 milliseconds",
                    "90 seconds",
                    "30 minutes",
                    "12 hours",
                    "7 days",
                    "2 weeks",
                    "last 4",
                    "session 30 minutes",
                ),
                prefix="w",
            )
        ],
        [0, 29, 60, 60 * 24 * 6],
        {
            "w_nb_250ms": [1, 1, 1, 1],
            "w_nb_90s": [1, 1, 1, 1],
            "w_nb_30m": [1, 2, 1, 1],
            "w_nb_12h": [1, 2, 3, 1],
            "w_nb_7d": [1, 2, 3, 4],
            "w_nb_2w": [1, 2, 3, 4],
            "w_nb_last4": [1, 2, 3, 4],
            "w_nb_session30m": [1, 2, 1, 1],
        },
    ),
    Table(
        "the last three events",
        [one({"x": SUM, "n": Aggregate("count", X)}, "last 3", keep="1 day")],
        [0, 1, 1, 600, 601],
        {"x_last3": [1.0, 1.0, 5.0, 12.0, 28.0], "n_last3": [1, 1, 2, 2, 3]},
        {"x": [1.0, NULL, 4.0, 8.0, 16.0]},
    ),
    Table(
        "a pause of exactly the gap begins a session",
        [one({"nb": COUNT, "first": Aggregate("first", N)}, "session 30 minutes", keep="1 day")],
        [0, 29, 58, 88, 89],
        {"nb_session30m": [1, 2, 3, 1, 2], "first_session30m": [0, 0, 0, 3, 3]},
        {"n": [0, 1, 2, 3, 4]},
    ),
    Table(
        "an event out of order goes to its place, and events after it see it",
        [
            one(
                {"x": SUM, "before": Aggregate("lag", X), "gap": Aggregate("since_last")},
                "10 minutes",
                "last 2",
                allow="10 minutes",
                keep="1 day",
            )
        ],
        [0, 10, 5, 12, 11],
        {
            "x_10m": [1.0, 2.0, 5.0, 14.0, 22.0],
            "x_last2": [1.0, 3.0, 5.0, 10.0, 18.0],
            "before": [NULL, 1.0, 1.0, 2.0, 2.0],
            "gap": [NULL, 600.0, 300.0, 120.0, 60.0],
        },
        {"x": [1.0, 2.0, 4.0, 8.0, 16.0]},
    ),
    Table(
        "events out of order beside a window that is empty, and then in it",
        [one({"nb": COUNT, "x": SUM}, "10 minutes", delay="10 minutes", keep="1 day")],
        # A key with many events slides its windows: after minute 120 this one is (100, 110], with nothing in it.
        [*range(25), 100, 120, 100, 105, 121, 130],
        {
            "nb_10m": [*[0] * 10, *range(1, 11), *[10] * 5, 0, 0, 0, 0, 1, 1],
            "x_10m": [*[NULL] * 10, *map(float, range(1, 11)), *[10.0] * 5, NULL, NULL, NULL, NULL, 4.0, 16.0],
        },
        {"x": [*[1.0] * 26, 16.0, 2.0, 4.0, 8.0, 32.0]},
    ),
    Table(
        "exactly as late as allowed is taken, a microsecond later is rejected",
        [one({"x": SUM}, "1 hour", allow="10 minutes")],
        [0, 20, 10, 10 - 1 / 60_000_000, 20],
        {"x_1h": [1.0, 3.0, 5.0, LATE, 23.0]},
        {"x": [1.0, 2.0, 4.0, 8.0, 16.0]},
    ),
    Table(
        "an event too late is used and forgotten where the author says so",
        [one({"x": SUM, "before": Aggregate("lag", X)}, "1 hour", allow="10 minutes", then="use", keep="1 day")],
        [0, 30, 5, 6, 30],
        {"x_1h": [1.0, 3.0, 5.0, 9.0, 19.0], "before": [NULL, 1.0, 1.0, 1.0, 2.0]},
        {"x": [1.0, 2.0, 4.0, 8.0, 16.0]},
    ),
    Table(
        "an event too late that is left out of its own windows",
        [one({"x": SUM}, "1 hour", allow="0 seconds", then="use", keep="1 day", current="exclude")],
        [0, 30, 5, 30],
        {"x_1h": [NULL, 1.0, 1.0, 3.0]},
        {"x": [1.0, 2.0, 4.0, 16.0]},
    ),
    Table(
        "late is a matter of one key, and of its newest event",
        [one({"nb": COUNT}, "1 day", allow="10 minutes")],
        [100, 0, 95, 84, 91, 5],
        {"nb_1d": [1, 1, 1, LATE, 1, 2]},
        {"k": ["a", "b", "a", "a", "a", "b"]},
    ),
    Table(
        "a row that a later block rejects has been seen by the one before it",
        [
            Block(K, {"nb": COUNT}, ("1 day",), allow="1 hour", prefix="first"),
            Block(K, {"nb": COUNT}, ("1 day",), allow="0 seconds", prefix="second"),
        ],
        [10, 5, 11],
        {"first_nb_1d": [1, LATE, 3], "second_nb_1d": [1, LATE, 2]},
    ),
    Table(
        "a row that an earlier block rejects is not seen by the one after it",
        [
            Block(K, {"nb": COUNT}, ("1 day",), allow="0 seconds", prefix="first"),
            Block(K, {"nb": COUNT}, ("1 day",), allow="1 hour", prefix="second"),
        ],
        [10, 5, 11],
        {"first_nb_1d": [1, LATE, 2], "second_nb_1d": [1, LATE, 2]},
    ),
    Table(
        "a row whose key is null in a block was seen by those before it only",
        [Block(K, {"nb": COUNT}, ("1 day",)), Block(("m",), {"nb": COUNT}, ("1 day",))],
        [0, 1, 2, 3],
        {"k_nb_1d": [1, "NULL_KEY", "NULL_KEY", 3], "m_nb_1d": [1, "NULL_KEY", "NULL_KEY", 2]},
        {"k": ["a", "a", NULL, "a"], "m": [1, NULL, 1, 1]},
    ),
    Table(
        "a row without a time is rejected",
        [one({"nb": COUNT}, "1 day")],
        [0, NULL, 1],
        {"nb_1d": [1, "BAD_EVENT_TIME", 2]},
    ),
    Table(
        "a time far in the future is believed, and the rest is late by it",
        [one({"nb": COUNT}, "1 day")],
        [0, 60 * 24 * 365 * 2000, 1, 60 * 24 * 365 * 2000 + 1],
        {"nb_1d": [1, 1, LATE, 2]},
    ),
    Table(
        "nulls do not count",
        [
            one(
                {
                    "all": COUNT,
                    "n": Aggregate("count", X),
                    "sum": SUM,
                    "avg": Aggregate("avg", X),
                    "min": Aggregate("min", X),
                    "max": Aggregate("max", X),
                    "kinds": Aggregate("distinct", X),
                    "first": Aggregate("first", X),
                    "last": Aggregate("last", X),
                    "mode": Aggregate("mode", X),
                },
                "1 hour",
            )
        ],
        [0, 1, 2, 3],
        {
            "all_1h": [1, 2, 3, 4],
            "n_1h": [0, 1, 1, 2],
            "sum_1h": [NULL, 4.0, 4.0, 6.0],
            "avg_1h": [NULL, 4.0, 4.0, 3.0],
            "min_1h": [NULL, 4.0, 4.0, 2.0],
            "max_1h": [NULL, 4.0, 4.0, 4.0],
            "kinds_1h": [0, 1, 1, 2],
            "first_1h": [NULL, 4.0, 4.0, 4.0],
            "last_1h": [NULL, 4.0, 4.0, 2.0],
            "mode_1h": [NULL, 4.0, 4.0, 2.0],
        },
        {"x": [NULL, 4.0, NULL, 2.0]},
    ),
    Table(
        "NaN counts until it leaves the window",
        [
            one(
                {
                    "n": Aggregate("count", X),
                    "sum": SUM,
                    "avg": Aggregate("avg", X),
                    "sd": Aggregate("stddev", X),
                    "slope": Aggregate("slope", X),
                    "min": Aggregate("min", X),
                    "max": Aggregate("max", X),
                    "kinds": Aggregate("distinct", X),
                    "mode": Aggregate("mode", X),
                },
                "10 minutes",
            )
        ],
        # The NaN is exactly ten minutes old at minute 11.
        [0, 1, 5, 11, 12],
        {
            "n_10m": [1, 2, 3, 2, 3],
            "sum_10m": [1.0, nan, nan, 5.0, 12.0],
            "avg_10m": [1.0, nan, nan, 2.5, 4.0],
            "sd_10m": [NULL, nan, nan, sqrt(0.5), sqrt(7)],
            "slope_10m": [NULL, nan, nan, -1 / 360, 540 / 103_200],
            "min_10m": [1.0, 1.0, 1.0, 2.0, 2.0],
            "max_10m": [1.0, nan, nan, 3.0, 7.0],
            "kinds_10m": [1, 2, 3, 2, 3],
            "mode_10m": [1.0, nan, 3.0, 2.0, 7.0],
        },
        {"x": [1.0, nan, 3.0, 2.0, 7.0]},
    ),
    Table(
        "infinities of both signs are no number",
        [one({"sum": SUM, "avg": Aggregate("avg", X), "max": Aggregate("max", X)}, "10 minutes")],
        [0, 1, 2, 11, 12],
        {
            "sum_10m": [1.0, inf, nan, -inf, 5.0],
            "avg_10m": [1.0, inf, nan, -inf, 2.5],
            "max_10m": [1.0, inf, inf, 2.0, 3.0],
        },
        {"x": [1.0, inf, -inf, 2.0, 3.0]},
    ),
    Table(
        "sums keep every bit and leave no error behind",
        [one({"x": SUM, "avg": Aggregate("avg", X)}, "10 minutes")],
        [0, 1, 2, 10, 11, 12, 13],
        {
            "x_10m": [1e16, 1e16, 1.0, -9999999999999998.0, -1e16, 0.30000000000000004, 0.4],
            "avg_10m": [1e16, 5e15, 1 / 3, -9999999999999998.0 / 3, -1e16 / 3, 0.1, 0.1],
        },
        # The large ones cancel out at minute 2 and leave at minutes 10 and 12.
        {"x": [1e16, 1.0, -1e16, 0.1, 0.1, 0.1, 0.1]},
    ),
    Table(
        "whole numbers sum to a BIGINT that is null where it overflows, and comes back",
        [one({"n": Aggregate("sum", N), "avg": Aggregate("avg", N), "b": Aggregate("sum", B)}, "10 minutes")],
        [0, 1, 10, 11],
        {"n_10m": [2**63 - 1, NULL, 6, -4], "avg_10m": [2.0**63, 2.0**62, 3.0, -2.0], "b_10m": [1, 1, 1, 2]},
        {"n": [2**63 - 1, 1, 5, -9], "b": [True, False, True, True]},
    ),
    Table(
        "spread is not lost beside a large mean, and is exactly zero where all is one value",
        [
            one(
                {
                    "var": Aggregate("var", X),
                    "sd": Aggregate("stddev", X),
                    "var_pop": Aggregate("var_pop", X),
                    "sd_pop": Aggregate("stddev_pop", X),
                    "z": Aggregate("zscore", X),
                },
                "10 minutes",
            )
        ],
        [0, 1, 2, 60, 61, 62],
        {
            "var_10m": [NULL, 0.5, 1.0, NULL, 0.0, 0.0],
            "sd_10m": [NULL, sqrt(0.5), 1.0, NULL, 0.0, 0.0],
            "var_pop_10m": [0.0, 0.25, 2 / 3, 0.0, 0.0, 0.0],
            "sd_pop_10m": [0.0, 0.5, sqrt(2 / 3), 0.0, 0.0, 0.0],
            "z_10m": [NULL, sqrt(0.5), 1.0, NULL, NULL, NULL],
        },
        {"x": [1e9, 1e9 + 1, 1e9 + 2, 0.1, 0.1, 0.1]},
    ),
    Table(
        "the z-score is of this event, whether it is in the window or not",
        [one({"z": Aggregate("zscore", X)}, "1 hour", current="exclude")],
        [0, 1, 2, 3],
        {"z_1h": [NULL, NULL, 1.5 / sqrt(0.5), NULL]},
        {"x": [1.0, 2.0, 3.0, NULL]},
    ),
    Table(
        "a filter takes what is true, not what is null",
        [
            one(
                {
                    "nb": Aggregate("count", where=B),
                    "x": Aggregate("sum", X, where=Expression("s = 'a'", lambda row: row["s"] == "a")),
                    "last": Aggregate("last", X, where=B),
                    "before": Aggregate("lag", X, where=B),
                    "gap": Aggregate("since_last", where=B),
                },
                "1 hour",
                "last 2",
            )
        ],
        [0, 1, 2, 3],
        {
            "nb_1h": [1, 1, 1, 2],
            "nb_last2": [1, 1, 0, 1],
            "x_1h": [NULL, 2.0, 6.0, 6.0],
            "x_last2": [NULL, 2.0, 6.0, 4.0],
            "last_1h": [1.0, 1.0, 1.0, 8.0],
            "last_last2": [1.0, 1.0, NULL, 8.0],
            "before": [NULL, 1.0, 1.0, 1.0],
            "gap": [NULL, 60.0, 120.0, 180.0],
        },
        {"x": [1.0, 2.0, 4.0, 8.0], "b": [True, False, NULL, True], "s": ["b", "a", "a", "b"]},
    ),
    Table(
        "different values, and the most frequent one, of several the one seen last",
        [one({"kinds": Aggregate("distinct", S), "mode": Aggregate("mode", S)}, "10 minutes")],
        [0, 1, 2, 3, 10.5, 11.5],
        {"kinds_10m": [1, 2, 2, 3, 3, 2], "mode_10m": ["a", "b", "a", "a", "a", "c"]},
        {"s": ["a", "b", "a", "c", "a", "c"]},
    ),
    Table(
        "quantiles are interpolated between neighbours",
        [
            one(
                {
                    "mid": Aggregate("median", N),
                    "low": Aggregate("quantile", X, p=0.25),
                    "least": Aggregate("quantile", X, p=0.0),
                    "most": Aggregate("quantile", X, p=1.0),
                },
                "1 hour",
            )
        ],
        [0, 1, 2, 3],
        {
            "mid_1h": [8.0, 4.5, 2.0, 3.0],
            "low_1h": [8.0, 2.75, 1.5, 1.75],
            "least_1h": [8.0, 1.0, 1.0, 1.0],
            "most_1h": [8.0, 8.0, 8.0, 8.0],
        },
        {"x": [8.0, 1.0, 2.0, 4.0], "n": [8, 1, 2, 4]},
    ),
    Table(
        "oldest and newest are by time, not by arrival",
        [one({"first": Aggregate("first", S), "last": Aggregate("last", S), "mode": Aggregate("mode", B)}, "1 hour")],
        [10, 0, 5, 10, 11],
        {
            "first_1h": ["ten", "nought", "nought", "nought", "nought"],
            "last_1h": ["ten", "nought", "five", "again", "again"],
            "mode_1h": [True, False, False, True, True],
        },
        {"s": ["ten", "nought", "five", "again", NULL], "b": [True, False, NULL, NULL, NULL]},
    ),
    Table(
        "rates are per second of the window, shares are of its events",
        [
            one(
                {
                    "all": Aggregate("rate"),
                    "some": Aggregate("rate", X),
                    "share": Aggregate("share", Expression("n > 1", lambda row: row["n"] > 1)),
                },
                "10 minutes",
                delay="1 minute",
            )
        ],
        [0, 1, 2, 3],
        {
            "all_10m": [0.0, 1 / 600, 2 / 600, 3 / 600],
            "some_10m": [0.0, 1 / 600, 1 / 600, 2 / 600],
            "share_10m": [NULL, 0.0, 0.5, 2 / 3],
        },
        {"x": [1.0, NULL, 1.0, 1.0], "n": [1, 2, 3, 4]},
    ),
    Table(
        "a slope is a change per second, and none at one time",
        [one({"slope": Aggregate("slope", X), "of_n": Aggregate("slope", N)}, "1 hour")],
        [0, 0, 1, 3],
        {"slope_1h": [NULL, NULL, 1.5 / 60, 1 / 72], "of_n_1h": [NULL, NULL, 0.0, 0.0]},
        {"x": [1.0, 2.0, 3.0, 4.0]},
    ),
    Table(
        "events before this one, whatever the windows are",
        [
            one(
                {
                    "one": Aggregate("lag", N),
                    "two": Aggregate("lag", S, k=2),
                    "change": Aggregate("delta", N),
                    "of_x": Aggregate("delta", X),
                    "gap": Aggregate("since_last"),
                }
                | {"nb": COUNT},
                "1 minute",
                delay="1 day",
                current="exclude",
                keep="2 days",
            )
        ],
        [0, 0.5, 0.5, 30],
        {
            "one": [NULL, 5, NULL, 9],
            "two": [NULL, NULL, "a", "b"],
            "change": [NULL, NULL, NULL, -8],
            "of_x": [NULL, 0.5, 0.25, -2.0],
            "gap": [NULL, 30.0, 0.0, 1770.0],
            "nb_1m": [0, 0, 0, 0],
        },
        {"n": [5, NULL, 9, 1], "s": ["a", "b", "c", "d"], "x": [1.0, 1.5, 1.75, -0.25]},
    ),
    Table(
        "weights halve every half-life",
        [one({"mean": Aggregate("ewma", X, half_life="10 minutes"), "nb": COUNT}, "1 hour")],
        [0, 10, 10, 30],
        {"mean": _ewma(), "nb_1h": [1, 2, 3, 4]},
        {"x": [4.0, 8.0, NULL, 1.0]},
    ),
    Table(
        "the weighted mean of an event out of order is that of its time",
        [one({"mean": Aggregate("ewma", X, half_life="10 minutes"), "nb": COUNT}, "1 hour")],
        [0, 20, 10, 30],
        {
            "mean": [4.0, 9 / 1.25, 4 / 1.5, (4 * 0.125 + 2 * 0.25 + 8 * 0.5 + 1) / 1.875],
            "nb_1h": [1, 2, 2, 4],
        },
        {"x": [4.0, 8.0, 2.0, 1.0]},
    ),
    Table(
        "a mean whose weights have all but vanished is still one",
        [one({"mean": Aggregate("ewma", X, half_life="1 second"), "nb": COUNT}, "1 hour", keep="30 days")],
        [0, 60 * 24, 60 * 24 * 2],
        {"mean": [4.0, 4.0, 8.0], "nb_1h": [1, 1, 1]},
        {"x": [4.0, NULL, 8.0]},
    ),
    Table(
        "constants stand in for nulls",
        [
            Block(
                K,
                {
                    "risk": Aggregate("avg", X),
                    "often": Aggregate("mode", S),
                    "before": Aggregate("lag", N),
                    "nb": COUNT,
                    "low": Aggregate("min", X),
                },
                ("10 minutes",),
                delay="10 minutes",
                default={"risk": 0, "often": "none", "before": -1},
            )
        ],
        [0, 10],
        {
            "k_risk_10m": [0.0, 0.5],
            "k_often_10m": ["none", "z"],
            "k_before": [-1, 7],
            "k_nb_10m": [0, 1],
            "k_low_10m": [NULL, 0.5],
        },
        {"x": [0.5, 1.0], "s": ["z", "y"], "n": [7, 8]},
    ),
    Table(
        "what is older than is kept is forgotten, windows or not",
        [
            one(
                {"before": Aggregate("lag", X), "gap": Aggregate("since_last"), "nb": COUNT},
                "1 hour",
                "last 5",
                keep="3 hours",
            )
        ],
        # Two hours are less than is kept, a day is more, whether or not `late.allow` is added to it.
        [0, 120, 120 + 1440, 121 + 1440],
        {
            "before": [NULL, 1.0, NULL, 4.0],
            "gap": [NULL, 7200.0, NULL, 60.0],
            "nb_1h": [1, 1, 1, 2],
            "nb_last5": [1, 2, 1, 2],
        },
        {"x": [1.0, 2.0, 4.0, 8.0]},
    ),
]

#: With features before and after the windows: for the engine alone, since the reference computes none.
FEATURE_TABLES = [
    Table(
        "features before windows are keys and arguments, features after them see their columns",
        [one({"x": Aggregate("sum", column("twice")), "nb": COUNT}, "1 hour")],
        [0, 1, 2],
        {"x_1h": [2.0, 6.0, 14.0], "nb_1h": [1, 2, 3], "part": [1.0, 4 / 6, 8 / 14], "more": [2.0, 4 / 3, 8 / 7]},
        {"x": [1.0, 2.0, 4.0]},
        features={"twice": "x * 2", "part": "twice / x_1h", "more": "part * 2"},
        kinds={"twice": "DOUBLE", "part": "DOUBLE", "more": "DOUBLE"},
    ),
    Table(
        "days and truths are keys",
        [Block(("day", "b"), {"nb": COUNT}, ("2 days",))],
        [0, 1, 1440, 1441, 1442],
        {"day_b_nb_2d": [1, 1, 1, 2, "NULL_KEY"]},
        {"b": [True, False, True, True, NULL]},
        features={"day": "date(ts)"},
    ),
    Table(
        "a time before year 1 or after 9999 is rejected",
        [Block(("s",), {"nb": COUNT}, ("1 day",), time="at")],
        [0, 0, 0, 0],
        {"s_nb_1d": [1, "BAD_EVENT_TIME", 1, "BAD_EVENT_TIME"]},
        {
            "s": ["a", "b", "c", "d"],
            "n": [253_402_300_799_999_999, 253_402_300_800_000_000, -62_135_596_800_000_000, -62_135_596_800_000_001],
        },
        features={"at": "timestamp_micros(n)"},
    ),
    Table(
        "a row whose feature fails before the windows is not seen, after them it is",
        [one({"nb": COUNT}, "1 hour")],
        [0, 1, 2, 3],
        {"nb_1h": [1, "EXPRESSION_FAILED", "EXPRESSION_FAILED", 3], "after": [-1.0, NULL, NULL, 1.0]},
        # The second row fails before; the third is the second that is seen, and fails after.
        {"n": [1, 0, 1, 1]},
        features={"before": "1 / n", "after": "1 / (nb_1h - 2)"},
        kinds={"after": "DOUBLE"},
    ),
]
