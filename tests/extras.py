"""What a test needs beyond the core install.

    needs("models", "torch", "transformers")  # in a module, a fixture or a test: skips it where one of them is missing

    @pytest.mark.needs_extra("models", "peft")  # the same for one test

With HFCLEAN_ALL_EXTRAS=1, as in `.ci/run`, such a test fails instead: no test is left out without a word.
"""

from __future__ import annotations

import os
from importlib.metadata import version
from importlib.util import find_spec

import pytest

__all__ = ["missing", "needs", "needs_newer_client"]


def missing(extra: str, *packages: str) -> str | None:
    """Why a test that needs these packages of an extra does not run here; None if it does."""
    absent = [package for package in packages if find_spec(package) is None]
    return f"needs the extra {extra!r} ({', '.join(absent)})" if absent else None


def needs(extra: str, *packages: str) -> None:
    """Skip what calls this, unless these packages of an extra are installed."""
    if reason := missing(extra, *packages):
        if os.environ.get("HFCLEAN_ALL_EXTRAS"):
            pytest.fail(f"{reason}, which HFCLEAN_ALL_EXTRAS says is installed", pytrace=False)
        pytest.skip(reason, allow_module_level=True)


needs_newer_client = pytest.mark.skipif(
    version("huggingface_hub").startswith(("0.", "1.")),
    reason="huggingface_hub 1 does not wait at 429 when it lists files, and leaves sockets to the garbage collector",
)
