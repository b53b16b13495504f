"""Firesteel: from a Kafka record to a model's answer, on Spark, in Rust.

Everything here is thin: it names SQL functions, finds the jar and builds plans. No row passes through a
Python worker. Start at :func:`configure`, then :func:`predict` or :meth:`Pipeline.transform`.

Examples
--------
>>> from pyspark.sql import SparkSession
>>> import firesteel
>>> spark = firesteel.configure(SparkSession.builder).getOrCreate()
>>> scored = firesteel.Pipeline.load("fraud.yaml").transform(df)
>>> firesteel.accepted(scored).count(), firesteel.rejected(scored).count()
(2, 1)
"""

from firesteel._spark import configure, find_jar
from firesteel._version import __version__
from firesteel.errors import (
    FiresteelError,
    JarNotFoundError,
    NotInstalledError,
    PipelineError,
    VersionMismatchError,
)
from firesteel.functions import accepted, predict, rejected
from firesteel.pipeline import Pipeline
from firesteel.spec import Avro, Check, Fill, Model, PipelineSpec, Protobuf, Registry, Require

__all__ = [
    "Avro",
    "Check",
    "Fill",
    "FiresteelError",
    "JarNotFoundError",
    "Model",
    "NotInstalledError",
    "Pipeline",
    "PipelineError",
    "PipelineSpec",
    "Protobuf",
    "Registry",
    "Require",
    "VersionMismatchError",
    "__version__",
    "accepted",
    "configure",
    "find_jar",
    "predict",
    "rejected",
]
