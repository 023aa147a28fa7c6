"""The rounds of a loop over a student's errors, in a folder from which they go on after any end.

    FOLDER/loop.json                  the settings that all rounds share
    FOLDER/round-0001-student/        the student of a round; only the last is kept
    FOLDER/tested-0001.json           what it answered, and whether that is right
    FOLDER/revised-0001.json          the wrong rows that a reviser was asked about
    FOLDER/round-0001/                what the teacher made; see `hfclean.generation.Rounds`
    FOLDER/rows.parquet               the seeds and the made rows, when all rounds are done
    FOLDER/control/                   the same with random seeds
    FOLDER/answers.sqlite3            the students' answers

Each of these is written whole or not at all, and what is there is not done again.
"""

from __future__ import annotations

import random
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hfclean.durable import new_file
from hfclean.errors import FolderError, GenerationWarning
from hfclean.generation.generator import Generator
from hfclean.generation.rounds import Rounds, dataset_of, features_of, made_once
from hfclean.generation.seeds import Seed, Seeds, read_seeds
from hfclean.generation.tally import Tally, summed
from hfclean.loops.correct import Judged, Verdict, correct_settings, keys_of, verdicts_on
from hfclean.loops.error_questions import Questions
from hfclean.loops.error_report import USED, ErrorRounds, told
from hfclean.loops.error_words import note_of
from hfclean.loops.revising import Revising
from hfclean.loops.student import Student, forget_student
from hfclean.mining.runs import digest
from hfclean.models import Answer
from hfclean.models.weights import find_model
from hfclean.schema import whole_row
from hfclean.selection.decontamination import pack_of

FORMAT = 1
ROWS = "rows.parquet"
LOOP, CONTROL, STORE = "loop", "control", "answers.sqlite3"
MORE = 2  # requests of the control arm for each row that it is to make


@dataclass(frozen=True)
class Loop:
    """The settings of a loop, which both of its arms share; as `augment_errors` has them."""

    questions: Questions
    student: Student
    generator: Generator | None
    revising: Revising | None
    against: Any
    rounds: int
    per_error: int
    show_answers: bool
    keep_students: bool
    show: bool

    def settings(self) -> dict[str, Any]:
        """What makes two loops the same, as JSON can hold it."""
        questions, test = self.questions, self.questions.test
        return {
            "format": FORMAT,
            "seeds": digest([(each.id, each.row) for each in questions.seeds.seeds]),
            "test": digest([each.row for each in test.seeds]) if test else "",
            "correct": correct_settings(questions.correct),
            "student": self.student.settings(),
            "teacher": self.generator is not None,
            "per_error": self.per_error,
            "show_answers": self.show_answers,
            "revise": None if self.revising is None else self.revising.settings(),
        }

    def benchmarks(self) -> Any:
        """What no made row may hold an item of: the user's benchmarks, and the test set."""
        if self.questions.test is None:
            return self.against
        own = pack_of({"test": [dict(each.row) for each in self.questions.test.seeds]})
        given = self.against
        empty = given is None or (isinstance(given, (tuple, list, dict)) and not given)
        return own if empty else pack_of(given) + own


Chosen = Callable[[int, Sequence[Seed]], tuple[Sequence[Seed], int]]  # round and wrong seeds -> seeds, most new rows


