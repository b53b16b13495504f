"""The quickstart notebook runs from its first cell to its last, and shows what it says it shows."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.support.places import ROOT

NOTEBOOK = ROOT / "notebooks" / "quickstart.ipynb"
#: Seconds for one cell; the slowest starts Spark.
CELL_TIMEOUT_S = 120


@pytest.fixture(scope="module")
def executed(jar: Path, tmp_path_factory: pytest.TempPathFactory) -> nbformat.NotebookNode:
    """The notebook with its outputs, in memory only."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    folder = tmp_path_factory.mktemp("notebook")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FIRESTEEL_JAR", str(jar))
        patch.setenv("PYTHONPATH", str(ROOT / "python"))
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        client = NotebookClient(
            notebook, timeout=CELL_TIMEOUT_S, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
        )
        return client.execute()


def shown(notebook: nbformat.NotebookNode, cell: str, kind: str) -> str:
    """What a cell shows: its printed text, or its results of a MIME type."""
    [found] = [one for one in notebook.cells if one.id == cell]
    texts = [out.text for out in found.outputs if out.output_type == "stream" and kind == "text/plain"]
    return "".join([*texts, *(out.data.get(kind, "") for out in found.outputs if "data" in out)])


def test_the_committed_notebook_is_clean() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert cell.get("outputs", []) == [], "run `jupyter nbconvert --clear-output` before committing"
        assert cell.get("execution_count") is None


def test_it_scores_and_gives_back_the_two_bad_records(executed: nbformat.NotebookNode) -> None:
    text = shown(executed, "score", "text/plain")
    assert "score" in text
    assert "WRONG_TYPE" in text
    assert "MALFORMED" in text


def test_it_shows_the_operator_and_its_metrics(executed: nbformat.NotebookNode) -> None:
    assert "FiresteelEval" in shown(executed, "plan", "text/plain")
    table = shown(executed, "metrics", "text/html")
    assert "FiresteelEval" in table
    assert ">5,002<" in table, "rows through the operator"
    assert ">2<" in table, "rejected rows"


def test_it_plots_the_scores(executed: nbformat.NotebookNode) -> None:
    assert shown(executed, "plot", "image/png").startswith("iVBOR"), "a PNG in base64"


def test_it_uses_the_sql_function(executed: nbformat.NotebookNode) -> None:
    assert "at_night" in shown(executed, "sql", "text/plain")
