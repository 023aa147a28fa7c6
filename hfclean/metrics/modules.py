"""The modules: which exist, where they are, and the files of a Space that shows one."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from hfclean.errors import FolderError, HfcleanError, require

SDK = "5.49.1"
REQUIREMENT = "hfclean[metrics]"
SPACE_ID = re.compile(r"(?:[\w.-]+/)?[\w.-]+", re.ASCII)


@dataclass(frozen=True)
class Module:
    """One metric.

    Attributes:
        name: of the module and of its folder.
        title: for people.
        meaning: what it says, in a sentence.
        inputs: name -> what it holds, those that `compute` cannot do without first.
        outputs: figure -> what it says.
        limits: what it does not know.
        source: paper or repository.
        example: Python that runs with `metric` at hand.
    """

    name: str
    title: str
    meaning: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    limits: str
    source: str
    example: str

    def metric(self, compute: Callable[..., Mapping[str, float]], inputs: Mapping[str, str]) -> Any:
        """The class that `evaluate` loads: it reads columns of these types, and gives what `compute` gives."""
        from datasets import Features, Value
        from evaluate import Metric, MetricInfo

        about = self

        class Computed(Metric):  # type: ignore[misc]
            __doc__ = self.meaning

            def _info(self) -> Any:
                return MetricInfo(
                    module_type="metric",
                    description=about.meaning,
                    citation=about.source,
                    inputs_description="\n".join(f"{name}: {meaning}" for name, meaning in about.inputs.items()),
                    features=Features({name: Value(kind) for name, kind in inputs.items()}),
                )

            def _compute(self, **given: Any) -> dict[str, float]:
                return dict(compute(**given))

        return Computed


INTERVAL = "each with `_low` and `_high`, its 95 % bootstrap interval"
DRAWN = {"draws": "bootstrap samples, 1,000 by default", "seed": "of the draws, 0 by default"}

MODULES: Mapping[str, Module] = {
    module.name: module
    for module in (
        Module(
            "win_rate",
            "Win rate",
            "How often one side's responses are better than another's, with ties, order flips and length told apart.",
            {
                "predictions": "a judge's scores of the first side's responses, higher = better",
                "references": "its scores of the second side's; higher than the prediction is a loss, equal a tie",
                "predictions_swapped": "the same with the second side shown first, if both orders were asked",
                "references_swapped": "the second side's in that order",
                "lengths": "words of the first side's responses, or the texts, for the rates at equal length",
                "reference_lengths": "those of the second side's",
                **DRAWN,
            },
            {
                "wins, ties, losses": "counts; better once and tied once is a win, opposite verdicts are a tie",
                "unscored": "comparisons without a score, in no figure",
                "win_rate": f"WR1 = (wins + ties / 2) / all, 0 to 1, higher = better; {INTERVAL}",
                "win_rate_without_ties": "WR2 = wins / (wins + losses), 0 to 1; nan where nothing was decided",
                "quality_score": "QS = (wins + ties) / all, 0 to 1",
                "winning_score": "1 + (wins - losses) / all, 0 to 2; 1 = as good as the other side",
                "flip_rate": "share with opposite verdicts in the two orders, 0 to 1, lower = steadier; nan without",
                "p_value": "two-sided exact sign test of wins against losses",
                "matched_win_rate": "WR1 where the responses are about equally long; nan without lengths",
                "controlled_win_rate": "WR1 at equal length by a logistic model; nan without lengths",
            },
            "It knows what the judge knows. Judges like long answers: look at the rates at equal length.",
            "CoachLM, arXiv 2311.13246; the two orders as in Cherry LLM, arXiv 2308.12032",
            "metric.compute(predictions=[9, 7, 8], references=[8, 7, 5])",
        ),
        Module(
            "revision_quality",
            "Revision quality",
            "How much nearer revised texts come to an expert's, and whether they read better.",
            {
                "predictions": "responses after revision",
                "references": "the expert's responses",
                "raw": "the responses before",
                "instructions": "what they answer, if it is known: `preference` sees both",
                **DRAWN,
            },
            {
                "pairs": "rows that the expert changed; all figures but `unchanged` are of these",
                "clean": "rows that the expert left as they were",
                "closer, farther": "share that comes nearer to the expert's text, or goes away from it, 0 to 1",
                "net_closer": "`closer` less `farther`, -1 to 1",
                "findings_mended, findings_made": "share that loses, or gets, something `hfclean.verify` finds wrong",
                "unchanged": "share of the clean rows that stay as they are, 0 to 1; nan where there are none",
                "structure_lost": "share that loses a thought, a box, a table, a placeholder, ..., 0 to 1",
                "refused": "share that the gate `hfclean.accept` would refuse, 0 to 1, lower = better",
                "exact": "share that equals the expert's text but for outer white space, 0 to 1",
                "distance": "mean number of words and marks to put in or take out to reach the expert's text",
                "distance_left": "all distances after over all before; below 1 = nearer on the whole",
                "length_ratio": "characters after over before; 1 = as long",
                "improved, worsened": "share whose `preference`, which follows length, rises, or falls, 0 to 1",
                "...": INTERVAL,
            },
            "`preference` is a rule of thumb that knows form and length, not truth; distance rewards one wording.",
            "hfclean; the experts' pairs as in CoachLM, arXiv 2311.13246",
            'metric.compute(predictions=["An apple."], references=["An apple."], raw=["a aple"])',
        ),
        Module(
            "ifd_summary",
            "IFD summary",
            "How hard instructions are to follow, over a dataset: the distribution of IFD scores.",
            {"predictions": "IFD scores, 0 and up; nan where there is none", **DRAWN},
            {
                "count, unscored": "rows with a score, and without one",
                "mean": f"{INTERVAL}",
                "p5, p25, median, p75, p95": "percentiles",
                "above_one": "share of rows whose instruction makes the response less likely, which IFD selection "
                f"drops, 0 to 1; {INTERVAL}",
            },
            "High IFD is often a long answer or a wrong one. See `agreement` for how much of it is length.",
            "Cherry LLM, arXiv 2308.12032; Superfiltering, arXiv 2402.00530",
            "metric.compute(predictions=[0.7, 0.9, 1.2, float('nan')])",
        ),
        Module(
            "agreement",
            "Agreement",
            "How far two scores choose the same rows, and how much of each choice is length.",
            {
                "predictions": "one score per row; nan where there is none",
                "references": "the other score",
                "texts": "the responses, for the figures about length",
                "share": "the share of rows that each score chooses, 0.05 by default",
            },
            {
                "compared, missing": "rows with both scores, and without",
                "spearman": "rank correlation, -1 to 1; nan where one has a single value",
                "overlap": "rows that both choose, of the smaller choice, 0 to 1",
                "chance": "the overlap that unrelated choices have on average",
                "length_auc, reference_length_auc": "chance that a chosen row is longer than one that is not, 0 to 1; "
                "nan without texts",
            },
            "Two scores that agree may both measure length.",
            "hfclean",
            "metric.compute(predictions=[1, 2, 3, 4], references=[1, 3, 2, 4], share=0.5)",
        ),
    )
}


def _module(name: str) -> Module:
    if name not in MODULES:
        raise HfcleanError(f"no metric {name!r}; expected one of {', '.join(MODULES)}")
    return MODULES[name]


def path(name: str) -> str:
    """The folder of a module, as `evaluate.load` takes it.

    Raises:
        HfcleanError: there is none of this name.
    """
    return str(files("hfclean") / "metrics" / "spaces" / _module(name).name)


def load(name: str, **options: Any) -> Any:
    """A module, loaded through `evaluate`: an `evaluate.Metric` with `compute`, `add` and `add_batch`.

    Args:
        name: a key of `MODULES`.
        options: further settings of `evaluate.load`, such as `keep_in_memory=True`.

    Raises:
        HfcleanError: there is none of this name.
        MissingExtraError: `evaluate` is not installed.
    """
    folder = path(name)
    return require("evaluate", extra="metrics").load(folder, **options)


def space_files(
    name: str, repo_id: str, *, requirement: str = REQUIREMENT, license: str = "apache-2.0"
) -> dict[str, bytes]:
    """The files of a Space that shows a module, by their path; `evaluate.load(repo_id)` reads them there.

    Args:
        name: a key of `MODULES`.
        repo_id: `NAMESPACE/NAME`; the script is called after the second part, where `evaluate` looks for it.
        requirement: how pip gets hfclean there: a version, or an address.
        license: of the Space.

    Raises:
        HfcleanError: there is no such module, or the name is not a valid file name.
    """
    module = _module(name)
    script = repo_id.rpartition("/")[2]
    if not SPACE_ID.fullmatch(repo_id) or "\n" in requirement:
        raise HfcleanError(f"{repo_id!r} and requirement={requirement!r}: expected NAMESPACE/NAME and one line")
    texts = {
        f"{script}.py": Path(path(name), f"{name}.py").read_text(encoding="utf-8"),
        "app.py": APP.format(title=module.title, script=script),
        "requirements.txt": f"{requirement}\n",
        "README.md": _readme(module, repo_id, license),
    }
    return {file: text.encode("utf-8") for file, text in texts.items()}


def write_space(name: str, folder: str | Path, *, repo_id: str = "", **options: Any) -> Path:
    """Write the files of a Space into a folder, which must not hold any yet.

    Args:
        name: a key of `MODULES`.
        folder: where to.
        repo_id: what the Space will be called; by default like the module.
        options: as for `space_files`.

    Raises:
        FolderError: the folder holds something already.
    """
    folder = Path(folder).expanduser()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FolderError(f"{str(folder)!r} already exists and is not empty; name another folder")
    files = space_files(name, repo_id or name, **options)
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in files.items():
        (folder / file).write_bytes(content)
    return folder


APP = '''"""{title}: the demo of this Space."""

from pathlib import Path

import evaluate
from evaluate.utils import launch_gradio_widget

launch_gradio_widget(evaluate.load(str(Path(__file__).parent / "{script}.py")))
'''


def _readme(module: Module, repo_id: str, license: str) -> str:
    import yaml

    front = {
        "title": module.title,
        "sdk": "gradio",
        "sdk_version": SDK,
        "app_file": "app.py",
        "pinned": False,
        "license": license,
        "tags": ["evaluate", "metric", "hfclean"],
        "description": module.meaning,
    }
    inputs = "\n".join(f"- `{name}`: {text}" for name, text in module.inputs.items())
    outputs = "\n".join(f"- `{name}`: {text}" for name, text in module.outputs.items())
    return (
        f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True, width=1000)}---\n\n# {module.title}\n\n"
        f"{module.meaning}\n\n## How to use\n\n```python\nimport evaluate\n\n"
        f'metric = evaluate.load("{repo_id}")\nprint({module.example})\n```\n\n'
        f"### Inputs\n\n{inputs}\n\n### Output values\n\n{outputs}\n\n## Limitations\n\n{module.limits}\n\n"
        f"## Source\n\n{module.source}\n"
    )
