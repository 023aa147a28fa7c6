"""The program that `template_trial` starts: it renders chat templates under limits, and reports the result.

It is run by its path and imports nothing of hfclean.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Any


def _main() -> None:
    """Read requests, one JSON object a line, and answer each with one word, and with the text if asked."""
    import jinja2
    from jinja2.ext import Extension
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    seconds, memory, longest = float(sys.argv[1]), *map(int, sys.argv[2:4])
    timer = _limit(memory)

    class Generation(Extension):
        """The tags around what an assistant says, which training marks; here they only stand around it."""

        tags = {"generation"}  # noqa: RUF012 - as jinja2 has it

        def parse(self, parser: Any) -> Any:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    def refuse(message: str) -> None:
        raise jinja2.TemplateError(message)

    def tojson(value: Any, ensure_ascii: bool = False, **options: Any) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, **options)

    env = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, "jinja2.ext.loopcontrols"]
    )
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = refuse
    env.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    sources: dict[str, str] = {}
    compiled: dict[str, Any] = {}
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin.buffer:
        request = json.loads(line)
        name, values = request["name"], request["values"]
        if "template" in request:
            sources[name] = request["template"]
        timer(seconds)
        try:
            if name not in compiled:
                compiled[name] = env.from_string(sources[name])
            size, pieces = 0, []
            for piece in compiled[name].generate(**values):
                size += len(piece)
                if size > longest + 20 * len(line):
                    raise MemoryError
                if request.get("text"):
                    pieces.append(piece)
            answer = "ok"
            if request.get("text"):
                answer = "ok " + json.dumps("".join(pieces))
        except (MemoryError, RecursionError):
            answer = "memory"
        except Exception as e:  # noqa: BLE001 the same error comes where it is named
            answer = "error"
            if request.get("text"):
                answer = "error " + json.dumps(f"{type(e).__name__}: {e}"[:300])
        timer(0)
        sys.stdout.write(answer + "\n")
        sys.stdout.flush()


def _limit(memory: int) -> Any:
    """Bound the memory of this process; returns a function that bounds its time from then on, 0 for no bound."""
    try:
        import resource
        import signal

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        # the signal ends the process, inside of C code as well
        return lambda seconds: signal.setitimer(signal.ITIMER_PROF, seconds)
    except (ImportError, AttributeError, ValueError, OSError):  # a system without them: the parent's clock stops it
        return lambda seconds: None


if __name__ == "__main__":
    _main()
