"""Messages of the library in words of the command line: options where it names arguments of Python."""

from __future__ import annotations

import re
from collections.abc import Collection

# arguments of functions whose option has another name
OPTIONS = {
    "best": "by",
    "overlap": "threshold",
    "fields": "field",
    "column": "vectors",
    "extra": "with",
}
CALL = re.compile(r"\b[A-Za-z_]+\((\w+)=((?:'[^']*'|\"[^\"]*\"|[^()'\"])*?)\)(?=[:,; ])")
ARGUMENT = re.compile(r"\b([a-z]+(?:_[a-z]+)*)=(?:(True)\b|(?=\S))")
NAME = re.compile(r"(?<![\w-])([a-z]+(?:_[a-z]+)+)(?![\w=(])")
MAPPED = re.compile(r"ds\.map\(hfclean\.score\)")
KNOWN = re.compile(r"(did you mean [^?]*\?\)?),? Known: .*", re.DOTALL)


def in_flags(message: str, known: Collection[str]) -> str:
    """A message with `--base-url` for `base_url=`, of a command that has these destinations; where it says what was
    meant, without the list of all that there is.

    >>> in_flags("dedupe(threshold=7): expected at most 1", ["threshold"])
    '--threshold 7: expected at most 1'
    >>> in_flags("set base_url='http://...' and check base_url", ["base_url"])
    "set --base-url 'http://...' and check --base-url"
    >>> in_flags("go on with resume=True, or not", ["resume"])
    'go on with --resume, or not'
    """

    def option(name: str) -> str:
        name = OPTIONS.get(name, name)
        dest = {"with": "extra"}.get(name, name)
        return f"--{name.replace('_', '-')}" if dest in known else ""

    def call(match: re.Match[str]) -> str:
        flag = option(match[1])
        return f"{flag} {match[2]}" if flag else match[0]

    def argument(match: re.Match[str]) -> str:
        flag = option(match[1])
        return f"{flag}{'' if match[2] else ' '}" if flag else match[0]

    def name(match: re.Match[str]) -> str:
        return option(match[1]) if match[1] in known else match[0]

    message = CALL.sub(call, KNOWN.sub(r"\1", message))
    message = NAME.sub(name, ARGUMENT.sub(argument, message))
    return MAPPED.sub("hfclean score IN --out DIR", message)
