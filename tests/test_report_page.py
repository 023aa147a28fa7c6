"""The page, its diffs and its pictures: what is shown, what stays text, and how large it gets."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from browser import dumped_dom, needs_chromium
from datasets import Dataset, DatasetDict
from hypothesis import given, settings
from hypothesis import strategies as st

import hfclean
from hfclean.report import Report, compare
from hfclean.report.changes import shown_changes
from hfclean.report.distributions import histogram, quantiles
from hfclean.report.markup import diff_markup, text_markup
from hfclean.report.plots import draw_histogram
from hfclean.report.record import Removed, RowExcerpt
from hfclean.reviser.refused import RefusedRevision
from hfclean.text.worddiff import Stretch, readable_diff, word_diff

VOID = {"meta", "input", "br"}


class Page(HTMLParser):
    """A strict reader: elements must nest, and what matters of them is kept."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "script"):
            self.texts.append(data)

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)

    @property
    def text(self) -> str:
        return "".join(self.texts)


def rows(*outputs: str) -> Dataset:
    return Dataset.from_list([{"instruction": f"Q{n}", "input": "", "output": o} for n, o in enumerate(outputs)])


def changed(before: list[str], after: list[str]) -> Report:
    return compare(rows(*before), rows(*after))


# ------------------------------------------------------------------------------------------------------------ the diff


def shown(before: str, after: str) -> str:
    marks = {"same": "{}", "out": "[-{}-]", "in": "[+{}+]"}
    return "".join(marks[s.kind].format(s.text) for s in word_diff(before, after))


@pytest.mark.parametrize(
    ("before", "after", "diff"),
    [
        ("the red house", "the blue house", "the [-red-][+blue+] house"),
        ("the red big house", "the blue small house", "the [-red big-][+blue small+] house"),
        ("An apple.</s>", "An apple.", "An apple.[-</s>-]"),
        ("line \nnext", "line\nnext", "line[- -]\nnext"),
        ("a  b", "a b", "a [- -]b"),
        ("wo\u200brd here", "word here", "wo[-\u200b-]rd here"),
        ("isnâ€™t open", "isn’t open", "[-isnâ€™t-][+isn’t+] open"),
        ("今天天气很好", "今天天气真的很好", "今天天气[+真的+]很好"),
        ("", "new", "[+new+]"),
        ("same", "same", "same"),
    ],
)
def test_the_diff_is_in_words_and_shows_what_is_unseen(before: str, after: str, diff: str) -> None:
    assert shown(before, after) == diff


words = st.lists(
    st.sampled_from(["a", "bb", " ", "\n", "\u200b", ".", "é", "天", "\u202e", "</b>", "  "]), max_size=30
)
texts = st.one_of(st.text(max_size=60), words.map("".join))


@settings(max_examples=150, deadline=None)
@given(texts, texts)
def test_the_diff_loses_nothing(before: str, after: str) -> None:
    for diff in (word_diff(before, after), readable_diff(before, after)):
        assert "".join(s.text for s in diff if s.kind != "in") == before
        assert "".join(s.text for s in diff if s.kind != "out") == after
        assert all(s.text for s in diff)
        assert all(a.kind != b.kind for a, b in pairwise(diff))


def test_a_rewrite_is_shown_as_one_text_and_the_other() -> None:
    before = " ".join(f"and word{n}" for n in range(40))
    after = " ".join(f"but other{n} and" for n in range(40))
    assert readable_diff(before, after) == [Stretch("out", before), Stretch("in", after)]


def test_texts_too_long_to_align_are_compared_at_their_ends() -> None:
    before = "x " * 300_000
    after = before[:300_000] + "Z " + before[300_000:]
    assert [s for s in word_diff(before, after) if s.kind != "same"] == [Stretch("in", "Z ")]
    wholly = word_diff("a " * 300_000, "b " * 300_000)
    assert [s.kind for s in wholly] == ["out", "in", "same"]


# ---------------------------------------------------------------------------------------------------------- the markup


