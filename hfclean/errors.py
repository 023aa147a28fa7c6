"""Every error that hfclean raises on purpose, as one tree.

    HfcleanError
    ├── SchemaError        the rows have no shape that hfclean can read, or two at once
    ├── ColumnError        a column is missing, has the wrong type, or is a foreign one of the same name
    ├── RuleError          an unknown rule id, or a rule that is declared wrongly
    ├── CheckError         an unknown check id, or a check that is declared wrongly
    ├── VerifierError      an unknown verifier id, or a verifier that is declared wrongly
    ├── RestoreError       the originals cannot be put back as asked
    ├── SourceError        the input cannot be read
    ├── RecordError        hfclean.json says something else than what hfclean writes
    ├── FolderError        the output folder cannot be written, or is not one of ours
    ├── LinearRuleError    a linear rule's file or settings are wrong
    ├── HubError           the Hub cannot be read or written (RepoError, HubAccessError, HubRefusal, HubUnreachable; in
    │                      `hfclean.hub`)
    ├── BackendError       a model cannot be asked at all (AccessError, BudgetError, ModelError; in `hfclean.models`)
    ├── TrainingError      a model cannot be tuned as asked, or its training stopped
    ├── StoreError         the file of answers cannot be read or written (in `hfclean.models`)
    ├── IsolationError     code of rows cannot be run apart from this system
    ├── StrictError        a rule, scorer or check raised on a row, and `strict=True` says that this stops the run
    └── MissingExtraError  an optional package is needed (also an ImportError)

Each message names what was found, what was expected and the next move.
"""

import importlib
from collections.abc import Mapping
from types import ModuleType
from typing import Self

__all__ = [
    "CheckError",
    "ColumnError",
    "FolderError",
    "GenerationWarning",
    "HfcleanError",
    "HubError",
    "IsolationError",
    "LinearRuleError",
    "MissingExtraError",
    "RecordError",
    "RecoveryWarning",
    "RestoreError",
    "RuleError",
    "SchemaError",
    "SourceError",
    "StoreWarning",
    "StrictError",
    "TrainingError",
    "VerifierError",
    "describe_error",
    "of_row",
    "require",
    "stop_at",
]


class HfcleanError(Exception):
    """Base class of every error that hfclean raises on purpose.

    Attributes:
        in_flags: the same message for the command line, where it names options and not arguments of Python; empty
            where one message serves both.
    """

    in_flags: str = ""

    def with_flags(self, message: str) -> Self:
        """The error, with its message for the command line."""
        self.in_flags = message
        return self


class GenerationWarning(UserWarning):
    """A generation ended with fewer rows than were asked for, or goes against a licence that was stated; the message
    says why."""


class RecoveryWarning(UserWarning):
    """An interrupted run left something, which was finished, used, put back or given a visible name; or what a run
    leaves for the next could not be kept."""


class StoreWarning(UserWarning):
    """The file of answers holds some that are not used but may be intended; the message says how to use them."""


class SchemaError(HfcleanError, ValueError):
    """The rows have no shape that hfclean can read, or more than one."""


class ColumnError(HfcleanError, ValueError):
    """A column is missing, has the wrong type, or is a foreign one of the same name."""


class RuleError(HfcleanError, ValueError):
    """An unknown rule id, or a rule that is declared wrongly."""


class CheckError(HfcleanError, ValueError):
    """An unknown check id, or a check that is declared wrongly."""


class VerifierError(HfcleanError, ValueError):
    """An unknown verifier id, or a verifier that is declared wrongly."""


class RestoreError(HfcleanError, ValueError):
    """The originals cannot be put back as asked."""


class SourceError(HfcleanError, ValueError):
    """The input cannot be read."""


class RecordError(HfcleanError, ValueError):
    """A record (`hfclean.json`) is damaged, or says something else than what hfclean writes."""


class FolderError(HfcleanError, OSError):
    """The output folder cannot be written, or was not written by hfclean."""


class LinearRuleError(HfcleanError, ValueError):
    """A linear rule's file or settings are wrong."""


class HubError(HfcleanError, OSError):
    """The Hub cannot be read or written as asked."""


class TrainingError(HfcleanError, RuntimeError):
    """A model cannot be tuned as asked, or its training stopped before its end."""


class IsolationError(HfcleanError, OSError):
    """Code of rows is to be run, and this system cannot run it apart from everything else."""


class StrictError(HfcleanError, RuntimeError):
    """A rule, scorer or check raised on a row, and `strict=True` says that this stops the run; its cause is the error
    that was raised."""


class MissingExtraError(HfcleanError, ImportError):
    """An optional package is needed for what was asked."""


def require(module: str, *, extra: str) -> ModuleType:
    """Import an optional package, or name the exact pip line that installs it.

    Args:
        module: dotted name to import.
        extra: the hfclean extra that brings it.

    Raises:
        MissingExtraError: the package is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as e:
        if e.name is None or e.name.split(".")[0] != module.split(".")[0]:
            raise
        raise MissingExtraError(
            f"{module.split('.')[0]} is not installed, and this needs it: pip install 'hfclean[{extra}]'"
        ) from e


LONGEST_ERROR = 200


def of_row(error: Exception) -> Exception:
    """The error, if one row can be blamed for it; otherwise it is raised again.

    An error that hfclean raises on purpose means wrong usage, and a machine out of memory fails on any row: both end a
    run.
    """
    if isinstance(error, (HfcleanError, MemoryError)):
        raise error
    return error


def describe_error(error: Exception) -> str:
    """An error on one line: its type and the beginning of its message."""
    message = " ".join(str(error).split())
    text = f"{type(error).__name__}: {message}" if message else type(error).__name__
    return text if len(text) <= LONGEST_ERROR else f"{text[: LONGEST_ERROR - 1]}…"


def stop_at(errors: Mapping[str, Exception], kind: str, text: str) -> None:
    """Stop a run that is strict at the first of these errors, if there is any.

    Args:
        errors: the errors raised on a row, by the name of the rule, scorer or check.
        kind: `rule`, `scorer` or `check`.
        text: the row's instruction, of which the message quotes the beginning.

    Raises:
        StrictError: there is an error.
    """
    for name, error in errors.items():
        raise StrictError(
            f"the {kind} {name!r} raised {describe_error(error)} on the row that begins {text[:60]!r}; fix it, or "
            "leave out strict (--strict) to go on without it where it raises"
        ) from error
