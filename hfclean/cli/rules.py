"""List the rules: id, severity, meaning, example.

List the rules.
"""

from __future__ import annotations

import argparse
from typing import TextIO

from hfclean.cli.reading import emit


def add(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.cli.render import rules_table
    from hfclean.rules import RULES

    if args.json:
        emit(
            [
                {
                    "id": rule.id,
                    "severity": rule.severity,
                    "meaning": rule.meaning,
                    "mends": rule.repair is not None,
                    "example": {"before": rule.example[0], "after": rule.example[1]},
                }
                for rule in RULES
            ],
            out,
        )
    else:
        print(rules_table(RULES), file=out)
