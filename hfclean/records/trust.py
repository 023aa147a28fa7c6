"""Which parts of a reviser's record are trusted: where a stranger's file may send data or keys, and what it may cost.

A file from the Hub is a stranger's. It may say how a model is asked, but not where data or keys are sent, nor which
files of this machine are read. Which settings a file may state is declared with them, as metadata of the
field: `hub` for any file, `folder` for one that `save_pretrained` wrote here; and `most` and `longest`, how large a
number, how many entries and how many characters are taken from others.
"""

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from types import UnionType
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from hfclean.errors import FolderError
from hfclean.hub_id import names_hub
from hfclean.ownership import is_own
from hfclean.records.common import ABOUT

PULLED = "pulled_from"
WEIGHTS = ("config.json", "adapter_config.json")
LONGEST_PROMPT = 50_000  # characters; the longest of ours has 3,400
LONGEST_SETTING = 4_000
SERVER = "base_url"  # refused with its own sentence
TEXT, NUMBER, COUNT, FLAG, NAMES = "a string", "a number", "a whole number", "true or false", "a list of strings"
COLUMNS = "a string, or an object of strings"
FORMS = {str: TEXT, float: NUMBER, int: COUNT, bool: FLAG}


class Setting(NamedTuple):
    """How a file may state a setting: whether a stranger's may, in which form (empty: any), and how much of it."""

    hub: bool
    form: str
    most: int | None
    longest: int


def settings_of(cls: type) -> dict[str, Setting]:
    """The settings of a dataclass that a file may state, from the types and the metadata of its fields."""
    types = get_type_hints(cls)
    return {
        spec.name: Setting(
            bool(spec.metadata.get("hub")),
            _form(types[spec.name]),
            spec.metadata.get("most"),
            spec.metadata.get("longest", LONGEST_SETTING),
        )
        for spec in fields(cls)
        if spec.metadata.get("hub") or spec.metadata.get("folder")
    }


def _form(annotation: Any) -> str:
    """The JSON form of a type; empty where none is known."""
    options = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    forms = [form for option in options if (form := _form_of_one(option))]
    if TEXT in forms and any(get_origin(option) is Mapping for option in options):
        return COLUMNS
    return forms[0] if forms else ""


def _form_of_one(option: Any) -> str:
    if get_origin(option) is Literal:
        return FORMS.get(type(get_args(option)[0]), "")
    if get_origin(option) is tuple:
        return NAMES if _form(get_args(option)[0]) == TEXT else ""
    return FORMS.get(option, "")


class Record(NamedTuple):
    """Where a reviser's record is; for the Hub, its id and commit."""

    about: Mapping[str, Any]
    where: str
    folder: Path
    repo_id: str = ""
    commit: str = ""

    @property
    def is_strange(self) -> bool:
        """Whether a stranger may have written it."""
        return bool(self.repo_id) or not is_own(self.folder)

    @property
    def origin(self) -> str:
        """Its origin, for errors."""
        if self.repo_id or PULLED in self.about:
            return "the Hub"
        return (
            "a folder that was not written here, or was moved, copied or changed since"
            if self.is_strange
            else "a file"
        )

    @property
    def has_weights(self) -> bool:
        return any((self.folder / name).is_file() for name in WEIGHTS)


def check_names(record: Record, stated: Mapping[str, Any], known: Mapping[str, Setting]) -> None:
    """Refuse a record that states what is never taken from a file.

    Raises:
        FolderError: it names the settings.
    """
    taken = {name for name, setting in known.items() if setting.hub or name == SERVER or not record.is_strange}
    unknown = sorted(set(stated) - taken)
    if unknown:
        raise FolderError(
            f"{record.where}: {ABOUT} sets {', '.join(map(repr, unknown))[:200]}, which is not taken from "
            f"{record.origin} (or this version does not know it: pip install --upgrade hfclean); say it yourself when "
            "you load"
        )


