"""A reviser in a loop: wrong rows are revised behind its gate, and what it did stays in columns as everywhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hfclean.errors import HfcleanError
from hfclean.generation.seeds import Seed, Seeds
from hfclean.generation.tally import Tally
from hfclean.models import Asking
from hfclean.models.transform import as_columns
from hfclean.provenance import REVISION_COLUMNS
from hfclean.reviser import RuleReviser
from hfclean.reviser.modelled import ModelReviser
from hfclean.schema import Columns


@dataclass(frozen=True)
class Revising:
    """A reviser that asks a model, as a loop uses it.

    Raises:
        HfcleanError: it is something else, or names its columns otherwise.
    """

    reviser: ModelReviser

    def __post_init__(self) -> None:
        if not isinstance(self.reviser, ModelReviser) or self.reviser.prefix:
            raise HfcleanError(
                f"revise={self.reviser!r:.60}: expected hfclean.Reviser(...) or another reviser that asks a model, "
                "without a prefix"
            )

    def settings(self) -> dict[str, Any]:
        """What a record says of it."""
        return {"by": type(self.reviser).__name__, **self.reviser.settings()}

    def revise(self, seeds: Sequence[Seed], rows: Sequence[Mapping[str, Any]], read: Seeds) -> dict[str, Any]:
        """Revise some seeds.

        Args:
            seeds: those that are asked about.
            rows: their whole rows.
            read: how they are read.

        Returns:
            `rows`, the revised ones by id, each with its `cells` and the `columns` that the reviser adds; `edits`, how
            often it did what; `usage`, what it took. As JSON can hold it.

        Raises:
            BackendError: no further request could succeed; every answer so far is kept.
        """
        reviser = self._reviser(read.columns)
        bare = [{name: cell for name, cell in row.items() if name not in REVISION_COLUMNS} for row in rows]
        heard = reviser.hear(as_columns(bare))
        tally = Tally()
        asking = Asking(reviser.spec(), heard.conversations, reviser.generation(), "", ())
        tally.add("revised", asking, heard.answers)
        revised = {
            seed.id: {
                "cells": {name: heard.columns[name][k] for name in read.form.columns if name in heard.columns},
                "columns": {name: heard.columns[name][k] for name in REVISION_COLUMNS},
            }
            for k, seed in enumerate(seeds)
            if heard.columns["edit"][k] == "revised"
        }
        edits = dict(sorted(Counter(heard.columns["edit"]).items()))
        return {"rows": revised, "edits": edits, "usage": tally.plain(reviser.spec().prices)}

    def _reviser(self, columns: Columns) -> ModelReviser:
        return self.reviser if self.reviser.columns is not None else replace(self.reviser, columns=columns)

    def with_columns(
        self,
        rows: Sequence[Mapping[str, Any]],
        ids: Sequence[str],
        revised: Mapping[str, Mapping[str, Any]],
        features: Any,
        read: Seeds,
    ) -> tuple[Any, list[dict[str, Any]]]:
        """Features and rows with the columns of a revision, which say `kept` of all that was not revised.

        Args:
            rows: the seeds, in the order of `ids`, and made rows after them.
            ids: of the seeds.
            revised: what the reviser added to those that it revised, by id.
            features: of the rows.
            read: how they are read.
        """
        from datasets import Features, Value

        untouched = RuleReviser(only=(), columns=read.columns)
        found = []
        for k, row in enumerate(rows):
            known = revised.get(ids[k]) if k < len(ids) else None
            added = known if known is not None else untouched(dict(row))
            found.append({**row, **{name: added[name] for name in REVISION_COLUMNS}})
        return Features({**features, **dict.fromkeys(REVISION_COLUMNS, Value("string"))}), found
