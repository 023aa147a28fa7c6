"""Chat templates of strangers are stopped where they take more than a chat needs, and others are left alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from hfclean.models import ModelError, template_trial
from hfclean.models.chat_tokens import render_turns
from hfclean.models.protocol import Message
from hfclean.models.template_trial import LONGEST_TEMPLATE, rehearse

TURNS = [{"role": "user", "content": "Name a fruit."}]
CHATML = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}{{ bos_token }}"


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(template_trial, "CPU_SECONDS", 0.4)
    template_trial._stage.close()
    yield
    template_trial._stage.close()


class Tokenizer:
    """What a tokenizer of transformers shows of its template."""

    def __init__(self, template: Any) -> None:
        self.special_tokens_map = {"bos_token": "<s>"}
        self.chat_template = template
        self.rendered = 0

    def apply_chat_template(self, messages: Any, **how: Any) -> str:
        self.rendered += 1
        return f"{len(messages)} turns"


def tried(template: Any) -> None:
    rehearse(Tokenizer(template), TURNS, {}, answering=True, name="you/model")


LOOP = "{% for a in range(99999) %}"
HOSTILE = {
    "loops in loops": LOOP + LOOP + LOOP + "{% endfor %}{% endfor %}{% endfor %}",
    "a loop that says nothing": LOOP + LOOP + "{% set x = a * 2 %}{% endfor %}{% endfor %}",
    "a long text": "{{ 'a' * 1000000000 }}",
    "a longer text": "{{ 'a' * 100000000000 }}",
    "texts that double": "{% set n = namespace(x='ab') %}" + LOOP + "{% set n.x = n.x ~ n.x %}{% endfor %}{{ n.x }}",
    "a text that is replaced": "{% set n = namespace(x='a') %}"
    + LOOP
    + "{% set n.x = n.x | replace('a', 'aaaaaaaaaa') %}{% endfor %}",
    "a macro that calls itself": "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}",
    "macros that fan out": "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}"
    + "{{ f(60) }}",
    "a power": "{% set x = messages | length + 8 %}{{ x ** 99999999999 }}",
    "a wide field": "{{ '%9999999999d' % 1 }}",
    "a centred text": "{{ 'a' | center(99999999999) }}",
    "much that is said": LOOP + "{{ 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' * 99 }}{% endfor %}",
    "words": "{{ lipsum(n=9999999) }}",
}


@pytest.mark.parametrize("kind", list(HOSTILE))
def test_a_template_that_takes_too_much_is_refused(kind: str) -> None:
    with pytest.raises(ModelError, match=r"chat template of you/model was stopped.*It is not used"):
        tried(HOSTILE[kind])
    tried(CHATML)  # and the next one is tried anew


def test_only_what_a_template_says_for_these_turns_counts() -> None:
    template = "{% if messages[0].content == 'boom' %}{{ messages[0].content * 1000000000 }}{% endif %}x"
    tried(template)
    boom = Tokenizer(template)
    with pytest.raises(ModelError, match="was stopped"):
        render_turns(boom, [Message("user", "x")], ["boom"], name="you/model")
    assert boom.rendered == 0
    assert render_turns(boom, [Message("user", "x")], ["fine"], name="you/model") == "1 turns"


def test_whatever_a_usual_template_does_is_let_through() -> None:
    for template in (
        CHATML,
        None,
        {"default": CHATML, "tool_use": "{{ tools }}"},
        "{% generation %}{{ messages[0].content }}{% endgeneration %}",
        "{{ strftime_now('%Y') }}{{ messages | tojson(indent=2) }}",
        "{% for m in messages %}{% if loop.last %}{% break %}{% endif %}{% endfor %}",
        "{% set n = namespace(a=1) %}{% for m in messages[::-1] %}{% set n.a = n.a + loop.index0 %}{% endfor %}",
        "{{ raise_exception('no system turn') }}",  # said by the model's own tokenizer, in its words
        "{{ nothing.of_the_kind.at_all }}",
        "{% broken",
    ):
        assert render_turns(Tokenizer(template), [Message("user", "x")], ["fine"], name="you/model") == "1 turns"
    long = Tokenizer(CHATML)
    rehearse(
        long,
        [{"role": "user", "content": "\ud800 " + "a" * 5_000_000}],
        {"x": object()},
        answering=True,
        name="m",
    )
    assert long.rendered == 0


def test_a_template_is_no_book() -> None:
    with pytest.raises(ModelError, match="has 200,001 characters"):
        tried("x" * (LONGEST_TEMPLATE + 1))


def test_a_fork_starts_a_process_of_its_own() -> None:
    tried(CHATML)
    parent = template_trial._stage.process
    assert parent is not None
    child = os.fork()
    if child == 0:  # pragma: no cover
        tried(CHATML)
        own = template_trial._stage.process
        code = 0 if own is not None and own.pid != parent.pid else 1
        template_trial._stage.close()
        os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    tried(CHATML)
    assert template_trial._stage.process is parent


def test_without_a_process_nothing_is_rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template_trial, "sys", SimpleNamespace(executable="/bin/false"))
    with pytest.raises(ModelError, match="did not start"):
        tried(CHATML)
