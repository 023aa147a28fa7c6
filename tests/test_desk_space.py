"""`hfclean review DIR --space`: the whole way, with the container of the Space run here, on the loopback Hub."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from desk_space import SPACE, Container, Visitor
from extras import needs
from fake_hub import FakeHub, hub_fixture  # noqa: F401

import hfclean
from hfclean.cli import main
from hfclean.verdicts import read_events

needs("review", "starlette", "uvicorn")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a container is no Windows")

ROWS = [
    {"instruction": f"Name {n} fruits.", "output": f"Here are {n} apples and {n} ripe pears.</s>"} for n in range(2, 8)
]
VERDICTS = f"{SPACE}-verdicts"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("desk") / "cleaned"
    hfclean.clean(ROWS).save(place)
    return place


def pushed(folder: Path, monkeypatch: pytest.MonkeyPatch, *words: str, space: str = SPACE) -> int:
    """The exit code of the command that pushes the Space, with a token for it."""
    monkeypatch.setenv("TOKEN_OF_SPACE", "hf_test_write")
    return main(["review", str(folder), "--quiet", "--space", space, "--space-token-env", "TOKEN_OF_SPACE", *words])


def committed(hub: FakeHub, path: Path) -> Path:
    """The file of decisions as the dataset holds it."""
    path.write_bytes(hub.repo(VERDICTS, "dataset").at().blobs["verdicts.jsonl"].data)
    return path


def test_two_people_decide_at_a_space_and_nothing_is_lost(
    fake_hub: FakeHub,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert pushed(folder, monkeypatch, "--reviewer", "Ana", "--reviewer", "club") == 0
    out = capsys.readouterr().out
    assert "may review: Ana, club\nsecrets of the Space: HFCLEAN_DESK, HFCLEAN_PEOPLE_KEY, HF_TOKEN\n" in out
    assert [fake_hub.repo(f"{SPACE}{end}", "dataset").private for end in ("-rows", "-verdicts")] == [True, True]
    space = fake_hub.repo(SPACE, "space")
    assert (space.private, fake_hub.spaces[SPACE].sdk, fake_hub.spaces[SPACE].variables) == (False, "docker", {})
    files = b"".join(blob.data for blob in space.at().blobs.values())
    assert not re.search(rb"ana|club|desk-rows|desk-verdicts|hf_test|fruits", files)
    fake_hub.people = {"ana": {}, "ben": {"club": {}}, "eve": {"club": {"pendingSSO": True}}}

    home = tmp_path / "home"
    with Container(fake_hub, home) as container:
        assert container.said == f"the desk is open at https://{container.host}: 6 rows of me/desk-rows\n"
        ana, ben, eve = (Visitor(container, name) for name in fake_hub.people)
        assert "frame-ancestors 'self' http://127.0.0.1" in ana.open("/").headers["content-security-policy"]
        assert 'target="_blank" rel="noopener">Sign in' in ana.text
        assert ana.follow().status == 200
        assert ana.where.startswith(f"https://{container.host}/login/callback?")
        assert ana.follow().status == 200
        assert (bool(ana.row), "Row 1" in ana.text) == (True, True)
        assert ben.sign_in().status == 200
        assert eve.open("/").follow().status == 403
        assert "not among those" in eve.text
        ana.press("accept").press("reject")
        ben.open(f"../row/{ana.row}").press("edit", **{"text:output": "Here are apples.", "reason": "shorter"})
        assert container.end() == (0, "")
    first = read_events(committed(fake_hub, tmp_path / "first.jsonl"))
    names = {event.who for event in first}
    assert len(names) == 2
    assert all(re.fullmatch(r"person-[0-9a-f]{8}", name) for name in names)
    assert sorted(event.verdict for event in first) == ["accept", "edit", "reject"]

    with Container(fake_hub, tmp_path / "another") as container:  # with an empty disk
        ana = Visitor(container, "ana").sign_in()
        assert ">3</strong> of 6 decided" in ana.text
        ana.press("accept")
        container.kill()
    assert len(read_events(committed(fake_hub, tmp_path / "second.jsonl"))) == len(first)  # it was not sent
    with Container(fake_hub, tmp_path / "another") as container:  # with what was on its disk
        visitor = Visitor(container, "ana")
        visitor.cookies = ana.cookies
        assert visitor.open("/").follow().status == 200  # still signed in
        assert ">4</strong> of 6 decided" in visitor.text
        assert container.end() == (0, "")
    path = committed(fake_hub, tmp_path / "verdicts.jsonl")
    assert [event.line() for event in read_events(path)][: len(first)] == [event.line() for event in first]
    assert main(["apply", str(folder), str(path), "--out", str(tmp_path / "applied"), "--json"]) == 0
    states = json.loads(capsys.readouterr().out)["states"]
    assert states == {"accepted": 2, "rejected": 1, "edited": 1}
    pairs = hfclean.revision_pairs(folder, verdicts=path).rows
    assert sum(pair["revised_output"] == "Here are apples." for pair in pairs) == 1