@pytest.mark.parametrize(
    ("before", "after", "html"),
    [
        ("a\u200bb", "ab", 'a<del><b class="z">ZWSP</b></del>b'),
        ("a\u00ad\u00ad\u00adb", "ab", 'a<del><b class="z">SHY×3</b></del>b'),
        ("end  ", "end", 'end<del><b class="w">␣␣</b></del>'),
        ("a\n\n\n\nb", "a\n\nb", 'a\n\n<del><b class="w">↵↵</b></del>b'),
        ("x\x00y", "xy", 'x<del><b class="z">NUL</b></del>y'),
        ("x\ud800y", "xy", 'x<del><b class="z">U+D800</b></del>y'),
        ("<b>", "</b>", "&lt;<ins>/</ins>b&gt;"),
    ],
)
def test_what_cannot_be_seen_is_labelled(before: str, after: str, html: str) -> None:
    assert str(diff_markup(word_diff(before, after), 10_000)) == html


def test_harmful_characters_are_labelled_where_nothing_changed_and_scripts_are_left_alone() -> None:
    assert str(text_markup("a\u202eb")) == 'a<b class="z">RLO</b>b'
    family = "👨\u200d👩\u200d👧 می\u200cخواهم"
    assert str(text_markup(family)) == family
    tags = "".join(chr(0xE0041 + n) for n in range(20))
    assert str(text_markup(tags)).endswith('<b class="z">+12 unseen</b>')


def test_long_unchanged_text_is_folded_and_can_be_opened() -> None:
    before = "word " * 400 + "</s>"
    html = str(diff_markup(word_diff(before, before.replace("</s>", "")), 10_000))
    assert html.startswith("<details><summary>… 1,9")
    assert html.count("word") == 400
    cut = str(diff_markup(word_diff(before, before.replace("</s>", "")), 500))
    assert "characters not shown" in cut
    assert "<del>&lt;/s&gt;</del>" in cut
    assert len(cut) < 500


@settings(max_examples=150, deadline=None)
@given(texts, texts, st.integers(min_value=120, max_value=2000))
def test_a_diff_is_well_formed_and_keeps_its_budget(before: str, after: str, budget: int) -> None:
    html = str(diff_markup(readable_diff(before * 9, after * 9), budget))
    assert len(html.encode()) <= budget + 60
    page = Page(html)
    assert {tag for tag, _ in page.tags} <= {"del", "ins", "b", "i", "details", "summary"}
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", html)


# ------------------------------------------------------------------------------------------------------------ the page

HOSTILE = "</script><img src=x onerror=alert(1)> \"'> {{ 7*7 }} \u202e\u2066\x00\x1b[31m</style></title>-->"


