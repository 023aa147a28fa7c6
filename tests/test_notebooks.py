"""The notebooks run from start to end, and print what is kept in them."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from extras import needs
from fake_hub import FakeHub, hub_fixture  # noqa: F401
from test_docs_pages import ROOT

needs("test", "nbclient", "nbformat", "ipykernel")
needs("train", "torch", "transformers", "trl")
FOLDER = ROOT / "examples" / "notebooks"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_prints_what_is_kept_in_it(path: Path, fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbformat

    for name, value in fake_hub.env().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    names = runpy.run_path(str(FOLDER / "execute.py"))
    assert path.stat().st_size < 30_000
    kept = names["printed"](nbformat.read(path, as_version=4))
    assert len(kept) > 3
    assert names["printed"](names["executed"](path)) == kept
