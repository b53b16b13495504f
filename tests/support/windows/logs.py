"""Logs of any length in topics of any number of partitions, and what must come of them on each way."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tests.harness import topics
from tests.support.windows import log, ways
from tests.support.windows.outcome import Right, scored
from tests.support.windows.ways import Way


@dataclass
class Logs:
    """Made where they are asked for, once; every topic has the same records for the same length, keyed by customer."""

    bootstrap: str
    folder: Path
    _topics: dict[tuple[int, int], str] = field(default_factory=dict)
    _right: dict[tuple[Way, str], Right] = field(default_factory=dict)

    def topic(self, partitions: int, events: int) -> str:
        """A topic that holds so many events."""
        place = (partitions, events)
        if place not in self._topics:
            self._topics[place] = log.filled(self.bootstrap, f"windows-{events}", events, partitions)
        return self._topics[place]

    def pipeline(self, way: Way, partitions: int) -> Path:
        """The pipeline file of a way."""
        file = self.folder / f"{way}-{partitions}.yaml"
        file.write_text(ways.pipeline(way, partitions))
        return file

    def right(self, way: Way, topic: str, partitions: int) -> Right:
        """What must come of a topic as it is now."""
        if (way, topic) not in self._right:
            records = ways.worked_on(way, topics.records(self.bootstrap, topic), partitions)
            self._right[way, topic] = scored(records, ways.pipeline(way, partitions), self.folder / f"{way}-{topic}")
        return self._right[way, topic]
