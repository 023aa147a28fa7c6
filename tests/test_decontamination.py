"""Decontamination: what is planted is found and named, clean rows stay, packs hold no text and come back whole."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, load_dataset
from fake_hub import FakeHub, hub_fixture  # noqa: F401

import hfclean
from hfclean.cli import main
from hfclean.errors import ColumnError, FolderError, HfcleanError, SourceError
from hfclean.selection import decontamination
from hfclean.selection.benchmarks import ABOUT, DATA, BenchmarkPack

ITEMS = [
    {
        "id": "long",
        "question": "Which of the seven bridges of the old town did the famous walker never cross twice on foot?",
    },
    {"id": "short", "question": "Why did Apollo 13 fail?"},
    {"id": "word", "question": "Photosynthesis?"},
    {"id": "zh", "question": "为什么天空是蓝色的而不是绿色的？"},
    {
        "id": "answered",
        "question": "Describe how tides come about in plain words for a child please.",
        "answer": "The moon pulls at the water, and as the earth turns the sea rises and falls twice in each day.",
    },
]


def rows_of(*prompts: str, answers: list[str] | None = None) -> Dataset:
    return Dataset.from_dict({"instruction": list(prompts), "output": answers or ["Fine."] * len(prompts)})


def ids(found: Any) -> list[tuple[int, str, str, str]]:
    return [(hit.row, hit.item, hit.check, hit.found_in) for hit in found.report.hits]


PLANTS: dict[str, Callable[[str], str]] = {
    "verbatim": lambda text: text,
    "recased": str.upper,
    "repunctuated": lambda text: " - ".join(text.rstrip("?？").split()) + " !",
    "embedded": lambda text: f"You are a helper.\nPlease answer this: {text} Take your time, and be brief.",
    "full_width": lambda text: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text),
    "invisible": lambda text: "\u200b".join(text),
}


@pytest.mark.parametrize("ngram", [8, 13])
@pytest.mark.parametrize("plant", PLANTS)
def test_planted_items_are_found_and_named(plant: str, ngram: int) -> None:
    ds = rows_of(
        *(PLANTS[plant](item["question"]) for item in ITEMS), "Name three fruits that grow on trees in Spain."
    )
    found = hfclean.decontaminate(ds, {"planted": ITEMS}, ngram=ngram)
    wanted = [(k, item["id"]) for k, item in enumerate(ITEMS) if plant != "embedded" or item["id"] != "word"]
    assert [(row, item) for row, item, _, _ in ids(found)] == wanted
    assert {hit.benchmark for hit in found.report.hits} == {"planted"}
    assert all(hit.overlap == 1.0 for hit in found.report.hits)
    assert found == [k for k in range(len(ds)) if k not in {row for row, _ in wanted}]


def test_more_than_half_of_the_words_must_be_covered() -> None:
    words = [f"w{k}" for k in range(20)]
    item = [{"question": " ".join(words)}]

    def overlaps(count: int) -> list[float]:
        text = " ".join([*words[:count], *(f"other{k}" for k in range(30))])
        return [hit.overlap for hit in hfclean.decontaminate(rows_of(text), {"b": item}, fuzzy=None).report.hits]

    assert (overlaps(10), overlaps(11), overlaps(7)) == ([], [0.55], [])
    apart = " ".join([*words[:8], "x", *words[12:]])  # two runs add up
    assert [h.overlap for h in hfclean.decontaminate(rows_of(apart), [item], fuzzy=None).report.hits] == [0.8]
    assert [
        h.overlap for h in hfclean.decontaminate(rows_of(apart), [item], overlap=0.8, fuzzy=None).report.hits
    ] == []


def test_the_fuzzy_check_finds_moved_parts_and_counts_different_runs() -> None:
    question = "red fox runs over hills while grey owl sleeps under old oak trees near the quiet pond"
    words = question.split()
    moved = " ".join([*words[6:12], "and", *words[:6], "then", *words[12:]])
    ds = rows_of(moved, question.replace("hills", "h"), "red fox runs over the road")
    found = hfclean.decontaminate(ds, {"b": [{"question": question}]}, ngram=13, fuzzy=0.6)
    runs = {tuple(words[k : k + 3]) for k in range(len(words) - 2)}
    shares = []
    for text in (moved, ds["instruction"][1]):
        own = text.split()
        shares.append(round(len(runs & {tuple(own[k : k + 3]) for k in range(len(own) - 2)}) / len(runs), 6))
    assert [(hit.row, hit.check, hit.overlap) for hit in found.report.hits] == [
        (0, "fuzzy", shares[0]),
        (1, "fuzzy", shares[1]),
    ]
    assert ids(hfclean.decontaminate(ds, {"b": [{"question": question}]}, ngram=13, fuzzy=None)) == []


def test_answers_are_looked_for_in_responses_and_questions_on_both_sides() -> None:
    answer = str(ITEMS[4]["answer"])
    ds = rows_of("Say something.", answer, "Echo.", answers=[f"Well: {answer.lower()}", "No.", ITEMS[0]["question"]])
    found = hfclean.decontaminate(ds, [ITEMS])
    assert ids(found) == [(0, "answered", "ngram", "response"), (2, "long", "ngram", "response")]
    assert [hit.side for hit in found.report.hits] == ["answer", "prompt"]
    assert found.report.benchmarks[0].items_hit == 2
    only = [{"question": "What?", "answer": answer}]
    assert ids(hfclean.decontaminate(ds, [only]))[0][0] == 0


def test_turns_before_are_part_of_the_prompt() -> None:
    turns = [("user", ITEMS[0]["question"]), ("assistant", "Hm."), ("user", "Go on."), ("assistant", "Done.")]
    ds = Dataset.from_dict({"messages": [[{"role": role, "content": text} for role, text in turns]]})
    assert ids(hfclean.decontaminate(ds, [ITEMS])) == [(0, "long", "ngram", "prompt")]


@pytest.mark.parametrize(
    ("role", "item", "found"),
    [
        ("system", "long", [(0, "long", "ngram", "prompt")]),
        ("assistant", "answered", [(0, "answered", "ngram", "response")]),
        ("user", "answered", []),
    ],
)
def test_system_texts_hold_questions_and_earlier_responses_answers(role: str, item: str, found: Any) -> None:
    planted = next(each.get("answer", each["question"]) for each in ITEMS if each["id"] == item)
    turns = [("user", "Hello."), ("assistant", "Hi."), ("user", "Go on."), ("assistant", "Done.")]
    turns.insert(0 if role == "system" else 1 if role == "assistant" else 2, (role, planted))
    ds = Dataset.from_dict({"messages": [[{"role": who, "content": text} for who, text in turns]]})
    assert ids(hfclean.decontaminate(ds, [ITEMS])) == found


def test_the_report_counts_items_and_says_when_a_set_would_be_dropped() -> None:
    items = [
        {"question": f"What is the {k}th number of the series that begins with {k} and ends with {k * k}?"}
        for k in range(100)
    ]
    ds = rows_of(*(item["question"] for item in items[:3]), items[0]["question"], "")
    report = hfclean.decontaminate(ds, {"a": items, "b": ITEMS}).report
    assert [(each.items, each.items_hit, each.rows_hit, each.contaminated) for each in report.benchmarks] == [
        (100, 3, 4, True),
        (5, 0, 0, False),
    ]
    assert "a: 3 of 100 items (3.0%) in 4 rows  (over 2 %" in report.summary()
    assert "row 0: a " in report.summary()
    assert "1 rows have no text" not in report.summary()  # it has a response
    assert json.loads(json.dumps(report.to_dict()))["hits"][0]["item"] == "0"


@pytest.mark.realdata
def test_no_clean_real_row_is_a_hit_and_every_planted_item_is(realdata: Callable[[str], Path]) -> None:
    files = sorted(realdata("benchmarks").glob("*.jsonl"))
    packs = [BenchmarkPack.make(file.stem, file) for file in files]
    assert sum(count for pack in packs for count in pack.items.values()) == 1110
    rows = [json.loads(line) for line in realdata("alpaca_6k.jsonl").read_text().splitlines()[:1000]]
    rows += [
        {"instruction": r["instruction"], "input": r["context"], "output": r["response"]}
        for r in map(json.loads, realdata("dolly_2k.jsonl").read_text().splitlines()[:300])
    ]
    clean = Dataset.from_list([{key: row[key] for key in ("instruction", "input", "output")} for row in rows])
    assert hfclean.decontaminate(clean, packs) == list(range(len(clean)))
    koala = [json.loads(line) for line in files[0].read_text().splitlines()]
    planted = [{**rows[k], "input": f"{item['prompt'].upper()} Thanks!"} for k, item in enumerate(koala)]
    planted_ds = Dataset.from_list([{key: row[key] for key in ("instruction", "input", "output")} for row in planted])
    found = {(hit.row, hit.item) for hit in hfclean.decontaminate(planted_ds, packs[:1]).report.hits}
    assert {(k, item["id"]) for k, item in enumerate(koala)} <= found


# --------------------------------------------------------------------------------------------------------------- packs


def test_a_pack_comes_back_whole_and_holds_no_text(work: Path) -> None:
    pack = BenchmarkPack.make("planted", ITEMS)
    pack.save("pack")
    again = BenchmarkPack.load("pack")
    assert again.items == {"planted": 5}
    assert again.files() == pack.files()
    everything = b"".join(file.read_bytes() for file in Path("pack").rglob("*") if file.is_file())
    for item in ITEMS:
        words = item["question"].split()
        assert not any(" ".join(words[k : k + 2]).encode() in everything for k in range(len(words)))
    ds = rows_of(ITEMS[0]["question"], "Name a fruit, please, that grows in Spain.")
    assert hfclean.decontaminate(ds, "pack") == hfclean.decontaminate(ds, [Path("pack")]) == [1]
    assert load_dataset("pack", split="train").num_rows == len(pack.entries)
    two = pack + BenchmarkPack.make("other", ITEMS[:2])
    assert two.items == {"planted": 5, "other": 2}
    with pytest.raises(HfcleanError, match="another name"):
        two + pack


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ({"turns": ["First?", "Second?"]}, [("0", "prompt"), ("0", "prompt")]),
        ({"idx": 7, "Instruction": "Do it"}, [("7", "prompt")]),
        ({"conversations": "Say hello"}, [("0", "prompt")]),
        (
            {"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]},
            [("0", "prompt"), ("0", "answer")],
        ),
        (
            {
                "id": "s",
                "instruction": "Add",
                "instances": [{"input": "1", "output": "2"}, {"input": "3", "output": ""}],
            },
            [("s", "prompt"), ("s", "answer"), ("s", "prompt")],
        ),
        ({"question": "Q", "answer": ["one", "two"]}, [("0", "prompt"), ("0", "answer"), ("0", "answer")]),
    ],
)
def test_benchmarks_of_all_shapes_are_read(row: dict[str, Any], found: list[tuple[str, str]]) -> None:
    assert [(entry.item, entry.side) for entry in BenchmarkPack.make("b", [row]).entries] == found


def test_columns_of_a_benchmark_can_be_named(work: Path) -> None:
    rows = [{"a": "Which one", "b": "of them?", "c": "This.", "d": 3}]
    pack = BenchmarkPack.make("b", Dataset.from_list(rows), text=["a", "b"], answer="c", item="d")
    assert [(entry.item, entry.side, entry.words) for entry in pack.entries] == [
        ("3", "prompt", 4),
        ("3", "answer", 1),
    ]
    with pytest.raises(ColumnError, match="name it: text="):
        BenchmarkPack.make("b", rows)
    with pytest.raises(ColumnError, match="no 'x'"):
        BenchmarkPack.make("b", rows, text="x")
    Dataset.from_list(ITEMS).to_parquet("items.parquet")
    assert (
        hfclean.decontaminate(rows_of("Why did Apollo 13 fail?"), ["items.parquet"]).report.hits[0].benchmark
        == "items"
    )


@pytest.mark.parametrize(
    ("against", "settings", "said"),
    [
        ([], {}, "name a benchmark"),
        ([{"question": ""}], {}, "no text"),
        ([ITEMS], {"ngram": 5}, "8 or 13"),
        ([ITEMS], {"overlap": 1.0}, "below 1"),
        ([ITEMS], {"overlap": float("nan")}, "below 1"),
        ([ITEMS], {"fuzzy": 0}, "at most 1"),
        (["nowhere"], {}, "'nowhere' is neither a folder nor a Hub id"),
        (["nowhere.jsonl"], {}, "cannot be read"),
        (["nowhere.txt"], {}, "neither a folder nor a Hub id"),
        ([["no row"]], {}, "expected a dict"),
        (None, {}, "expected a list or a dict"),
        ([3], {}, "expected a Dataset"),
        ([ITEMS], {"overlap": "0.5"}, "below 1"),
    ],
)
def test_wrong_settings_say_what_was_wanted(work: Path, against: Any, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(HfcleanError, match=said):
        hfclean.decontaminate(rows_of("Hi"), against, **settings)


def test_rows_are_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    ds = rows_of(*(item["question"] for item in ITEMS), "Name a fruit, please, that grows in Spain.", "")
    whole = hfclean.decontaminate(ds, [ITEMS]).report
    monkeypatch.setattr(decontamination, "AT_ONCE", 2)
    assert hfclean.decontaminate(ds, [ITEMS]).report == whole
    with pytest.raises(SourceError, match="pass the Dataset"):
        BenchmarkPack.make("b", "nowhere.txt")


def test_one_row_none_and_empty_ones() -> None:
    assert hfclean.decontaminate(rows_of("Why did Apollo 13 fail?"), [ITEMS]) == []
    nothing = rows_of("x").select([])
    assert hfclean.decontaminate(nothing, [ITEMS]) == []
    found = hfclean.decontaminate(rows_of("", " ", answers=["", ""]), [ITEMS])
    assert found == [0, 1]
    assert "2 rows have no text" in found.report.summary()


@pytest.mark.parametrize("harm", ["cut", "other", "version", "format", "junk"])
def test_a_damaged_pack_is_refused(work: Path, harm: str) -> None:
    BenchmarkPack.make("planted", ITEMS).save("pack")
    about, data = Path("pack", ABOUT), Path("pack", DATA)
    told = json.loads(about.read_text())
    if harm == "cut":
        data.write_bytes(data.read_bytes()[:-20])
    elif harm == "other":
        data.write_bytes(BenchmarkPack.make("planted", ITEMS[:1]).files()[DATA])
    elif harm == "junk":
        about.write_text("{")
    else:
        told |= {"version": {"words_version": 99}, "format": {"format": "x"}}[harm]
        about.write_text(json.dumps(told))
    with pytest.raises(SourceError, match=r"damaged|version|no benchmark pack"):
        BenchmarkPack.load("pack")


def test_runs_that_do_not_fit_the_words_are_refused(work: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from hfclean.selection import benchmarks

    pack = BenchmarkPack.make("planted", ITEMS)
    pack.save("pack")
    table = pq.read_table("pack/" + DATA)
    words = pa.array([2**30, *table["words"].to_pylist()[1:]], pa.int32())
    sink = pa.BufferOutputStream()
    pq.write_table(table.set_column(table.column_names.index("words"), "words", words), sink)
    with pytest.raises(SourceError, match="does not have the runs"):
        list(benchmarks._read_parquet(bytes(sink.getvalue()), "x"))


def test_what_is_killed_while_it_saves_leaves_a_whole_pack_or_one_that_is_refused(work: Path) -> None:
    BenchmarkPack.make("planted", ITEMS).save("pack")
    code = (
        "import os, signal\nfrom hfclean.selection.benchmarks import BenchmarkPack\n"
        "replace = os.replace\n"
        "def die(path, target):\n    replace(path, target)\n    os.kill(os.getpid(), signal.SIGKILL)\n"
        "os.replace = die\n"
        "BenchmarkPack.make('other', [{'question': 'Is this another pack altogether?'}]).save('pack')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert done.returncode == -signal.SIGKILL
    with pytest.raises(SourceError, match="damaged"):
        BenchmarkPack.load("pack")
    BenchmarkPack.make("planted", ITEMS).save("pack")
    assert BenchmarkPack.load("pack").items == {"planted": 5}


def test_a_pack_that_cannot_be_written_says_so(work: Path) -> None:
    Path("file").write_text("x")
    with pytest.raises(FolderError, match="cannot be written"):
        BenchmarkPack.make("planted", ITEMS).save("file")


def test_a_push_shows_its_files_and_a_sound_card(work: Path) -> None:
    from hfclean.cards import check_card

    pack = BenchmarkPack.make("a|b<script>", ITEMS)
    plan = hfclean.hub.push_benchmarks(pack, "me/pack", dry_run=True, folder="plan")
    assert [file.path for file in plan.files] == [DATA, ABOUT, "README.md"]
    card = Path("plan/README.md").read_text()
    assert check_card(card) == []
    assert "<script>" not in card
    assert not any(item["question"] in card for item in ITEMS)
    assert BenchmarkPack.load("plan").files() == pack.files()


def test_a_pushed_pack_comes_back_from_the_hub(
    fake_hub: FakeHub, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = BenchmarkPack.make("planted", ITEMS)
    pack.save("pack")
    done = hfclean.hub.push_benchmarks("pack", "me/pack")
    assert done.changed
    assert not hfclean.hub.push_benchmarks(pack, "me/pack").changed  # the same again makes no commit
    assert BenchmarkPack.load("me/pack").files() == pack.files()
    ds = rows_of(ITEMS[0]["question"], "Name a fruit, please, that grows in Spain.")
    assert hfclean.decontaminate(ds, against=["me/pack"]) == [1]
    assert main(["push", "pack", "me/again"]) == 0
    assert "--against me/again" in capsys.readouterr().out
    assert BenchmarkPack.load("me/again").items == {"planted": 5}
    assert main(["card", "pack"]) == 0
    assert "planted" in capsys.readouterr().out
    with pytest.raises(HfcleanError, match="gives no benchmark pack 'me/nothing'"):
        BenchmarkPack.load("me/nothing")
