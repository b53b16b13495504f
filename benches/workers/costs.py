"""What a piece of work costs besides its wall time: CPU seconds and peak memory of the worker's whole process tree."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from pyspark.sql import SparkSession

from benches.common.cpu import peak_rss_bytes, reset_peak, tree_seconds

#: The JVM gives the pages of a shrunk heap back in the background.
GIVE_BACK_S = 1.0
MIB = 2**20


def forget_peak(spark: SparkSession | None) -> float:
    """Makes the kernel count the peak of the next case alone; gives what the processes hold now, in MiB.

    A heap that an earlier case has grown would count for this one too: a full collection shrinks it first.
    """
    if spark is not None:
        spark._jvm.java.lang.System.gc()  # type: ignore[union-attr]
        time.sleep(GIVE_BACK_S)
    reset_peak(os.getpid())
    return peak_rss_bytes(os.getpid()) / MIB


def costed(spark: SparkSession | None, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Does the work, which gives its rate with ``rows_total``, and adds its costs to the rate."""
    rss_before = forget_peak(spark)
    cpu_before = tree_seconds(os.getpid())
    rate = work()
    cpu = tree_seconds(os.getpid()) - cpu_before
    rate["cpu_s_per_million_rows"] = cpu / (rate["rows_total"] / 1e6)
    rate["rss_before_mib"] = rss_before
    rate["peak_rss_mib"] = peak_rss_bytes(os.getpid()) / MIB
    return rate
