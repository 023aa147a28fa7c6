"""Fill the parts of the pages that are made from the package: `python docs/render.py`.

Such a part stands between `<!-- made by docs/render.py: NAME -->` and `<!-- end -->`; a test finds those that
are out of date.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import FunctionType

import hfclean
from hfclean import scorers
from hfclean.checks import CAUTIOUS, CHECKS
from hfclean.cli import parser
from hfclean.codes import ERRORS, REASONS
from hfclean.columns import DUPLICATE_OF, REVISION, Column
from hfclean.loops import OPTIONS
from hfclean.rules import ROW_RULES, RULES, Rule
from hfclean.schema.declared import shapes_page
from hfclean.scorers import Score
from hfclean.text.characters import UNPRINTABLE
from hfclean.transform import Transform

DOCS = Path(__file__).parent
PART = re.compile(r"(<!-- made by docs/render\.py: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
LONGEST = 90  # of an example, in characters


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def prose(text: str) -> str:
    """Text that is no markup, in a cell of a table: what Markdown or HTML would read as such is spelled out."""
    text = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\|*`\[\]]|(?<!\w)_|_(?!\w))", r"\\\1", text)


def code(text: str) -> str:
    """A text in a cell of a table, as code: every character that could be markup as a number."""
    text = UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    if len(text) > LONGEST:
        text = f"{text[: LONGEST - 20]}[...]{text[-15:]}"
    return (
        f"<code>{''.join(c if c.isalnum() or c in ' .,;()-' or ord(c) > 127 else f'&#{ord(c)};' for c in text)}</code>"
    )


def columns(declared: Iterable[Column]) -> str:
    return table(("column", "meaning"), ((f"`{one.name}`", prose(one.sentence())) for one in declared))


def scorer_columns() -> str:
    """The columns of every scorer but `Score`, by the name of its class."""
    named = ((name, value) for name in sorted(scorers.__all__) if isinstance(value := getattr(scorers, name), type))
    found = [(name, kind.adds) for name, kind in named if issubclass(kind, Transform) and kind.adds]
    return "\n\n".join(f"### {name}\n\n{columns(adds)}" for name, adds in found if adds is not Score.adds)


def rules(chosen: Iterable[Rule]) -> str:
    def row(rule: Rule) -> tuple[str, ...]:
        before, after = (json.dumps(text, ensure_ascii=False)[1:-1] for text in rule.example)
        example = code(before) if before else ""
        if rule.repair and after:
            example += f" → {code(after)}"
        severity = f"{rule.severity}, {'repaired' if rule.repair else 'reported'}"
        return f"`{rule.id}`", severity, prose(rule.meaning), example

    return table(("rule", "severity", "what it finds", "example"), map(row, chosen))


def words(meanings: Mapping[str, str]) -> str:
    return table(("code", "meaning"), ((f"`{name}`", prose(meaning)) for name, meaning in meanings.items()))


def commands() -> str:
    """Every command with its arguments, from the parser itself."""
    (verbs,) = (action for action in parser()._actions if isinstance(action, argparse._SubParsersAction))
    return "\n\n".join(command(verb, sub) for verb, sub in verbs.choices.items())


def command(verb: str, sub: argparse.ArgumentParser) -> str:
    listed = [
        one for one in sub._actions if one.help is not argparse.SUPPRESS and not isinstance(one, argparse._HelpAction)
    ]
    must = [spelled(one) for one in listed if one.required or not one.option_strings]
    usage = " ".join(["hfclean", verb, *must, *["[options]"][: len(must) < len(listed)]])
    parts = [f"## {verb}", *map(prose, (sub.description or "").strip().split("\n\n"))]
    parts.append(f"```text\n{usage}\n```")
    if listed:
        parts.append(table(("argument", "meaning"), ((code_of(one), help_of(one, sub)) for one in listed)))
    return "\n\n".join(parts)


def spelled(action: argparse.Action) -> str:
    """An argument as it is written on a line."""
    name = action.metavar or (action.dest if action.option_strings else action.dest.upper())
    if not action.metavar and action.choices:
        name = "{" + ",".join(map(str, action.choices)) + "}"
    elif not action.metavar:
        name = action.dest.upper()
    value = "" if action.nargs == 0 else f"{name} ..." if action.nargs in ("+", "*") else str(name)
    return " ".join(filter(None, [max(action.option_strings, key=len, default=""), value]))


def code_of(action: argparse.Action) -> str:
    shorter = sorted(action.option_strings, key=len)[:-1]
    return f"`{', '.join([*shorter, re.sub(r',(?! )', ', ', spelled(action))])}`"


def help_of(action: argparse.Action, sub: argparse.ArgumentParser) -> str:
    return prose((action.help or "") % {**vars(action), "prog": sub.prog})


def names() -> str:
    """The functions and classes at the top level, for mkdocstrings."""
    shown = [name for name in hfclean.__all__ if isinstance(getattr(hfclean, name), type | FunctionType)]
    shown.sort(key=str.lower)
    return "\n\n".join(f"::: hfclean.{name}" for name in shown)


PARTS: Mapping[str, Callable[[], str]] = {
    "shapes": shapes_page,
    "revision_columns": lambda: columns(REVISION),
    "score_columns": lambda: columns(Score.adds),
    "clean_columns": lambda: columns([DUPLICATE_OF]),
    "scorer_columns": scorer_columns,
    "rules": lambda: rules(RULES),
    "row_rules": lambda: rules(ROW_RULES),
    "checks": lambda: words({one.id: one.meaning for one in CHECKS}),
    "cautious_checks": lambda: words({one.id: one.meaning for one in CAUTIOUS}),
    "reasons": lambda: words(REASONS),
    "errors": lambda: words(ERRORS),
    "commands": commands,
    "names": names,
    "llm2llm": lambda: table(
        ("option", "value", "from"), ((prose(each.name), prose(str(each.value)), each.source) for each in OPTIONS)
    ),
}


def render(text: str) -> str:
    """A page with its parts made anew."""
    return PART.sub(lambda match: f"{match[1]}{PARTS[match[2]]()}\n{match[3]}", text)


if __name__ == "__main__":
    for page in sorted(DOCS.rglob("*.md")):
        old = page.read_text(encoding="utf-8")
        if (new := render(old)) != old:
            page.write_text(new, encoding="utf-8")
            print(f"wrote {page.relative_to(DOCS.parent)}")