def test_the_page_is_one_file_with_a_strict_policy() -> None:
    report = changed(["one two</s>", "three"], ["one two", "three"])
    html = report.to_html(title="Title", folder="cleaned")
    page = Page(html)
    assert html.startswith("<!doctype html>")
    assert "http://" not in html
    assert "https://" not in html
    assert "Title" in page.text
    policy = next(attrs["content"] for tag, attrs in page.tags if attrs.get("http-equiv"))
    assert policy is not None
    for tag, kind in (("style", "style-src"), ("script", "script-src")):
        (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        digest = b64encode(sha256(content.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert all(
        not name.startswith("on") and name not in ("style", "src", "action")
        for _, attrs in page.tags
        for name in attrs
    )
    assert all((attrs.get("href") or "#").startswith("#") for _, attrs in page.tags)
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    for anchor in (attrs["href"] for _, attrs in page.tags if "href" in attrs):
        assert anchor is not None
        assert anchor[1:] in ids


def test_the_page_says_what_changed_and_how_to_undo_it() -> None:
    raw = DatasetDict(train=rows("one two</s>", "three", ""), test=rows("four</s>", "three"))
    done = raw.map(hfclean.revise).map(hfclean.score)
    page = Page(compare(raw, done).to_html(folder="cleaned"))
    cards = [attrs for tag, attrs in page.tags if tag == "article" and "data-r" in attrs]
    assert [attrs["data-s"] for attrs in cards] == ["0", "1"]
    assert "5 rows went in and 5 came out. The text of 2 (40.0%) changed." in page.text
    assert "hfclean undo cleaned --row ROW_ID" in page.text
    assert "hfclean.restore(ds)" in page.text
    assert done["train"][0]["row_id"] in page.text
    assert "Worst rows left" in page.text
    report = compare(raw, done)
    fired = [rule for rule in report.rules if rule.rows]
    assert page.count("svg") == len(fired) + len(report.scores) + 1  # a bar per rule, and the lengths
    options = re.findall(r"<option value=\"\d+\">([^<]+)</option>", report.to_html())
    assert options == ["changed rows (2)", "chat_markers (2)", "train", "test"]
    for tag in ("header", "main", "nav", "footer"):
        assert page.count(tag) >= 1
    (form,) = [attrs for tag, attrs in page.tags if tag == "form"]
    assert "hidden" in form  # without JavaScript there is nothing to filter with
    assert all(
        attrs.get("dir") == "auto" for tag, attrs in page.tags if tag in ("div", "dd") and attrs.get("class") == "text"
    )


def test_nothing_from_a_row_becomes_markup() -> None:
    name = "a<script>alert(1)</script>'\"&"
    raw = Dataset.from_list(
        [{"instruction": HOSTILE, "input": HOSTILE, "output": HOSTILE}, {"instruction": "", "input": "", "output": ""}]
    )
    raw = raw.add_column("removed_reason", ["", HOSTILE])
    after = raw.map(lambda row: {"output": "x" + row["output"][::-1]}).add_column(name, [HOSTILE, ""])
    report = compare(DatasetDict({name: raw}), DatasetDict({name: after.select([0])}))
    assert compare(DatasetDict({name: raw}), DatasetDict({name: raw, "b": raw})).overlaps[0].first == name
    for made in (report, compare(DatasetDict({name: raw}), DatasetDict({name: raw, "b": raw}))):
        html = made.to_html(title=HOSTILE, folder=HOSTILE)
        page = Page(html)
        assert page.count("script") == 1
        assert page.count("img") == 0
        assert "onerror=alert(1)>" in page.text
        assert "49 }}" not in html
        assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", html)
        assert Page(made._repr_html_()).count("script") == 0
        for svg in made.plots().values():
            ElementTree.fromstring(svg)


def test_a_report_from_elsewhere_cannot_break_the_page() -> None:
    report = changed(["one</s>"], ["one"])
    data = report.to_dict()
    for edit in data["edits"]:
        edit["rule"] = edit["field"] = edit["row_id"] = edit["split"] = HOSTILE
    data["rules"][0] |= {"id": HOSTILE, "severity": HOSTILE, "meaning": HOSTILE}
    data["scores"][0]["name"] = data["tokens"]["counter"] = data["hfclean"] = HOSTILE
    data["tokens"]["estimated"] = False
    made = Report.from_dict(data)
    assert Page(made.to_html()).count("script") == 1
    assert Page(made._repr_html_()).count("script") == 0
    assert "\x1b" not in made.summary()
    for svg in made.plots().values():
        assert [e.tag for e in ElementTree.fromstring(svg).iter() if "script" in e.tag] == []


def test_the_first_of_each_kind_come_first_and_the_most_telling_before_the_others() -> None:
    before = ["one \n", "isnâ€™t", "three \n", "a</s>", "five</s></s>", "x  \n\n\n"]
    raw = rows(*before)
    report = compare(raw, raw.map(hfclean.revise))
    refused = RefusedRevision(
        "train", "r9", "output", "Yes.", "I cannot.", "refusal off_topic", ("It declines.",), "m"
    )
    gone = RowExcerpt("r8", "train", 8, "exact duplicate of r1", "Q", "A")
    report = replace(report, refused=(refused,), removed=(Removed("exact duplicate of another row", 4, (gone,)),))
    shown = shown_changes(report, 100)
    assert [(card.kind, card.index, card.names[0]) for card in shown.cards] == [
        ("refused", None, "refusal"),
        ("changed", 1, "mojibake"),
        ("changed", 4, "chat_markers"),
        ("changed", 5, "whitespace"),
        ("removed", 8, "exact duplicate of another row"),
        ("changed", 3, "chat_markers"),
        ("changed", 0, "whitespace"),
        ("changed", 2, "whitespace"),
    ]
    assert [(label.kind, label.name, label.rows) for label in shown.labels] == [
        *(("changed", "", 6), ("refused", "", 1), ("removed", "", 1)),
        *(("changed", "whitespace", 3), ("changed", "chat_markers", 2), ("changed", "mojibake", 1)),
        *(("refused", "off_topic", 1), ("refused", "refusal", 1)),
        ("removed", "exact duplicate of another row", 1),
    ]
    page = Page(report.to_html(title="rows.jsonl"))
    kinds = [attrs["class"] for tag, attrs in page.tags if tag == "article" and "data-r" in attrs]
    assert kinds == ["row refused", "row", "row", "row", "row removed", "row", "row", "row"]
    (first,) = [attrs for tag, attrs in page.tags if tag == "article" and attrs.get("class") == "row refused"]
    assert [shown.labels[int(number)].name for number in str(first["data-r"]).split()] == ["", "refusal", "off_topic"]
    assert "It declines." in page.text
    assert [attrs["id"] for tag, attrs in page.tags if tag == "section"][:2] == ["changes", "rules"]


def test_rules_that_changed_nothing_are_folded_away() -> None:
    raw = rows("one</s>", "", "What a")
    html = compare(raw, raw.map(hfclean.revise)).to_html()
    fired, _, folded = html.partition('<section id="rules"')[2].partition("<details")
    assert "chat_markers" in fired
    assert "empty_output" not in fired
    assert "empty_output" in folded.partition("</details>")[0]


def test_the_colours_can_be_read() -> None:
    css = (files("hfclean.report") / "page.css").read_text(encoding="utf-8")
    colours = dict(re.findall(r"--([\w-]+):light-dark\((#\w+,#\w+)\)", css))

    def brightness(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
        parts = [int(digits[k : k + 2], 16) / 255 for k in (0, 2, 4)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    pairs = [(ink, ground) for ink in ("ink", "soft", "accent") for ground in ("paper", "card", "wash")]
    pairs += [("out", "out-bg"), ("in", "in-bg"), ("mark", "mark-bg"), ("warn", "warn-bg"), ("ink", "warn-bg")]
    for ink, ground in pairs:
        for one, other in zip(colours[ink].split(","), colours[ground].split(","), strict=True):
            low, high = sorted((brightness(one), brightness(other)))
            assert (high + 0.05) / (low + 0.05) >= 4.5, (ink, ground, one, other)


TRIED = """
document.addEventListener("securitypolicyviolation", () => { document.body.dataset.violation = "yes"; });
const key = (name) => document.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true }));
const cards = () => Array.from(document.querySelectorAll("#cards > .row:not([hidden])"));
const label = document.querySelector("select[name=label]"), search = document.querySelector("input[name=text]");
const fire = (element, name) => element.dispatchEvent(new Event(name, { bubbles: true }));
const at = () => Array.from(document.querySelectorAll("#cards > .row")).indexOf(document.activeElement);
const said = [cards().length];
document.body.focus();
document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "j", bubbles: true })); said.push(at());
document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key: "j", bubbles: true })); said.push(at());
document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key: "k", bubbles: true })); said.push(at());
document.querySelector("#more button").click(); said.push(cards().length);
label.value = Array.from(label.options).find((o) => o.text.startsWith("mojibake")).value;
fire(label, "change"); said.push(cards().length);
label.value = ""; fire(label, "change"); said.push(cards().length);
document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "/", bubbles: true }));
said.push(document.activeElement === search);
search.value = "MAÑANA"; fire(search, "change"); said.push(cards().length);
document.querySelector("a[data-label]").click(); said.push(cards().length, search.value);
search.blur();
document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "?", bubbles: true }));
said.push(document.getElementById("help").matches(":popover-open"));
document.getElementById("theme").click(); said.push(document.documentElement.dataset.theme);
said.push(document.getElementById("date").hidden, document.body.dataset.violation || "no violation");
said.push(document.documentElement.scrollWidth <= innerWidth);
document.body.dataset.said = JSON.stringify(said);
"""


@needs_chromium
def test_filter_search_and_keys_work_in_a_browser(tmp_path: Path) -> None:
    raw = rows(*(f"row {n}</s>" for n in range(118)), "maÃ±ana", "a" * 300 + " isnâ€™t")
    html = compare(raw, raw.map(hfclean.revise)).to_html()
    digest = b64encode(sha256(TRIED.encode()).digest()).decode()
    html = html.replace("script-src '", f"script-src 'sha256-{digest}' '", 1)
    (tmp_path / "page.html").write_text(html.replace("</body>", f"<script>{TRIED}</script></body>"), encoding="utf-8")
    dom = dumped_dom(tmp_path / "page.html", width=390)
    (said,) = [attrs["data-said"] for tag, attrs in Page(dom).tags if tag == "body"]
    assert json.loads(str(said)) == [
        *(100, 0, 1, 0),  # a part is shown at first; j, j and k
        120,  # the rest
        *(2, 100, True, 1),  # one rule, all again, the search by its key, one row
        *(100, "", True),  # a rule's name in the table, and the help
        *("dark", False, "no violation", True),
    ]


def test_the_same_data_give_the_same_bytes() -> None:
    before, after = ["one</s>", "two"], ["one", "two"]
    assert changed(before, after).to_html() == changed(before, after).to_html()


def test_more_changes_than_fit_are_sampled_evenly() -> None:
    report = changed([f"{n}</s>" for n in range(30)], [str(n) for n in range(30)])
    html = report.to_html(max_edits=10)
    assert html.count('<article class="row" data-r') == 10
    assert "10 of 30 changes" in html
    indices = [int(n) for n in re.findall(r"train, row (\d+)", html)]
    assert indices[:10] == list(range(0, 30, 3))
    assert changed(["a"], ["b"]).to_html(max_edits=0).count('<article class="row" data-r') == 0


@pytest.mark.parametrize("hostile", [False, True])
def test_the_page_stays_below_its_size_whatever_the_rows_hold(hostile: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hfclean.report.changes.CHANGES_BYTES", 100_000)
    filler = "\u202e\x00<\"'&" * 330 if hostile else "word and other " * 130
    report = changed([f"{n} {filler}" for n in range(75)], [f"{n} {filler[::-1]}" for n in range(75)])
    html = report.to_html()
    assert html.count('<article class="row" data-r') == 75
    assert len(html.encode()) < 100_000 + 130_000
    assert Page(html).count("article") > 75


def test_an_empty_report_has_a_page() -> None:
    page = Page(compare(rows("a").select([]), rows("a").select([])).to_html())
    assert "Both datasets are empty." in page.text
    assert "No text changed." in page.text


# -------------------------------------------------------------------------------------------------------- the pictures


def test_quantiles_leave_out_what_is_no_number() -> None:
    found = quantiles([1.0, 3.0, float("nan"), float("inf")])
    assert (found.n, found.unscored, found.mean, found.p0, found.p50, found.p100) == (2, 2, 2.0, 1.0, 2.0, 3.0)
    assert (quantiles([]).n, quantiles([float("nan")]).unscored) == (0, 1)


@pytest.mark.parametrize(
    ("values", "edges", "rows_per_bin"),
    [
        ([0.0, 1.0, 1.0, 3.0], (0, 1, 2, 3, 4), (1, 2, 0, 1)),
        ([0.5], (0.0, 1.0), (1,)),
        ([-1.0, 1.0], (-1, 0, 1, 2), (1, 0, 1)),
    ],
)
def test_bins_have_round_edges(values: list[float], edges: tuple[float, ...], rows_per_bin: tuple[int, ...]) -> None:
    found = histogram(None, values)
    assert found is not None
    assert (found.edges, found.after, found.before) == (edges, rows_per_bin, None)


def test_a_long_tail_goes_into_one_open_bin() -> None:
    found = histogram(None, [float(n % 50) for n in range(1000)] + [90_000.0])
    assert found is not None
    assert found.open_end
    assert found.edges[-1] < 100
    assert sum(found.after) == 1001
    assert histogram(None, [float("nan")]) is None


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.floats(allow_nan=True, width=32), max_size=30),
    st.lists(st.floats(allow_nan=True, width=32), max_size=30),
)
def test_every_number_is_in_a_bin(before: list[float], after: list[float]) -> None:
    found = histogram(before, after)
    if found is None:
        assert quantiles([*before, *after]).n == 0
        return
    assert sum(found.after) == quantiles(after).n
    assert sum(found.before or ()) == quantiles(before).n
    assert list(found.edges) == sorted(set(found.edges))
    assert len(found.edges) < 80
    ElementTree.fromstring(
        draw_histogram(found, "<x>", before=quantiles(before), after=quantiles(after), limit=3, alone=True)
    )


def test_plots_stand_alone_and_have_names_safe_for_files() -> None:
    @hfclean.scorer("größe")
    def size(pair: Any) -> float:
        return 1.5

    raw = rows("one", "two words")
    plots = compare(raw, raw.map(size)).plots()
    assert {"response_words", "gr_e", "tokens"} <= set(plots)
    for svg in plots.values():
        root = ElementTree.fromstring(svg)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert root.attrib["width"] == "320"
        assert "prefers-color-scheme" in svg
        assert "url(" not in svg
        assert "href" not in svg
    assert "größe" in plots["gr_e"]
