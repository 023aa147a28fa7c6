"""List the rules: id, severity, meaning, example."""

import argparse
from typing import Any, TextIO

from hfclean.cli.reading import tell


def add(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.cli.render import rules_table
    from hfclean.rules import ROW_RULES, RULES, Rule

    def data(rule: Rule) -> dict[str, Any]:
        before, after = rule.example
        about = {"id": rule.id, "severity": rule.severity, "meaning": rule.meaning, "mends": rule.repair is not None}
        return {**about, "example": {"before": before, "after": after}}

    rules = (*RULES, *ROW_RULES)
    tell(args, out, lambda: list(map(data, rules)), lambda: rules_table(rules))