class Arm:
    """One arm of a loop in its folder.

    Args:
        loop: the settings.
        folder: of the arm.
        like: the arm that this one is the control of; the first students of both are one.

    Raises:
        FolderError: the folder holds a loop of other seeds or settings.
    """

    def __init__(self, loop: Loop, folder: Path, like: Arm | None = None) -> None:
        self.loop, self.folder, self.like = loop, folder, like
        settings = {**loop.settings(), "control": like is not None}
        if (
            folder / f"{LOOP}.json"
        ).exists():  # a test set is a benchmark of the rounds, which know it by that name only
            _check_loop(folder, settings)
        self.rounds = Rounds(loop.generator, folder, against=loop.benchmarks()) if loop.generator else None
        if self.rounds is None:
            _check_folder(folder)
        _check_loop(folder, settings)
        self.current = {each.id: each for each in loop.questions.seeds.seeds}
        self.revised: dict[str, Mapping[str, Any]] = {}  # id -> what a reviser adds to the row
        self.made: list[Seed] = []
        self.lines: list[dict[str, Any]] = []

    def run(self, choose: Chosen) -> ErrorRounds:
        """All rounds."""
        loop, seeds, ended = self.loop, self.loop.questions.seeds, "rounds"
        last = loop.rounds if self.like is None else len(self.like.lines)
        for number in range(1, last + 1):
            tested = self._tested(number)
            wrong = [self.current[name] for name, right, *_ in tested["seeds"] if right is False]
            line = self._line(number, tested)
            self.lines.append(line)
            if number < last and (wrong or self.like is not None):
                answers = {name: (answer, right) for name, right, _, answer in tested["seeds"]}
                self._make(number, *choose(number, wrong), answers, line)
            if loop.show:
                from tqdm import tqdm

                tqdm.write(told(line, "control, " if self.like else ""), file=sys.stderr)
            if number < last and self.like is None and not (line["kept"] or line["revised"]):
                ended = "nothing_new" if wrong else "no_errors"
                break
        if ended == "nothing_new":
            reasons = ", ".join(f"{name} {count:,}" for name, count in line["dropped"].items()) or "none came"
            warnings.warn(
                f"round {number} brought nothing new ({reasons}), and another would bring the same errors",
                GenerationWarning,
                stacklevel=3,
            )
        made = None if self.rounds is None or not self.made else self.rounds.kept
        rows, student = self._rows(seeds, made), self._student(self.lines[-1]["round"])
        _write(rows, self.folder / ROWS)
        kept = student if student.exists() else None
        return ErrorRounds(rows, made, tuple(self.lines), ended, kept, self.rounds)

    def random_choice(self, seed: int) -> Chosen:
        """For the control of this arm: as many random seeds as it had wrong ones, for as many rows as it kept."""

        def choose(number: int, _wrong: Sequence[Seed]) -> tuple[Sequence[Seed], int]:
            line = self.lines[number - 1]
            chance = random.Random(f"{seed} {CONTROL} {number}")  # noqa: S311 - a sample, no secret
            names = chance.sample(sorted(self.current), line["errors"])
            return [self.loop.questions.seeds.by_id[name] for name in names], line["kept"]

        return choose

    # ------------------------------------------------------------------------------------------------ train and test

    def _student(self, number: int) -> Path:
        shared = self.like is not None and number == 1
        folder = self.like.folder if shared and self.like else self.folder
        return folder / f"round-{number:04d}-student"

    def _tested(self, number: int) -> Any:
        if self.like is not None and number == 1:  # both train on the seeds alone
            return made_once(self.folder, f"tested-{number:04d}", lambda: self.like and self.like._tested(1))
        found = made_once(self.folder, f"tested-{number:04d}", lambda: self._train_and_test(number))
        forget_student(self._student(number), whole=False)
        if not self.loop.keep_students and number > 1 and (self.like is None or number > 2):
            forget_student(self._student(number - 1), whole=True)
        return found

    def _train_and_test(self, number: int) -> dict[str, Any]:
        from hfclean.training.trainer import no_bars

        loop, questions = self.loop, self.loop.questions
        view, folder = questions.seeds.view, self._student(number)
        seeds = list(self.current.values())
        held = list(questions.test.seeds) if questions.test else []
        store = (self.like or self).folder / STORE
        with no_bars(when=not loop.show):
            tuned = loop.student.train([(each, view) for each in (*seeds, *self.made)], folder)
            answers, held_answers = loop.student.answers(folder, [seeds, held], store)
        judge = questions.correct.judge if isinstance(questions.correct, Judged) else None
        tally = Tally()
        rows = [{**questions.rows[each.id], **each.row} for each in seeds]
        verdicts = verdicts_on(questions.correct, rows, answers, tally)
        test = verdicts_on(questions.correct, questions.test_rows, held_answers, tally)
        return {
            "model": find_model(str(folder), None).identity,
            "steps": tuned.steps,
            "rows": tuned.facts["rows"],
            "left_out": tuned.facts["left_out"],
            "seeds": _told(seeds, verdicts, answers),
            "test": _told(held, test, held_answers),
            "usage": tally.plain(judge.spec().prices if judge is not None else None),
        }

    def _line(self, number: int, tested: Mapping[str, Any]) -> dict[str, Any]:
        """The round in the ledger, before anything is made."""
        seeds, test = (Counter(right for _, right, *_ in tested[name]) for name in ("seeds", "test"))
        spent = summed([tested["usage"]] if tested["usage"]["requests"] else [])
        return {
            "round": number,
            **{name: tested[name] for name in ("rows", "left_out", "steps", "model")},
            "right": seeds[True],
            "errors": seeds[False],
            "cannot_tell": seeds[None],
            "accuracy": _share(seeds),
            "test_rows": test.total(),
            "test_cannot_tell": test[None],
            "test_accuracy": _share(test),
            "asked_to_revise": 0,
            "revised": 0,
            "kept": 0,
            "dropped": {},
            **{name: spent[name] for name in USED},
        }

    # --------------------------------------------------------------------------------------------- revise and generate

    def _make(
        self,
        number: int,
        chosen: Sequence[Seed],
        most: int,
        answers: Mapping[str, tuple[str, bool | None]],
        line: dict[str, Any],
    ) -> None:
        """What comes of a round's seeds: revised ones, and new rows after the others."""
        usages = [line]
        if self.loop.revising is not None:
            chosen = self._revise(number, chosen, line, usages)
        chosen = [self.current[each.id] for each in chosen]
        if self.rounds is not None and chosen and most:
            seeds = self.loop.questions.seeds
            requests = len(chosen) * (MORE if self.like is not None else 1)
            made = self.rounds.generate_round(
                replace(seeds, seeds=tuple(chosen)),
                min(most, len(chosen) * self.loop.per_error) if self.like is None else most,
                requests=requests,
                each=True,
                notes={each.id: self._note(each, *answers[each.id]) for each in chosen},
                number=number,
            )
            line |= {"kept": len(made.kept), "dropped": dict(made.about["dropped"])}
            usages.append(made.about["usage"])
            if len(made.kept):
                self.made += read_seeds(made.kept, seeds.columns, seeds.form).seeds
        parts = [{"read": {}, "written": {}, "estimated": 0, "models": [], **each} for each in usages]
        spent = summed([each for each in parts if each["requests"]])
        line |= {name: spent[name] for name in USED}

    def _note(self, each: Seed, answer: str, right: bool | None) -> str:
        view = self.loop.questions.seeds.view
        keys = keys_of(whole_row(each.row, view, each.pair, rejected=False))
        key = each.pair.response.strip() or next(iter(keys), "")
        return note_of(key, answer if self.loop.show_answers else None, wrong=right is False)

    def _revise(
        self, number: int, chosen: Sequence[Seed], line: dict[str, Any], usages: list[dict[str, Any]]
    ) -> list[Seed]:
        """Revise the seeds that were not revised before; gives the others."""
        revising, questions = self.loop.revising, self.loop.questions
        assert revising is not None
        asked = [self.current[each.id] for each in chosen if each.id not in self.revised]
        if not asked:
            return list(chosen)
        rows = [{**questions.rows[each.id], **each.row} for each in asked]
        found = made_once(self.folder, f"revised-{number:04d}", lambda: revising.revise(asked, rows, questions.seeds))
        for name, row in found["rows"].items():
            self.current[name] = questions.seeds.reread(self.current[name], row["cells"])
            self.revised[name] = row["columns"]
        line |= {"asked_to_revise": len(asked), "revised": len(found["rows"])}
        usages.append(found["usage"])
        return [each for each in chosen if each.id not in found["rows"]]

    # ------------------------------------------------------------------------------------------------------- the rows

    def _rows(self, seeds: Seeds, made: Any) -> Any:
        features = features_of(seeds)
        rows: list[dict[str, Any]] = []
        for each in self.current.values():
            lineage = {"made_id": each.id if each.made else "", "seed_ids": [each.id], "parent_ids": [], "round": 0}
            rows.append({**each.row, **lineage, "made_by": "", "nearest": "", "similarity": 0.0})
        rows += made.to_list() if made is not None else []
        if self.loop.revising is not None:
            features, rows = self.loop.revising.with_columns(rows, list(self.current), self.revised, features, seeds)
        return dataset_of(rows, features)


