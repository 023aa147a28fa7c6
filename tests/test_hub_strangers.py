"""Records of revisers that strangers wrote: what they may settle, how long it may be, and that no more is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fake_hub import FakeHub, hub_fixture  # noqa: F401

import hfclean
from hfclean.errors import FolderError
from hfclean.hub import Patience, RepoError, pull
from hfclean.models import ModelError
from hfclean.records.trust import settings_of

QUICK = Patience(sleep=lambda seconds: None)


def about(**changes: Any) -> str:
    place = json.loads(Path(_saved("org/chat")).read_text())
    settings = {**place["settings"], **changes.pop("settings", {})}
    return json.dumps({**place, "settings": settings, **changes})


def _saved(model: str) -> str:
    import tempfile

    folder = Path(tempfile.mkdtemp())
    hfclean.Reviser(model).save_pretrained(folder)
    return str(folder / "hfclean.json")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "no reviser here"),
        ("[]", "no reviser here"),
        ("[" * 100_000, "no reviser here"),
        ('{"reviser": "Reviser", "codec": 1, "settings": []}', "no reviser here"),
        ('{"reviser": "Reviser", "codec": 99, "settings": {}}', "form 99"),
        ('{"reviser": "os.system(1)", "codec": 1, "settings": {}}', "holds a something else"),
        (about(settings={"api_key_env": "OPENAI_API_KEY"}), "'api_key_env', which is not taken from the Hub"),
        (about(settings={"store": "/tmp/x"}), "'store', which is not taken"),
        (about(settings={"limits": {}}), "'limits', which is not taken"),
        (about(settings={"extra_body": {}}), "'extra_body', which is not taken"),
        (about(settings={"device": "cuda"}), "'device', which is not taken"),
        (about(settings={"base_url": "https://evil.example/v1"}), "Only you may say where your rows are sent"),
        (about(settings={"model": "/etc/passwd"}), "not a Hub id; say which one"),
        (about(settings={"model": "../../secrets"}), "not a Hub id; say which one"),
        (about(settings={"model": 3}), "model is 3; expected a string"),
        (about(settings={"model": ""}), "names no model"),
        (about(settings={"max_new_tokens": "9"}), "max_new_tokens is '9'; expected a whole number"),
        (about(settings={"max_new_tokens": 2_000_000}), "no more than 1,000,000 is taken from others"),
        (about(settings={"candidates": 1000, "temperature": 1.0}), "no more than 64 is taken from others"),
        (about(settings={"temperature": True}), "temperature is True; expected a number"),
        (about(settings={"skip_checks": ["refusal"]}), "sets 'skip_checks', which is not taken from the Hub"),
        (about(settings={"columns": {"instruction": ["a"]}}), "an object of strings"),
        (about(settings={"columns": {"instruction": "x" * 5000}}), "columns of hfclean.json has 5,019 characters"),
        (about(settings={"prefix": "x" * 5000}), "prefix of hfclean.json has 5,002 characters"),
        (about(prompt="x" * 60_000), "prompt of hfclean.json has 60,000 characters, longer than"),
        (about(version=2), "version 2 of its kind, and this hfclean knows up to 1"),
        (about(version=None), "names the version None"),
        (about(settings={"revise": "everything"}), "an invalid setting"),
        (about(settings={"chat_template": "x" * 300_000}), "longer than anything"),
        (about(prompt=7), "no reviser here"),
    ],
)
def test_a_strangers_record_is_read_strictly(fake_hub: FakeHub, text: str, words: str) -> None:
    fake_hub.add_repo("you/coach", files={"hfclean.json": text}, author="you")
    with pytest.raises(FolderError, match=words):
        hfclean.Reviser.from_pretrained("you/coach")


def test_a_record_that_is_too_large_is_not_fetched(fake_hub: FakeHub, tmp_path: Path) -> None:
    fake_hub.add_repo("you/coach", files={"hfclean.json": '"' + "x" * 11_000_000 + '"'}, author="you")
    with pytest.raises(ModelError, match="more than 10,000,000 bytes"):
        hfclean.Reviser.from_pretrained("you/coach")
    with pytest.raises(RepoError, match="more than 10,000,000 bytes"):
        pull("you/coach", tmp_path / "coach", patience=QUICK)
    assert fake_hub.requests(path="/resolve/") == []
    fake_hub.add_repo("you/broken", files={"hfclean.json": "[1"}, author="you")
    with pytest.raises(RepoError, match="is damaged"):
        pull("you/broken", tmp_path / "coach", patience=QUICK)
    assert list(tmp_path.iterdir()) == []


def test_a_pulled_record_is_a_strangers_as_well(fake_hub: FakeHub, tmp_path: Path) -> None:
    repo = fake_hub.add_repo("you/coach", author="you")
    for name, text, words in (
        ("url", about(settings={"base_url": "https://evil.example/v1"}), "Only you may say where your rows are sent"),
        ("key", about(settings={"api_key_env": "OPENAI_API_KEY"}), "'api_key_env', which is not taken from the Hub"),
        ("long", about(prompt="x" * 60_000), "longer than"),
    ):
        repo.commit({"hfclean.json": text})
        folder = pull("you/coach", tmp_path / name, patience=QUICK)
        with pytest.raises(FolderError, match=words):
            hfclean.Reviser.from_pretrained(folder)
        with pytest.raises(FolderError, match=words):
            hfclean.push_reviser(folder, "me/mine", patience=QUICK)
    told = json.loads((tmp_path / "url" / "hfclean.json").read_text())
    assert told["pulled_from"] == f"you/coach@{repo.commits[1].sha}"
    # what lies in a folder that was put there is followed no more than that, and a key never
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "hfclean.json").write_text(about(settings={"api_key_env": "OPENAI_API_KEY"}))
    with pytest.raises(FolderError, match="'api_key_env', which is not taken from a folder that was"):
        hfclean.Reviser.from_pretrained(tmp_path / "own")
    own = hfclean.Reviser.from_pretrained(tmp_path / "own", base_url="http://localhost:1/v1", api_key_env="MY_KEY")
    assert own.api_key_env == "MY_KEY"


def test_the_settings_that_a_stranger_may_settle_name_no_place_and_no_key() -> None:
    from dataclasses import fields

    classes = (hfclean.Reviser, hfclean.Reflection)
    every = {f.name for cls in classes for f in fields(cls)}
    from_hub = {name for cls in classes for name, setting in settings_of(cls).items() if setting.hub}
    assert set(settings_of(hfclean.Reviser)) - from_hub == {*("base_url", "cache_as", "extra_body", "skip_checks")}
    assert {f.name for f in fields(hfclean.RuleReviser)} - set(settings_of(hfclean.RuleReviser)) == {"extra", "strict"}
    assert every - from_hub == {
        *("base_url", "api_key_env", "device", "cache_as", "store", "prices", "max_cost", "max_tokens_total"),
        *("limits", "extra_body", "choose", "checks", "trained_on", "revise_trained_on"),
        *("attempts", "retry_unparsed", "strict", "trust", "skip_checks", "tests"),
    }


def test_of_a_strangers_criteria_number_and_length_are_bounded(tmp_path: Path) -> None:
    hfclean.Reflection("org/chat").save_pretrained(tmp_path / "mine")
    record = json.loads((tmp_path / "mine" / "hfclean.json").read_text())
    one = record["criteria"][0]
    (tmp_path / "copy").mkdir()
    for criteria, words in (
        ([{**one, "name": str(k)} for k in range(101)], "criteria of hfclean.json is 101, and no more than 100"),
        ([{**one, "meaning": "x" * 4000}], "an entry of criteria of hfclean.json has 4,"),
    ):
        (tmp_path / "copy" / "hfclean.json").write_text(json.dumps({**record, "criteria": criteria}))
        with pytest.raises(FolderError, match=words):
            hfclean.Reflection.from_pretrained(tmp_path / "copy")
    settings = {**record["settings"], "sides": "response"}
    (tmp_path / "copy" / "hfclean.json").write_text(json.dumps({**record, "settings": settings}))
    with pytest.raises(FolderError, match="expected a list of strings"):
        hfclean.Reflection.from_pretrained(tmp_path / "copy")


def test_the_form_of_a_setting_is_that_of_its_type() -> None:
    settings = {**settings_of(hfclean.Reviser), **settings_of(hfclean.Reflection)}
    forms = {form: {name for name, setting in settings.items() if setting.form == form} for form in _forms(settings)}
    assert forms.pop("a string") == {
        *("model", "revision", "chat_template", "dtype", "revise", "prefix", "turns", "side", "select", "scored_by"),
        *("instructions", "base_url", "cache_as", "wording"),
    }
    assert forms.pop("a string, or an object of strings") == {"columns"}
    assert forms.pop("a number") == {"temperature", "top_p", "preference_margin"}
    assert forms.pop("a whole number") == {"max_new_tokens", "candidates", "seed", "repair_refused"}
    assert forms.pop("true or false") == {"structured", "salvage"}
    assert forms.pop("a list of strings") == {"skip_checks", "sides"}
    assert forms == {"": {"extra_body", "criteria"}}
    assert {name: setting.most for name, setting in settings.items() if setting.most} == {
        "max_new_tokens": 1_000_000,
        "candidates": 64,
        "repair_refused": 3,
        "criteria": 100,
    }


def _forms(settings: Any) -> set[str]:
    return {setting.form for setting in settings.values()}
