"""Finds the jar, configures a session, and is, with ``training``, the one place that may touch ``_jvm``.

``_jvm`` is used for five things that no public API gives: the jar's version on the driver's class path, the SQL
metrics of an executed plan, what Firesteel does in a plan, pipelines with windows, whose rows move between their parts,
and training sets. They exist on classic sessions only.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firesteel._version import __version__
from firesteel.errors import JarNotFoundError, VersionMismatchError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.streaming.query import StreamingQuery

__all__ = ["EXTENSIONS", "JAR_NAME", "configure", "find_jar"]

#: What ``spark.sql.extensions`` must name.
EXTENSIONS = "io.firesteel.spark.FiresteelExtensions"

#: File name of the jar that belongs to this version of the package.
JAR_NAME = f"firesteel-spark_2.13-{__version__}.jar"

#: Spark 4.2.0 hangs when a plain Python UDF reads from a columnar source, Parquet as well as ours, while this is on.
_COLUMNAR_UDF_INPUT = "spark.sql.execution.arrow.pythonUDF.columnarInput.enabled"

#: Windows behind any stream keep the histories of their keys in Spark's state store, and need the one on RocksDB. Its
#: changes are written down as a log, not as whole files, for each micro-batch. The checkpoint's format stays version 1:
#: with 2, a file sink that skips a batch which it has, after a crash before the commit log, leaves Spark 4.2.0 without
#: the states' names, and the query never starts again ("CheckpointInfo length: 0").
_STATE_STORE = {
    "spark.sql.streaming.stateStore.providerClass": (
        "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"
    ),
    "spark.sql.streaming.stateStore.rocksdb.changelogCheckpointing.enabled": "true",
}

#: Environment variable that names another jar; it wins over every other place.
JAR_VARIABLE = "FIRESTEEL_JAR"

_PACKAGE = Path(__file__).resolve().parent


def find_jar() -> Path:
    """Find the Firesteel jar: ``FIRESTEEL_JAR``, then the one in this wheel, then a checkout's ``build/dist``.

    Raises
    ------
    JarNotFoundError
        When none of them exists; names the places.

    Examples
    --------
    >>> firesteel.find_jar().name
    'firesteel-spark_2.13-0.1.0.jar'
    """
    named = os.environ.get(JAR_VARIABLE)
    if named is not None:
        if not Path(named).is_file():
            raise JarNotFoundError(f"{JAR_VARIABLE}={named} is not a file. Unset it, or name the jar")
        return Path(named).resolve()
    places = [_PACKAGE / "jars" / JAR_NAME, _PACKAGE.parents[1] / "build" / "dist" / JAR_NAME]
    for place in places:
        if place.is_file():
            return place
    looked = "\n  ".join(str(place) for place in places)
    raise JarNotFoundError(
        f"no {JAR_NAME} in any of\n  {looked}\nInstall the wheel, type `make dist` in a checkout, or set {JAR_VARIABLE}"
    )


def configure(builder: SparkSession.Builder, *, jar: str | os.PathLike[str] | None = None) -> SparkSession.Builder:
    """Make a session builder ready for Firesteel: its jar and its SQL extensions.

    Also turns ``spark.sql.execution.arrow.pythonUDF.columnarInput.enabled`` off unless the builder names it: Spark
    4.2.0 hangs in plain Python UDFs over columnar sources while it is on. And makes RocksDB, with a change log, the
    state store of streams unless the builder names another: windows behind a stream need it.

    Jars and extensions that the builder already names are kept. Settings are read once, when a session
    starts: call this before ``getOrCreate`` and stop a session that runs without Firesteel. Over Spark Connect
    to a remote server the server needs the two settings; ``remote("local[*]")`` takes them from the builder.

    Parameters
    ----------
    builder : SparkSession.Builder
        ``SparkSession.builder``, with or without other settings.
    jar : str or path, optional
        The jar to use; by default the one that :func:`find_jar` finds.

    Returns
    -------
    SparkSession.Builder
        The same builder.

    Raises
    ------
    JarNotFoundError
        When there is no jar.

    Examples
    --------
    >>> from pyspark.sql import SparkSession
    >>> spark = firesteel.configure(SparkSession.builder.master("local[2]")).getOrCreate()
    >>> spark.conf.get("spark.sql.extensions")
    'io.firesteel.spark.FiresteelExtensions'
    """
    path = str(find_jar() if jar is None else jar)
    options: Mapping[str, Any] = getattr(builder, "_options", {})
    builder.config("spark.jars", _appended(options.get("spark.jars"), path))
    builder.config("spark.sql.extensions", _appended(options.get("spark.sql.extensions"), EXTENSIONS))
    for key, value in {_COLUMNAR_UDF_INPUT: "false", **_STATE_STORE}.items():
        if key not in options:
            builder.config(key, value)
    return builder


def _appended(existing: Any, item: str) -> str:
    """Add an item to a comma-separated setting, once, keeping the order."""
    items = [part.strip() for part in str(existing or "").split(",") if part.strip()]
    return ",".join(items if item in items else [*items, item])


_checked_sessions: set[int] = set()


def check_versions(spark: SparkSession) -> None:
    """Compare the jar on the driver's class path with this package, once per session.

    Reads the jar's manifest through the driver's class loader, which no public API does. Silent over Spark
    Connect, and where the jar is absent (the missing SQL function then says so).

    Raises
    ------
    VersionMismatchError
        When both are known and differ.
    """
    jvm = getattr(spark, "_jvm", None) if is_classic(spark) else None
    if jvm is None or id(spark) in _checked_sessions:
        return
    found = _jar_version(jvm)
    if found is not None and found != __version__:
        raise VersionMismatchError(__version__, found)
    _checked_sessions.add(id(spark))


def _jar_version(jvm: Any) -> str | None:
    from py4j.protocol import Py4JJavaError

    try:
        loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
        package = loader.loadClass(EXTENSIONS).getPackage()
    except Py4JJavaError:  # ClassNotFoundException: the session runs without the jar
        return None
    version: str | None = package.getImplementationVersion()
    return version


def is_classic(spark: object) -> bool:
    """Tell whether a session talks to a driver JVM of its own, not to a Spark Connect server."""
    return ".connect." not in f"{type(spark).__module__}."


def executed_nodes(df: DataFrame) -> Iterator[Any]:
    """Yield every physical operator of a classic DataFrame's executed plan, adaptive stages opened.

    The plan's accumulators belong to actions on this very DataFrame (``collect``, ``toPandas``); an action that
    derives another plan (``count``, ``write``) leaves them at zero.
    """
    # `_jdf`: the executed plan and its accumulators are not reachable through the public API.
    waiting = [df._jdf.queryExecution().executedPlan()]
    while waiting:
        node = waiting.pop()
        yield node
        kind = node.getClass().getSimpleName()
        if kind == "AdaptiveSparkPlanExec":
            waiting.append(node.executedPlan())
        elif kind.endswith("QueryStageExec"):
            waiting.append(node.plan())
        else:
            children = node.children()
            waiting.extend(children.apply(i) for i in reversed(range(children.size())))


def metric_values(node: Any) -> dict[str, int]:
    """Read the SQL metrics of a physical operator, by name."""
    values: dict[str, int] = {}
    entries = node.metrics().iterator()
    while entries.hasNext():
        entry = entries.next()
        values[entry._1()] = entry._2().value()
    return values


def in_parts(df: DataFrame, path: str) -> bool:
    """Whether a pipeline file has windows, so that its rows must go to their keys between its parts."""
    session = df.sparkSession
    return hasattr(session, "_jsparkSession") and bool(
        session._jvm.io.firesteel.spark.Pipeline.hasWindows(path, session._jsparkSession)  # type: ignore[union-attr]
    )


def transformed_in_parts(df: DataFrame, path: str) -> DataFrame:
    """Transform as Scala's ``Pipeline.load(path).transform(df)`` does."""
    session = df.sparkSession
    pipeline = session._jvm.io.firesteel.spark.Pipeline.load(path)  # type: ignore[union-attr]
    return type(df)(pipeline.transform(df._jdf), session)


def explained_frame(df: DataFrame) -> str:
    """Tell what Firesteel does in a DataFrame's plan, see :func:`firesteel.explain`."""
    if not is_classic(df.sparkSession):
        raise TypeError("NOT_OVER_CONNECT: over Spark Connect only a pipeline file can be explained")
    text: str = df.sparkSession._jvm.io.firesteel.spark.explain.Explain.frame(df._jdf)  # type: ignore[union-attr]
    return text


def explained_query(query: StreamingQuery) -> str:
    """Tell what Firesteel does in a streaming query's last micro-batch."""
    from pyspark.sql import SparkSession

    session = SparkSession.getActiveSession()
    if not is_classic(query) or session is None or not hasattr(session, "_jsparkSession"):
        raise TypeError("NOT_OVER_CONNECT: over Spark Connect only a pipeline file can be explained")
    text: str = session._jvm.io.firesteel.spark.explain.Explain.query(query._jsq)  # type: ignore[union-attr]
    return text
