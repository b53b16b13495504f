"""Model stores from Python: ``python -m firesteel model …`` and ``resolve-model``, and nothing that reads a row.

A store's layout is the jar's business; this starts it without a Spark session. MLflow's registry is reached by MLflow's
own client, which the jar in turn calls through ``resolve-model``.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from firesteel._spark import find_jar
from firesteel.errors import FiresteelError

#: Where downloaded models are kept; the same version is downloaded once.
CACHE_VARIABLE = "FIRESTEEL_MODEL_CACHE"


def model(arguments: Sequence[str]) -> int:
    """Run a command of the jar's ``ModelStore``; its exit status. Stores may lie wherever Spark's Hadoop reaches."""
    import pyspark

    submit = Path(pyspark.__file__).parent / "bin" / "spark-submit"
    command = [str(submit), "--master", "local[1]", "--conf", "spark.ui.enabled=false"]
    command += ["--class", "io.firesteel.spark.ModelStore", str(find_jar()), *arguments]
    return subprocess.run(command, check=False).returncode


def resolve_model(uri: str) -> dict[str, Any]:
    """Download what an MLflow uri names; ``file``, ``uri`` of just this version, and ``version`` if it has one.

    Parameters
    ----------
    uri : str
        ``models:/NAME@ALIAS``, ``models:/NAME/VERSION``, ``models:/NAME/latest`` or ``runs:/RUN/PATH``.

    Raises
    ------
    FiresteelError
        With the condition ``MLFLOW``: the client is missing, the registry says no, or the model has no ONNX file.
    """
    try:
        import mlflow
    except ImportError as error:
        raise FiresteelError("MLFLOW", f"{sys.executable} has no mlflow: pip install mlflow-skinny") from error
    try:
        pinned, version = _pinned(mlflow, uri)
        file = _cached(pinned, _registry(mlflow)) or _downloaded(mlflow, pinned)
    except FiresteelError:
        raise
    except Exception as error:  # MLflow has a class of its own for each store behind it
        raise FiresteelError("MLFLOW", f"{uri}: {' '.join(str(error).split())}") from error
    return {"file": str(file), "uri": pinned, "version": version}


def _registry(mlflow: Any) -> str:
    return str(mlflow.get_registry_uri())


def _pinned(mlflow: Any, uri: str) -> tuple[str, int | None]:
    """Follow an alias to its version."""
    client = mlflow.MlflowClient()
    if found := re.fullmatch(r"models:/([^/@]+)@([^/@]+)", uri):
        version = int(client.get_model_version_by_alias(*found.groups()).version)
    elif found := re.fullmatch(r"models:/([^/@]+)/(\d+)", uri):
        version = int(found[2])
    elif found := re.fullmatch(r"models:/([^/@]+)/latest", uri):
        version = max(int(each.version) for each in client.search_model_versions(f"name='{found[1]}'"))
    elif uri.startswith("runs:/"):
        return uri, None
    else:
        message = f"{uri} is none of models:/NAME@ALIAS, models:/NAME/VERSION, models:/NAME/latest, runs:/RUN/PATH"
        raise FiresteelError("MLFLOW", message)
    return f"models:/{found[1]}/{version}", version


def _folder(pinned: str, registry: str) -> Path:
    name = hashlib.sha256(f"{registry} {pinned}".encode()).hexdigest()[:24]
    # Not among the temporary files, where another user could have put a model before.
    default = Path.home() / ".cache" / "firesteel" / "models"
    return Path(os.environ.get(CACHE_VARIABLE, default)) / name


def _cached(pinned: str, registry: str) -> Path | None:
    file = _folder(pinned, registry) / "model.onnx"
    return file if file.is_file() else None


def _downloaded(mlflow: Any, pinned: str) -> Path:
    """Download into the cache, whole or not at all."""
    folder = _folder(pinned, _registry(mlflow))
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=folder) as fresh:
        place = Path(mlflow.artifacts.download_artifacts(artifact_uri=pinned, dst_path=fresh))
        files = [place] if place.is_file() else sorted(place.rglob("*.onnx"))
        if len(files) != 1:
            message = f"{pinned} has {len(files)} ONNX files, not one. Log the model as ONNX"
            raise FiresteelError("MLFLOW", message)
        return files[0].replace(folder / "model.onnx")


def print_resolved(uri: str) -> int:
    """``python -m firesteel resolve-model URI``: one line of JSON."""
    print(json.dumps(resolve_model(uri)))
    return 0