def check_forms(record: Record, stated: Mapping[str, Any], known: Mapping[str, Setting]) -> None:
    """Refuse settings of the wrong form.

    Raises:
        FolderError: it names the setting and what was expected.
    """
    for name, value in stated.items():
        form = known[name].form
        if form and value is not None and not _fits(value, form):
            raise FolderError(
                f"{record.where}: {ABOUT} has an invalid setting: {name} is {value!r:.60}; expected {form}"
            )


def _fits(value: Any, form: str) -> bool:
    if form in (NUMBER, COUNT):
        kinds = (int, float) if form == NUMBER else int
        return isinstance(value, kinds) and not isinstance(value, bool)
    if form == NAMES:
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    if form == COLUMNS and isinstance(value, dict):
        return all(isinstance(column, str) for column in value.values())
    return isinstance(value, bool if form == FLAG else str)


def check_sizes(
    record: Record, stated: Mapping[str, Any], known: Mapping[str, Setting], words: Mapping[str, Any]
) -> None:
    """Refuse settings longer or larger than a reviser needs: every row would pay for it.

    Raises:
        FolderError: it names the setting.
    """
    sizes = [(name, len(json.dumps(value, ensure_ascii=False)), known[name].longest) for name, value in stated.items()]
    sizes.append(("prompt", len(record.about.get("prompt", "")), LONGEST_PROMPT))
    lists = {name: words[name] for name in words if name in known and known[name].most is not None}
    sizes += [(f"an entry of {name}", len(str(one)), LONGEST_SETTING) for name, many in lists.items() for one in many]
    for name, size, longest in sizes:
        if size > longest:
            raise FolderError(
                f"{record.where}: {name} of {ABOUT} has {size:,} characters, longer than anything that hfclean "
                f"follows from others (at most {longest:,}); make your own reviser with the settings you need"
            )
    for name, value in {**stated, **{name: len(many) for name, many in lists.items()}}.items():
        most = known[name].most
        if most is not None and isinstance(value, (int, float)) and value > most:
            raise FolderError(
                f"{record.where}: {name} of {ABOUT} is {value!r:.40}, and no more than {most:,} is taken from others, "
                "since you pay for it; say it yourself when you load"
            )


def settings_for_stranger(
    record: Record, stated: dict[str, Any], given: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The trusted settings of a stranger's record, and the caller's, of a reviser that asks a model.

    Raises:
        FolderError: only the caller may say where rows are sent.
    """
    url = stated.pop(SERVER, None)
    scorer = stated.get("scored_by")
    if scorer is not None and "scored_by" not in given and not names_hub(scorer, namespace=True):
        raise FolderError(
            f"{record.where}: {ABOUT} has its variants scored by {scorer!r:.80}, which is not a Hub id; say which "
            f"model to use: from_pretrained({record.where!r}, scored_by=...)"
        )
    if record.has_weights:
        if record.repo_id:
            return {**stated, "model": record.repo_id, "revision": record.commit}, given
        stated.pop("revision", None)
        return {**stated, "model": str(record.folder)}, given
    model = stated.get("model")
    if not isinstance(model, str) or not model:
        raise FolderError(f"{record.where}: {ABOUT} names no model, and there are no weights beside it")
    if url is not None or SERVER in given:
        if SERVER not in given:
            raise FolderError(
                f"{record.where}: made for the model {model!r:.80} on its own server. Only you may say where "
                f"your rows are sent: from_pretrained({record.where!r}, base_url=..., model=...)"
                + (
                    ""
                    if record.repo_id
                    else ". Your own folder that was moved is yours again once it is saved "
                    "again: that reviser's save_pretrained(FOLDER)"
                )
            )
        return stated, given
    if not names_hub(model, namespace=True):
        if "model" not in given:
            raise FolderError(
                f"{record.where}: {ABOUT} names the model {model!r:.80}, which is not a Hub id; say which one to use: "
                f"from_pretrained({record.where!r}, model=...)"
            )
        return {**stated, "model": given["model"]}, given
    return stated, given
