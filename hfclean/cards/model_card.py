"""Model cards: a reviser or a linear rule as the README.md of its repo, merged into an existing one. No network."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hfclean.cards.card import environment, place_section
from hfclean.cards.metadata import CardError, Metadata, open_card, strings
from hfclean.evaluation.revising import ReviserEvaluation
from hfclean.hub_id import is_hub_id
from hfclean.scorers.linear_rule import LinearRule
from hfclean.version import __version__

SHOWN_PROMPT = 6000
METHODS = {
    "Reviser": (
        "CoachLM",
        "A whole pair goes in and a whole pair comes out, revised. The method is that of CoachLM (arXiv 2311.13246); "
        "the form in which pairs are handed over is hfclean's own and loses nothing.",
    ),
    "Reflection": (
        "Reflection-Tuning",
        "A model criticizes each pair on named criteria and then rewrites it, the instruction side first, then the "
        "response side. The method is that of Reflection-Tuning (arXiv 2310.11716); the prompts are hfclean's own.",
    ),
}


@dataclass(frozen=True)
class Evaluation:
    """One measured figure of a reviser.

    Attributes:
        metric: what it is called, such as `win_rate`.
        value: the figure.
        dataset: on what: a Hub id or a name.
        split, revision: of it.
        task: what is measured on it, as its leaderboard calls it.
        notes: how it was measured.
    """

    metric: str
    value: float
    dataset: str
    split: str = ""
    revision: str = ""
    task: str = ""
    notes: str = ""


@dataclass(frozen=True)
class Comparison:
    """An evaluation beside its baselines: lines about it, and a table with its head first."""

    about: tuple[str, ...]
    table: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class ReviserFacts:
    """What a reviser's card says.

    Attributes:
        name: the repo's id.
        kind: class of the reviser.
        form: `adapter`, `weights` or `prompt` (no weights: any model may be asked).
        about: the content of its `hfclean.json`.
        checks: check -> version, of the gate that its revisions pass.
        hfclean: the version that wrote it.
        base_model, base_revision: what it was made of, and at which commit.
        datasets: Hub ids of the data it was trained on.
        training: facts of the training, as (name, value).
        evaluation: figures.
        comparisons: of evaluations beside baselines: what was done, and rows of cells with their head first.
        license_why: where its license comes from.
    """

    name: str
    kind: str
    form: str
    about: Mapping[str, Any]
    checks: Mapping[str, int]
    hfclean: str
    base_model: str | None = None
    base_revision: str | None = None
    datasets: tuple[str, ...] = ()
    training: tuple[tuple[str, str], ...] = ()
    evaluation: tuple[Evaluation, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    license_why: str = ""


def read_evaluation(given: Any) -> tuple[Evaluation, ...]:
    """Figures from what a user hands over: what `hfclean.evaluate_reviser` gave (or its `to_dict`), or a mapping, or
    several.

    A mapping is `{"dataset": ID, "metrics": {NAME: NUMBER}}`, and may have `split`, `revision`, `task` and `notes`.

    Raises:
        CardError: something is missing, or not a number.
    """
    evaluations: list[Evaluation] = []
    for entry in _several(given):
        if isinstance(entry, ReviserEvaluation):
            evaluations += read_evaluation(entry.for_card())
            continue
        if isinstance(entry, Evaluation):
            evaluations.append(entry)
            continue
        metrics = entry.get("metrics") if isinstance(entry, Mapping) else None
        if not isinstance(metrics, Mapping) or not isinstance(entry.get("dataset"), str) or not metrics:
            raise CardError(
                f"evaluation {str(entry)[:80]!r}: expected {{'dataset': 'org/name', 'metrics': {{'win_rate': 0.61}}}} "
                "or a list of those"
            )
        odd = sorted(set(entry) - {"dataset", "metrics", "split", "revision", "task", "notes"})
        if odd:
            raise CardError(f"evaluation has {odd[0]!r}; expected dataset, metrics, split, revision, task and notes")
        for name, value in metrics.items():
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
                raise CardError(f"evaluation: {name} is {value!r}; expected a finite number")
            words = {key: str(entry[key]) for key in ("split", "revision", "task", "notes") if entry.get(key)}
            evaluations.append(Evaluation(str(name), value, entry["dataset"], **words))
    return tuple(evaluations)


def read_comparisons(given: Any) -> tuple[Comparison, ...]:
    """The tables of those figures that came with baselines."""
    lines = []
    for entry in _several(given):
        if isinstance(entry, ReviserEvaluation):
            where = f" of {entry.dataset}{f' ({entry.split})' if entry.split else ''}" if entry.dataset else ""
            clean = "1 row that needs nothing" if entry.clean == 1 else f"{entry.clean:,} rows that need nothing"
            about = f"{entry.pairs:,} pairs{where} that an expert changed, {clean}"
            table = tuple(tuple(row) for row in entry.table())
            trust = entry.trust_sentence[0].upper() + entry.trust_sentence[1:]
            bold = [line for line in (entry.warning, str(entry.added or "")) if line]
            lines.append(Comparison((f"{about}. {trust}", *bold), table))
    return tuple(lines)


def _several(given: Any) -> Sequence[Any]:
    several = [given] if isinstance(given, (Mapping, ReviserEvaluation)) else list(given or ())
    return [
        ReviserEvaluation.from_dict(one) if isinstance(one, Mapping) and "systems" in one else one for one in several
    ]


def reviser_card(
    facts: ReviserFacts,
    *,
    existing: str | None = None,
    license: str | None = None,
    language: str | Sequence[str] | None = None,
) -> str:
    """The README.md of a released reviser. Everything else in an existing card stays as it was.

    Raises:
        CardError: the YAML of `existing` is broken, so it would be lost; or a language that is not a code.
    """
    data, body = open_card(existing, license, language)
    if facts.base_model:
        data["base_model"] = facts.base_model
        if facts.form in ("adapter", "weights"):
            data["base_model_relation"] = "adapter" if facts.form == "adapter" else "finetune"
    if facts.datasets:
        data["datasets"] = list(dict.fromkeys([*facts.datasets, *strings(data.get("datasets"))]))
    data["library_name"] = {"adapter": "peft", "weights": "transformers"}.get(facts.form, "hfclean")
    data["pipeline_tag"] = "text-generation"
    method, meaning = METHODS.get(facts.kind, (facts.kind, ""))
    tags = ["hfclean", "reviser", method.lower(), "instruction-tuning", "data-cleaning"]
    data.extend("tags", tags)
    if facts.evaluation:
        data["model-index"] = [_model_index(facts.name, facts.evaluation)]
    settings = facts.about.get("settings", {})
    return _rendered(
        "reviser.md.jinja",
        data,
        body,
        facts.name,
        facts=facts,
        method=method,
        meaning=meaning,
        settings=[(key, value) for key, value in settings.items() if key not in ("model", "revision", "prompt")],
        prompt=str(facts.about.get("prompt", ""))[:SHOWN_PROMPT],
        own_model=settings.get("model", "") if facts.form == "prompt" else "",
        url=f"https://huggingface.co/{facts.base_model}" if is_hub_id(facts.base_model) else "",
    )


def rule_card(
    rule: LinearRule,
    *,
    name: str,
    existing: str | None = None,
    license: str | None = None,
    language: str | Sequence[str] | None = None,
    hfclean: str,
    limits: Sequence[str] = (),
    module: str = "hfclean",
    load: str = "",
    figures: str = "",
) -> str:
    """The README.md of a linear rule.

    Args:
        name: the repo's id.
        limits: what it cannot see, in addition to the limits of all rules.
        module, load: what is imported, and the expression that loads the rule; by default from the Hub.
        figures: measured figures, as Markdown.

    Raises:
        CardError: as `reviser_card`.
    """
    from hfclean.scorers.indicators import INDICATORS

    data, body = open_card(existing, license, language)
    data["library_name"] = "hfclean"
    data.extend("tags", ("hfclean", "linear-rule", "data-quality", "instruction-tuning"))
    weights = sorted(zip(rule.indicators, rule.coefficients, strict=True), key=lambda pair: (-abs(pair[1]), pair[0]))
    return _rendered(
        "rule.md.jinja",
        data,
        body,
        name,
        rule=rule,
        weights=[(indicator, weight) for indicator, weight in weights if weight],
        meanings={each.name: each.meaning for each in INDICATORS} if rule.reads == "pair" else {},
        name=name,
        hfclean=hfclean,
        limits=list(limits),
        module=module,
        load=load or f'hfclean.scorers.LinearRule.from_pretrained("{name if is_hub_id(name) else "FOLDER"}")',
        figures=figures.strip(),
    )


def rule_reviser_card(
    about: Mapping[str, Any],
    *,
    name: str,
    existing: str | None = None,
    license: str | None = None,
    language: str | Sequence[str] | None = None,
    evaluation: Sequence[Evaluation] = (),
) -> str:
    """The README.md of a released rule reviser.

    Args:
        about: the content of its `hfclean.json`.
        name: the repo's id.

    Raises:
        CardError: as `reviser_card`.
    """
    from hfclean.rules import RULES

    data, body = open_card(existing, license, language)
    data["library_name"] = "hfclean"
    data.extend("tags", ("hfclean", "reviser", "rules", "instruction-tuning", "data-cleaning"))
    if evaluation:
        data["model-index"] = [_model_index(name, evaluation)]
    rules = [rule for rule in RULES if rule.id in about["rules"]]
    return _rendered(
        "rule_reviser.md.jinja",
        data,
        body,
        name,
        about=about,
        name=name,
        hfclean=__version__,
        rules=rules,
        known=len(RULES),
        repairing=sum(rule.repair is not None for rule in rules),
        settings=list(about["settings"].items()),
        evaluation=evaluation,
    )


def _rendered(template: str, data: Metadata, body: str, title: str, /, **facts: Any) -> str:
    """A card: its YAML, and its body with the section that the template gives."""
    text = (
        environment()
        .get_template(template)
        .render(
            license=[
                str(data.get("license_name") or name) for name in strings(data.get("license")) if name != "unknown"
            ],
            language=strings(data.get("language")),
            **facts,
        )
    )
    return f"---\n{data.text()}---\n{place_section(body, text.strip(), title)}"


def _model_index(name: str, evaluation: Sequence[Evaluation]) -> dict[str, Any]:
    """The figures as the Hub shows them beside a model."""
    grouped: dict[tuple[str, str, str], list[Evaluation]] = {}
    for one in evaluation:
        grouped.setdefault((one.dataset, one.split, one.revision), []).append(one)
    results = []
    for (dataset, split, revision), group in grouped.items():
        source = {"name": dataset, "type": dataset, "split": split, "revision": revision}
        results.append(
            {
                "task": {"type": "text-generation", "name": "Revision of instruction data"},
                "dataset": {key: value for key, value in source.items() if value},
                "metrics": [{"type": one.metric, "value": one.value, "name": one.metric} for one in group],
            }
        )
    return {"name": name.rpartition("/")[2], "results": results}
