"""Rows of two answers that teach nothing, and truths that are none or that the answer contradicts, are found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest

import hfclean
from hfclean.cli import main
from hfclean.layout import Layout
from hfclean.schema import detect, whole_row
from hfclean.scorers.embedded import score as scoring
from hfclean.verifiers import Finding, Verifier, select_verifiers
from hfclean.verifiers.preferences import PREFERENCE_VERIFIERS
from hfclean.verifiers.row_tests import RowTest, RowTestResult
from hfclean.verifiers.truncation import SLACK, truncated_alike
from hfclean.verifiers.truths import TRUTH_VERIFIERS
from hfclean.verifiers.verifier import parts_of

SIDES = [verifier.id for verifier in PREFERENCE_VERIFIERS]
TRUTHS = [verifier.id for verifier in TRUTH_VERIFIERS]
GOOD = "Water boils at 100 degrees at the level of the sea, and at less than that in the mountains."
BAD = "Water boils at 90 degrees wherever you are, no matter how high the place is."
CUT = "Water boils at 90 degrees wherever you are, no matter how high the place is, because the"
THOUGHT = "<think>They ask for a temperature.</think>\n\n"


def ids(row: dict[str, Any], only: list[str]) -> list[str]:
    return [found.check for found in hfclean.verify(row, only)]


@pytest.mark.parametrize(
    ("found", "chosen", "rejected"),
    [
        ([], GOOD, BAD),
        (["sides_identical"], GOOD, GOOD),
        (["sides_identical"], THOUGHT + GOOD, THOUGHT + GOOD),
        (["sides_equal"], GOOD, GOOD.replace(" ", "  ").lower() + "\n"),
        (["sides_equal"], THOUGHT + GOOD, THOUGHT.lower() + GOOD),
        ([], GOOD, GOOD.replace("100", "90")),
        (["side_cut"], GOOD, CUT),
        (["side_cut"], CUT, GOOD),
        ([], CUT, CUT.replace("90", "95")),
        (["thought_on_one_side"], THOUGHT + GOOD, BAD),
        (["thought_on_one_side"], GOOD, THOUGHT + BAD),
        (["thought_on_one_side"], GOOD, f"<think>They ask for a temperature. {BAD}"),
        ([], THOUGHT + GOOD, f"<think>They ask for a temperature. {BAD}"),
        ([], THOUGHT + GOOD, ""),
    ],
)
def test_sides_of_a_preference_row(found: list[str], chosen: str, rejected: str) -> None:
    asked = {"role": "user", "content": "When does water boil?"}
    answers = {"chosen": chosen, "rejected": rejected}
    plain = {"prompt": "When does water boil?", **answers}
    as_messages = {"prompt": [asked], **{k: [{"role": "assistant", "content": v}] for k, v in answers.items()}}
    repeated = {k: [asked, {"role": "assistant", "content": v}] for k, v in answers.items()}
    for row in (plain, as_messages, repeated):
        assert ids(row, SIDES) == found, row


def test_findings_of_two_sides_are_whole() -> None:
    def findings(chosen: str, rejected: str) -> list[Finding]:
        row = {"prompt": "When does water boil?", "chosen": chosen, "rejected": rejected}
        return hfclean.verify(row, ["sides_identical", "side_cut"])

    same = "chosen and rejected are the same text"
    assert findings(GOOD, GOOD) == [Finding("sides_identical", "rejected", 0, 0, GOOD[:80], "", same)]
    said = [(one.field, one.sentence) for one in [*findings(CUT, GOOD), *findings(GOOD, CUT)]]
    assert said == [
        ("response", "the chosen answer breaks off, and the other one does not"),
        ("rejected", "the rejected answer breaks off, and the other one does not"),
    ]


def test_a_row_of_two_equal_sides_says_so_in_its_scores() -> None:
    row = {"prompt": "When does water boil?", "chosen": GOOD, "rejected": BAD}
    sound, same = hfclean.score(row), hfclean.score({**row, "rejected": GOOD})
    assert (sound["defects"], same["defects"]) == ("", "sides_identical")
    assert same["rating"] == sound["rating"] * 0.9


@pytest.mark.parametrize(
    ("found", "answer", "truth"),
    [
        ([], "It is \\boxed{12}.", "12"),
        ([], "12", "12"),
        ([], "The answer is 0.5.", "\\frac{1}{2}"),
        ([], "A dozen.", "12"),
        ([], "It is \\boxed{\\sqrt{2}}.", "x"),
        (["truth_empty"], "It is \\boxed{12}.", " "),
        (["truth_empty"], "12", None),
        (["truth_empty"], "12", []),
        (["truth_contradicted"], "It is \\boxed{15}.", "12"),
        (["truth_contradicted"], "15", "12"),
        (["truth_contradicted"], "The answer is (B).", "A"),
        (["truth_contradicted"], "<think>The answer is 12.</think>\n\n#### 15", "It is 3 * 4.\n#### 12"),
        (["truth_contradicted"], "It is \\boxed{15}.", ["12", "13"]),
        ([], "It is \\boxed{15}.", ["12", "15"]),
        (["truth_contradicted"], "It is \\boxed{15}.", '{"style": "rule", "ground_truth": "12"}'),
        ([], "The answer is 15. Wait, that is wrong: 12.", "12"),
        ([], "The answer is 15.\n#### 12", "12"),
        (["truth_unparsable"], "Unknown.", "\\frac{1}{2"),
        (["truth_unparsable"], "Unknown.", "\\frac{1}"),
        (["truth_unparsable"], "Unknown.", "\\frac{}{2}"),
        (["truth_unparsable"], "Unknown.", "$\\sqrt{2}"),
        (["truth_unparsable"], "Unknown.", "\\left( 1, 2"),
        (["truth_unparsable"], "Unknown.", "\\sqrt{2}}"),
        ([], "Unknown.", "\\frac12"),
        ([], "Unknown.", "\\frac{\\sqrt{3}}{2}"),
        ([], "Unknown.", "\\left\\{ 1, 2 \\right\\}"),
        ([], "Unknown.", "\\text{A and B}"),
        (["truth_unparsable"], "Unknown.", "\\frac{1}2}"),
        (["truth_unparsable"], "Unknown.", "\\frac{1} {2"),
        (["truth_unparsable"], "Unknown.", "\\frac{1}{\\}"),
        ([], "Unknown.", "\\frac\\pi2 + \\sqrt{\\{}"),
        ([], "Unknown.", "\\leftarrow \\pi"),
        ([], "Unknown.", "\\fracture"),
        ([], "Unknown.", "{"),
        ([], "Unknown.", "a set {1, 2"),
    ],
)
def test_truths(found: list[str], answer: str, truth: Any) -> None:
    assert ids({"prompt": "How many boats?", "completion": answer, "ground_truth": truth}, TRUTHS) == found
    asked = [{"role": "user", "content": "How many boats?"}, {"role": "assistant", "content": answer}]
    assert ids({"messages": asked, "ground_truth": truth}, TRUTHS) == found


def test_each_of_these_commands_is_latex() -> None:
    commands = "frac dfrac tfrac cfrac sqrt boxed left right begin pi cdot times infty text mathrm mathbf"
    rows = {name: {"prompt": "q", "completion": "a", "ground_truth": f"\\{name} {{"} for name in commands.split()}
    assert [name for name, row in rows.items() if ids(row, TRUTHS) != ["truth_unparsable"]] == []
    assert ids({"prompt": "q", "completion": "a", "ground_truth": "\\other {"}, TRUTHS) == []


def test_a_contradiction_says_where_and_what() -> None:
    row = {"problem": "How many boats?", "solution": "Three by four.\n\\boxed{15}", "answer": "12"}
    (found,) = hfclean.verify(row, TRUTHS)
    assert (found.field, found.line, found.found, found.expected) == ("response", 1, "15", "12")
    row["problem"] = "How many boats, and how many oars? And how many sails?"
    assert hfclean.verify(row, TRUTHS) == []


def test_a_row_whose_both_sides_are_scored_is_looked_at_as_a_whole_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Any] = []
    find = scoring.row_defects
    monkeypatch.setattr(scoring, "row_defects", lambda *given: looked.append(given) or find(*given))
    row = {"prompt": "When does water boil?", "chosen": GOOD, "rejected": f"{THOUGHT}{BAD}</s>"}
    chosen, both = (hfclean.score.with_layout(Layout(side=side))(row) for side in ("chosen", "both"))
    assert len(looked) == 2
    assert (chosen["defects"], both["defects"]) == ("thought_on_one_side", "chat_markers thought_on_one_side")
    assert both["rating"] == chosen["rating"]


class Letters:
    """One token a character."""

    def encode(self, text: str) -> list[int]:
        return [ord(sign) for sign in text]


class Encoding:
    ids: ClassVar[list[int]] = [1, 2, 3]


class Wrapped:
    def encode(self, text: str) -> Encoding:
        return Encoding()


def truncated(row: dict[str, Any], tokens: int, only: list[str] | None = None) -> list[str]:
    found = hfclean.verify(row, only, tokenizer=Letters(), max_tokens=tokens)
    return [each.check for each in found if each.check == "sides_equal_when_truncated"]


def test_sides_that_differ_behind_the_last_token_alone_are_found() -> None:
    asked, long = "Name a river.", "The Rhine is a river of Europe. "
    row = {"prompt": asked, "chosen": f"{long}It is long.", "rejected": f"{long}No."}
    same = len(f"{asked}\n{long}")
    asks = {"role": "user", "content": asked}
    turns = {side: [asks, {"role": "assistant", "content": row[side]}] for side in ("chosen", "rejected")}
    implicit = {side: f"{asked} {row[side]}" for side in ("chosen", "rejected")}
    for each in (row, turns, implicit):
        assert truncated(each, same - 1) == ["sides_equal_when_truncated"]
        assert truncated(each, same + 2) == []
    assert truncated({**row, "rejected": row["chosen"]}, 5) == []
    assert truncated({**row, "rejected": long}, len(f"{asked}\n{long}")) == ["sides_equal_when_truncated"]
    assert truncated({**row, "rejected": long}, len(f"{asked}\n{long}") + 1) == []


def test_marks_of_a_tokenizer_take_room_as_well() -> None:
    class Marks:
        def encode(self, text: str) -> list[int]:
            return [0] * SLACK + [ord(sign) for sign in text]

    row = {"prompt": "Name a river.", "chosen": "The Rhine.", "rejected": "The Elbe."}
    for longest, expected in ((SLACK + 18, ["sides_equal_when_truncated"]), (SLACK + 19, [])):
        found = hfclean.verify(row, ["sides_equal_when_truncated"], tokenizer=Marks(), max_tokens=longest)
        assert [each.check for each in found] == expected


def test_a_thought_is_a_part_of_what_is_truncated() -> None:
    row = {"prompt": "When does water boil?", "chosen": f"{THOUGHT}{GOOD}", "rejected": f"{THOUGHT}{BAD}"}
    assert truncated(row, 30) == ["sides_equal_when_truncated"]
    assert truncated({**row, "rejected": BAD}, 30) == []


def test_only_names_it_and_a_tokenizer_is_needed_for_it() -> None:
    row = {"prompt": "When?", "chosen": GOOD, "rejected": BAD}
    assert truncated(row, 10, ["sides_equal_when_truncated"]) == ["sides_equal_when_truncated"]
    assert truncated(row, 10, ["side_cut"]) == []
    found = hfclean.verify(row, ["sides_equal_when_truncated"], tokenizer=Wrapped(), max_tokens=3)
    assert [each.sentence for each in found] == [
        "chosen and rejected are the same in the first 3 tokens, and differ behind them alone"
    ]
    for settings, message in (
        ({}, "needs a tokenizer"),
        ({"tokenizer": Letters(), "max_tokens": 0}, "max_tokens=0; expected 1 or more"),
        ({"tokenizer": len}, r"has no encode\(\)"),
    ):
        with pytest.raises(hfclean.verifiers.VerifierError, match=message):
            hfclean.verify(row, ["sides_equal_when_truncated"], **settings)


def test_the_command_line_takes_a_tokenizer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "hfclean.cli.verify.tokenizer_of", lambda path: None if path is None else {"letters": Letters()}[path]
    )
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps({"prompt": "When?", "chosen": "Water boils now.", "rejected": "Water boils, well"}))
    command = ["verify", str(file), "--quiet", "--tokenizer", "letters"]
    assert main([*command, "--max-tokens", "17"]) == 0
    assert "sides_equal_when_truncated 1" in capsys.readouterr().out
    assert main([*command, "--only", "sides_equal_when_truncated", "--max-tokens", "18"]) == 0
    assert "0 findings" in capsys.readouterr().out
    assert main([*command[:3], "--only", "sides_equal_when_truncated"]) == 2
    assert "--tokenizer PATH" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------------ findings are whole


def one(row: dict[str, Any], check: str) -> tuple[Any, ...]:
    (found,) = hfclean.verify(row, [check])
    return found.field, found.turn, found.line, found.found, found.expected


def test_findings_of_truths_are_whole() -> None:
    row: dict[str, Any] = {"prompt": "How many boats?", "completion": "So.\n\\boxed{15}"}
    assert one({**row, "ground_truth": " "}, "truth_empty") == ("truth", 0, 0, "", "")
    long = "\\frac{1}{" + "2" * 90
    assert one({**row, "ground_truth": long}, "truth_unparsable") == ("truth", 0, 0, long[:80], "")
    assert one({**row, "ground_truth": "**12**"}, "truth_contradicted") == ("response", 0, 1, "15", "**12**")
    row["completion"] = "<think>\nWell.\n</think>\n\nThe answer is **15**"
    assert one({**row, "ground_truth": ["12", "13"]}, "truth_contradicted") == ("response", 0, 0, "15", "12")


def test_a_truth_is_what_it_states_in_the_end() -> None:
    for truth in ("It is \\boxed{12}", "3 by 4\n#### 12", "Three by four. The answer is 12."):
        for answer, found in (("\\boxed{12}", []), ("\\boxed{13}", ["truth_contradicted"])):
            assert ids({"prompt": "How many?", "completion": answer, "ground_truth": truth}, TRUTHS) == found, truth
    row = {"prompt": "Which? A) Is it red? B) Is it blue?", "completion": "The answer is (B).", "ground_truth": "A"}
    assert ids(row, TRUTHS) == ["truth_contradicted"]
    assert ids({**row, "ground_truth": ["A", "12"]}, TRUTHS) == []
    assert ids({**row, "prompt": "Find both numbers.", "completion": "15", "ground_truth": "12"}, TRUTHS) == []
    assert ids({**row, "completion": ""}, TRUTHS) == []
    assert ids({**row, "ground_truth": ["A", " "]}, TRUTHS) == ["truth_contradicted"]


def test_each_of_these_truths_can_be_read_or_not() -> None:
    def fault(truth: str) -> str:
        found = hfclean.verify({"prompt": "q", "completion": "a", "ground_truth": truth}, ["truth_unparsable"])
        return found[0].sentence.removeprefix("the truth looks like LaTeX, and ") if found else ""

    readable = [
        "\\frac{a}2 = x",
        "\\frac{ab}{c} = x",
        "\\frac ab = x",
        "\\frac\\pi{2} = x",
        "\\dfrac12 = x",
        "\\frac {a} {b} = x",
        "\\frac{a} b = x",
        "\\frac{{a}}{b} = x",
        "\\frac{a}{b}{} = x",
        "\\tfrac ab = x",
        "\\cfrac{1}{1 + \\cfrac{1}{x}}",
        "\\left(a\\right) \\leftarrow b",
        "\\$5 \\times $x$",
        "\\text{a \\} b}",
        "\\pi }{",
    ]
    assert [truth for truth in readable[:-1] if fault(truth)] == []
    assert fault(readable[-1]) == fault("\\pi {}}") == "a brace closes that was never opened"
    assert fault("\\fracture {") == fault("\\pi \\{") == fault("\\pi {\\}}") == fault("\\\\pi \\alpha") == ""
    assert fault("\\pi \\\\{") == fault("\\pi {{}") == "a brace is never closed"
    assert fault("\\left( \\right) \\right]") == fault("\\left(") == "\\left and \\right do not pair"
    assert fault("$\\pi$ and $x") == fault("\\$ $\\pi") == "a dollar sign has no other half"
    lacking = [
        "\\frac{ }{b}",
        "\\frac{a}{ }",
        "\\frac{a}",
        "\\frac{a} ",
        "\\frac",
        "\\dfrac{a}",
        "\\tfrac{a}",
        "\\cfrac{a}",
        "\\frac a",
        "\\frac{a}+b",
    ]
    assert {truth: fault(truth) for truth in lacking} == dict.fromkeys(lacking, "a fraction lacks a part")
    assert fault("\\pi {" + "x" * 995) == "a brace is never closed"
    assert fault("\\pi {" + "x" * 996) == ""


def test_findings_of_sides_are_whole() -> None:
    row = {"prompt": "When does water boil?", "chosen": GOOD, "rejected": GOOD.upper()}
    assert one(row, "sides_equal") == ("rejected", 0, 0, GOOD.upper()[:80], "")
    assert one({**row, "rejected": f"So.\n{CUT} \n"}, "side_cut") == ("rejected", 0, 2, CUT[-80:], "")
    assert one({**row, "rejected": THOUGHT + BAD}, "thought_on_one_side") == ("response", 0, 0, "", "")
    assert one({**row, "chosen": THOUGHT + BAD}, "thought_on_one_side") == ("rejected", 0, 0, "", "")
    assert ids({**row, "rejected": THOUGHT + GOOD}, SIDES) == ["thought_on_one_side"]
    said = {side: hfclean.verify({**row, side: THOUGHT + BAD}, SIDES)[0].sentence for side in ("chosen", "rejected")}
    assert said == {side: f"there is a thought before the {side} answer alone" for side in said}
    assert ids({**row, "chosen": "a", "rejected": "A"}, SIDES) == ["sides_equal"]
    far = {**row, "chosen": "a b", "rejected": "a" + " " * 84 + "b"}
    assert (ids(far, SIDES), ids({**far, "rejected": "a" + " " * 85 + "b"}, SIDES)) == (["sides_equal"], [])
    assert ids({"prompt": "Go.", "chosen": "", "rejected": CUT}, SIDES) == []
    assert ids({"prompt": "Go.", "chosen": "", "rejected": THOUGHT + BAD}, SIDES) == []
    texts = {"chosen": "a" * 100 + "b", "rejected": "a" * 100 + "c" * 90}
    (found,) = hfclean.verify(
        {"prompt": "", **texts}, [hfclean.verifiers.TRUNCATED_ALIKE], tokenizer=Letters(), max_tokens=100
    )
    assert (found.field, found.turn, found.line, found.found) == ("rejected", 0, 0, texts["rejected"][:80])


def test_parts_of_rows_decide_which_verifiers_run() -> None:
    asked = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    flat = {"instruction": "q", "input": "", "output": "a"}
    parts = [
        sorted(parts_of(detect(row)))
        for row in (
            flat,
            {**flat, "ground_truth": "1"},
            {"messages": asked},
            {"messages": asked, "tools": []},
            {"prompt": "q", "chosen": "a", "rejected": "b"},
        )
    ]
    assert parts == [[], ["truth"], ["messages"], ["messages", "tools"], ["messages", "rejected"]]
    for name in ("Loud", "two words", "a-b", ""):
        with pytest.raises(hfclean.verifiers.VerifierError, match="expected a snake_case name"):
            Verifier(name, "", lambda pair: ())


def test_what_is_asked_for_is_named_or_corrected() -> None:
    for only, message in (
        (["side_cutt"], r"unknown verifier 'side_cutt'; did you mean 'side_cut'\? Known: wrong_sum, "),
        (["xyzzy"], r"unknown verifier 'xyzzy'\. Known: "),
        ("side_cut", r"only='side_cut' is one string; expected a list of ids, as in only=\['side_cut'\]"),
    ):
        with pytest.raises(hfclean.verifiers.VerifierError, match=message):
            hfclean.verify({"prompt": "q", "completion": "a"}, only)
    rows = {"prompt": "When?", "chosen": GOOD, "rejected": BAD}
    assert truncated(rows, 1) == ["sides_equal_when_truncated"]
    assert hfclean.verify({"prompt": "q", "completion": "a"}, tokenizer=Letters(), max_tokens=1) == []
    with pytest.raises(hfclean.verifiers.VerifierError, match="max_tokens=0; expected 1 or more"):
        hfclean.verify(rows, max_tokens=0)
    asked = {"role": "user", "content": "Add two numbers."}
    turns = [turn for sum_ in ("3 + 4 = 8", "2 + 7 = 5") for turn in (asked, {"role": "assistant", "content": sum_})]
    found = hfclean.verify({"messages": turns}, ["wrong_sum"])
    assert [each.turn for each in found if each.field == "response"] == [0, 1]
    assert select_verifiers(["side_cut"]) == ()
    assert [each.id for each in select_verifiers(["wrong_sum", "side_cut"])] == ["wrong_sum"]
    public = (
        "Finding RowVerifier Verifier VerifierError able_verifiers select_verifiers verify ROW_VERIFIERS VERIFIERS"
    )
    assert set(hfclean.verifiers.__all__) == set(public.split())
    assert {each.version for each in (*PREFERENCE_VERIFIERS, *TRUTH_VERIFIERS)} == {1}


def test_tests_and_tokens_are_looked_at_where_they_are_given() -> None:
    class Fails:
        def row_test(self, row: Any) -> RowTest:
            return RowTest("assert False")

        def results(self, asked: Any) -> list[RowTestResult]:
            return [RowTestResult(0.0, "failed") for _ in asked]

    row = {"prompt": "When?", "completion": GOOD}
    assert [each.check for each in hfclean.verify(row, tests=Fails())] == ["tests_failed"]
    assert [each.check for each in hfclean.verify(row, ["tests_failed"], tests=Fails())] == ["tests_failed"]
    assert hfclean.verify(row, ["wrong_sum"], tests=Fails()) == []
    assert hfclean.verify({"prompt": "When?", "chosen": GOOD, "rejected": BAD}) == []


def test_a_row_of_one_side_has_nothing_to_compare() -> None:
    row = {"prompt": "q", "completion": "a"}
    view = detect(row)
    whole = whole_row(row, view, view.pairs(row)[-1])
    assert [list(verifier.find(whole)) for verifier in PREFERENCE_VERIFIERS] == [[], [], [], []]
    assert list(truncated_alike(whole, Letters().encode, 1)) == []
