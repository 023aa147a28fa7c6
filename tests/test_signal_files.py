"""Files of a training signal: what is read of whose trainer, and what is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from hfclean.errors import TrainingError
from hfclean.training import Step, normalised, read_signal, unseen_rows
from hfclean.training.signal import LONGEST_LINE, SignalFile

OURS = (
    '{"step": 1, "batch_id": 4, "row_ids": ["a", "b"], "loss": 2.5, "grad_norm": 0.7, "lr": 0.1, "tokens": 9}\n'
    '{"step": 2, "batch_id": null, "row_ids": null, "loss": null, "grad_norm": null, "lr": null, "tokens": null}\n'
)


def written(tmp_path: Path, content: str | bytes, name: str = "signal.jsonl") -> Path:
    file = tmp_path / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


@pytest.mark.parametrize(
    ("content", "steps"),
    [
        (OURS, [Step(1, 4, ("a", "b"), 2.5, 0.7, 0.1, 9), Step(2)]),
        (OURS + '{"step": 3, "loss": 1.', [Step(1, 4, ("a", "b"), 2.5, 0.7, 0.1, 9), Step(2)]),
        (OURS.splitlines()[0], [Step(1, 4, ("a", "b"), 2.5, 0.7, 0.1, 9)]),
        (
            '{"step": 10, "loss": 2, "learning_rate": 1e-4, "epoch": 0.1}\n\n{"step": 10, "eval_loss": 3.0}\n'
            '{"step": 20, "grad_norm": 0}\r\n{"step": 20, "train_runtime": 5.0, "train_loss": 2.0}\n',
            [Step(10, loss=2.0, lr=1e-4), Step(20, grad_norm=0.0)],
        ),
    ],
    ids=["ours", "cut off", "no last line end", "another trainer"],
)
def test_what_is_read(tmp_path: Path, content: str, steps: list[Step]) -> None:
    assert read_signal(written(tmp_path, content)) == steps


def test_the_state_of_a_checkpoint_is_read(tmp_path: Path) -> None:
    log = [
        {"step": 1, "loss": 2.0, "grad_norm": math.nan, "learning_rate": 0.5},
        {"step": 1, "eval_loss": 4.0},
        {"step": 2, "loss": 1.5, "grad_norm": 3.0, "learning_rate": 0.25},
        {"step": 2, "train_loss": 1.75},
    ]
    file = written(tmp_path, json.dumps({"global_step": 2, "log_history": log}, indent=2), "trainer_state.json")
    assert read_signal(str(file)) == [Step(1, loss=2.0, lr=0.5), Step(2, loss=1.5, grad_norm=3.0, lr=0.25)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "has no step; expected a line of JSON for each"),
        ("\n\n", "has no step"),
        ('{"step": 1, "eval_loss": 1.0}\n', "has no step"),
        ("step,loss\n1,2\n", r"line 1 of .* is not JSON: b'step,loss\\n'; expected an object such as"),
        (b"\xff\xfe\x00\n", "line 1 of .* is not JSON"),
        ("[" * 100_000 + "\n", "line 1 of .* is not JSON"),
        ("[1]\n", "line 1 of .* is list; expected an object"),
        (
            OURS + '{"step": 3, "perplexity": 9}\n',
            r"line 3 of .* has neither loss nor grad_norm \(found: 'step', 'perp",
        ),
        (OURS + '{"step": 2, "loss": 1}\n', "line 3 of .*: step 2 comes after step 2; expected every step once"),
        ('{"step": 5, "loss": 1}\n{"step": 4, "loss": 1}\n', "line 2 of .*: step 4 comes after step 5"),
        ('{"loss": 1}\n', "step is None; expected a whole number from 1"),
        ('{"step": 0, "loss": 1}\n', "step is 0"),
        ('{"step": true, "loss": 1}\n', "step is True"),
        ('{"step": "1", "loss": 1}\n', "step is '1'"),
        ('{"step": 1, "loss": -0.5}\n', "loss is -0.5; expected a number of 0 and up, or null"),
        ('{"step": 1, "loss": NaN}\n', "loss is nan"),
        ('{"step": 1, "grad_norm": 1e999}\n', "grad_norm is inf"),
        ('{"step": 1, "grad_norm": ' + "9" * 400 + "}\n", r"grad_norm is 9{40}\.\.\.;"),
        ('{"step": 1, "loss": "2.5"}\n', "loss is '2.5'"),
        ('{"step": 1, "loss": 1, "tokens": -1}\n', "tokens is -1; expected a whole number from 0"),
        ('{"step": 1, "loss": 1, "batch_id": 1.5}\n', "batch_id is 1.5"),
        ('{"step": 1, "loss": 1, "row_ids": [1]}\n', r"row_ids is \[1\]; expected a list of texts"),
    ],
)
def test_what_is_refused(tmp_path: Path, content: str | bytes, said: str) -> None:
    with pytest.raises(TrainingError, match=said):
        read_signal(written(tmp_path, content))


def test_another_file_of_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"has no log_history; expected a trainer_state.json"):
        read_signal(written(tmp_path, '{\n"a": 1\n}', "config.json"))
    line = written(tmp_path, '{"step": 1, "loss": 2.0}\n', "signal.json")
    assert read_signal(line) == [Step(1, loss=2.0)]


def test_a_line_without_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    file = tmp_path / "signal.jsonl"
    with file.open("wb") as out:
        out.truncate(2**30)  # a hole: it takes no disk
    with pytest.raises(TrainingError, match=f"line 1 of .* has more than {LONGEST_LINE:,} bytes"):
        read_signal(file)


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    for place in (tmp_path / "absent.jsonl", tmp_path):
        with pytest.raises(
            TrainingError, match=r"cannot be read .*expected a signal file, a JSONL with step and loss"
        ):
            read_signal(place)


def test_rows_are_those_that_are_known(tmp_path: Path) -> None:
    file = written(tmp_path, OURS)
    steps = read_signal(file, known=["c", "a", "b"])
    assert unseen_rows(steps, ["d", "a", "c", "b"]) == ["d", "c"]
    with pytest.raises(
        TrainingError, match=r"names rows that are not among the 1 known ones \(1 in all\): 'b' \(step 1\)"
    ):
        read_signal(file, known=["a"])
    with pytest.raises(TrainingError, match="names no rows"):
        read_signal(written(tmp_path, '{"step": 1, "loss": 1}\n'), known=["a"])


def test_a_signal_is_set_beside_those_before_it() -> None:
    steps = [Step(k, grad_norm=norm, loss=2.0) for k, norm in enumerate([4.0, 2.0, None, 1.0, 8.0], 1)]
    found = normalised(steps, window=3)
    assert found[:2] == [1.0, 2.0 / 3.0]
    assert math.isnan(found[2])
    assert found[3:] == [1.0 / 2.0, 8.0 / 2.0]
    assert normalised(steps, field="loss") == [1.0] * 5
    assert normalised([]) == []
    assert all(math.isnan(value) for value in normalised([Step(1, grad_norm=0.0), Step(2, grad_norm=0.0)]))


@pytest.mark.parametrize(
    ("how", "said"),
    [({"field": "lr"}, "field='lr'; expected one of 'grad_norm', 'loss'"), ({"window": 0}, "window=0; expected")],
)
def test_a_signal_of_no_field_is_refused(how: dict[str, object], said: str) -> None:
    with pytest.raises(TrainingError, match=said):
        normalised([Step(1)], **how)  # type: ignore[arg-type]


def test_another_file_is_not_written_over(tmp_path: Path) -> None:
    file = written(tmp_path, '{"prompt": "Name a fruit."}\n')
    with pytest.raises(
        TrainingError, match=r"would replace a file that holds something else: line 1 of .*neither loss"
    ):
        SignalFile(file).begin(0)
    assert file.read_text() == '{"prompt": "Name a fruit."}\n'
    (tmp_path / "taken").write_text("")
    with pytest.raises(TrainingError, match=r"cannot be written .*name another file for the signal"):
        SignalFile(tmp_path / "taken" / "signal.jsonl").begin(0)


def test_lines_behind_a_checkpoint_go_and_the_others_stay_as_they_are(tmp_path: Path) -> None:
    file = written(tmp_path, OURS)
    out = SignalFile(file)
    out.begin(1)
    out.write(Step(2, loss=math.nan, grad_norm=math.inf, lr=0.1), lasting=True)
    first, second = file.read_text().splitlines(keepends=True)
    assert first == OURS.splitlines(keepends=True)[0]
    assert read_signal(file)[1] == Step(2, lr=0.1)
    assert json.loads(second)["loss"] is None
    out.begin(0)
    assert file.read_bytes() == b""
    with pytest.raises(TrainingError, match=r"the names of the 1 rows of step 1 take .* bytes; expected at most"):
        out.write(Step(1, row_ids=("x" * LONGEST_LINE,)), lasting=False)
