"""A topic's records beside what a query made of them: every one once, none else, bit by bit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from pyspark.sql import DataFrame

from tests.harness import topics

#: Partition and offset.
Place = tuple[int, int]
#: Values by place.
Log = Mapping[Place, bytes | None]


def log_of(bootstrap: str, topic: str, *, committed: bool = False) -> dict[Place, bytes | None]:
    """What the topic holds, as Kafka's ordinary client reads it; with `committed` only what transactions committed."""
    return {(r.partition, r.offset): r.value for r in topics.records(bootstrap, topic, committed=committed)}


def assert_each_once(df: DataFrame, topic: str, wanted: Log) -> None:
    """Hold that rows with `topic`, `partition`, `offset` and `value` are the log's records, each exactly once."""
    table = df.select("topic", "partition", "offset", "value").toArrow()
    assert set(table["topic"].to_pylist()) <= {topic}
    places = list(zip(table["partition"].to_pylist(), table["offset"].to_pylist(), strict=True))
    counts = Counter(places)
    lost, more = wanted.keys() - counts.keys(), counts.keys() - wanted.keys()
    twice = {place for place, count in counts.items() if count > 1}
    say = ", ".join(
        f"{len(p)} {what} {sorted(p)[:3]}" for what, p in (("lost", lost), ("twice", twice), ("not there", more))
    )
    wrong_places = lost | twice | more
    assert not wrong_places, f"of {len(wanted)} records: {say}"
    wrong = [place for place, value in zip(places, table["value"].to_pylist(), strict=True) if value != wanted[place]]
    assert not wrong, f"{len(wrong)} records have other bytes than the log's, the first: {sorted(wrong)[:3]}"
