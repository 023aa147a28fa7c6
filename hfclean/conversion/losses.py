"""What a conversion leaves out or respells, counted by name."""

from __future__ import annotations

from collections import Counter


class Losses(Counter[str]):
    """What a conversion left out or respelled: number of rows by name. Pass one to `convert` to find out.

    Attributes:
        misfit: why the form cannot hold the first row that does not fit, where `losses_of` counted such rows.
    """

    misfit = ""

    def notes(self) -> list[str]:
        """Each in plain words."""
        return [f"{name}: {count:,} {'row' if count == 1 else 'rows'}" for name, count in sorted(self.items())]
