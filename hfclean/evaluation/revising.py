"""Is a reviser any good? Measured on held-out expert revisions, beside revisers that know nothing or next to nothing.

Nothing is written to the rows. A reviser is never measured on pairs that it was trained on, unless that is asked for,
and then the result says so wherever it is shown.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from hfclean.errors import HfcleanError
from hfclean.evaluation import reviser_report as report
from hfclean.evaluation.bootstrap import NOTHING, Draws, Figure
from hfclean.evaluation.revised_pairs import (
    ExpertPairs,
    Revised,
    gated,
    most_added,
    read_clean,
    read_pairs,
    revise_with,
    same,
    with_filler,
    with_others,
)
from hfclean.evaluation.reviser_report import (
    BASELINES,
    COMPARED,
    HEADLINE,
    MEANINGS,
    AddedSentence,
    ReviserEvaluation,
    System,
)
from hfclean.layout import Layout
from hfclean.reviser.modelled import ModelReviser
from hfclean.reviser.rules import revise
from hfclean.reviser.taught_pairs import pair_hash, trained_on
from hfclean.reviser.untried import note_measured
from hfclean.schema import Columns, Pair
from hfclean.scorers.embedded import preference_rule
from hfclean.text.words import CJK
from hfclean.transform import Transform
from hfclean.verifiers import verify

__all__ = ["BASELINES", "HEADLINE", "MEANINGS", "ReviserEvaluation", "System", "evaluate_reviser", "measure"]

ADDED = 0.05  # share of changed responses from which on a sentence added to them is named
PIECES = re.compile(rf"{CJK.pattern}|(?:(?!{CJK.pattern})\w)+|[^\w\s]|\n")  # words, marks, ends of lines


def evaluate_reviser(
    reviser: Any,
    pairs: Any,
    *,
    clean: Iterable[Any] | None = None,
    columns: Columns = None,
    dataset: str = "",
    split: str = "",
    force: bool = False,
    unseen: bool = False,
    draws: int = 1000,
    seed: int = 0,
    show: bool = False,
) -> ReviserEvaluation:
    """Measure a reviser against expert revisions that it has not seen.

    For the reviser, and beside it for one that changes nothing, the rules, the experts and three controls that are
    worth nothing (`BASELINES`): the figures of `hfclean.evaluation.revising.MEANINGS`, with bootstrap intervals in
    which rows stay whole, and what the reviser does beyond each baseline on the same rows. First comes what length
    cannot buy, last what `preference` says, which follows length. A pair that failed or was refused counts as it
    stands: unchanged. Distances count words and marks put in or taken out, so that filler leads away from the expert.

    The result says which trust the reviser has earned (`trust`, by the rules of `hfclean.evaluation.earned_trust`),
    and names a sentence that was added to many rows.

    Distance rewards the expert's wording: it does not replace a judge (`hfclean.evaluation.win_rate`) or a look at
    rows.

    Args:
        reviser: a `Reviser`, `Reflection` or `RuleReviser`.
        pairs: a `Dataset` or list of rows with `raw_instruction`, `raw_input`, `raw_output` and the same three after
            `revised_`; the inputs may be missing. Pairs that the expert left as they were need nothing and count so.
        clean: more rows that need nothing, of any shape.
        columns: which columns of `clean` hold what, as in a transform.
        dataset, split: what the pairs are called, for the card.
        force: evaluate although some of the pairs trained the reviser; the result then says so.
        unseen: leave out the pairs that trained the reviser, and count them as `trained_on` in `left_out`.
        draws: bootstrap samples.
        seed: of the draws.
        show: a progress bar.

    Raises:
        HfcleanError: no pairs, none that is usable, or pairs that trained the reviser.
        ColumnError: a column is missing, or holds no text.
        BackendError: the reviser's model cannot be asked at all. Every answer so far is kept: run the same again.

    >>> import hfclean
    >>> pairs = [{"raw_instruction": "Name a fruit.", "raw_output": "An apple.</s>",
    ...           "revised_instruction": "Name a fruit.", "revised_output": "An apple."}]
    >>> found = hfclean.evaluate_reviser(hfclean.revise, pairs, draws=10)
    >>> found.figures["exact"].value, found.of("identity").figures["exact"].value
    (1.0, 0.0)
    """
    from tqdm.auto import tqdm

    read = read_pairs(pairs)
    ok = [*read.unchanged, *read_clean(clean, Layout(columns))]
    if unseen:
        read, ok = _unseen(reviser, read, ok)
    if not read.raw and not ok:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in read.left_out.items())
        raise HfcleanError(f"none of the pairs is usable ({reasons}); expected pairs with text on both sides")
    every = [*read.raw, *ok]
    seen = _seen(reviser, every, force=force)
    plain = _plain(reviser)
    with tqdm(total=len(every), desc="evaluate", unit=" rows", disable=not show, dynamic_ncols=True) as bar:
        result = revise_with(plain, every, bar.update)
    systems = {report.REVISER: result, **_baselines(read, ok, result, seed)}
    sentence, rows, changed = most_added(every, result.pairs)
    measured = _Measured(read, ok, draws, seed)
    return ReviserEvaluation(
        reviser=_name(reviser),
        dataset=dataset,
        split=split,
        pairs=len(read.raw),
        clean=len(ok),
        left_out=read.left_out,
        trained_on=seen,
        measured_at=reviser.trust if isinstance(reviser, ModelReviser) else "",
        added=AddedSentence(sentence, rows, changed) if rows > 1 and rows >= ADDED * changed else None,
        systems=tuple(measured.system(name, revised) for name, revised in systems.items()),
        beyond={name: measured.beyond(result, systems[name]) for name in BASELINES if name != report.EXPERT},
        preference=preference_rule().version,
        seed=seed,
        draws=draws,
    )


def measure(
    raw: Iterable[Pair], expert: Iterable[Pair], revised: Iterable[Pair], *, draws: int = 1000, seed: int = 0
) -> System:
    """The figures of existing revisions, of whatever reviser; its refusals are what the gate would say.

    Args:
        raw, expert, revised: the pairs before, after the expert and after the reviser, in the same order.
        draws, seed: as for `evaluate_reviser`.

    Raises:
        HfcleanError: no pairs.
    """
    changed: list[tuple[Pair, Pair, Pair]] = []
    ok: list[tuple[Pair, Pair]] = []
    for before, wanted, after in zip(raw, expert, revised, strict=True):
        if same(before, wanted):
            ok.append((before, after))
        else:
            changed.append((before, wanted, after))
    if not changed and not ok:
        raise HfcleanError("measure got no pairs; expected one or more")
    read = ExpertPairs(tuple(b for b, _, _ in changed), tuple(w for _, w, _ in changed), (), {})
    clean = [before for before, _ in ok]
    outcome = gated([*read.raw, *clean], [*(after for _, _, after in changed), *(after for _, after in ok)])
    return _Measured(read, clean, draws, seed).system(report.REVISER, outcome)


def _plain(reviser: Any) -> Any:
    """The reviser as it takes rows of instruction, input and output, those among them that taught it."""
    if not isinstance(reviser, Transform):
        return reviser
    if isinstance(reviser, ModelReviser):
        note_measured(reviser.spec())
        reviser = replace(reviser, revise_trained_on=True)
    return replace(reviser, columns=None, prefix="")


def _seen(reviser: Any, pairs: Sequence[Pair], *, force: bool) -> int:
    """How many of the pairs the reviser was trained on.

    Raises:
        HfcleanError: some, and nobody forces it.
    """
    known = trained_on(reviser)
    count = sum(pair_hash(pair) in known for pair in pairs) if known else 0
    if count and not force:
        raise HfcleanError(
            f"{count:,} of {len(pairs):,} pairs trained this reviser, and it would be measured on what it was taught. "
            "Leave them out: unseen=True (--trained-on skip); or say force=True (--trained-on keep), and the result "
            "will say that it is worthless"
        )
    return count


def _unseen(reviser: Any, read: ExpertPairs, ok: Sequence[Pair]) -> tuple[ExpertPairs, list[Pair]]:
    """Without the pairs that trained the reviser, which are counted."""
    known = trained_on(reviser)
    new = [k for k, pair in enumerate(read.raw) if pair_hash(pair) not in known]
    rest = [pair for pair in ok if pair_hash(pair) not in known]
    seen = len(read.raw) - len(new) + len(ok) - len(rest)
    raw, expert = (tuple(side[k] for k in new) for side in (read.raw, read.expert))
    left_out = {**read.left_out, "trained_on": seen} if seen else read.left_out
    return replace(read, raw=raw, expert=expert, left_out=left_out), rest


def _name(reviser: Any) -> str:
    spec = getattr(reviser, "spec", None)
    name = type(reviser).__name__
    model = spec().name if spec else ""
    return f"{name} ({model.rstrip('/').rpartition('/')[2] or model})" if model else name


def _distance(one: Pair, two: Pair) -> int:
    """Words, marks and ends of lines to take out and put in. None is replaced by another for the price of one: beside
    a longer text, anything at all that is added would come nearer to it then."""
    from rapidfuzz.distance import Indel

    fields = ((getattr(one, name), getattr(two, name)) for name in ("instruction", "input", "response"))
    return sum(Indel.distance(PIECES.findall(a), PIECES.findall(b)) for a, b in fields if a != b)


def _found(pair: Pair) -> Counter[tuple[str, str, str]]:
    """What the verifiers find, by verifier, field and what stands there."""
    return Counter((finding.check, finding.field, finding.found) for finding in verify(pair))


def _baselines(read: ExpertPairs, ok: Sequence[Pair], revised: Revised, seed: int) -> dict[str, Revised]:
    every = [*read.raw, *ok]
    longer = [
        after if len(after.response) > len(before.response) else before
        for before, after in zip(every, revised.pairs, strict=True)
    ]
    return {
        report.IDENTITY: gated(every, every),
        report.RULES: revise_with(revise, every),
        report.LONGEST: gated(every, longer),
        report.FILLER: gated(every, with_filler(every, report.SENTENCE)),
        report.SHUFFLED: gated(every, with_others(every, revised.pairs, seed)),
        report.EXPERT: gated(every, [*read.expert, *ok]),
    }


class _Measured:
    """The pairs, and the samples that all figures over them share."""

    def __init__(self, read: ExpertPairs, ok: Sequence[Pair], draws: int, seed: int) -> None:
        self.read, self.ok = read, ok
        self.drawn = Draws(len(read.raw), draws=draws, seed=seed)
        self.drawn_ok = Draws(len(ok), draws=draws, seed=seed)
        self.before = self._numbers(read.raw)
        self.found = [_found(pair) for pair in read.raw]

    def _numbers(self, pairs: Sequence[Pair]) -> dict[str, Any]:
        """Preference, distance and length of every pair."""
        import numpy as np

        both = zip(pairs, self.read.expert, strict=True)
        return {
            "preference": np.array(preference_rule().predict(list(pairs)), float),
            "distance": np.array([_distance(one, two) for one, two in both], float),
            "length": np.array([len(pair.response) for pair in pairs], float),
        }

    def _findings(self, revised: Revised) -> tuple[list[float], list[float]]:
        """For each pair 1 where a finding of the verifiers went, and 1 where one came, else 0.

        A response that stands as it was, with text around it, has mended nothing, whatever the verifiers make of it.
        """
        mended, made = [], []
        for before, after, old in zip(self.read.raw, revised.pairs, self.found, strict=False):
            new = old if after == before else _found(after)
            mended.append(float(bool(old - new) and before.response not in after.response))
            made.append(float(bool(new - old)))
        return mended, made

    def _columns(self, revised: Revised) -> dict[str, Any]:
        """One number per pair for every figure that is a mean."""
        import numpy as np

        count = len(self.read.raw)
        after = self._numbers(revised.pairs[:count])
        gain = after["preference"] - self.before["preference"]
        nearer = self.before["distance"] - after["distance"]
        equal = [same(a, b) for a, b in zip(revised.pairs, self.read.expert, strict=False)]
        edits = revised.edits[:count]
        refused = [edit == "reverted" for edit in edits] if revised.gated else [bool(r) for r in revised.reasons]
        unknown = np.where(np.isnan(gain), np.nan, 0.0)
        mended, made = self._findings(revised)
        return {
            "improved": (gain > 0) + unknown,
            "worsened": (gain < 0) + unknown,
            "preference_gain": gain,
            "closer": (nearer > 0).astype(float),
            "farther": (nearer < 0).astype(float),
            "net_closer": np.sign(nearer),
            "findings_mended": np.array(mended, float),
            "findings_made": np.array(made, float),
            "structure_lost": np.array(revised.lossy[:count], float),
            "distance": after["distance"],
            "exact": np.array(equal, float),
            "refused": np.array(refused[:count], float),
            "failed": np.array([edit == "failed" for edit in edits], float),
            "length": after["length"],
        }

    def system(self, name: str, revised: Revised) -> System:
        import numpy as np

        count = len(self.read.raw)
        figures: dict[str, Figure] = {}
        if count:
            columns = self._columns(revised)
            shares = [key for key in report.PERCENT if key in columns and key != "net_closer"]
            figures |= zip(shares, self.drawn.shares(np.stack([columns[key] for key in shares], 1)), strict=True)
            means = ("preference_gain", "distance", "net_closer")
            figures |= zip(means, self.drawn.means(np.stack([columns[key] for key in means], 1)), strict=True)
            figures |= zip(
                ("distance_left", "length_ratio"),
                self.drawn.ratios(
                    np.stack([columns["distance"], columns["length"]], 1),
                    np.stack([self.before["distance"], self.before["length"]], 1),
                ),
                strict=True,
            )
        if self.ok:
            stay = [float(same(a, b)) for a, b in zip(self.ok, revised.pairs[count:], strict=True)]
            figures["unchanged"] = self.drawn_ok.shares(np.array(stay)[:, None])[0]
        return System(
            name,
            {key: figures.get(key, NOTHING) for key in MEANINGS},
            self._refusals(revised),
            self._failures(revised),
            revised.gated,
        )

    def _refusals(self, revised: Revised) -> dict[str, Figure]:
        import numpy as np

        count = len(self.read.raw)
        names = sorted(
            {
                code
                for edit, reasons in zip(revised.edits[:count], revised.reasons, strict=False)
                if edit == "reverted" or not revised.gated
                for code in reasons
            }
        )
        if not names:
            return {}
        shares = self.drawn.shares(np.stack([revised.refused_by(name)[:count] for name in names], 1))
        ranked = sorted(zip(names, shares, strict=True), key=lambda one: (-one[1].value, one[0]))
        return dict(ranked)

    def _failures(self, revised: Revised) -> dict[str, int]:
        pairs = zip(revised.edits[: len(self.read.raw)], revised.reasons, strict=False)
        counts = Counter(reason for edit, reasons in pairs if edit == "failed" for reason in reasons)
        return dict(sorted(counts.items()))

    def beyond(self, revised: Revised, other: Revised) -> dict[str, Figure]:
        """The reviser's figures less another's, paired by row."""
        import numpy as np

        if not self.read.raw:
            return {}
        one, two = self._columns(revised), self._columns(other)
        differences = np.stack([one[k] - two[k] for k in COMPARED], axis=1)
        return dict(zip(COMPARED, self.drawn.means(differences), strict=True))
