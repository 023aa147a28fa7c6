"""Cards: a report becomes the README.md of a dataset, merged into an existing card. No network, no clock.

What a card holds beside our section and our YAML keys stays as it was.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from hfclean.cards.metadata import (
    CardError,
    Metadata,
    Source,
    base_name,
    build_configs,
    config_family,
    open_card,
    read_source,
    size_category,
    state_configs,
    strings,
)
from hfclean.hub_id import is_hub_id
from hfclean.report import UNRECORDED, Edit, Report, facts, formatting
from hfclean.report.meanings import meanings
from hfclean.report.stale_copies import STALE

if TYPE_CHECKING:
    from jinja2 import Environment

    from hfclean.evaluation.ab_report import AbTest

BEGIN = "<!-- hfclean:begin -->"
END = "<!-- hfclean:end -->"
HEADING = re.compile(r"\A\s*# [^\n]*(?:\n|\Z)")
SAFE_CODE = re.compile(r"[\w./:@*+ -]+", re.ASCII)
EXAMPLES = 3
EXCERPT = 400
TAGS = ("hfclean", "instruction-tuning", "data-cleaning")


def dataset_card(
    report: Report,
    *,
    existing: str | None = None,
    keep_configs: bool = True,
    name: str | None = None,
    source: str | Sequence[str] | None = None,
    source_is_hub: bool | None = None,
    license: str | None = None,
    language: str | Sequence[str] | None = None,
    data_files: Mapping[str, str] | None = None,
    ledger_file: str | None = "ledger.parquet",
    removed_files: Mapping[str, str] | None = None,
    refused_file: str | None = None,
    configs: Sequence[Mapping[str, Any]] | None = None,
    plots: Sequence[str] = (),
    config_name: str = "default",
    folder: str = "",
    ab_test: AbTest | None = None,
) -> str:
    """The README.md of a cleaned dataset.

    Our section stands between two HTML comments and is replaced when the card is made again; whatever else is in an
    existing card stays: its text, its own YAML keys and their values (not the comments in its YAML). `dataset_info`
    of the configs that are described again is dropped, since it describes other columns.

    Args:
        report: what `hfclean.compare` found.
        existing: the text of a README.md to merge into.
        keep_configs: keep the other configs of `existing`. Turn it off if its files are not beside the new ones.
        name: the dataset's Hub id or folder; only the last part of a path is used.
        source: what was cleaned: one or several Hub ids, or file names.
        source_is_hub: whether `source` is a Hub id; guessed from its form when not given.
        license: a license id of the Hub, or any other name. Not stated here or in `existing`: `unknown`.
        language: ISO 639 codes. Not stated here or in `existing`: shown as unknown, and left out of the YAML.
        data_files: split -> pattern of its files; `data/<split>-*.parquet` by default.
        ledger_file: the file of the `ledger` config; `None` for none.
        removed_files: split -> file of the rows that were removed, for the `removed` config.
        refused_file: the file of the revisions that were refused, for the `refused` config.
        configs: all of our configs, as the Hub spells them, instead of these.
        plots: names of the pictures in `plots/` (`<name>.svg`) to show.
        config_name: what the config of the rows is called. Each has its own section and family of configs:
            `default`, `ledger`, `removed` and `refused`, or `v2`, `v2-ledger`, `v2-removed` and `v2-refused`.
        folder: where in the repo `plots/` is, such as `v2/`.
        ab_test: what `hfclean.evaluation.ab_test` found.

    Raises:
        CardError: the YAML of `existing` is broken, or our marks in it are, so it would be lost; or a language that
            is not a code.
    """
    data, body = open_card(existing, license, language)
    sources = [read_source(item, source_is_hub) for item in ([source] if isinstance(source, str) else source or ())]
    title = base_name(name) if name else ""
    ours = (
        list(configs)
        if configs is not None
        else build_configs(report, data_files, ledger_file, removed_files, refused_file, config_name)
    )
    if title and not data.get("pretty_name"):
        data["pretty_name"] = title
    if config_name == "default" or not data.get("size_categories"):
        data["size_categories"] = [size_category(report.rows_after)]
    if sources:
        earlier = [item for item in strings(data.get("source_datasets")) if item != "original"]
        data["source_datasets"] = list(dict.fromkeys([*(item.yaml for item in sources), *earlier]))
    data.extend("task_categories", ("text-generation",))
    data.extend("tags", (*TAGS, *(("synthetic",) if report.generated else ())))
    state_configs(data, ours, keep=keep_configs, family=config_family(config_name))
    section = _section(report, data, sources, title, ours, plots, config_name, folder, ab_test)
    return f"---\n{data.text()}---\n{place_section(body, section, title or 'Cleaned dataset', _marks(config_name))}"


def _marks(config_name: str = "default") -> tuple[str, str]:
    """The comments around the section of a config."""
    if config_name == "default":
        return BEGIN, END
    return BEGIN.replace(" -->", f" {config_name} -->"), END.replace(" -->", f" {config_name} -->")


class _Raw(str):
    """Text that is Markdown already."""


def _escape(value: Any) -> str:
    """Anything as Markdown that shows it as it is, on one line, in a table cell as well."""
    if isinstance(value, _Raw):
        return value
    text = formatting.one_line(str(value)).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]#|~])", r"\\\1", text)


def _code(text: str) -> str:
    return _Raw(f"`{text}`" if SAFE_CODE.fullmatch(text) and text.strip() == text else _escape(text))


@lru_cache(maxsize=1)
def environment() -> Environment:
    import jinja2

    env = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: (files("hfclean.cards") / name).read_text(encoding="utf-8")),
        finalize=_escape,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701
    )
    env.filters |= {
        "code": _code,
        "count": formatting.count,
        "plural": formatting.plural,
        "quantity": formatting.quantity,
    }
    env.filters["codes"] = lambda names: _Raw(", ".join(map(_code, names)))
    env.filters["raw"] = _Raw
    env.filters["literal"] = lambda text: _Raw(json.dumps(text) if is_hub_id(text) else '"PATH"')
    env.filters["ratio"] = formatting.ratio
    env.filters["excerpt"] = lambda text: text if len(text) <= EXCERPT else f"{text[:EXCERPT]}…"
    env.filters["quoted"] = lambda text: _Raw("\n".join(f"> {_escape(line)}".rstrip() for line in text.split("\n")))
    env.globals["percent"] = formatting.percent
    env.globals["model_facts"] = facts.model_facts
    env.globals["decision_words"] = facts.decision_words
    env.globals["generation_facts"] = facts.generation_facts
    return env


def _section(
    report: Report,
    data: Metadata,
    sources: Sequence[Source],
    title: str,
    configs: Sequence[Mapping[str, Any]],
    plots: Sequence[str],
    config_name: str,
    folder: str,
    ab_test: AbTest | None,
) -> str:
    _, ledger, removed, refused = config_family(config_name)
    names = {config.get("config_name") for config in configs}
    licenses = [data.get("license_name") or item for item in strings(data.get("license")) if item != "unknown"]
    known = meanings(report)
    columns = [(name, formatting.one_line(known[name], EXCERPT)) for name in report.columns_added if known.get(name)]
    rules = sorted(report.rules, key=lambda rule: -rule.rows)
    text = (
        environment()
        .get_template("card.md.jinja")
        .render(
            report=report,
            source_name=", ".join(source.name for source in sources),
            source_url=sources[0].url if len(sources) == 1 else "",
            license=[str(item) for item in licenses],
            language=strings(data.get("language")),
            recorded=report.is_recorded,
            figures=_figures(report),
            fired=[rule for rule in rules if rule.rows],
            only_found=[rule for rule in rules if not rule.rows and rule.defects_after],
            plots=[plot for plot in plots if re.fullmatch(r"\w+", plot)],
            columns=columns,
            examples=_examples(report),
            load_name=title or "PATH",
            config="" if config_name == "default" else config_name,
            ledger=ledger if ledger in names else "",
            removed=removed if removed in names else "",
            refused=refused if refused in names else "",
            folder=folder,
            ab_test=ab_test,
            masked=any(rule.id.startswith("pii_") for rule in report.rules),
            stale=[note for note in report.notes if note.startswith(STALE)],
        )
    )
    return text.strip()


def _figures(report: Report) -> list[tuple[str, str]]:
    """What a reader wants to know first, as names and numbers."""
    edits = {name: sum(getattr(split, name) for split in report.splits) for name in ("reverted", "failed")}
    rows = {
        "rows before": report.rows_before,
        "rows after": report.rows_after,
        "changed": report.rows_changed,
        **({"refused": edits["reverted"]} if report.models or edits["reverted"] else {}),
        **({"failed": edits["failed"]} if edits["failed"] else {}),
        "removed": report.rows_removed,
        **({"added": report.rows_added} if report.rows_added else {}),
        "with a defect before": report.rows_with_defects_before,
        "with a defect left": report.rows_with_defects_after,
    }
    return [(name, formatting.count(number)) for name, number in rows.items()]


def _examples(report: Report) -> list[Edit]:
    """A few changes that a model made, evenly spaced."""
    names = {rule.id for rule in report.rules if rule.severity}
    edits = [edit for edit in report.edits if edit.rule != UNRECORDED and not set(edit.rule.split()) & names]
    if not report.models or not edits:
        return []
    few = min(EXAMPLES, len(edits))
    return [edits[k * len(edits) // few] for k in range(few)]


def place_section(body: str, section: str, title: str, around: tuple[str, str] = (BEGIN, END)) -> str:
    """The body with our section in its old place; in a new one after the first heading, else at the top."""
    begin, end_mark = around
    section = f"{begin}\n{section}\n{end_mark}"
    begins, ends = body.count(begin), body.count(end_mark)
    if begins != ends or begins > 1 or (begins and body.index(begin) > body.index(end_mark)):
        raise CardError(
            f"the existing card has {begins} marks {begin} and {ends} marks {end_mark}; expected one of each, in this "
            "order, around the section that is replaced. Fix the card, or remove both"
        )
    if begins:
        start, end = body.index(begin), body.index(end_mark) + len(end_mark)
        return body[:start] + section + body[end:]
    if not body.strip():
        return f"\n# {_escape(title)}\n\n{section}\n"
    heading = HEADING.match(body)
    start = heading.end() if heading else 0
    head, rest = body[:start].rstrip(), body[start:].lstrip("\r\n")
    return (f"{head}\n\n" if head else "\n") + section + (f"\n\n{rest}" if rest else "\n")
