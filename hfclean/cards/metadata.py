"""Metadata: the YAML of a dataset card, read by the Hub's rules and written back, unchanged but for what was set.

YAML is composed and serialized node by node, so values keep their spelling; it is never evaluated.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import takewhile
from pathlib import PureWindowsPath
from typing import Any, NamedTuple

from hfclean.cards.licences import LICENSES as LICENSES
from hfclean.errors import SourceError
from hfclean.hub_id import is_hub_id
from hfclean.report import Report, formatting

FRONT = re.compile(r"\A\ufeff?\s*---[ \t]*(?:\r\n|\r|\n)([\s\S]*?)(?<=[\r\n])---[ \t]*(?:\r\n|\r|\n|\Z)")
DATA_FILE = re.compile(r"\.(?:jsonl?|csv|tsv|parquet|arrow|txt|gz|zst|bz2|xz|zip)\Z", re.IGNORECASE)
LANGUAGE = re.compile(r"[a-z]{2,3}|code|multilingual")
SIZES = (
    *("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B"),
    *("1B<n<10B", "10B<n<100B", "100B<n<1T", "n>1T"),
)


class CardError(SourceError):
    """A card that cannot be read or merged, or one that the Hub would not take."""


def read_card(text: str | None) -> tuple[dict[str, Any], str]:
    """The YAML of a README.md as plain values, and its body; `({}, "")` for `None`.

    Raises:
        CardError: the YAML is broken, or no mapping.
    """
    front, body = _split_card(text or "")
    return _read_yaml(front), body


def _split_card(text: str) -> tuple[str, str]:
    """YAML and body of a card. A card may have no YAML; one that begins and never ends is refused."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    match = FRONT.match(text)
    if match:
        return match[1], text[match.end() :]
    if re.match(r"\A\ufeff?\s*---[ \t]*(?:\r|\n)", text) and re.search(r"^[\w-]+:", text, re.MULTILINE):
        raise CardError(
            "the existing card begins with '---' and its YAML never ends; expected a second line '---' after it. Fix "
            "the card, or give none"
        )
    return "", text.removeprefix("\ufeff")


@lru_cache(maxsize=1)
def _loader() -> Any:
    """A safe loader by the rules of YAML 1.2, as the Hub reads it: `no` is Norwegian, a date is a string."""
    import yaml

    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            keys = [self.construct_object(key, deep=True) for key, _ in node.value]
            twice = [key for n, key in enumerate(keys) if key in keys[:n] and key != "<<"]
            if twice:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {twice[0]!r} appears twice", node.start_mark
                )
            return super().construct_mapping(node, deep)

    for tag, pattern, first in (
        ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
        ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
        ("int", r"[-+]?[0-9]+", list("-+0123456789")),
        (
            "float",
            r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
            list("-+.0123456789"),
        ),
        ("merge", r"<<", ["<"]),
    ):
        Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(rf"^(?:{pattern})$"), first)
    return Loader


@lru_cache(maxsize=1)
def _dumper() -> Any:
    """A safe dumper that also quotes the texts which only YAML 1.2 takes for numbers, such as 0E0."""
    import yaml

    class Dumper(yaml.SafeDumper):
        pass

    resolvers = _loader().yaml_implicit_resolvers

    def text(dumper: Any, value: str) -> Any:
        taken = any(pattern.match(value) for _, pattern in resolvers.get(value[:1], ()))
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="'" if taken else None)

    Dumper.add_representer(str, text)
    return Dumper


def _read_yaml(text: str) -> dict[str, Any]:
    """The YAML of a card as plain values.

    Raises:
        CardError: it is broken, holds a key twice, or is not a mapping of names.
    """
    import yaml

    try:
        values = yaml.load(text, Loader=_loader())  # noqa: S506  # a SafeLoader
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as e:
        problem = " ".join(str(e).split())
        raise CardError(f"the YAML of the card is broken: {problem}. Fix it, or give no existing card") from e
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise CardError("the YAML of the card is not a mapping of names; fix it, or give no existing card")
    return values