def _told(seeds: Sequence[Seed], verdicts: Sequence[Verdict], answers: Sequence[Answer]) -> list[list[Any]]:
    """Id, verdict, its reason and the answer of each."""
    return [[each.id, *verdict, answer.text] for each, verdict, answer in zip(seeds, verdicts, answers, strict=True)]


def _write(rows: Any, file: Path) -> None:
    import pyarrow.parquet as pq

    with new_file(file) as partial:
        pq.write_table(rows.data.table, partial)


def _check_loop(folder: Path, settings: Mapping[str, Any]) -> None:
    """Write what both arms share, or make sure that it is the same.

    Raises:
        FolderError: it is not.
    """
    wanted = made_once(None, LOOP, lambda: settings)
    known = made_once(folder, LOOP, lambda: wanted)
    if not isinstance(known, dict):
        raise FolderError(f"{folder / LOOP}.json is not as hfclean writes it; choose another folder")
    if odd := [name for name in {**wanted, **known} if known.get(name) != wanted.get(name)]:
        raise FolderError(
            f"{folder} holds a loop of other {' and '.join(odd)}; give the same as when it was begun, or name another "
            "folder"
        )


def _check_folder(folder: Path) -> None:
    """Make a folder, which rounds check themselves.

    Raises:
        FolderError: it holds something else, or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise FolderError(f"{folder} cannot be written ({e.strerror or e}); name another folder") from e
    if not (folder / f"{LOOP}.json").exists() and any(not each.name.startswith(".") for each in folder.iterdir()):
        raise FolderError(f"{folder} has no {LOOP}.json, and is not empty; choose another folder for the rounds")


def _share(counts: Counter[bool | None]) -> float | None:
    told_of = counts[True] + counts[False]
    return counts[True] / told_of if told_of else None
