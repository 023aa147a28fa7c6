"""A token that is handed over opens private and gated repos, and is in nothing that is kept; what is said without."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, Unpack, get_type_hints

import pytest
from datasets import Dataset
from extras import needs
from fake_hub import FakeHub, hub_fixture  # noqa: F401

import hfclean
from hfclean.cli import main
from hfclean.errors import HfcleanError
from hfclean.hub import HubAccessError, Patience, PushOptions, RepoError, pull, push_benchmarks, push_metric, push_rule
from hfclean.hub.pushing import PushKeywords
from hfclean.models import ModelError
from hfclean.scorers.embedded import preference_rule

QUICK = Patience(sleep=lambda seconds: None)
ROWS = [{"instruction": "Name a fruit.", "input": "n/a", "output": "An apple.</s>"}]
READERS: dict[str, Callable[..., Any]] = {
    "coach": hfclean.Reviser.from_pretrained,
    "critic": hfclean.Reflection.from_pretrained,
    "rules": hfclean.RuleReviser.from_pretrained,
    "linear": hfclean.scorers.LinearRule.from_pretrained,
}


@pytest.fixture
def alone(fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Afterwards there is no token in the environment."""
    fake_hub.add_repo("me/chat", files={"config.json": "{}", "model.safetensors": b"x"}, private=True)
    return lambda: monkeypatch.delenv("HF_TOKEN")


@pytest.mark.parametrize("name", READERS)
def test_revisers_and_rules_are_read_by_a_token(
    fake_hub: FakeHub, alone: Callable[[], None], name: str, tmp_path: Path
) -> None:
    if name in ("coach", "critic"):
        needs("models", "torch", "transformers")
    made = {"coach": hfclean.Reviser, "critic": hfclean.Reflection, "rules": lambda _: hfclean.revise}
    how: dict[str, Any] = {"private": True, "license": "mit", "patience": QUICK}
    if name == "linear":
        push_rule(preference_rule(), "me/linear", **how)
    else:
        hfclean.push_reviser(made[name]("me/chat"), f"me/{name}", **how)
    alone()
    repo, read = fake_hub.repo(f"me/{name}"), READERS[name]
    with pytest.raises(ModelError, match=r"it is private and no token is set.*hf auth login"):
        read(f"me/{name}")
    with pytest.raises(ModelError, match="it is private and your token may not see it") as e:
        read(f"me/{name}", token="hf_test_other")
    assert "hf_test_other" not in str(e.value)
    found = read(f"me/{name}", token=fake_hub.token)
    found.save_pretrained(tmp_path)
    written = "".join(f.read_text() for f in tmp_path.iterdir())
    assert fake_hub.token not in repr(found) + str(vars(found)) + written
    fetched = fake_hub.requests("GET", "/me/chat/resolve/.*/model.safetensors")
    assert bool(fetched) == (name in ("coach", "critic"))  # what they ask was fetched as well
    repo.private, repo.gated = False, "manual"
    repo.commit(
        {
            "linear_rule.json" if name == "linear" else "hfclean.json": repo.text(
                "linear_rule.json" if name == "linear" else "hfclean.json"
            )
            + " "
        }
    )
    with pytest.raises(ModelError, match=rf"it is gated\. Open .*/me/{name}, accept its terms.*hf auth login"):
        read(f"me/{name}")
    assert read(f"me/{name}", token=fake_hub.token) is not None