class Metadata:
    """The YAML of a card as nodes: what is not set is written as it was read."""

    def __init__(self, text: str) -> None:
        import yaml

        self.values = _read_yaml(text)
        node = yaml.compose(text, Loader=_loader()) if self.values else None
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        self.node = yaml.MappingNode("tag:yaml.org,2002:map", pairs, flow_style=False)

    def get(self, key: str) -> Any:
        return self.values.get(key)

    def __setitem__(self, key: str, value: Any) -> None:
        import yaml

        if self.values.get(key) == value:
            return
        self.values[key] = value
        text = yaml.dump({key: value}, Dumper=_dumper(), allow_unicode=True, sort_keys=False, width=1000)
        node = yaml.compose(text, Loader=_loader())
        assert isinstance(node, yaml.MappingNode)
        pair = node.value[0]
        for n, (old, _) in enumerate(self.node.value):
            if old.value == key:
                self.node.value[n] = pair
                return
        self.node.value.append(pair)

    def extend(self, key: str, values: Iterable[str]) -> None:
        """Put values behind those of a list of strings, each once."""
        self[key] = list(dict.fromkeys([*strings(self.get(key)), *values]))

    def drop(self, key: str) -> None:
        self.values.pop(key, None)
        self.node.value = [pair for pair in self.node.value if pair[0].value != key]

    def text(self) -> str:
        import yaml

        return str(yaml.serialize(self.node, Dumper=yaml.SafeDumper, allow_unicode=True, width=1000))


def strings(value: Any) -> list[str]:
    """One string or a list of them as a list; anything else is left aside."""
    return [item for item in ([value] if isinstance(value, str) else value or ()) if isinstance(item, str)]


def open_card(existing: str | None, license: str | None, language: str | Sequence[str] | None) -> tuple[Metadata, str]:
    """The YAML of an existing card, or of none, with license and language as stated; and its body.

    Raises:
        CardError: the YAML is broken, or a language is not a code.
    """
    front, body = _split_card(existing or "")
    data = Metadata(front)
    _state_license(data, license)
    _state_language(data, language)
    return data, body


def license_of(data: Mapping[str, Any]) -> str | None:
    """The license that the YAML of a card states, other ones by their names; None where it states none."""
    stated = data.get("license")
    name = (data.get("license_name") or stated) if stated == "other" else stated
    return name if isinstance(name, str) and name != "unknown" else None


def _state_license(data: Metadata, stated: str | None) -> None:
    if stated and stated.strip():
        name = stated.strip().lower()
        known = name in LICENSES
        data["license"] = name if known else "other"
        for key in ("license_name", "license_link"):
            data.drop(key)
        if not known:
            data["license_name"] = _slug(stated)
    elif not data.get("license"):
        data["license"] = "unknown"


def _state_language(data: Metadata, stated: str | Sequence[str] | None) -> None:
    codes = [code.strip().lower() for code in ([stated] if isinstance(stated, str) else stated or ())]
    wrong = [code for code in codes if not LANGUAGE.fullmatch(code)]
    if wrong:
        raise CardError(
            f"language {formatting.one_line(wrong[0], 40)!r} is not a code that the Hub accepts; "
            "expected ISO 639 such as 'en'"
        )
    if codes:
        data["language"] = codes
    elif data.get("language") in (None, "", []):
        data.drop("language")


def size_category(rows: int) -> str:
    return next((name for k, name in enumerate(SIZES[:-1]) if rows < 10 ** (k + 3)), SIZES[-1])


class Source(NamedTuple):
    """One source as the text, the YAML and a link have it."""

    name: str
    yaml: str
    url: str


