"""Whether the arguments of a call satisfy the schema of its tool.

Schemas come from strangers. They are read into a plain tree of bounded size first: references are followed inside
the schema and nowhere else, nothing is fetched, patterns are not run, and what the check cannot judge is left out,
so that it never refuses what the whole schema allows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, NamedTuple

DEEPEST = 24
LARGEST = 2_000  # nodes of a schema, with all that it refers to
WORK = 200_000  # nodes of a schema times nodes of the arguments
SHOWN = 60

_TYPES = {
    **dict.fromkeys(("string", "str", "text", "char", "character", "varchar"), "string"),
    **dict.fromkeys(("integer", "int", "long", "short", "int32", "int64", "bigint"), "integer"),
    **dict.fromkeys(("number", "float", "double", "decimal", "numeric", "real", "float32", "float64"), "number"),
    **dict.fromkeys(("boolean", "bool"), "boolean"),
    **dict.fromkeys(("object", "dict", "dictionary", "map", "hashmap", "hashtable", "mapping"), "object"),
    **dict.fromkeys(("array", "list", "tuple", "arraylist", "set", "sequence", "vector"), "array"),
    **dict.fromkeys(("null", "none", "nonetype"), "null"),
}
_LISTS = ("allOf", "anyOf", "oneOf")
_COUNTS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
# keywords that say nothing of what is allowed
_NOTES = frozenset(
    (
        *("title", "description", "default", "examples", "example", "$schema", "$id", "$comment", "$defs"),
        *("definitions", "deprecated", "readOnly", "writeOnly", "optional", "nullable", "name", "id", "strict"),
    )
)
# keywords beside which an argument may be declared elsewhere
_OPEN = frozenset(
    (
        *("allOf", "anyOf", "oneOf", "if", "then", "else", "not", "$ref", "$dynamicRef", "patternProperties"),
        *("dependentSchemas", "unevaluatedProperties", "propertyNames", "extends", "dependencies"),
    )
)


# keywords that are checked here; any other one needs the library
_SIMPLE = frozenset(("type", "properties", "required", "additionalProperties", "items", "enum"))


class Schema(NamedTuple):
    """A schema that is safe to check with, and the number of its nodes. A `simple` one needs no library."""

    tree: Mapping[str, Any]
    size: int
    simple: bool = True


# ------------------------------------------------------------------------------------------------------------- reading


def read_schema(raw: Any) -> Schema:
    """The schema of a tool's arguments as a plain tree; one that allows everything where it is too large or odd."""
    if not isinstance(raw, Mapping):
        return Schema({}, 1)
    raw = _without_nulls(raw)
    if _is_flat(raw):
        raw = {"type": "object", "properties": raw}
    reader = _Reader(raw)
    try:
        tree = reader.node(raw, 0)[0]
    except (_TooLarge, RecursionError):
        return Schema({}, 1)
    if isinstance(raw.get("properties"), Mapping) and "additionalProperties" not in raw and _OPEN.isdisjoint(raw):
        # a function takes the arguments that it names, and no others
        tree["additionalProperties"] = False
    tree["type"] = "object"
    return Schema(tree, reader.nodes, reader.simple)


