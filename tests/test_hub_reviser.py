"""Revisers and rules to the Hub and back: weights, adapters, prompts; what a stranger's record may settle."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
from extras import needs
from fake_hub import FakeHub, hub_fixture, hub_xet_fixture  # noqa: F401

import hfclean
from hfclean.cards import check_card, derive_license, read_card
from hfclean.errors import FolderError, LinearRuleError
from hfclean.hub import HubRefusal, Patience, Pushed, PushPlan, RepoError, pull, push_rule
from hfclean.models import ModelError, process
from hfclean.scorers.embedded import preference_rule

QUICK = Patience(sleep=lambda seconds: None)
ROW = {"instruction": "Name a fruit.", "input": "", "output": "a aple"}


def push(reviser: Any, repo_id: str = "me/coach", **how: Any) -> Pushed:
    done = hfclean.push_reviser(reviser, repo_id, patience=QUICK, **how)
    assert isinstance(done, Pushed)
    return done


# ------------------------------------------------------------------------------------------------------------ weights


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needs("models", "torch", "transformers")
    from hfclean.testing_models import tiny_model

    return tiny_model(tmp_path_factory.mktemp("models") / "tiny", context=2048)


@pytest.fixture
def _models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    yield
    process.close()


@pytest.mark.usefixtures("_models")
def test_weights_go_as_safetensors_and_revise_the_same_from_the_hub(
    fake_hub: FakeHub, tiny: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny, tmp_path / "coach"))
    (folder / "training_args.bin").write_bytes(b"pickle")
    (folder / "modeling.py").write_text("raise SystemExit")
    reviser = hfclean.Reviser(str(folder), max_new_tokens=8, revise="response")
    fake_hub.add_repo("org/base", files={"README.md": "---\nlicense: apache-2.0\n---\n"})
    fake_hub.add_repo("org/pairs", "dataset", files={"README.md": "---\nlicense: cc-by-nc-4.0\n---\n"})
    done = push(
        reviser,
        base_model="org/base",
        datasets=["org/pairs"],
        language="en",
        training={"rows": 700, "epochs": 3},
        evaluation={"dataset": "org/pairs", "split": "test", "metrics": {"win_rate": 0.61}, "task": "revision"},
    )
    repo = fake_hub.repo("me/coach")
    assert len(repo.commits) == 2
    assert {"hfclean.json", "config.json", "model.safetensors", "tokenizer.json"} <= set(repo.files)
    assert not {"training_args.bin", "modeling.py"} & set(repo.files)
    assert str(tmp_path) not in repo.text("hfclean.json")
    data, body = read_card(repo.text("README.md"))
    assert check_card(repo.text("README.md")) == []
    assert (data["base_model"], data["base_model_relation"], data["datasets"]) == (
        "org/base",
        "finetune",
        ["org/pairs"],
    )
    assert (data["license"], data["library_name"], data["pipeline_tag"]) == (
        "cc-by-nc-4.0",
        "transformers",
        "text-generation",
    )
    assert "the strictest of them is named" in body
    assert f"at commit `{fake_hub.repo('org/base').head}`" in body
    assert data["model-index"][0]["results"][0]["metrics"][0]["value"] == 0.61
    assert ".eval_results/org--pairs.yaml" in repo.files
    assert not push(
        reviser,
        base_model="org/base",
        datasets=["org/pairs"],
        language="en",
        training={"rows": 700, "epochs": 3},
        evaluation={"dataset": "org/pairs", "split": "test", "metrics": {"win_rate": 0.61}, "task": "revision"},
    ).changed
    back = hfclean.Reviser.from_pretrained("me/coach")
    assert (back.model, back.revision, back.revise) == ("me/coach", done.commit, "response")
    out, again = reviser(ROW), back(ROW)
    assert again["output"] == out["output"]
    assert json.loads(again["edit_history"])["model"] == f"commit:{done.commit}"
    place = pull("me/coach", tmp_path / "pulled", patience=QUICK)
    assert (place / "model.safetensors").read_bytes() == (tiny / "model.safetensors").read_bytes()
    assert hfclean.Reviser.from_pretrained(place).model == str(place)


@pytest.mark.usefixtures("_models")
def test_weights_go_and_come_by_xet(
    fake_hub_xet: FakeHub, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_HUB_DISABLE_XET")
    reviser = hfclean.Reviser(str(tiny), max_new_tokens=4)
    push(reviser, license="mit")
    assert fake_hub_xet.requests("POST", "/_cas/")
    assert fake_hub_xet.requests("PUT", "/_lfs/") == []
    assert not push(reviser, license="mit").changed
    back = hfclean.Reviser.from_pretrained("me/coach")
    assert back(ROW)["output"] == reviser(ROW)["output"]
    place = pull("me/coach", tmp_path / "pulled", patience=QUICK)
    assert (place / "model.safetensors").read_bytes() == (tiny / "model.safetensors").read_bytes()


@pytest.mark.usefixtures("_models")
def test_a_token_fetches_all_there_is_and_is_not_kept(
    fake_hub: FakeHub, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("models", "peft")
    from hfclean.testing_models import tiny_adapter

    base = fake_hub.add_repo("org/base", files={f.name: f.read_bytes() for f in tiny.iterdir()}, private=True)
    adapter = tiny_adapter(tmp_path / "adapter", tiny)
    push(hfclean.Reviser(str(adapter), max_new_tokens=4), base_model="org/base", private=True, license="mit")
    base.gated = "auto"
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(ModelError, match=r"private and no token is set.*hf auth login"):
        hfclean.Reviser.from_pretrained("me/coach")
    back = hfclean.Reviser.from_pretrained("me/coach", token=fake_hub.token)
    mark = fake_hub.mark()
    assert back(ROW)["edit"] in ("kept", "reverted", "revised")
    assert fake_hub.since(mark) == []
    written = [f for f in Path(os.environ["HFCLEAN_HOME"]).rglob("*") if f.is_file()]
    back.save_pretrained(tmp_path / "saved")
    seen = b"".join(f.read_bytes() for f in (*written, tmp_path / "saved" / "hfclean.json"))
    assert written
    assert fake_hub.token not in repr(back) + str(back.settings()) + str(vars(back)) + str(back.spec())
    assert fake_hub.token.encode() not in seen + pickle.dumps(back)


@pytest.mark.usefixtures("_models")
def test_an_adapter_names_its_base_by_commit(fake_hub: FakeHub, tiny: Path, tmp_path: Path) -> None:
    needs("models", "peft")
    from hfclean.testing_models import tiny_adapter

    adapter = tiny_adapter(tmp_path / "adapter", tiny)
    reviser = hfclean.Reviser(str(adapter), max_new_tokens=8)
    with pytest.raises(HubRefusal, match=r"adapter's base is 'tiny' on this machine.*base_model='org/name'"):
        push(reviser)
    with pytest.raises(HubRefusal, match="an adapter is worth nothing without its base"):
        push(reviser, base_model="org/gone")
    assert fake_hub.repos == {}
    base = fake_hub.add_repo("org/base", files={f.name: f.read_bytes() for f in tiny.iterdir()})
    commit = base.head
    push(reviser, base_model="org/base")
    base.commit({"config.json": b"{}"})  # goes on without us
    repo = fake_hub.repo("me/coach")
    config = json.loads(repo.text("adapter_config.json"))
    assert (config["base_model_name_or_path"], config["revision"]) == ("org/base", commit)
    assert "model.safetensors" not in repo.files
    data, _ = read_card(repo.text("README.md"))
    assert (data["base_model_relation"], data["library_name"]) == ("adapter", "peft")
    back = hfclean.Reviser.from_pretrained("me/coach")
    assert back(ROW)["output"] == reviser(ROW)["output"]
    process.close()
    del fake_hub.repos["model", "org/base"]
    shutil.rmtree(Path(os.environ["HF_HUB_CACHE"]) / "models--org--base")
    with pytest.raises(ModelError, match=r"the base of the adapter 'me/coach' is gone.*'org/base'.*there is none"):
        back(ROW)
    push(hfclean.Reviser(str(tiny), max_new_tokens=8))
    assert "adapter_config.json" not in repo.files


def test_weights_in_other_formats_are_refused(fake_hub: FakeHub, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(HubRefusal, match=r"no weights in safetensors \(found: pytorch_model.bin\)"):
        push(hfclean.Reviser(str(tmp_path)))
    (tmp_path / "model.safetensors").write_bytes(b"x")
    with pytest.raises(HubRefusal, match="no tokenizer beside it"):
        push(hfclean.Reviser(str(tmp_path)))
    with pytest.raises(HubRefusal, match="LinearRule is not a reviser; expected a Reviser"):
        push(preference_rule())
    assert fake_hub.log == []


# ------------------------------------------------------------------------------------------------------------- prompts


@pytest.mark.parametrize("cls", [hfclean.Reviser, hfclean.Reflection])
def test_a_prompt_alone_is_releasable(fake_hub: FakeHub, cls: Any) -> None:
    base = fake_hub.add_repo("org/chat", files={"README.md": "---\nlicense: llama3\n---\n"})
    push(cls("org/chat", max_new_tokens=99), license="mit")
    data, body = read_card(fake_hub.repo("me/coach").text("README.md"))
    assert (data["license"], data["library_name"], data["base_model"]) == ("mit", "hfclean", "org/chat")
    assert "base_model_relation" not in data
    assert "None: it is a prompt" in body
    back = cls.from_pretrained("me/coach")
    assert (back.model, back.revision, back.max_new_tokens) == ("org/chat", base.head, 99)
    assert back.prompt() == cls("x").prompt()
    other = hfclean.Reflection if cls is hfclean.Reviser else hfclean.Reviser
    with pytest.raises(FolderError, match=rf"holds a {cls.__name__}; read it with"):
        other.from_pretrained("me/coach")


def test_nothing_of_this_machine_is_pushed(fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "k-123")
    reviser = hfclean.Reviser(
        "qwen3",
        base_url="http://gpu-box.lan:8000/v1",
        api_key_env="MY_KEY",
        store="/home/me/answers.sqlite3",
        instructions="Mend it. [Response]",
    )
    push(reviser)
    text = fake_hub.repo("me/coach").text("hfclean.json") + fake_hub.repo("me/coach").text("README.md")
    for word in ("gpu-box", "MY_KEY", "k-123", "/home/me"):
        assert word not in text
    with pytest.raises(FolderError, match=r"Only you may say where your rows are sent.*base_url=\.\.\."):
        hfclean.Reviser.from_pretrained("me/coach")
    back = hfclean.Reviser.from_pretrained("me/coach", base_url="http://localhost:1/v1", model="mine")
    assert (back.model, back.base_url, back.instructions) == ("mine", "http://localhost:1/v1", "Mend it. [Response]")


def test_a_revision_is_followed(fake_hub: FakeHub) -> None:
    fake_hub.add_repo("org/chat")
    push(hfclean.Reviser("org/chat", max_new_tokens=1), license="mit")
    first = fake_hub.repo("me/coach").head
    push(hfclean.Reviser("org/chat", max_new_tokens=2), license="mit")
    assert hfclean.Reviser.from_pretrained("me/coach").max_new_tokens == 2
    assert hfclean.Reviser.from_pretrained("me/coach", revision=first).max_new_tokens == 1
    with pytest.raises(ModelError, match="at 'v9'"):
        hfclean.Reviser.from_pretrained("me/coach", revision="v9")
    with pytest.raises(ModelError, match="the Hub gives no model of this id"):
        hfclean.Reviser.from_pretrained("me/nothing")
    fake_hub.add_repo("me/rows", "dataset")
    with pytest.raises(ModelError, match="it is a dataset; read it with load_dataset"):
        hfclean.Reviser.from_pretrained("me/rows")
    with pytest.raises(FolderError, match=r"no reviser here \(there is no hfclean.json\)"):
        hfclean.Reviser.from_pretrained("org/chat")


def test_foreign_words_in_a_models_card_survive(fake_hub: FakeHub) -> None:
    fake_hub.add_repo("org/chat")
    card = "---\nlicense: gemma\ntags: [mine]\nmy_key: 1\ndatasets: [a/b]\n---\n# Coach\n\nMy own words.\n"
    repo = fake_hub.add_repo("me/coach", files={"README.md": card, "notes.txt": "theirs"})
    push(hfclean.Reviser("org/chat"), datasets="c/d", data_license="mit")
    data, body = read_card(repo.text("README.md"))
    assert (data["license"], data["my_key"], data["datasets"]) == ("gemma", 1, ["c/d", "a/b"])
    assert data["tags"][0] == "mine"
    assert "My own words." in body
    assert repo.files["notes.txt"] == b"theirs"


def test_a_broken_card_of_a_model_is_kept_and_ours_put_beside_it(fake_hub: FakeHub) -> None:
    fake_hub.add_repo("org/chat")
    repo = fake_hub.add_repo("me/coach", files={"README.md": "---\nlicense: [mit\n---\n# Mine\n"})
    done = push(hfclean.Reviser("org/chat"), license="mit")
    assert "existing README.md cannot be merged into" in done.notes[-1]
    assert repo.text("README.md") == "---\nlicense: [mit\n---\n# Mine\n"
    assert "CoachLM" in repo.text("README.hfclean.md")


def test_a_dry_run_reaches_nothing_it_needs_and_shows_all(fake_hub: FakeHub, tmp_path: Path) -> None:
    plan = hfclean.push_reviser(
        hfclean.Reviser("org/chat"), "me/coach", dry_run=True, folder=tmp_path / "plan", patience=QUICK
    )
    assert isinstance(plan, PushPlan)
    assert [file.path for file in plan.files] == ["hfclean.json", "README.md"]
    assert "was not found" in plan.notes[0]
    assert fake_hub.repos == {}


# --------------------------------------------------------------------------------------------------------------- rules


def test_a_rule_goes_and_comes_back(fake_hub: FakeHub, tmp_path: Path) -> None:
    rule = preference_rule()
    done = push_rule(rule, "me/preference", license="apache-2.0", language="en", patience=QUICK)
    assert (done.changed, sorted(done.files)) == (True, ["README.md", "linear_rule.json"])
    assert hfclean.scorers.LinearRule.from_pretrained("me/preference") == rule
    assert hfclean.scorers.LinearRule.from_pretrained("me/preference", revision=done.commit) == rule
    text = fake_hub.repo("me/preference").text("README.md")
    assert check_card(text) == []
    assert "| `expert_accuracy` | 0.899 |" in text
    assert 'hfclean.scorers.LinearRule.from_pretrained("me/preference")' in text
    assert not push_rule(rule, "me/preference", license="apache-2.0", language="en", patience=QUICK).changed
    assert pull("me/preference", tmp_path / "rule", patience=QUICK) == tmp_path / "rule"
    fake_hub.add_repo("me/other", files={"a.txt": "x"})
    with pytest.raises(LinearRuleError, match=r"linear_rule.json"):
        hfclean.scorers.LinearRule.from_pretrained("me/other")
    with pytest.raises(RepoError, match="holds no reviser and no rule"):
        pull("me/other", tmp_path / "other", patience=QUICK)
    with pytest.raises(RepoError, match="no such dataset and no such model"):
        pull("me/nothing", tmp_path / "other", patience=QUICK)


# ------------------------------------------------------------------------------------------------------------ licences


@pytest.mark.parametrize(
    ("base", "data", "license"),
    [
        ("apache-2.0", "cc-by-nc-4.0", "cc-by-nc-4.0"),
        ("llama3", "mit", "llama3"),
        ("mit", "mit", "mit"),
        ("apache-2.0", "mit", "apache-2.0"),
        ("cc-by-sa-4.0", "gpl-3.0", "cc-by-sa-4.0 and gpl-3.0"),
        ("apache-2.0", None, "unknown"),
        ("my-own", "mit", "my-own"),
    ],
)
def test_the_stricter_licence_is_named(base: str, data: str | None, license: str) -> None:
    found = derive_license([("the base", base), ("the data", data)])
    assert found.license == license
    assert base in found.why
