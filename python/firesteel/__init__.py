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

from firesteel._parity import Parity, Way, parity
from firesteel._spark import configure, find_jar
from firesteel._state import dump_state
from firesteel._version import __version__
from firesteel.diagnosis import Diagnosis, Finding, doctor, explain
from firesteel.errors import (
    FiresteelError,
    FitError,
    JarNotFoundError,
    NotInstalledError,
    PipelineError,
    VersionMismatchError,
)
from firesteel.fitting import fit_one_hot, fit_scalers
from firesteel.functions import accepted, compare, predict, rejected
from firesteel.pipeline import Pipeline
from firesteel.spec import Avro, Check, Fill, Impute, Model, PipelineSpec, Protobuf, Registry, Require, Sample
from firesteel.training import TrainingSet

__all__ = [
    "Avro",
    "Check",
    "Diagnosis",
    "Fill",
    "Finding",
    "FiresteelError",
    "FitError",
    "Impute",
    "JarNotFoundError",
    "Model",
    "NotInstalledError",
    "Parity",
    "Pipeline",
    "PipelineError",
    "PipelineSpec",
    "Protobuf",
    "Registry",
    "Require",
    "Sample",
    "TrainingSet",
    "VersionMismatchError",
    "Way",
    "__version__",
    "accepted",
    "compare",
    "configure",
    "doctor",
    "dump_state",
    "explain",
    "find_jar",
    "fit_one_hot",
    "fit_scalers",
    "parity",
    "predict",
    "rejected",
]
