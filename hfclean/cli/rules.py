"""List the rules: id, severity, meaning, example."""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

from hfclean.cli.reading import tell
from hfclean.cli.terminal import columns_wide, head, visible

if TYPE_CHECKING:
    from hfclean.rules import Rule


def add(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.rules import ROW_RULES, RULES

    def data(rule: Rule) -> dict[str, Any]:
        before, after = rule.example
        about = {"id": rule.id, "severity": rule.severity, "meaning": rule.meaning, "mends": rule.repair is not None}
        return {**about, "example": {"before": before, "after": after}}

    rules = (*RULES, *ROW_RULES)
    tell(args, out, lambda: list(map(data, rules)), lambda: _table(rules))


def _table(rules: Sequence[Rule]) -> str:
    """The rules, for people."""
    width = min(columns_wide(), 110)
    blocks = []
    for rule in rules:
        action = "repairs" if rule.repair else "reports"
        lines = [
            head(f"{rule.id}  [{rule.severity}, {action}]"),
            *textwrap.wrap(rule.meaning, width - 4, initial_indent="    ", subsequent_indent="    "),
        ]
        before, after = rule.example
        if before:
            lines.append(f"    e.g. {visible(json.dumps(before, ensure_ascii=False), 120)}")
            if rule.repair and after:
                lines.append(f"      -> {visible(json.dumps(after, ensure_ascii=False), 120)}")
        blocks.append("\n".join(lines))
    return "\n".join(blocks)
