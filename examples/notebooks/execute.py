"""Run the notebooks and keep what they print: `python examples/notebooks/execute.py [NAME.ipynb ...]`.

The last one pushes: name a Hub of your own in HF_ENDPOINT, or let the tests run it, which have one on the loopback.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


def executed(path: Path) -> Any:
    """A notebook after a run in its folder, without what a run leaves besides the output."""
    import nbformat
    from nbclient import NotebookClient

    book = nbformat.read(path, as_version=4)
    NotebookClient(book, timeout=300, resources={"metadata": {"path": str(FOLDER)}}).execute()
    for cell in book.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    return book


def printed(book: Any) -> list[str]:
    """What the cells print, in order."""
    return [json.dumps(output, sort_keys=True) for cell in book.cells for output in cell.get("outputs", [])]


def main() -> None:
    import nbformat

    for path in map(Path, sys.argv[1:]) if sys.argv[1:] else sorted(FOLDER.glob("*.ipynb")):
        nbformat.write(executed(path), path)


if __name__ == "__main__":
    main()