def read_source(stated: str, is_hub: bool | None) -> Source:
    text = stated.strip()
    for start in ("hf://datasets/", "https://huggingface.co/datasets/"):
        if text.startswith(start):
            text, is_hub = "/".join(text.removeprefix(start).split("/")[:2]), True
    if is_hub is None:
        is_hub = "/" in text and not DATA_FILE.search(text)
    if is_hub and is_hub_id(text):
        return Source(text, text, f"https://huggingface.co/datasets/{text}")
    name = _last_part(text)
    return Source(name, f"extended|other-{_slug(DATA_FILE.sub('', name))}", "")


def base_name(path: str) -> str:
    """A Hub id as it is, of any other path the last part: where a folder lies is nobody's business."""
    text = formatting.one_line(path.strip())
    return text if is_hub_id(text) else _last_part(text)


def _last_part(path: str) -> str:
    return PureWindowsPath(formatting.one_line(path)).name or "dataset"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", text.strip().lower()).strip("-.")[:60] or "unnamed"


def config_family(name: str) -> tuple[str, str, str, str]:
    """What the configs of the rows, of the ledger, of the removed rows and of the refused revisions are called."""
    head = "" if name == "default" else f"{name}-"
    return name, f"{head}ledger", f"{head}removed", f"{head}refused"


def build_configs(
    report: Report,
    data_files: Mapping[str, str] | None,
    ledger_file: str | None,
    removed_files: Mapping[str, str] | None,
    refused_file: str | None = None,
    name: str = "default",
) -> list[dict[str, Any]]:
    rows, ledger, removed, refused = config_family(name)
    if data_files is None:
        data_files = {split.split: f"data/{split.split}-*.parquet" for split in report.splits if split.after}
    first: dict[str, Any] = {"config_name": rows, **({"default": True} if rows == "default" else {})}
    entries = [{**first, "data_files": _files(data_files)}]
    if ledger_file:
        entries.append({"config_name": ledger, "data_files": ledger_file})
    if removed_files:
        entries.append({"config_name": removed, "data_files": _files(removed_files)})
    if refused_file:
        entries.append({"config_name": refused, "data_files": refused_file})
    return entries


def _files(by_split: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"split": str(split), "path": path} for split, path in by_split.items()]


def state_configs(
    data: Metadata, ours: Sequence[Mapping[str, Any]], *, keep: bool, family: Sequence[str] = config_family("default")
) -> None:
    """Our configs where they were, or before all others: `datasets` reads the kind of file off the first."""
    names = {config.get("config_name") for config in ours} | {*family}
    listed = data.get("configs") if isinstance(data.get("configs"), list) else []
    others = [c for c in listed if isinstance(c, dict) and c.get("config_name") not in names] if keep else []
    if any(config.get("default") for config in ours):
        others = [{key: value for key, value in config.items() if key != "default"} for config in others]
    place = _place_of(listed, ours, family) if keep else 0
    data["configs"] = [*others[:place], *(dict(config) for config in ours), *others[place:]]
    kept = {config.get("config_name") for config in others}
    info = data.get("dataset_info")
    infos = info if isinstance(info, list) else [info] if info else []
    infos = [entry for entry in infos if isinstance(entry, dict) and entry.get("config_name") in kept]
    if infos:
        data["dataset_info"] = infos
    else:
        data.drop("dataset_info")


def _place_of(listed: Sequence[Any], ours: Sequence[Mapping[str, Any]], family: Sequence[str]) -> int:
    """How many of the other configs come before ours: those that do now, where all of them hold parquet as well."""
    names = {config.get("config_name") for config in ours} | {*family}
    before = list(
        takewhile(lambda config: not (isinstance(config, dict) and config.get("config_name") in names), listed)
    )
    there = len(before) < len(listed)
    return len(before) if there and all(_is_parquet(config) for config in before) else 0


def _is_parquet(config: Any) -> bool:
    entries = config.get("data_files") if isinstance(config, dict) else None
    paths = [entry.get("path") if isinstance(entry, dict) else entry for entry in _as_list(entries)]
    return bool(paths) and all(str(path).endswith(".parquet") for one in paths for path in _as_list(one))


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
