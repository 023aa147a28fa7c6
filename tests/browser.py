"""A browser, for the few tests that need one; they are skipped, and counted, where none is installed."""

from __future__ import annotations

import subprocess
from pathlib import Path
from shutil import which

import pytest

__all__ = ["dumped_dom", "needs_chromium"]

CHROMIUM = next(filter(None, map(which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs the browser chromium")


def dumped_dom(page: Path, *, width: int = 1280) -> str:
    """The page as HTML after its scripts have run."""
    done = subprocess.run(
        [
            str(CHROMIUM),
            *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-extensions", "--dump-dom"),
            *(f"--window-size={width},844", f"--user-data-dir={page.parent / 'browser'}", page.as_uri()),
        ],
        capture_output=True,
        check=True,
        timeout=120,
    )
    return done.stdout.decode()
