"""The file of verdicts while it grows: what is read once, hashed once, and said where it goes or changes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from hfclean.errors import SourceError
from hfclean.verdicts import Event, VerdictLog, row_verdicts

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_an_event_is_hashed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    line, written = Event.line, list[str]()

    def counted(event: Event) -> str:
        written.append(event.row_id)
        return line(event)

    monkeypatch.setattr(Event, "line", counted)
    events = [Event(f"r{k // 3}", "accept", who="ana", number=1 + k, texts={"output": "x"}) for k in range(9)]
    for _ in range(2):
        assert len(row_verdicts(events)) == 3
    assert sorted(written) == sorted(event.row_id for event in events)


def test_lines_are_counted_across_one_without_an_end(tmp_path: Path) -> None:
    file = tmp_path / "v.jsonl"
    file.write_bytes(b'{"row_id": "a", "verdict": "skip"}')
    log = VerdictLog(file, "ana", now=lambda: NOON)
    assert [event.row_id for event in log.news().events] == ["a"]
    log.append(Event("b", "skip"))
    assert [event.row_id for event in log.news().events] == ["b"]
    with file.open("ab") as more:
        more.write(b"nonsense\n")
    with pytest.raises(SourceError, match="delete line 3"):
        log.news()
    assert file.read_bytes().count(b"\n") == 3
    file.write_bytes(b'{"row_id": "c", "verdict": "skip"}\n')
    assert [*log.news()] == [[Event("c", "skip")], True]
    file.unlink()
    with pytest.raises(SourceError, match="is gone"):
        log.news()
    assert VerdictLog(file, "ben").news() == ([], False)
