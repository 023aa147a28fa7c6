"""From edits to a reviser that the next person loads: trained from nothing on a task that it has to learn."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from coached import INSTRUCTIONS, KNOWN, UNKNOWN, pair, right, wrong
from datasets import Dataset
from fake_hub import FakeHub, hub_fixture  # noqa: F401

import hfclean
from hfclean.cards import check_card
from hfclean.errors import TrainingError
from hfclean.models import Message, process
from hfclean.models.chat_tokens import encode_turns
from hfclean.models.local import PLAIN_TEMPLATE
from hfclean.reviser.codec import encode
from hfclean.reviser.prompts import WORDINGS
from hfclean.reviser.taught_pairs import pair_hash, trained_on
from hfclean.testing_models import tiny_model, tiny_tokenizer
from hfclean.training.coaching import as_rows
from hfclean.training.presets import PRESETS
from hfclean.training.tokens import Encoder

ONE_STEP: dict[str, Any] = {"max_steps": 1, "per_device_train_batch_size": 2, "disable_tqdm": True}


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    yield
    process.close()


def row(name: str, output: str) -> dict[str, str]:
    return {"instruction": f"Name {name}.", "input": "", "output": output}


def share(flags: Any) -> float:
    found = list(flags)
    return sum(found) / len(found)


def test_a_trained_coach_mends_words_it_never_saw_through_the_whole_public_path(
    coached: Path, fake_hub: FakeHub
) -> None:
    assert not set(UNKNOWN) & set(KNOWN)
    fake_hub.add_repo("org/pairs", "dataset", files={"README.md": "---\nlicense: cc-by-4.0\n---\n"})
    hfclean.push_reviser(hfclean.Reviser.from_pretrained(coached), "me/coach", datasets="org/pairs")
    card = fake_hub.repo("me/coach").text("README.md")
    assert check_card(card) == []
    for line in ("| pairs given | 800 |", "| pairs held out | 40 |", "| held-out loss | 0."):
        assert line in card
    pushed = json.loads(fake_hub.repo("me/coach").text("hfclean.json"))
    assert str(coached.parent) not in json.dumps(pushed)
    assert pushed["training"]["pairs"]["near_identity"] == 0.4

    coach = hfclean.Reviser.from_pretrained("me/coach")
    raw = Dataset.from_list([row(name, wrong(name)) for name in UNKNOWN])
    clean = Dataset.from_list([row(name, right(name)) for name in UNKNOWN])
    mended = raw.map(coach, batched=True)
    assert share(out == right(name) for out, name in zip(mended["output"], UNKNOWN, strict=True)) >= 0.6
    assert share(edit == "revised" for edit in clean.map(coach, batched=True)["edit"]) < 0.05
    assert hfclean.restore(mended)[:] == raw[:]
    assert hfclean.compare(raw, mended).splits[0].revised == list(mended["edit"]).count("revised")


def test_what_taught_it_is_known_and_left_alone(coached: Path) -> None:
    coach = hfclean.Reviser.from_pretrained(coached)
    hashes = trained_on(coach)
    known = [name for name in KNOWN if pair_hash(pair(name)) in hashes]
    assert len(known) == 760  # the others are held out
    ds = Dataset.from_list([row(known[0], wrong(known[0])), row(known[0], f"{known[0]}!")])
    out = ds.map(coach, batched=True)
    assert (out["edit"][0], out["edit_reason"][0], out["output"][0]) == ("kept", "trained_on", wrong(known[0]))
    assert out["edit_reason"][1] != "trained_on"


def test_the_record_says_how_it_was_trained(coached: Path) -> None:
    about = json.loads((coached / "hfclean.json").read_text())
    told = about["training"]
    assert told["run"]["rows"] == told["pairs"]["train"] == 760 + told["pairs"]["near_identity_rows"]
    assert told["heldout_loss"] < 0.2 < told["train_loss"]
    assert set(told["run"]["versions"]) >= {"torch", "transformers", "trl", "peft", "hfclean"}
    assert told["run"]["settings"]["seed"] == 0
    assert told["run"]["estimate"]["steps"] == told["steps"]
    assert {file.suffix for file in coached.iterdir() if file.is_file()} <= {".json", ".safetensors", ".jinja"}
    again = hfclean.Reviser.from_pretrained(coached)
    assert (again.instructions, again.revise, again.max_new_tokens) == (INSTRUCTIONS, "response", 24)


# ---------------------------------------------------------------------------------------------------- what is asked


@pytest.mark.parametrize("revise", ["pair", "response"])
@pytest.mark.parametrize("wording", ["full", "short"])
@pytest.mark.parametrize("text", ["An apple.", "[End]\n<|im_end|> <|im_start|>user", "Äpfel 🍎\n\n"])
@pytest.mark.needs_extra("models", "torch", "transformers", "tokenizers")
def test_the_tokens_of_training_are_those_that_the_reviser_sends(
    tmp_path: Path, revise: Any, text: str, wording: Any
) -> None:
    model = tiny_model(tmp_path / "tiny", context=2048)
    tokenizer = tiny_tokenizer()
    one = {**pair("koda"), "raw_output": text, "revised_output": text}
    sent: list[Any] = []

    def listen(conversation: Any) -> str:
        sent.append(conversation)
        return "[Response]\n.\n[End]"

    from hfclean.testing_models import ScriptedBackend

    hfclean.Reviser(ScriptedBackend(listen), revise=revise, wording=wording)(row("koda", text))
    encoded = Encoder(tokenizer, None, name=str(model)).encode(as_rows([one], revise=revise, wording=wording))
    start = encoded.starts()[0]
    ids = encoded.rows[0]["input_ids"]
    assert ids[:start] == encode_turns(tokenizer, sent[0], name="tiny")
    fields = ("response",) if revise == "response" else ("instruction", "input", "response")
    raw = hfclean.Pair("Name koda.", "", text)
    assert tokenizer.decode(ids[start:-1]) == encode(raw, fields)
    assert ids[-1] == tokenizer.eos_token_id
    assert ids[start:-1].count(tokenizer.eos_token_id) == 0  # a text cannot spell the end of its turn


@pytest.mark.needs_extra("train", "torch", "transformers", "accelerate", "trl")
def test_a_base_without_template_and_pad_token_gets_both(tmp_path: Path) -> None:
    base = tiny_model(tmp_path / "base", context=512, chat_template=None)
    told = json.loads((base / "tokenizer_config.json").read_text())
    told.pop("pad_token", None)
    (base / "tokenizer_config.json").write_text(json.dumps(told))
    pairs = [pair(name) for name in KNOWN[:4]]
    coach = hfclean.train_reviser(pairs, base, ONE_STEP, folder=tmp_path / "coach", instructions="Mend.", heldout=0)
    run = json.loads((tmp_path / "coach" / "hfclean.json").read_text())["training"]["run"]
    assert run["chat_template"] == "plain"
    assert "eos_token" in run["padding"]
    assert (tmp_path / "coach" / "chat_template.jinja").read_text() == PLAIN_TEMPLATE
    assert coach(row("zz", "zz"))["edit"] in ("reverted", "kept", "revised")


@pytest.mark.needs_extra("train", "torch", "transformers", "accelerate", "trl")
def test_a_template_may_end_turns_with_a_token_of_its_own() -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.eos_token = "<|endoftext|>"
    prompt = [{"role": "user", "content": "Hi"}]
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    some = [{"prompt": prompt, "completion": "Hello"}]
    assert Encoder(tokenizer, None, [end], name="x").encode(some).rows[0]["input_ids"][-1] == end
    assert Encoder(tokenizer, None, name="x").encode(some).rows[0]["input_ids"][-1] == tokenizer.eos_token_id
    assert Message("user", "Hi").as_dict() == prompt[0]


# ------------------------------------------------------------------------------------------------- an adapter, presets


def test_an_adapter_is_saved_pushed_and_loaded_on_its_base(coached: Path, fake_hub: FakeHub, tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    for file in (coached.parent / "base").iterdir():
        shutil.copy(file, base)
    files = {file.name: file.read_bytes() for file in base.iterdir()}
    repo = fake_hub.add_repo("org/base", files=files)
    pairs = [pair(name) for name in KNOWN[:40]]
    coach = hfclean.train_reviser(
        pairs,
        "org/base",
        {**ONE_STEP, "max_steps": 3, "learning_rate": 1e-2},
        {"r": 4},
        folder=tmp_path / "coach",
        preset="coachlm",
        heldout=0,
        revise="response",
        instructions=INSTRUCTIONS,
        max_new_tokens=8,
    )
    about = json.loads((tmp_path / "coach" / "hfclean.json").read_text())["training"]
    assert about["preset"] == "coachlm"
    assert about["pairs"]["alpha"] == 0.3
    assert about["run"]["peft"]["lora_alpha"] == 32
    assert about["run"]["peft"]["r"] == 4
    assert about["run"]["settings"]["learning_rate"] == 1e-2
    assert 0 < about["run"]["parameters_trained"] < about["run"]["parameters"] / 2
    config = json.loads((tmp_path / "coach" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "org/base"
    assert config["revision"] == repo.head
    assert not (tmp_path / "coach" / "model.safetensors").exists()
    hfclean.push_reviser(coach, "me/adapter")
    card = fake_hub.repo("me/adapter").text("README.md")
    assert "base_model_relation: adapter" in card
    assert "LORA, rank 4" in card
    loaded = hfclean.Reviser.from_pretrained("me/adapter")
    asked = row("zz", "zz")
    assert loaded(asked)["output"] == coach(asked)["output"]


def test_presets_are_data_with_their_source() -> None:
    published = PRESETS["coachlm"]
    assert "2311.13246" in published.source
    assert (published.peft or {})["r"] == 64
    assert (published.args["num_train_epochs"], published.args["learning_rate"], published.alpha) == (7, 2e-4, 0.3)
    assert published.args["lr_scheduler_type"] == "cosine"
    with pytest.raises(TrainingError, match="expected one of coachlm, modern"):
        hfclean.train_reviser([pair("a")], "x", preset="best", folder="x")


def small(name: str, raw: str, revised: str) -> dict[str, str]:
    """A pair of which only the response differs, as the words say; the instruction was revised as well."""
    return {**pair(name), "raw_output": raw, "revised_output": revised, "revised_instruction": f"Name {name}, please."}


@pytest.mark.needs_extra("train", "torch", "transformers", "accelerate", "trl")
def test_a_coach_of_form_is_taught_small_edits_of_responses_in_the_short_wording(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = tiny_model(tmp_path / "base", context=1024)
    pairs = [small(f"n{k}", f"word number {k}", f"Word number {k}.") for k in range(6)]
    pairs += [small("kept", "A good one.", "A good one."), small("other", "word", "An answer of many words.")]
    pairs += [small("long", "so " * 3000 + "on", "so " * 3000 + "on.")]
    coach = hfclean.train_reviser(
        pairs,
        base,
        {"max_steps": 1, "per_device_train_batch_size": 2},
        preset="form",
        folder=tmp_path / "coach",
        near_identity=0.1,
        heldout=0,
    )
    assert (coach.revise, coach.wording, coach.prompt()) == ("response", "short", WORDINGS["short"].pair)
    about = json.loads((tmp_path / "coach" / "hfclean.json").read_text())
    told = about["training"]
    assert about["settings"]["wording"] == "short"
    assert told["pairs"]["left_out"] == {"above_distance": 1}
    assert (told["pairs"]["near_identity_rows"], told["pairs"]["train"], told["run"]["rows"]) == (1, 8, 7)
    said = capsys.readouterr().err
    start = said.index("rows to train on: 7; left out: 1 too_long (more than 1,024 tokens)")
    assert start < said.index("adapter: LORA, r 16, lora_alpha 32, lora_dropout 0.05") < said.index("tuning ")
    again = hfclean.Reviser.from_pretrained(tmp_path / "coach")
    assert (again.wording, again.instructions, again.settings()) == ("short", None, coach.settings())


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"wording": "long"}, "expected 'full' or 'short'"),
        ({"wording": "short", "instructions": "Mend."}, "instructions= is your own; leave one out"),
    ],
)
def test_a_reviser_has_one_wording(how: dict[str, Any], said: str) -> None:
    with pytest.raises(hfclean.HfcleanError, match=said):
        hfclean.Reviser("x", **how)


# ----------------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"pairs": []}, "none were given"),
        ({"pairs": [pair("a") | {"revised_output": ""}]}, "1 empty_revised"),
        ({"heldout": [pair("kada")]}, "1 of its 1 pairs are also trained on"),
        ({"revise": "all"}, "'pair' or 'response'"),
        ({"wording": "long"}, "'full' or 'short', and none beside"),
        ({"wording": "short"}, "none beside instructions="),
        ({"distance_at_most": 0}, "distance_at_most=0: expected a share above 0"),
        ({"args": {"max_length": 5}}, "2 too_long"),
        ({"args": {"learning_rat": 1}}, "'learning_rat', which trl"),
        ({"args": 7}, "SFTConfig, or a dict"),
        ({"peft_config": {"target_modules": ["query_key_value"]}}, "linear modules of this model: .*q_proj"),
        ({"peft_config": "lora"}, "expected a peft.LoraConfig"),
        ({"base_model": "gone/away/far"}, "no folder"),
    ],
)
def test_what_cannot_be_trained_is_refused_with_the_way_out(
    coached: Path, tmp_path: Path, how: dict[str, Any], said: str
) -> None:
    settings: dict[str, Any] = {
        "pairs": [pair("kada"), pair("lubi")],
        "base_model": coached.parent / "base",
        "args": ONE_STEP,
        "folder": tmp_path / "coach",
        "instructions": "Mend.",
        "heldout": 0,
    }
    with pytest.raises(hfclean.HfcleanError, match=said):
        hfclean.train_reviser(**(settings | how))


def test_one_pair_is_enough_to_train_on(coached: Path, tmp_path: Path) -> None:
    args = {**ONE_STEP, "learning_rate": 1e-3}
    hfclean.train_reviser(
        [pair("kada")], coached.parent / "base", args, folder=tmp_path / "one", instructions="Mend.", patience=1
    )
    told = json.loads((tmp_path / "one" / "hfclean.json").read_text())["training"]
    assert (told["run"]["rows"], told["run"]["heldout_rows"], told["heldout_loss"]) == (1, 0, None)


# ------------------------------------------------------------------------------------------------ on the command line


def test_train_from_the_shell_says_what_came_of_it(
    coached: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from hfclean.cli import main

    file, words = tmp_path / "pairs.jsonl", tmp_path / "words.txt"
    file.write_text("\n".join(json.dumps(pair(name)) for name in KNOWN[:6]))
    words.write_text("Mend.\n")
    out = tmp_path / "coach"
    base = str(coached.parent / "base")
    command = ["train", str(file), "--base", base, "--out", str(out), "--instructions", str(words), "--quiet"]
    command += [
        "--epochs",
        "1",
        *("--train-option", "lora_rank=2", "--train-option", "near_identity=0.5", "--train-option", "heldout=0"),
        *("--train-option", "save_steps=9"),
    ]
    assert main(command) == 0
    said = capsys.readouterr().out
    for line in (("pairs given:", "6"), ("pairs trained on:", "12"), ("adapter:", "LORA, rank 2, alpha 8")):
        assert any(found.startswith(line[0]) and line[1] in found for found in said.splitlines()), line
    assert f"hfclean revise IN --model {out}" in said
    assert hfclean.Reviser.from_pretrained(out).instructions == "Mend."
    assert main(command) == 1
    assert "--resume" in capsys.readouterr().err
    assert main([*command, "--resume", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == 2
    roomy = str(tiny_model(tmp_path / "roomy", context=1024))
    short = ["train", str(file), "--base", roomy, "--out", str(tmp_path / "short"), "--wording", "short", "--quiet"]
    short += ["--epochs", "1"]
    short += [word for name in ("lora_rank=2", "lora_alpha=6", "heldout=0") for word in ("--train-option", name)]
    assert main(short) == 0
    assert "LORA, rank 2, alpha 6" in capsys.readouterr().out
    assert hfclean.Reviser.from_pretrained(tmp_path / "short").wording == "short"
    assert main([*command, "--train-option", "epochs"]) == 2
    assert "NAME=VALUE" in capsys.readouterr().err
