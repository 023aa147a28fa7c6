"""Checking: what the Hub would refuse or ignore in a dataset card, found without asking it."""

import re
from collections.abc import Iterator
from typing import Any

from hfclean.cards.metadata import LANGUAGE, LICENSES, SIZES, CardError, read_card
from hfclean.outside_names import is_split

LISTS = ("tags", "task_categories", "source_datasets", "task_ids", "annotations_creators")
TASK = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
# What `datasets` does not take in the name of a config.
BAD_CONFIG_NAME = re.compile(r"[<>:/\\|?*]")


def check_card(text: str) -> list[str]:
    """What is wrong with the YAML of a dataset card, one sentence each, in the order of its keys; empty when nothing.

    Checked are the Hub's known rules: license ids, language codes, size categories, lists of strings, and the
    structure of `configs` and `dataset_info`. Unknown keys are the card's own business.

    >>> from hfclean.cards import check_card
    >>> check_card("---\\nlicense: mit\\nlanguage: English\\n---\\n")
    ["language 'English' is not an ISO 639 code such as 'en'"]
    """
    try:
        data, _ = read_card(text)
    except CardError as e:
        return [str(e)]
    if not data:
        return ["the card has no YAML block between two lines '---'"]
    return [problem for key, value in data.items() for problem in _problems(key, value, data)]


def _problems(key: str, value: Any, data: dict[str, Any]) -> Iterator[str]:
    if key == "license":
        for name in _each(value):
            if name not in LICENSES:
                yield f"license {name!r} is not one of the Hub's ids; expected one, or 'other' with license_name"
        if "other" in _each(value) and not data.get("license_name"):
            yield "license 'other' needs a license_name"
    elif key == "language":
        for code in _each(value):
            if not isinstance(code, str) or not LANGUAGE.fullmatch(code):
                yield f"language {code!r} is not an ISO 639 code such as 'en'"
    elif key == "size_categories":
        for name in _each(value):
            if name not in SIZES:
                yield f"size_categories {name!r} is not one of {', '.join(SIZES)}"
    elif key in LISTS:
        yield from _list_of_strings(key, value)
    elif key == "pretty_name" and not isinstance(value, str):
        yield f"pretty_name is {type(value).__name__}; expected a string"
    elif key == "configs":
        yield from _configs(value)
    elif key == "dataset_info":
        for info in value if isinstance(value, list) else [value]:
            if not isinstance(info, dict):
                yield f"dataset_info holds {type(info).__name__}; expected a mapping, or a list of them"


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _list_of_strings(key: str, value: Any) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{key} is {type(value).__name__}; expected a list of strings"
        return
    for item in value:
        if not isinstance(item, str) or not item.strip():
            yield f"{key} holds {item!r}; expected a string"
        elif key == "task_categories" and not TASK.fullmatch(item):
            yield f"task_categories {item!r} is not a task id such as 'text-generation'"


def _configs(value: Any) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"configs is {type(value).__name__}; expected a list"
        return
    names = []
    for config in value:
        if not isinstance(config, dict):
            yield f"configs holds {type(config).__name__}; expected mappings"
            continue
        name = config.get("config_name")
        if not isinstance(name, str) or not name:
            yield f"a config has the config_name {name!r}; expected a string"
            continue
        if BAD_CONFIG_NAME.search(name):
            yield f"config_name {name!r} has a character that datasets refuses"
        if name in names:
            yield f"two configs are called {name!r}"
        names.append(name)
        if "data_files" in config:
            yield from _data_files(name, config["data_files"])
    if sum(isinstance(config, dict) and config.get("default") is True for config in value) > 1:
        yield "more than one config is the default"


def _data_files(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, str):
        return
    if not isinstance(value, list) or not value:
        yield f"data_files of config {name!r} is {type(value).__name__}; expected a path, or a list that is not empty"
        return
    splits = []
    for entry in value:
        if isinstance(entry, str):
            continue
        if not isinstance(entry, dict) or set(entry) != {"split", "path"}:
            yield f"data_files of config {name!r} holds {entry!r}; expected a path, or split and path"
            continue
        split, path = entry["split"], entry["path"]
        if not is_split(split):
            yield f"config {name!r} has the split {split!r}; expected letters, digits and underscores"
        elif split in splits:
            yield f"config {name!r} has the split {split!r} twice"
        splits.append(split)
        if not path or not all(isinstance(item, str) for item in _each(path)):
            yield f"split {split!r} of config {name!r} has the path {path!r}; expected a string or a list of them"
