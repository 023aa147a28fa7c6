"""Personal data is found by its form and nothing else is; masking reaches every text and can be undone."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st

import hfclean
from hfclean.errors import ColumnError, RuleError
from hfclean.rules.pii import PII_KINDS, luhn
from hfclean.scorers.language import Language
from hfclean.testing import check_transform, shape_rows

KEY = "hf_" + "aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3x"
FOUND = [
    ("email", "a.b+c@mail.firma.co.uk"),
    ("email", "jörg@büro.de"),
    ("email", "x_y@hf.co"),
    ("phone", "+49 30 901820"),
    ("phone", "+1 (415) 867-5309"),
    ("phone", "(212) 867-5309"),
    ("phone", "212-867-5309"),
    ("phone", "1-800-867-5309"),
    ("card", "4539 1488 0343 6467"),
    ("card", "4539-1488-0343-6467"),
    ("card", "4539148803436467"),
    ("card", "3787 344936 71018"),
    ("ip", "93.184.216.34"),
    ("ip", "2606:2800:220:1:248:1893:25c8:1946"),
    ("key", KEY),
]
CALLED = [
    ("Tel: 030 901820", "030 901820"),
    ("手机：13812345678", "13812345678"),
    ("call me at 020 7946 0958", "020 7946 0958"),
    ("phone number 4158675309", "4158675309"),
]
NOTHING = [
    # reserved for documentation, or no person's
    "me@example.com you@mail.example.org it@corp.test a@b.invalid root@localhost git@github.com:org/repo",
    "icon@2x.png @user a@b foo@bar @scope/package@1.2.3",
    # versions, dates, times, code
    "version 1.2.3.4, v93.184.216.34, Chrome/91.0.4.124, release 93.184.216.34, 1.2.3.4.5, 300.1.2.3",
    "2023-01-15 15.01.2023 12:30:45 call 2023-01-15 at 2023-01-15T10:00:00+01:00",
    "std::vector a::b dead::beef 00:1B:44:11:3A:B7 feed:cafe",
    # networks that are not public, name servers, placeholders
    "127.0.0.1 192.168.1.1 10.0.0.1 172.16.4.4 0.0.0.0 255.255.255.0 8.8.8.8 1.1.1.1 203.0.113.9 2001:db8::1 fe80::1",
    # published test cards, wrong check digit, no issuer, books, other long numbers
    "4111 1111 1111 1111 4242424242424242 378282246310005 4539148803436468 1234-5678-9012-3456 9999999999999995",
    "ISBN 978-3-16-148410-0 3.14159265358979323 1,234,567,890,123,456 0.4539148803436467 45391488034364670",
    # fiction, arithmetic, measures
    "555-1234 (212) 555-0147 555-867-5309 123-456-7890 +1 212 555 0147 call 911 tel 1234567",
    "x = 3 +12345678 and (4)+12345678, +12345678.5, numbers 234 567 8901, 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6",
    "phone has 12 000 000 pixels, phone costs 1299, call 3 functions",
    "hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx sk-your-key-here AKIAIOSFODNN7EXAMPLE",
    "",
]


@pytest.mark.parametrize(("kind", "text"), FOUND)
def test_personal_data_is_found_by_its_form_wherever_it_stands(kind: str, text: str) -> None:
    for before, after in (("", ""), ("See ", ", ok"), ("(", ")"), ("是 ", "。"), ("x\n", "\n"), ('"', '"')):
        (found,) = hfclean.rules.find_pii(before + text + after)
        assert (found.kind, (before + text + after)[found.start : found.end]) == (kind, text)
    assert hfclean.rules.mask_pii(f"See {text}.") == f"See [{kind.upper()}]."
    assert hfclean.rules.find_pii(text, kinds=[other for other in PII_KINDS if other != kind]) == []


def test_a_number_beside_a_card_number_hides_nothing() -> None:
    for text in ("No. 3 4539 1488 0343 6467", "1234 4539 1488 0343 6467 12", "(212) 867-5309 4539148803436467"):
        assert "[CARD]" in hfclean.rules.mask_pii(text)


@pytest.mark.parametrize(("text", "number"), CALLED)
def test_a_number_that_is_called_one_is_a_phone_number(text: str, number: str) -> None:
    (found,) = hfclean.rules.find_pii(text)
    assert (found.kind, text[found.start : found.end]) == ("phone", number)
    assert hfclean.rules.find_pii(number) == []


@pytest.mark.parametrize("text", NOTHING)
def test_what_only_looks_like_it_is_let_through(text: str) -> None:
    assert hfclean.rules.find_pii(text) == []
    assert hfclean.rules.mask_pii(text) == text


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("发到jo@firma.dev谢谢", "发到[EMAIL]谢谢"),
        ("jo@firma.dev로", "[EMAIL]로"),
        ("a@hf.co请看www.hf.co", "[EMAIL]请看www.hf.co"),
        ("用户@例子.com", "[EMAIL]"),
        ("拨打+8613800138000咨询", "拨打[PHONE]咨询"),
        ("在93.184.216.34的", "在[IP]的"),
        ("版本号93.184.216.34", "版本号93.184.216.34"),
        ("卡4539148803436467。", "卡[CARD]。"),
        ("_jo@firma.dev_", "_[EMAIL]_"),
        ("?to=jo%40firma.dev&x", "?to=[EMAIL]&x"),
        ("jo&#64;firma.dev", "[EMAIL]"),
        ("to: jo\\u0040firma.dev", "to: [EMAIL]"),
        ("jo＠firma.dev", "[EMAIL]"),
        ("jo@hf.xn--p1ai", "[EMAIL]"),
        (
            "x%40y jo%40example.com /%40scope/a --@hf.co a@hf.co-x",
            "x%40y jo%40example.com /%40scope/a --@hf.co a@hf.co-x",
        ),
    ],
)
def test_neighbours_and_other_spellings_hide_nothing(text: str, masked: str) -> None:
    assert hfclean.rules.mask_pii(text) == masked


@given(st.integers(10**11, 10**18))
def test_one_check_digit_of_ten_fits(number: int) -> None:
    fitting = [digit for digit in range(10) if luhn(f"{number}{digit}")]
    assert len(fitting) == 1


@given(st.lists(st.sampled_from([text for _, text in FOUND] + ["a", "@", "1", " ", ".", "-", "+", "[EMAIL]", "é"])))
def test_masking_twice_is_masking_once_and_finds_are_in_order(parts: list[str]) -> None:
    text = "".join(parts)
    found = hfclean.rules.find_pii(text)
    assert all(a.end <= b.start for a, b in pairwise(found))
    masked = hfclean.rules.mask_pii(" ".join(parts))
    assert hfclean.rules.mask_pii(masked) == masked


# one for every search that could go over the text again and again
HOSTILE = [
    "a",
    "@",
    "a.a@",
    "a%40中",
    "a.a@a.中",
    "1",
    "1 ",
    "4444 ",
    "1.1.1.1.",
    "ffff:",
    "+1 ",
    "tel: 1",
    "hf_a1-----BEGIN PRIVATE KEY-----\n ",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_long_text_of_one_thing_is_read_in_linear_time(piece: str, long_text: Callable[[str], str]) -> None:
    assert hfclean.rules.find_pii(long_text(piece)) == []


# -------------------------------------------------------------------------------------------------------------- report

SHAPES = shape_rows()


@pytest.mark.parametrize("shape", ["alpaca", "typed_messages", "conversations", "preference_turns"])
@pytest.mark.parametrize("transform", [hfclean.scorers.PII(), hfclean.reviser.MaskPII()], ids=["report", "mask"])
def test_both_keep_the_contract(shape: str, transform: Any) -> None:
    rows = [row for row in SHAPES[shape] if len(str(row)) < 1000]
    check_transform(transform, [*rows[:5], *json.loads(json.dumps(rows[5:7]).replace("Bonjour", "+49 30 901820"))])


def chat(*turns: tuple[str, str]) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": text} for role, text in turns]}


LONG_CHAT = chat(
    ("system", "Ask jo@hf.co."),
    ("user", "I am ann@hf.co, call (212) 867-5309."),
    ("assistant", "Hello."),
    ("user", "And bob@hf.co?"),
    ("assistant", "Who?"),
    ("user", "cy@hf.co!"),
)


def test_the_report_reads_every_text_of_a_row() -> None:
    assert hfclean.scorers.PII()(LONG_CHAT)["pii"] == "email phone"
    assert hfclean.scorers.PII()(LONG_CHAT)["pii_count"] == 5.0
    assert hfclean.scorers.PII("phone")(LONG_CHAT)["pii_count"] == 1.0  # type: ignore[arg-type]
    both = {"prompt": "a@hf.co", "chosen": "b@hf.co", "rejected": "c@hf.co"}
    assert hfclean.scorers.PII()(both)["pii_count"] == 3.0
    assert hfclean.scorers.PII()({"prompt": "x", "completion": "y"})["pii"] == ""
    ds = Dataset.from_list([{"prompt": "x", "completion": text} for text in ("jo@hf.co", "y")]).map(
        hfclean.scorers.PII()
    )
    assert ds.filter(hfclean.keep("pii_count", at_most=0))["completion"][:] == ["y"]


def test_masking_reaches_every_turn_and_is_undone() -> None:
    ds = Dataset.from_list([LONG_CHAT, chat(("user", "Hi"), ("assistant", "Ho"))])
    masked = ds.map(hfclean.reviser.MaskPII(), batched=True)
    assert [turn["content"] for turn in masked[0]["messages"]] == [
        "Ask [EMAIL].",
        "I am [EMAIL], call [PHONE].",
        "Hello.",
        "And [EMAIL]?",
        "Who?",
        "[EMAIL]!",
    ]
    assert (masked[0]["edit"], masked[0]["edit_reason"]) == ("revised", "pii_email pii_phone")
    assert (masked[1]["edit"], masked[1]["edit_reason"], masked[1]["original"]) == ("kept", "", "")
    assert masked.map(hfclean.scorers.PII())["pii_count"][:] == [0.0, 0.0]
    assert hfclean.restore(masked).to_list() == ds.to_list()
    again = masked.map(hfclean.reviser.MaskPII())
    assert again["messages"][:] == masked["messages"][:]
    assert hfclean.restore(again).to_list() == ds.to_list()


def test_prompts_and_rejected_answers_are_masked_and_single_rows_put_back() -> None:
    rows = [{"prompt": f"I am {name}@hf.co", "chosen": "Hi", "rejected": f"Ho {name}@hf.co"} for name in ("jo", "bo")]
    masked = Dataset.from_list(rows).map(hfclean.reviser.MaskPII())
    assert masked[0]["prompt"] == "I am [EMAIL]"
    assert masked[0]["rejected"] == "Ho [EMAIL]"
    assert masked["row_id"][0] == masked["row_id"][1]  # the same masked text
    masked = hfclean.clean(Dataset.from_list(rows), reviser=hfclean.reviser.MaskPII(), score=False).dataset
    back = hfclean.restore(masked, rows=[masked[0]["row_id"]])
    assert back["prompt"][:] == ["I am jo@hf.co", "I am [EMAIL]"]
    assert back["rejected"][:] == ["Ho jo@hf.co", "Ho [EMAIL]"]
    assert hfclean.restore(back).to_list() == rows
    with pytest.raises(hfclean.errors.RestoreError, match="below a revision by MaskPII"):
        hfclean.restore(masked, rule="pii_email")


def test_masking_after_other_revisers_and_scores_stays_restorable() -> None:
    row = {"instruction": "Mail  jo@hf.co .", "input": "n/a", "output": "Wrote to jo@hf.co.</s>"}
    ds = Dataset.from_list([row]).map(hfclean.revise).map(hfclean.score).map(hfclean.scorers.PII())
    masked = ds.map(hfclean.reviser.MaskPII())
    assert masked[0]["output"] == "Wrote to [EMAIL]."
    assert math.isnan(masked[0]["pii_count"])
    assert hfclean.restore(masked).to_list() == [row]
    assert hfclean.compare(Dataset.from_list([row]), masked).summary()


def test_tool_calls_are_masked_as_well() -> None:
    call = {
        "conversations": [
            {"from": "human", "value": "Mail jo@hf.co"},
            {"from": "function_call", "value": '{"name": "mail", "arguments": {"to": "jo@hf.co"}}'},
            {"from": "observation", "value": "sent to jo@hf.co"},
            {"from": "gpt", "value": "Done, jo@hf.co has it."},
        ]
    }
    out = hfclean.reviser.MaskPII()(call)
    assert [turn["value"] for turn in out["conversations"]] == [
        "Mail [EMAIL]",
        '{"name": "mail", "arguments": {"to": "[EMAIL]"}}',
        "sent to [EMAIL]",
        "Done, [EMAIL] has it.",
    ]
    assert out["edit_reason"] == "pii_email"
    assert hfclean.scorers.PII()({**call, **out})["pii_count"] == 0.0


def test_nothing_masks_by_itself() -> None:
    row = {"prompt": "jo@hf.co", "completion": "jo@hf.co"}
    assert hfclean.revise(row)["prompt"] == "jo@hf.co"


@pytest.mark.parametrize(
    "make", [hfclean.scorers.PII, hfclean.reviser.MaskPII, lambda kinds: hfclean.rules.find_pii("1", kinds)]
)
def test_an_unknown_kind_is_an_error(make: Any) -> None:
    with pytest.raises(RuleError, match="unknown kind 'name' of personal data; known: key, email, card, ip, phone"):
        make(("email", "name"))


@pytest.mark.realdata
def test_real_rows_have_hardly_any(realdata: Callable[[str], Path]) -> None:
    rows = [json.loads(line) for line in realdata("alpaca_6k.jsonl").read_text(encoding="utf-8").splitlines()]
    found = [hfclean.rules.find_pii(f"{row['instruction']}\n{row['input']}\n{row['output']}") for row in rows]
    kinds = [each.kind for finds in found for each in finds]
    assert 0 < len(kinds) < 12
    assert set(kinds) == {"phone"}


# ------------------------------------------------------------------------------------------------------------ language

SPOKEN = {
    "en": "The leaves of most trees change their colour when the days become shorter in autumn.",
    "de": "Die Blätter der meisten Bäume verfärben sich, wenn die Tage im Herbst kürzer werden.",
    "fr": "Les feuilles de la plupart des arbres changent de couleur quand les jours raccourcissent.",
    "zh": "秋天白天变短的时候，大多数树的叶子会改变颜色。",
    "ru": "Листья большинства деревьев меняют цвет, когда осенью дни становятся короче.",
}


@pytest.mark.parametrize("code", SPOKEN)
@pytest.mark.needs_extra("language", "py3langid")
def test_the_language_of_a_text_is_told(code: str) -> None:
    out = Language()({"prompt": "Say it", "completion": SPOKEN[code]})
    assert (out["language"], out["language_reason"]) == (code, "")
    assert 0.5 < out["language_confidence"] <= 1
    assert Language(text="prompt")({"prompt": SPOKEN[code], "completion": "x"})["language"] == code


@pytest.mark.parametrize(
    ("text", "how", "reason"),
    [
        ("", {}, "empty"),
        (" \n", {}, "empty"),
        ("Yes.", {}, "too_short"),
        ("12345 67890 " * 20, {}, "too_short"),
        ("```python\nprint('the leaves of the trees')\n```", {}, "too_short"),
        ("https://hf.co/the/leaves/of/most/trees", {}, "too_short"),
        ("红叶", {}, "too_short"),
        pytest.param(SPOKEN["en"], {"sure": 1.0}, "unsure", marks=pytest.mark.needs_extra("language", "py3langid")),
        (SPOKEN["en"], {"at_least": 500}, "too_short"),
    ],
)
def test_a_text_that_does_not_tell_has_a_reason(text: str, how: dict[str, Any], reason: str) -> None:
    out = Language(**how)({"prompt": "Say it", "completion": text})
    assert (out["language"], out["language_reason"]) == ("", reason)
    assert math.isnan(out["language_confidence"])


@pytest.mark.needs_extra("language", "py3langid")
def test_the_language_column_keeps_the_contract() -> None:
    check_transform(Language(), [row for row in SHAPES["alpaca"] if len(str(row)) < 1000])
    assert Language()({"prompt": "\ud800", "completion": SPOKEN["en"] + "\ud800"})["language"] == "en"
    with pytest.raises(ColumnError, match="expected 'response'"):
        Language(text="output")  # type: ignore[arg-type]
    with pytest.raises(ColumnError, match="1 letter or more"):
        Language(at_least=0)
