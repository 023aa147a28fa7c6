"""Rule revisers in folders and on the Hub: the rules that were saved are the rules that run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fake_hub import FakeHub, hub_fixture  # noqa: F401

import hfclean
from hfclean.cards import CardError, check_card, read_card
from hfclean.cli import main
from hfclean.errors import FolderError
from hfclean.hub import HubRefusal, Patience, Pushed, PushPlan, pull
from hfclean.rules import RULES

QUICK = Patience(sleep=lambda seconds: None)
ROW = {"instruction": "Name a fruit.", "input": "N/A", "output": "An apple.</s>"}


def push(reviser: Any, repo_id: str = "me/rules", **how: Any) -> Pushed:
    done = hfclean.push_reviser(reviser, repo_id, patience=QUICK, **how)
    assert isinstance(done, Pushed)
    return done


@pytest.mark.parametrize(
    "reviser",
    [
        hfclean.RuleReviser(),
        hfclean.RuleReviser(only=("chat_markers", "mojibake")),
        hfclean.RuleReviser(skip=("placeholder_input",), prefix="x_", turns="all", side="both"),
        hfclean.RuleReviser(columns={"instruction": "question", "response": "answer"}),
        hfclean.RuleReviser(only=()),
    ],
    ids=["all", "only", "skip", "columns", "none"],
)
def test_what_is_saved_comes_back(tmp_path: Path, reviser: hfclean.RuleReviser) -> None:
    assert reviser.save_pretrained(tmp_path / "rules") == tmp_path / "rules"
    assert hfclean.RuleReviser.from_pretrained(tmp_path / "rules") == reviser


def test_from_the_hub_the_same_rules_run(fake_hub: FakeHub, tmp_path: Path) -> None:
    reviser = hfclean.RuleReviser(skip=("placeholder_input",))
    done = push(reviser, license="apache-2.0", language="en")
    assert sorted(done.files) == ["README.md", "hfclean.json"]
    back = hfclean.RuleReviser.from_pretrained("me/rules")
    assert (back, back(ROW)) == (reviser, reviser(ROW))
    assert back(ROW)["input"] == "N/A"
    assert not push(reviser, license="apache-2.0", language="en").changed
    push(hfclean.RuleReviser())
    assert hfclean.RuleReviser.from_pretrained("me/rules", revision=done.commit) == reviser
    assert hfclean.RuleReviser.from_pretrained("me/rules") == hfclean.revise
    folder = pull("me/rules", tmp_path / "rules", patience=QUICK)
    assert hfclean.RuleReviser.from_pretrained(folder) == hfclean.revise
    push(folder, "me/again")
    with pytest.raises(FolderError, match=r"holds a RuleReviser; read it with hfclean\.RuleReviser\.from_pretrained"):
        hfclean.Reviser.from_pretrained("me/rules")
    fake_hub.add_repo("org/chat")
    push(hfclean.Reviser("org/chat"), "me/coach")
    with pytest.raises(FolderError, match=r"holds a Reviser; read it with hfclean\.Reviser\.from_pretrained"):
        hfclean.RuleReviser.from_pretrained("me/coach")


def test_its_card_names_the_rules_and_claims_no_model(fake_hub: FakeHub) -> None:
    figures = {"dataset": "org/pairs", "metrics": {"right": 0.99}, "task": "revision"}
    push(hfclean.RuleReviser(only=("chat_markers", "refusal")), license="mit", evaluation=figures)
    text = fake_hub.repo("me/rules").text("README.md")
    data, body = read_card(text)
    assert check_card(text) == []
    assert (data["license"], data["library_name"]) == ("mit", "hfclean")
    assert not {"base_model", "pipeline_tag", "datasets"} & set(data)
    assert f"| rules | 2 of {len(RULES)}, of which 1 repair and the others only mark |" in body
    assert 'hfclean.RuleReviser.from_pretrained("me/rules")' in body
    assert "| `chat_markers` | 3 | high |" in body
    assert "`mojibake`" not in body
    assert data["model-index"][0]["results"][0]["metrics"][0]["value"] == 0.99
    assert ".eval_results/org--pairs.yaml" in fake_hub.repo("me/rules").files
    for heading in ("## Evaluation", "## Intended use", "## Limits"):
        assert heading in body


@pytest.mark.parametrize(
    "how", [{"base_model": "a/b"}, {"datasets": "a/b"}, {"training": {"epochs": 3}}, {"base_license": "mit"}]
)
def test_what_only_a_model_has_is_refused(fake_hub: FakeHub, how: dict[str, Any]) -> None:
    with pytest.raises(HubRefusal, match=rf"{next(iter(how))}= is for revisers with a model"):
        push(hfclean.revise, **how)
    assert fake_hub.log == []


def test_rules_of_ones_own_stay_here(fake_hub: FakeHub, tmp_path: Path) -> None:
    @hfclean.rule("shouting", severity="low", meaning="the answer is all capitals")
    def shouting(pair: hfclean.Pair) -> bool:
        return pair.response.isupper()

    with pytest.raises(FolderError, match=r"your own rule 'shouting', which is code"):
        push(hfclean.RuleReviser(extra=(shouting,)))
    hfclean.revise.save_pretrained(tmp_path)
    assert hfclean.RuleReviser.from_pretrained(tmp_path, extra=(shouting,)).extra == (shouting,)
    assert fake_hub.log == []


def record(**changes: Any) -> str:
    rules = {rule.id: rule.version for rule in RULES}
    return json.dumps(
        {"reviser": "RuleReviser", "version": hfclean.RuleReviser.version, "rules": rules, "settings": {}, **changes}
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "no reviser here"),
        ("{}", "no reviser here"),
        (record(version=9), r"version 9 of its kind, and this hfclean knows up to 2: pip install --upgrade"),
        (record(version="1"), "names the version '1'"),
        (record(rules=[]), "no rules and settings"),
        (record(settings=3), "no rules and settings"),
        (record(rules={"mojibake": 1}), "made with other versions of .* rules"),
        (record(rules={**{r.id: r.version for r in RULES}, "mojibake": 9}), "'mojibake': there 9, here 2"),
        (
            record(settings={"extra": ["os.system"]}),
            "'extra', which is not taken from the Hub",
        ),
        (record(settings={"only": ["new_rule"]}), "an invalid setting: unknown rule 'new_rule'"),
        (record(settings={"only": [["a"]]}), "an invalid setting"),
        (record(settings={"only": 3}), "only is 3; expected a list of strings"),
        (record(settings={"columns": {"a": 1}}), "expected a string, or an object of strings"),
        (record(settings={"turns": "some"}), "an invalid setting"),
        (record(settings={"prefix": "x" * 5000}), "prefix of hfclean.json has 5,002 characters"),
        (record(settings={"prefix": 7}), "invalid setting: prefix is 7; expected a string"),
    ],
)
def test_a_strangers_record_of_rules_is_read_strictly(fake_hub: FakeHub, text: str, words: str) -> None:
    fake_hub.add_repo("you/rules", files={"hfclean.json": text}, author="you")
    with pytest.raises(FolderError, match=words):
        hfclean.RuleReviser.from_pretrained("you/rules")


def test_on_the_command_line(fake_hub: FakeHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hfclean.RuleReviser(skip=("whitespace",)).save_pretrained(tmp_path / "rules")
    assert main(["push", str(tmp_path / "rules"), "me/rules", "--license", "mit"]) == 0
    assert main(["pull", "me/rules", "--out", str(tmp_path / "back")]) == 0
    assert hfclean.RuleReviser.from_pretrained(tmp_path / "back").skip == ("whitespace",)
    capsys.readouterr()
    assert main(["card", str(tmp_path / "rules"), "me/rules", "--license", "mit"]) == 0
    assert capsys.readouterr().out == fake_hub.repo("me/rules").text("README.md")


def test_a_dry_run_shows_both_files(fake_hub: FakeHub, tmp_path: Path) -> None:
    plan = hfclean.push_reviser(hfclean.revise, "me/rules", dry_run=True, folder=tmp_path / "plan", patience=QUICK)
    assert isinstance(plan, PushPlan)
    assert [file.path for file in plan.files] == ["hfclean.json", "README.md"]
    assert hfclean.RuleReviser.from_pretrained(tmp_path / "plan") == hfclean.revise
    with pytest.raises(CardError, match="expected a finite number"):
        push(hfclean.revise, evaluation={"dataset": "a/b", "metrics": {"right": float("nan")}})
    assert fake_hub.repos == {}