def _without_nulls(value: Any, deep: int = 0) -> Any:
    """Arrow fills keys that other tools have with nulls: they say nothing."""
    if deep > 2 * DEEPEST:
        return {}
    if isinstance(value, Mapping):
        return {str(key): _without_nulls(item, deep + 1) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [_without_nulls(item, deep + 1) for item in value[: LARGEST + 1]]
    return value


def _is_flat(raw: Mapping[str, Any]) -> bool:
    """Whether names stand at the top, without `properties` around them."""
    if not raw or "properties" in raw or not _OPEN.isdisjoint(raw):
        return False
    return all(isinstance(value, Mapping) and ("type" in value or "description" in value) for value in raw.values())


class _TooLarge(Exception):
    pass


class _Reader:
    """Reads one schema; counts its nodes, and those that it refers to."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self.root, self.nodes, self.simple = root, 0, True

    def node(self, raw: Any, deep: int) -> tuple[dict[str, Any], bool]:
        """What is left of a schema, and whether nothing that it forbids was left out."""
        self.nodes += 1
        if self.nodes > LARGEST:
            raise _TooLarge
        if raw is False:
            return {"not": {}}, True
        if not isinstance(raw, Mapping) or deep > DEEPEST:
            return {}, raw is True
        if isinstance(raw.get("$ref"), str):
            raw, known = self._followed(raw)
            if not known:
                return {}, False
        out: dict[str, Any] = {}
        exact = _NOTES.issuperset(key for key in raw if not self._keep(key, raw[key], raw, out, deep))
        self.simple &= _SIMPLE.issuperset(out) and isinstance(out.get("additionalProperties", False), bool)
        return out, exact

    def _followed(self, raw: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
        """What a reference inside the schema stands for, with the keys beside it."""
        for _ in range(8):
            target: Any = self.root
            name = raw["$ref"]
            if name != "#" and not name.startswith("#/"):
                return {}, False
            for key in name[2:].split("/") if name != "#" else ():
                key = key.replace("~1", "/").replace("~0", "~")
                target = target.get(key) if isinstance(target, Mapping) else None
            if not isinstance(target, Mapping):
                return {}, False
            raw = {**target, **{key: value for key, value in raw.items() if key != "$ref"}}
            if not isinstance(raw.get("$ref"), str):
                return raw, True
        return {}, False

    def _keep(self, key: str, value: Any, raw: Mapping[str, Any], out: dict[str, Any], deep: int) -> bool:
        """Put one keyword into the tree; says whether it is there as it stood."""
        if key == "type":
            kinds = _types(value, raw)
            if kinds:
                out["type"] = kinds[0] if len(kinds) == 1 else kinds
            return bool(kinds)
        if key == "properties" and isinstance(value, Mapping):
            children = {name: self.node(child, deep + 1) for name, child in value.items()}
            out[key] = {name: child for name, (child, _) in children.items()}
            return all(exact for _, exact in children.values())
        if key == "required":
            return self._required(value, raw, out)
        if key in ("items", "additionalProperties", "contains") and isinstance(value, (Mapping, bool)):
            if key == "additionalProperties" and "patternProperties" in raw:
                return False
            child, exact = self.node(value, deep + 1)
            if exact or key != "contains":
                out[key] = child if isinstance(value, Mapping) else value
            return exact
        if key in ("items", "prefixItems") and isinstance(value, list):
            children_ = [self.node(child, deep + 1) for child in value]
            out["prefixItems"] = [child for child, _ in children_]
            return all(exact for _, exact in children_)
        if key in _LISTS and isinstance(value, list) and value:
            alternatives = [self.node(child, deep + 1) for child in value]
            exact = all(each for _, each in alternatives)
            name = "anyOf" if key == "oneOf" and not exact else key
            if name == "anyOf" and "anyOf" in raw and key == "oneOf":
                return False
            out[name] = [child for child, _ in alternatives]
            return exact
        if key in ("enum", "const"):
            return _values(key, value, raw, out)
        return self._plain(key, value, out)

    @staticmethod
    def _plain(key: str, value: Any, out: dict[str, Any]) -> bool:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if (key in _BOUNDS and number) or (key in _COUNTS and number and value >= 0 and value == int(value)):
            out[key] = value
            return True
        return False

    @staticmethod
    def _required(value: Any, raw: Mapping[str, Any], out: dict[str, Any]) -> bool:
        """Those that are declared: beside them, nothing could be right."""
        declared = raw.get("properties")
        if not isinstance(value, list) or not isinstance(declared, Mapping):
            return False
        names = [name for name in value if isinstance(name, str) and name in declared]
        out["required"] = names
        return len(names) == len(value)


def _types(value: Any, raw: Mapping[str, Any]) -> list[str]:
    """The types of JSON that a type means, in the words of any language; none where it may be anything."""
    names = value if isinstance(value, list) else [value]
    found: list[str] = []
    for name in names:
        kinds = _type_names(name.strip().lower()) if isinstance(name, str) else ()
        if not kinds:
            return []
        found += kinds
    if raw.get("nullable") is True:
        found.append("null")
    return list(dict.fromkeys(found))


@lru_cache(maxsize=1024)
def _type_names(name: str) -> tuple[str, ...]:
    if name in _TYPES:
        return (_TYPES[name],)
    if len(name) > 200:
        return ()
    name = re.sub(r",?\s*optional$", "", name).removeprefix("typing.")
    if "|" in name and "[" not in name:
        parts = [_TYPES.get(part.strip()) for part in name.split("|")]
        return tuple(part for part in parts if part) if all(parts) else ()
    outer, bracket, inner = name.partition("[")
    if outer.strip() == "optional" and bracket:
        kinds = _type_names(inner.removesuffix("]"))
        return (*kinds, "null") if kinds else ()
    known = _TYPES.get(outer.strip())
    return (known,) if known and (not bracket or known in ("array", "object")) else ()


def _values(key: str, value: Any, raw: Mapping[str, Any], out: dict[str, Any]) -> bool:
    """The values of an enumeration, with the default; none where its type allows none of them."""
    values = value if isinstance(value, list) else [value]
    if key == "enum" and (not isinstance(value, list) or not value):
        return False
    kinds = _types(raw["type"], raw) if "type" in raw else []
    if kinds and not any(_is(item, kind) for item in values for kind in kinds):
        return False
    out["enum"] = [*values, raw["default"]] if "default" in raw else values
    return True


def _is(value: Any, kind: str) -> bool:
    """Whether a value is of a type of JSON; a whole number may be written as 5.0."""
    if isinstance(value, bool):
        return kind == "boolean"
    if isinstance(value, (int, float)):
        return kind == "number" or (kind == "integer" and (isinstance(value, int) or value.is_integer()))
    return isinstance(value, _CLASSES.get(kind, ()))


_CLASSES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "object": (Mapping,),
    "array": (list, tuple),
    "null": (type(None),),
}


# ------------------------------------------------------------------------------------------------------------ checking


def faults(arguments: Mapping[str, Any], schema: Schema, *, strings: bool = False) -> Iterator[str]:
    """What is wrong with the arguments, one sentence each.

    Args:
        arguments: of the call.
        schema: of the tool.
        strings: all values are text because of how the call is spelled: only names are looked at.
    """
    tree = schema.tree
    if not tree:
        return
    if strings:
        yield from _names(arguments, tree, "")
        return
    try:
        yield from _faults(_given(arguments, tree, 0), schema)
    except RecursionError:  # deeper than anything that is meant
        return


def _faults(arguments: Mapping[str, Any], schema: Schema) -> Iterator[str]:
    tree = schema.tree
    if schema.size * _count(arguments) > WORK:
        yield from _names(arguments, tree, "")
    elif schema.simple or (validator := _validator()) is None:
        yield from _by_kind(arguments, tree, "", 0)
    else:
        yield from _by_library(validator, arguments, tree)


def _given(value: Any, tree: Mapping[str, Any], deep: int) -> Any:
    """The arguments without nulls for what need not be given: Arrow fills them in."""
    if deep > DEEPEST:
        return value
    if isinstance(value, Mapping):
        properties, required = tree.get("properties", {}), tree.get("required", ())
        return {
            key: _given(item, properties.get(key, {}), deep + 1)
            for key, item in value.items()
            if item is not None or key in required
        }
    if isinstance(value, (list, tuple)):
        items = tree.get("items")
        return [_given(item, items if isinstance(items, Mapping) else {}, deep + 1) for item in value]
    return value


def _count(value: Any, most: int = WORK) -> int:
    """The number of values in a value, or `most` where there are more, or deeper ones than are looked at."""
    count, level = 0, [value]
    for _ in range(10 * DEEPEST):
        count += len(level)
        if not level or count > most:
            return min(count, most)
        level = [
            item
            for each in level
            if isinstance(each, (Mapping, list))
            for item in (each.values() if isinstance(each, Mapping) else each)
        ]
    return most


def _names(arguments: Mapping[str, Any], tree: Mapping[str, Any], where: str) -> Iterator[str]:
    place = f" in {where[:SHOWN]!r}" if where else ""
    for name in tree.get("required", ()):
        if name not in arguments:
            yield f"the required argument {name!r} is missing{place}"
    if tree.get("additionalProperties") is False:
        for name in arguments:
            if name not in tree.get("properties", {}):
                yield f"the argument {str(name)[:SHOWN]!r} is not declared{place}"


def _by_kind(value: Any, tree: Mapping[str, Any], where: str, deep: int) -> Iterator[str]:
    """Names, basic types and enumerations, which need no library."""
    kinds = tree.get("type", ())
    kinds = (kinds,) if isinstance(kinds, str) else kinds
    if kinds and not any(_is(value, kind) for kind in kinds):
        yield f"{where[:SHOWN]!r} is {_shown(value)}; expected {' or '.join(kinds)}"
    elif "enum" in tree and not any(_same(value, each) for each in tree["enum"]):
        yield f"{where[:SHOWN]!r} is {_shown(value)}; expected {_one_of(tree['enum'])}"
    elif deep > DEEPEST:
        return
    elif isinstance(value, Mapping):
        yield from _names(value, tree, where)
        for key, child in tree.get("properties", {}).items():
            if key in value:
                yield from _by_kind(value[key], child, f"{where}.{key}" if where else key, deep + 1)
    elif isinstance(value, list) and isinstance(tree.get("items"), Mapping):
        for n, item in enumerate(value):
            yield from _by_kind(item, tree["items"], f"{where}[{n}]", deep + 1)


def _one_of(values: list[Any]) -> str:
    return "one of " + ", ".join(map(repr, values[:8]))[:200]


def _shown(value: Any) -> str:
    text = repr(value) if not isinstance(value, (Mapping, list)) else type(value).__name__
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."


@lru_cache(maxsize=1)
def _validator() -> Any:
    """The class that checks, from the package `jsonschema`; None where that is not installed."""
    if find_spec("jsonschema") is None:
        return None
    from jsonschema import Draft202012Validator, ValidationError, validators

    def enumerated(_: Any, allowed: list[Any], value: Any, __: Any) -> Iterator[ValidationError]:
        if not any(_same(value, each) for each in allowed):
            yield ValidationError("is not one of those allowed")

    return validators.extend(Draft202012Validator, {"enum": enumerated})


def _same(value: Any, allowed: Any) -> bool:
    """Whether a value is meant by one of an enumeration: case and punctuation do not matter, initials will do."""
    if isinstance(value, str) and isinstance(allowed, str):
        short, words = _WORDS.findall(value.casefold()), _WORDS.findall(allowed.casefold())
        initials = "".join(word[0] for word in words) if len(words) > 1 else ""
        return value == allowed or (bool(short) and "".join(short) in ("".join(words), initials))
    return bool(value == allowed) and isinstance(value, bool) == isinstance(allowed, bool)


_WORDS = re.compile(r"[^\W_]+")


def _by_library(validator: Any, arguments: Any, tree: Mapping[str, Any]) -> Iterator[str]:
    named: set[str] = set()
    for error in validator(tree).iter_errors(arguments):
        where = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in error.absolute_path).lstrip(".")
        keyword, value = error.validator, error.instance
        if keyword == "required":
            place = f" in {where!r}" if where else ""
            missing = {
                f"the required argument {name!r} is missing{place}"
                for name in error.validator_value
                if name not in value
            }
            yield from sorted(missing - named)  # the library says each of them for itself, without its name
            named |= missing
            continue
        if keyword == "additionalProperties" and isinstance(value, Mapping):
            declared = error.schema.get("properties", {})
            unknown = next((name for name in value if name not in declared), "")
            yield f"the argument {unknown[:SHOWN]!r} is not declared{f' in {where!r}' if where else ''}"
            continue
        expected = f"{keyword} {_shown(error.validator_value)}"
        if keyword == "type":
            kinds = error.validator_value
            expected = kinds if isinstance(kinds, str) else " or ".join(kinds)
        elif keyword == "enum":
            expected = _one_of(error.validator_value)
        yield f"{where[:SHOWN]!r} is {_shown(value)}; expected {expected}"
