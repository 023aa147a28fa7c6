"""Keys that look real stop a push, with their places; documented samples do not."""

from __future__ import annotations

import random
import string
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from fake_hub import FakeHub, hub_fixture  # noqa: F401

import hfclean
from hfclean.hub import HubRefusal, Patience, Pushed, PushPlan
from hfclean.hub.secrets import KINDS, find_secrets, mask_secrets, scan_files

QUICK = Patience(sleep=lambda seconds: None)
WORDS = string.ascii_letters + string.digits


def made(start: str, length: int, letters: str = WORDS, seed: int = 3) -> str:
    """A key as chance makes them; put together here so that no scanner finds one in this file."""
    chance = random.Random(seed)
    return start + "".join(chance.choice(letters) for _ in range(length))


TOKEN = made("hf" + "_", 34)
REAL = {
    "hf_token": TOKEN,
    "openai_key": made("sk" + "-proj-", 60),
    "anthropic_key": made("sk" + "-ant-api03-", 90),
    "aws_key": made("AK" + "IA", 16, string.ascii_uppercase + "234567"),
    "github_token": made("gh" + "p_", 36),
    "gitlab_token": made("gl" + "pat-", 20),
    "google_key": made("AI" + "za", 35),
    "slack_token": made("xo" + "xb-", 40, string.digits + string.ascii_letters),
    "stripe_key": made("sk" + "_live_", 24),
    "npm_token": made("np" + "m_", 36),
    "pypi_token": made("py" + "pi-AgEIcHlwaS5vcmc", 80),
    "sendgrid_key": made("S" + "G.", 22) + "." + made("", 43),
    "groq_key": made("gs" + "k_", 52),
    "private_key": "-----BEGIN RSA PRIV" + "ATE KEY-----\n" + "".join(made("", 64, seed=k) + "\n" for k in range(4)),
}


@pytest.mark.parametrize("kind", list(KINDS))
def test_each_kind_is_found_and_masked(kind: str) -> None:
    text = f"Use this: {REAL[kind]}\nand go on."
    (found,) = find_secrets(text)
    assert found[0] == kind
    assert found[1].startswith(f"{kind}-")
    assert REAL[kind] not in found[1]
    masked = mask_secrets(text)
    assert f"[{kind} removed]" in masked
    assert REAL[kind].split("\n")[-2 if kind == "private_key" else 0] not in masked
    assert mask_secrets(masked) == masked


@pytest.mark.parametrize(
    "text",
    [
        "hf" + "_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "hf" + "_your_token_here",
        "AK" + "IAIOSFODNN7EXAMPLE",
        "sk" + "-1234567890abcdef1234567890abcdef",
        "sk" + "-XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX",
        "sk" + "-" + "your-api-key-goes-in-this-place-of-the-file",
        "gh" + "p_" + "a" * 36,
        "hf" + "_thisisaplaceholderinlowercaseletters",
        "-----BEGIN PRIV" + "ATE KEY-----\n...\n-----END PRIV" + "ATE KEY-----",
        "task-oriented dialogue systems-based approaches, ask-me-anything-style-questions-and-more",
        "Red.",
    ],
)
def test_samples_and_words_are_let_through(text: str) -> None:
    assert list(find_secrets(text)) == []


def test_a_key_is_found_in_every_shape_of_cell_and_in_texts(tmp_path: Path) -> None:
    rows = [
        {"messages": [{"role": "user", "content": "Hi"}], "tags": ["a"], "n": 1, "deep": {"a": [{"b": "x"}]}},
        {"messages": [], "tags": None, "n": 2, "deep": {"a": [{"b": "y"}]}},
        {
            "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": f"Set {TOKEN}."}],
            "tags": ["b", REAL["aws_key"]],
            "n": 3,
            "deep": {"a": [{"b": "z"}, {"b": REAL["npm_token"]}]},
        },
    ]
    Dataset.from_list(rows).to_parquet(str(tmp_path / "a.parquet"))
    text = f"one\ntwo {TOKEN}\n".encode()
    found = {s.kind: s for s in scan_files({"README.md": text, "data/a.parquet": tmp_path / "a.parquet"})}
    assert found["hf_token"].places == ("data/a.parquet, row 2, column messages", "README.md, line 2")
    assert found["aws_key"].places == ("data/a.parquet, row 2, column tags",)
    assert found["npm_token"].places == ("data/a.parquet, row 2, column deep",)


def rows() -> Dataset:
    raw = Dataset.from_list(
        [
            {"instruction": "Name a fruit.", "input": "n/a", "output": "An apple.</s>"},
            {"instruction": "Log in.", "input": "n/a", "output": f"Use the token {TOKEN}.</s>"},
        ]
    )
    return raw.map(hfclean.revise).map(hfclean.score)


def test_a_key_stops_the_push_before_any_request_and_names_its_place(fake_hub: FakeHub) -> None:
    with pytest.raises(HubRefusal, match=r"hf token that looks real: hf_token-[0-9a-f]{8}.*row 1, column output") as e:
        hfclean.push_dataset(rows(), "me/x", patience=QUICK)
    assert TOKEN not in str(e.value)
    assert fake_hub.log == []
    plan = hfclean.push_dataset(rows(), "me/x", dry_run=True, patience=QUICK)
    assert isinstance(plan, PushPlan)
    assert (len(plan.problems), TOKEN in str(plan)) == (1, False)


def test_a_key_may_be_let_through_by_its_id(fake_hub: FakeHub) -> None:
    (_, name, _, _) = next(find_secrets(TOKEN))
    done = hfclean.push_dataset(rows(), "me/x", allow_secrets=[name], patience=QUICK)
    assert isinstance(done, Pushed)
    assert TOKEN in hfclean.load_cleaned("me/x")[0]["train"]["output"][1]


@pytest.mark.parametrize("as_folder", [False, True])
def test_a_masked_key_is_nowhere_in_what_is_pushed(fake_hub: FakeHub, tmp_path: Path, as_folder: bool) -> None:
    data: Any = rows()
    if as_folder:
        from hfclean.cli import main

        hfclean.restore(data).to_json(str(tmp_path / "rows.jsonl"))
        assert main(["clean", str(tmp_path / "rows.jsonl"), "--out", str(tmp_path / "out"), "--quiet"]) == 0
        data = tmp_path / "out"
    hfclean.push_dataset(data, "me/x", mask_secrets=True, patience=QUICK)
    back, report = hfclean.load_cleaned("me/x")
    assert back["train"]["output"][1] == "Use the token [hf_token removed]."
    assert TOKEN not in str(back["train"].to_list())
    assert TOKEN not in str(report.to_dict())
    assert hfclean.restore(back)["train"]["output"][1] == "Use the token [hf_token removed].</s>"
    for name, content in fake_hub.repo("me/x", "dataset").files.items():
        assert TOKEN.encode() not in content, name


def test_a_key_in_the_card_that_is_there_stops_the_push(fake_hub: FakeHub) -> None:
    repo = fake_hub.add_repo("me/x", "dataset", files={"README.md": f"# Mine\n\nMy token is {TOKEN}\n"})
    with pytest.raises(HubRefusal, match=r"README.md, line \d+"):
        hfclean.push_dataset(Dataset.from_list([{"instruction": "a", "output": "b"}]), "me/x", patience=QUICK)
    assert len(repo.commits) == 2
