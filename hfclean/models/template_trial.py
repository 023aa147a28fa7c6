"""Untrusted chat templates, tried in a separate process first, which ends when one takes too much.

A template is a program in Jinja. The sandbox keeps it from files and from Python, and bounds neither its time nor its
memory: loops in loops, macros that call themselves, texts that double. Before a template is
rendered here, it was rendered with the same turns where the system can stop it.
"""

import atexit
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from hfclean.models.failures import ModelError

LONGEST_TEMPLATE = 200_000  # characters; the longest of well-known models have some 30,000
CPU_SECONDS = 5.0
WALL_SECONDS = 120  # for an overloaded machine
MEMORY = 2_000_000_000  # bytes
LONGEST_OUTPUT = 20_000_000  # characters, and twenty times the input
CHILD = Path(__file__).with_name("template_trial_program.py")


class _Stage:
    """The process in which templates are tried; started when one is, and again after it was stopped."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.process: subprocess.Popen[bytes] | None = None
        self.owner = 0
        self.known: set[str] = set()

    def ask(self, template: str, values: Mapping[str, Any], *, text: bool = False) -> str:
        """The result of a rendering: `ok`, `error`, or `time` or `memory` if it ran out; with `text`, what was written
        or what was wrong behind the first two, as JSON."""
        name = sha256(template.encode("utf-8", "surrogatepass")).hexdigest()
        with self.lock:
            process = self._started()
            request = {"name": name, "values": values, "text": text} | (
                {} if name in self.known else {"template": template}
            )
            assert process.stdin is not None
            assert process.stdout is not None
            timer = threading.Timer(WALL_SECONDS, process.kill)
            timer.daemon = True
            timer.start()
            try:
                process.stdin.write(json.dumps(request).encode() + b"\n")
                process.stdin.flush()
                answer = process.stdout.readline()
            except OSError:
                answer = b""
            finally:
                timer.cancel()
            if not answer:  # the system ended it
                self.close()
                return "time"
            self.known.add(name)
            return answer.decode().strip()

    def _started(self) -> subprocess.Popen[bytes]:
        if self.process is None or self.owner != os.getpid() or self.process.poll() is not None:
            limits = [str(value) for value in (CPU_SECONDS, MEMORY, LONGEST_OUTPUT)]
            self.process = subprocess.Popen(  # noqa: S603 (our own file, by this Python)
                [sys.executable, "-P", str(CHILD), *limits],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            self.owner, self.known = os.getpid(), set()
            assert self.process.stdout is not None
            if not self.process.stdout.readline():
                self.close()
                raise ModelError(
                    f"the process in which chat templates are tried did not start ({sys.executable} {CHILD.name}); "
                    "see that Python can start itself here, and that jinja2 is installed"
                )
        return self.process

    def close(self) -> None:
        """End the process."""
        process, self.process = self.process, None
        if process is None or self.owner != os.getpid():
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def _new_stage() -> None:
    """A fork knows its parent's trial process and must not talk to it."""
    global _stage
    _stage = _Stage()


_stage = _Stage()
atexit.register(lambda: _stage.close())
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_stage)


def rehearse(
    tokenizer: Any,
    messages: Sequence[Mapping[str, Any]],
    settings: Mapping[str, Any],
    *,
    answering: bool,
    name: str,
) -> None:
    """Try the chat template of a tokenizer on some turns; nothing happens where it stays within the limits.

    Args:
        answering: whether the assistant's next turn is begun.

    Raises:
        ModelError: it takes more time or memory than any template of a chat does.
    """
    template = tokenizer.chat_template
    if isinstance(template, Mapping):
        template = template.get("default")
    if not isinstance(template, str):
        return
    if len(template) > LONGEST_TEMPLATE:
        raise ModelError(
            f"the chat template of {name} has {len(template):,} characters, and none is longer than "
            f"{LONGEST_TEMPLATE:,}; give another: chat_template="
        )
    special = {key: str(value) for key, value in getattr(tokenizer, "special_tokens_map", {}).items()}
    values = {**special, "messages": messages, "add_generation_prompt": answering, "tools": None, "documents": None}
    what = _stage.ask(template, json.loads(json.dumps({**values, **settings}, default=str)))
    if what in ("time", "memory"):
        raise ModelError(
            f"the chat template of {name} was stopped: for {len(messages)} turns it takes over {_limit(what)}, as "
            "none of a chat does. It is not used; take another model, or give your own template: chat_template="
        )


class TemplateRefusal(ModelError):
    """A chat template cannot be rendered with these values."""


def render(template: str, values: Mapping[str, Any]) -> str:
    """The text that a chat template writes, in the process where it can be stopped; nothing of it is run here.

    Raises:
        TemplateRefusal: it says that it takes no such values, or fails with them.
        ModelError: it takes more time or memory than any template of a chat does.
    """
    what, _, told = _stage.ask(template, json.loads(json.dumps(values, default=str)), text=True).partition(" ")
    if what in ("time", "memory"):
        raise ModelError(f"the chat template was stopped: it takes over {_limit(what)}, as none of a chat does")
    text: str = json.loads(told)
    if what == "error":
        raise TemplateRefusal(text)
    return text


def _limit(what: str) -> str:
    return f"{CPU_SECONDS:g} s" if what == "time" else f"{MEMORY:,} bytes or {LONGEST_OUTPUT:,} characters"
