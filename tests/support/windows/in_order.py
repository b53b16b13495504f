"""Windows of keys whose events are in all partitions, and the one order in which such a log is worked on (`order`)."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from datetime import datetime

from tests.harness.topics import Record


def pipeline(partitions: int) -> str:
    """Places of any customer, and customers, in a topic of so many partitions."""
    return f"""
name: places
input:
  schema: id BIGINT, ts TIMESTAMP, customer BIGINT, amount DOUBLE, place STRING
order: {{by: ts, partitions: {partitions}}}
windows:
  - key: place
    time: ts
    over: [1 hour, last 7]
    late: {{allow: 10 minutes}}
    compute: {{nb: count(*), mean: avg(amount), before: lag(id), first: first(id)}}
  - key: customer
    time: ts
    over: 1 day
    late: {{allow: 10 minutes}}
    compute: {{nb: count(*), before: lag(id)}}
output: [id, place, place_nb_1h, place_mean_1h, place_mean_last7, place_before, place_first_last7, customer_nb_1d,
  customer_before]
"""


def ready(records: Iterable[Record], partitions: int) -> list[Record]:
    """The records of the log in its one order, as far as every partition stands behind them; the others wait."""
    places: list[tuple[float, int, int, Record]] = []
    ends = dict.fromkeys(range(partitions), -1.0)
    for record in sorted(records, key=lambda record: (record.partition, record.offset)):
        stands = max([ends[record.partition], *_times(record)])
        ends[record.partition] = stands
        places.append((stands, record.partition, record.offset, record))
    return [record for stands, _, _, record in sorted(places, key=lambda p: p[:3]) if stands < min(ends.values())]


def _times(record: Record) -> Iterator[float]:
    """The record's time, if it is one that can be read."""
    with contextlib.suppress(ValueError, TypeError, UnicodeDecodeError):
        yield datetime.fromisoformat(json.loads(record.value or b"")["ts"]).timestamp()
