"""Rows for the small pipeline, by formula: any number of them, the same every time, with some that are bad."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from tests.support import golden, small

#: Every so many rows one lacks its id, which the pipeline requires.
BAD_EVERY = 1_000


@dataclass(frozen=True)
class Points:
    """Rows `first` to `first + count`; row i has the id i."""

    first: int
    count: int

    @property
    def ids(self) -> np.ndarray[Any, Any]:
        return np.arange(self.first, self.first + self.count)

    @property
    def bad(self) -> np.ndarray[Any, Any]:
        return self.ids % BAD_EVERY == BAD_EVERY - 1

    def features(self) -> np.ndarray[Any, Any]:
        """x and y of every row: multiples of 1/64 in (-8, 8), exact in any format."""
        x = (self.ids * 7919 % 1021 - 510) / 64
        y = (self.ids * 104_729 % 1019 - 509) / 64
        return np.column_stack([x, y]).astype(np.float32)

    def records(self) -> Iterator[bytes]:
        """JSON as it goes to Kafka."""
        for identifier, bad, (x, y) in zip(self.ids.tolist(), self.bad.tolist(), self.features().tolist(), strict=True):
            name = "ident" if bad else "id"
            yield f'{{"{name}":{identifier},"x":{x},"y":{y}}}'.encode()

    def scores(self, files: small.Small) -> np.ndarray[Any, Any]:
        """What onnxruntime says of the good rows, by ascending id."""
        chosen = self.features()[~self.bad]
        return golden.run(files.model, {small.INPUT: chosen})["probabilities"][:, 1]


def assert_all_once(spark: SparkSession, out: str, points: Points, files: small.Small) -> None:
    """Hold that a Parquet sink has every good row exactly once, with the right bits, as Spark reads it."""
    # Spark reads what the sink's log names: files of a killed attempt lie in the folder, too, and do not count.
    table = spark.read.parquet(out).select("id", F.col("score")).toArrow().sort_by("id")
    ids = table["id"].to_numpy()
    wanted = points.ids[~points.bad]
    doubled, lost = len(ids) - len(np.unique(ids)), len(np.setdiff1d(wanted, ids))
    assert (doubled, lost) == (0, 0), f"{doubled} rows doubled, {lost} lost, of {len(wanted)}"
    np.testing.assert_array_equal(ids, wanted)
    golden.assert_same_bits(table["score"].to_numpy(), points.scores(files), "score")