def test_datasets_are_read_by_a_token(fake_hub: FakeHub, alone: Callable[[], None], tmp_path: Path) -> None:
    how: dict[str, Any] = {"private": True, "license": "mit", "patience": QUICK}
    hfclean.push_dataset(Dataset.from_list(ROWS).map(hfclean.revise), "me/rows", **how)
    hfclean.push_reviser(hfclean.revise, "me/rules", **how)
    alone()
    with pytest.raises(RepoError, match="it is private and no token is set"):
        hfclean.load_cleaned("me/rows")
    assert hfclean.load_cleaned("me/rows", token=fake_hub.token)[0]["train"].num_rows == 1
    fake_hub.repo("me/rows", "dataset").private = False
    fake_hub.repo("me/rows", "dataset").gated = "auto"
    with pytest.raises(HubAccessError, match=r"it is gated\. Open .*/datasets/me/rows.*Now none is set"):
        pull("me/rows", tmp_path / "rows", patience=QUICK)
    folder = pull("me/rows", tmp_path / "rows", token=fake_hub.token, patience=QUICK)
    assert not any(fake_hub.token.encode() in f.read_bytes() for f in folder.rglob("*") if f.is_file())
    rules = pull("me/rules", tmp_path / "rules", token=fake_hub.token, patience=QUICK)
    assert hfclean.RuleReviser.from_pretrained(rules) == hfclean.revise


@pytest.mark.needs_extra("models", "torch", "transformers")
def test_a_folder_whose_model_is_private_is_opened_by_a_token(
    fake_hub: FakeHub, alone: Callable[[], None], tmp_path: Path
) -> None:
    hfclean.Reviser("me/chat").save_pretrained(tmp_path)
    alone()
    with pytest.raises(ModelError, match="private"):
        hfclean.Reviser.from_pretrained(tmp_path, token="hf_test_other")
    mark = fake_hub.mark()
    assert hfclean.Reviser.from_pretrained(tmp_path, token=fake_hub.token).model == "me/chat"
    assert {request.token for request in fake_hub.since(mark)} == {fake_hub.token}


@pytest.mark.parametrize("token", ["hf_gone_and_forgotten", "hf_with\nnewline_in_it", "hf_with a blank"])
@pytest.mark.parametrize("name", [*READERS, "rows"])
def test_a_token_that_is_no_good_is_not_shown(fake_hub: FakeHub, name: str, token: str) -> None:
    with pytest.raises(HfcleanError) as e:
        READERS.get(name, hfclean.load_cleaned)("me/x", token=token)
    assert token.split()[-1] not in str(e.value)
    assert [request.status for request in fake_hub.log] == ([401] if "gone" in token else [])
    assert ("no longer valid" if "gone" in token else "token= is not a Hub token") in str(e.value)


def test_a_token_from_a_file_may_end_in_a_line_break(fake_hub: FakeHub, alone: Callable[[], None]) -> None:
    push_rule(preference_rule(), "me/linear", private=True, patience=QUICK)
    alone()
    assert hfclean.scorers.LinearRule.from_pretrained("me/linear", token=f"{fake_hub.token}\n") == preference_rule()
    assert not push_rule(preference_rule(), "me/linear", token=f"{fake_hub.token}\n", patience=QUICK).changed


@pytest.mark.parametrize(
    ("repo", "said"),
    [
        ("me/rows", "no such dataset and no such model, or it is private and no token is set. Look at the spelling"),
        ("nothing", "'nothing' is not a repo id; expected NAMESPACE/NAME"),
        ("me/gated", "Open http://127.0.0.1:[0-9]+/datasets/me/gated, accept its terms"),
    ],
)
def test_the_command_line_says_what_to_do(
    fake_hub: FakeHub,
    alone: Callable[[], None],
    tmp_path: Path,
    repo: str,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    alone()
    fake_hub.add_repo("me/rows", "dataset", private=True)
    fake_hub.add_repo("me/gated", "dataset", files={"hfclean.json": "{}"}, gated="auto")
    assert main(["pull", repo, "--out", str(tmp_path / "out")]) == 1
    assert re.search(said, capsys.readouterr().err)


def test_no_option_of_a_push_holds_a_token() -> None:
    names = [spec.name for spec in fields(PushOptions)]
    assert names == [*PushKeywords.__annotations__]
    assert "token" not in names
    for push in (hfclean.push_dataset, hfclean.push_reviser, push_benchmarks, push_metric, push_rule):
        assert get_type_hints(push)["keywords"] == Unpack[PushKeywords]
