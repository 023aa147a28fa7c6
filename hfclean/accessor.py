"""`ds.hfclean`: the same verbs as methods of a dataset, on request: `hfclean.accessor.register()`."""

from typing import Any

from hfclean.report import Report, compare
from hfclean.restoration import restore
from hfclean.reviser import RuleReviser
from hfclean.scorers.embedded.score import Score
from hfclean.selection import keep, top
from hfclean.transform import cached_elsewhere

__all__ = ["Accessor", "register"]


class Accessor:
    """The verbs of hfclean on one dataset; each returns a new dataset, a report or indices."""

    def __init__(self, ds: Any) -> None:
        self._ds = ds

    def revise(self, **settings: Any) -> Any:
        """`ds.map(hfclean.RuleReviser(**settings), batched=True)`"""
        return cached_elsewhere(self._ds).map(RuleReviser(**settings), batched=True)

    def score(self, **settings: Any) -> Any:
        """`ds.map(hfclean.Score(**settings), batched=True)`"""
        return cached_elsewhere(self._ds).map(Score(**settings), batched=True)

    def keep(self, column: str, **bounds: Any) -> Any:
        """`ds.filter(hfclean.keep(column, **bounds))`"""
        return cached_elsewhere(self._ds).filter(keep(column, **bounds))

    def top(self, **options: Any) -> Any:
        """`ds.select(hfclean.top(ds, **options))`"""
        return self._ds.select(top(self._ds, **options))

    def dedupe(self, **options: Any) -> Any:
        """`ds.select(hfclean.dedupe(ds, **options))`"""
        from hfclean.selection.duplicates import dedupe  # numpy is loaded with it

        return self._ds.select(dedupe(self._ds, **options))

    def diverse(self, n: int, **options: Any) -> Any:
        """`ds.select(hfclean.diverse(ds, n, **options))`"""
        from hfclean.selection.diversity import diverse

        return self._ds.select(diverse(self._ds, n, **options))

    def decontaminate(self, against: Any, **options: Any) -> Any:
        """`ds.select(hfclean.decontaminate(ds, against, **options))`"""
        from hfclean.selection.decontamination import decontaminate

        return self._ds.select(decontaminate(self._ds, against, **options))

    def restore(self, **options: Any) -> Any:
        """`hfclean.restore(ds, **options)`"""
        return restore(self._ds, **options)

    def compare(self, before: Any, **options: Any) -> Report:
        """`hfclean.compare(before, ds, **options)`"""
        return compare(before, self._ds, **options)


def register() -> None:
    """Give every `Dataset`, `DatasetDict` and `IterableDataset` the attribute `hfclean`, an `Accessor`.

    Raises:
        AttributeError: `datasets` has an attribute of that name that is not ours.

    >>> import hfclean
    >>> from datasets import Dataset
    >>> hfclean.accessor.register()
    >>> ds = Dataset.from_list([{"instruction": "Name a fruit.", "input": "n/a", "output": "An apple.</s>"}])
    >>> ds.hfclean.revise()[0]["output"]
    'An apple.'
    """
    from datasets import Dataset, DatasetDict, IterableDataset

    for cls in (Dataset, DatasetDict, IterableDataset):
        existing = cls.__dict__.get("hfclean")
        if existing is not None and not (isinstance(existing, property) and existing.fget is Accessor):
            raise AttributeError(f"{cls.__name__} has an attribute 'hfclean' that is not ours")
        cls.hfclean = property(Accessor)
