"""The desk as a Space, where something is wrong: names, tokens, cookies, the Hub, and two containers at once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from threading import Event as Signal
from typing import Any

import pytest
from desk_client import Answer, asked, revised
from extras import needs
from fake_hub import FakeHub, hub_fixture  # noqa: F401

import hfclean
from hfclean.cli import main
from hfclean.desk import Queue, Rows, Selection
from hfclean.desk.space.__main__ import main as main_of_container
from hfclean.desk.space.app import SESSION, SESSION_S, STATE, Content, space_app
from hfclean.desk.space.committed import FILE, CommittedVerdicts, Committer
from hfclean.desk.space.sessions import Signer
from hfclean.desk.space.settings import Environment, SpaceSettings
from hfclean.errors import HfcleanError, SourceError
from hfclean.hub import HubRefusal, RepoError
from hfclean.hub.push_plan import check_files
from hfclean.hub.remote import Patience, hub_api
from hfclean.layout import Layout
from hfclean.verdicts import Event, VerdictLog, read_events

needs("review", "starlette", "uvicorn")

SPACE, HOST, NOW = "me/desk", "me-desk.hf.space", 1_000_000.0
QUICK = Patience(tries=2, sleep=lambda seconds: None)
VARIABLES = {
    "SPACE_HOST": HOST,
    "OPENID_PROVIDER_URL": "http://127.0.0.1:9",
    "OAUTH_CLIENT_ID": "client",
    "OAUTH_CLIENT_SECRET": "secret-of-the-client",
    "HF_TOKEN": "hf_secret_of_the_space",
    "HFCLEAN_PEOPLE_KEY": "key-of-people",
    "HFCLEAN_DESK": SpaceSettings("me/rows", "me/verdicts", ("ana", "club"), ("oda",)).text(),
}
ENVIRONMENT = Environment.of(VARIABLES)
SIGNER = Signer(ENVIRONMENT.client_secret)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("desk") / "cleaned"
    hfclean.clean([{"instruction": "Name a fruit.", "output": "An apple.</s>"}]).save(place)
    return place


def content(path: Path, **more: Any) -> Content:
    rows = Rows(revised(3), Layout())
    return Content(rows, Queue(rows, Selection()), "fruits", "", path, **more)


def cookie(name: str = "ana", until: float = NOW + SESSION_S, signer: Signer = SIGNER, purpose: str = SESSION) -> str:
    return signer.seal(purpose, {"id": f"id-{name}", "name": name, "organizations": []}, until)


def visited(app: Any, path: str, kept: str = "", form: Any = None, **headers: str) -> Answer:
    fields = {"host": HOST, "origin": f"https://{HOST}", **headers, **({"cookie": kept} if kept else {})}
    return asked(app, path, form, fields)


# ------------------------------------------------------------------------------------------------------------- pushing


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--space", "desk"], 2, "expected NAMESPACE/NAME"),
        (["--space", SPACE, "--reviewer", "ana/ben"], 2, "--reviewer 'ana/ben': expected a name of the Hub"),
        (["--space", SPACE, "--as", "ana"], 2, "--as is for a desk on this machine"),
        (["--space", SPACE, "--people", "ana,ben"], 2, "--people is for a desk on this machine"),
        (["--space", SPACE, "--role", "owner"], 2, "--role is for a desk on this machine"),
        (["--space", SPACE, "--port", "80"], 2, "--port is for a desk on this machine"),
        (["--space", SPACE, "--space-token-env", "NOWHERE"], 2, "the variable is empty"),
        (["--space", SPACE, "--requirement", "hfclean-9-py3-none-any.whl"], 1, "is not a wheel of hfclean"),
        (["--space", SPACE, "--requirement=--index-url=http://evil[review]"], 1, "does not bring hfclean"),
        (["--space", SPACE, "--requirement", "hfclean==1"], 1, "does not bring hfclean with what a desk needs"),
        (["--space", SPACE, "--requirement", "hfclean[review]\nRUN"], 1, "does not bring hfclean"),
        (["--space", SPACE, "--space-token-env", "READER"], 1, "the token for the Space cannot write to dataset"),
        (["--space", SPACE, "--dry-run", "--rule", "nonsense"], 1, "no row has 'nonsense'"),
        (["--space", SPACE, "--refused"], 1, "no refused revisions are kept in it"),
        (["--space", SPACE, "--gold", "0.1"], 1, "no wrong revision can be planted"),
        (["--space", "you/desk"], 1, "cannot push to"),
        (["--space", "me/page"], 1, "exists and is not a desk of hfclean (it has app.py)"),
        (["--space", "me/seen"], 1, "dataset 'me/seen-verdicts' is public"),
        (["--space", "me/shown"], 1, "dataset 'me/shown-rows' is public; make it private, or name another Space"),
        (["--reviewer", "ana"], 2, "--reviewer goes with --space"),
        (["--dry-run"], 2, "--dry-run goes with --space"),
    ],
)
def test_what_is_not_pushed(
    words: list[str],
    code: int,
    said: str,
    fake_hub: FakeHub,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fake_hub.add_repo("you/desk", "space", author="you", files={"Dockerfile": "hfclean.desk.space"})
    fake_hub.add_repo("me/page", "space", files={"app.py": "1"})
    fake_hub.add_repo("me/seen-verdicts", "dataset", files={"a": "1"})
    fake_hub.add_repo("me/shown-rows", "dataset", files={"a": "1"})
    monkeypatch.setenv("READER", "hf_test_read")
    assert main(["review", str(folder), "--quiet", *words]) == code
    assert said in (err := capsys.readouterr().err)
    assert "hf_test" not in err
    assert SPACE not in fake_hub.spaces


@pytest.mark.parametrize(("token", "said"), [("", "no token is set"), ("hf_test_read", "the token may not do that")])
def test_who_may_not_push_is_told(
    token: str,
    said: str,
    fake_hub: FakeHub,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    assert main(["review", str(folder), "--quiet", "--space", SPACE]) == 1
    assert said in capsys.readouterr().err
    assert fake_hub.repos == {}


def test_a_dry_run_says_what_would_be_made_and_pushes_nothing(
    fake_hub: FakeHub, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["review", str(folder), "--quiet", "--space", SPACE, "--dry-run"]
    assert main(words) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{fake_hub.url}/spaces/me/desk  would be pushed: README.md, Dockerfile",
        f"{fake_hub.url}/datasets/me/desk-rows  would be pushed: the rows",
        f"{fake_hub.url}/datasets/me/desk-verdicts  decisions go here",
        "may review: me",
        "secrets of the Space: HFCLEAN_DESK, HFCLEAN_PEOPLE_KEY",
        "note: space 'me/desk' is made, open to everybody: it holds no rows and no names, and only who may review "
        "comes behind its first page",
        "note: dataset 'me/desk-rows' is made, private",
        "note: dataset 'me/desk-verdicts' is made, private",
    ]
    assert (fake_hub.repos, fake_hub.requests("POST|PUT|DELETE")) == ({}, [])


def test_a_second_push_changes_who_may_review_and_nobodys_name(
    fake_hub: FakeHub, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wheel = tmp_path / "hfclean-0.1.0-py3-none-any.whl"
    wheel.write_bytes(b"PK\0\0")
    words = ["review", str(folder), "--quiet", "--space", SPACE, "--json"]
    assert main([*words, "--requirement", str(wheel), "--reviewer", "ana"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert first["files"] == ["README.md", "Dockerfile", wheel.name]
    assert "the desk opens once the Space has a secret HF_TOKEN" in first["notes"][0]
    dockerfile = fake_hub.repo(SPACE, "space").at().blobs["Dockerfile"].data.decode()
    assert f'"./{wheel.name}[review]"]' in dockerfile
    before = dict(fake_hub.spaces[SPACE].secrets)
    assert (
        main([*words, "--reviewer", "ben", "--names", "--requirement", "hfclean[review] @ git+https://example.org/x"])
        == 0
    )
    after = fake_hub.spaces[SPACE].secrets
    assert after["HFCLEAN_PEOPLE_KEY"] == before["HFCLEAN_PEOPLE_KEY"]
    settings = [SpaceSettings.of(each["HFCLEAN_DESK"]) for each in (before, after)]
    assert [(each.reviewers, each.named) for each in settings] == [(("ana",), False), (("ben",), True)]
    blobs = fake_hub.repo(SPACE, "space").at().blobs
    assert sorted(blobs) == [".gitattributes", "Dockerfile", "README.md"]
    assert b'"git"]' in blobs["Dockerfile"].data


def test_a_wheel_of_this_package_holds_nothing_that_looks_like_a_key() -> None:
    package = Path(hfclean.__file__).parent
    files: dict[str, Path | bytes] = {
        f"hfclean/{file.relative_to(package)}": file.read_bytes()
        for file in package.rglob("*.*")
        if file.suffix != ".pyc"
    }
    assert "hfclean/keys.py" in files
    assert check_files(files, ()) == []


# ------------------------------------------------------------------------------------------------------------ settings


@pytest.mark.parametrize("name", [*VARIABLES])
def test_a_container_says_what_it_lacks(name: str) -> None:
    with pytest.raises(HfcleanError, match=f"{name} is not set"):
        Environment.of({**VARIABLES, name: " "})


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "{}", '{"rows": "a/b", "verdicts": 3}', '{"rows": "a/b", "verdicts": "a/c", "evil": 1}']
    + [SpaceSettings("a/b", "a/c").text().replace(*pair) for pair in (('"revised"', '"odd"'), ("0.1", "-1"))],
)
def test_settings_that_are_none_are_refused_without_a_word_of_them(text: str) -> None:
    with pytest.raises(SourceError) as e:
        SpaceSettings.of(text)
    assert "a/b" not in str(e.value)


def test_a_container_that_cannot_begin_says_why(
    fake_hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_hub.add_repo("me/verdicts", "dataset", private=True)
    for name, value in {**VARIABLES, "HF_TOKEN": "hf_test_write", "HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    assert main_of_container(["--port", "0"]) == 1
    assert "the desk does not open: cannot read dataset 'me/rows': there is none" in capsys.readouterr().err
    monkeypatch.setenv("HF_TOKEN", "hf_of_nobody")
    assert main_of_container(["--port", "0"]) == 1
    assert "no longer valid" in (err := capsys.readouterr().err)
    assert "hf_of_nobody" not in err


def test_no_secret_is_shown() -> None:
    shown = repr(ENVIRONMENT) + repr(Content)
    assert not any(VARIABLES[name] in shown for name in ("OAUTH_CLIENT_SECRET", "HF_TOKEN", "HFCLEAN_PEOPLE_KEY"))


# ------------------------------------------------------------------------------------------------------------ sign-in


@pytest.mark.parametrize(
    ("kept", "status", "said"),
    [
        (cookie(), 200, "Row 1"),
        (cookie("oda"), 200, "(owner)"),
        (cookie("eve"), 403, "not among the people who may review"),
        ("", 401, "You are not signed in"),
        (cookie(until=NOW), 401, "You are not signed in"),
        (cookie(signer=Signer("another")), 401, "You are not signed in"),
        (cookie(purpose=STATE), 401, "You are not signed in"),
        (cookie("eve").partition(".")[0] + "." + cookie().partition(".")[2], 401, "You are not signed in"),
        ("é\x7f.\u00ff", 401, "You are not signed in"),
        ("a" * 5_000, 401, "You are not signed in"),
    ],
)
def test_only_a_cookie_of_ours_opens_a_desk(kept: str, status: int, said: str, tmp_path: Path) -> None:
    app = space_app(ENVIRONMENT, content(tmp_path / FILE), now=lambda: NOW)
    name = "oda" if "owner" in said else "ana"
    where = f"/{SIGNER.name('desk', f'id-{name}')}/"
    kept = f"{SESSION}={kept}".encode().decode("latin-1")
    answer = visited(app, where, kept)
    if answer.status == 303:
        answer = visited(app, where + answer.headers["location"], kept)
    elif name == "oda":
        answer = visited(app, f"{where}list", kept)
    assert (answer.status, said in answer.text) == (status, True)


def test_the_desk_of_another_person_stays_shut(tmp_path: Path) -> None:
    app = space_app(ENVIRONMENT, content(tmp_path / FILE), now=lambda: NOW)
    where, kept = f"/{SIGNER.name('desk', 'id-oda')}/", f"{SESSION}={cookie()}"
    assert visited(app, where, kept).status == 403
    mine = f"/{SIGNER.name('desk', 'id-ana')}/undo"
    evil = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    assert visited(app, mine, kept, [], **evil).status == 403
    assert visited(app, mine, kept, [], origin="https://evil.example").status == 403
    assert visited(app, mine, kept, []).status == 404  # nothing to undo
    assert "Signed out" not in visited(app, "/sign-out", kept, [], **evil).text
    assert "set-cookie" in visited(app, "/sign-out", kept, []).headers


def test_a_domain_of_ones_own_is_a_name_of_the_space(tmp_path: Path) -> None:
    environment = Environment.of({**VARIABLES, "SPACE_HOST": f"desk.example.org, {HOST}"})
    app = space_app(environment, content(tmp_path / FILE), now=lambda: NOW)
    assert "https://desk.example.org/sign-in" in visited(app, "/").text
    for host, status in ((HOST, 200), ("desk.example.org", 200), ("evil.example", 403)):
        there = {"host": host, "origin": f"https://{host}"}
        assert (
            visited(app, f"/{SIGNER.name('desk', 'id-ana')}/help", f"{SESSION}={cookie()}", **there).status == status
        )


def test_a_sign_in_that_was_not_begun_here_is_none(fake_hub: FakeHub, tmp_path: Path) -> None:
    environment = replace(ENVIRONMENT, provider=fake_hub.url)
    app = space_app(environment, content(tmp_path / FILE), now=lambda: NOW)
    begun = visited(app, "/sign-in")
    state = begun.headers["location"].partition("&state=")[2].partition("&")[0]
    kept = begun.headers["set-cookie"].partition(";")[0]
    for query, sent, status, said in (
        (f"state={state}&code=c", "", 400, "not begun in this browser"),
        ("state=other&code=c", kept, 400, "not begun in this browser"),
        (f"state={state}&code=c", f"{kept}a", 400, "not begun in this browser"),
        (f"state={state}&code=c", f"{STATE}={SIGNER.seal(STATE, {'state': state}, NOW)}", 400, "not begun in this"),
        (f"state={state}&error=access_denied&error_description=%3Cb%3E", kept, 403, "declined"),
        (f"state={state}&code=c", kept, 403, "the Hub refuses the sign-in"),
    ):
        answer = visited(app, f"/login/callback?{query}", sent)
        assert (answer.status, said in answer.text, "<b>" in answer.text) == (status, True, False), query
        assert SESSION not in answer.headers.get("set-cookie", "")
    fake_hub.mend()
    for fault in ({"status": 500}, {"reset": True}, {"status": 200, "body": b"<html>"}, {"status": 200, "body": []}):
        fake_hub.fail("POST", "/oauth/token", **fault)  # type: ignore[arg-type]
        answer = visited(app, f"/login/callback?state={state}&code=c", kept)
        assert (answer.status, "Nobody can sign in now" in answer.text) == (503, True)
    fake_hub.fail(path="openid-configuration", times=None, reset=True)
    assert visited(app, "/sign-in").status == 503


# ------------------------------------------------------------------------------------------------------------- commits


def shared(hub: FakeHub, path: Path) -> CommittedVerdicts:
    if ("dataset", "me/verdicts") not in hub.repos:
        hub.add_repo("me/verdicts", "dataset", private=True, files={"README.md": "# Verdicts\n"})
    found = CommittedVerdicts(path, "me/verdicts", hub_api("hf_test_write"), QUICK)
    found.begin()
    return found


def test_two_containers_lose_nothing(fake_hub: FakeHub, tmp_path: Path) -> None:
    old, new = (shared(fake_hub, tmp_path / f"{name}.jsonl") for name in ("old", "new"))
    ana, ben = VerdictLog(old.path, "ana"), VerdictLog(new.path, "ben")
    ana.append(Event("r1", "accept"))
    ben.append(Event("r2", "reject"))
    fake_hub.race(lambda repo: new.commit())  # between what the other one read and its commit
    assert (old.commit(), old.trouble, old.waiting()) == (1, "", 0)
    there = fake_hub.repo("me/verdicts", "dataset").at().blobs[FILE].data.splitlines(keepends=True)
    assert [json.loads(line)["who"] for line in there] == ["ben", "ana"]
    assert sorted(old.path.read_bytes().splitlines(keepends=True)) == sorted(there)  # people here see it
    ana.append(Event("r3", "accept"))
    ben.append(Event("r3", "accept"))
    assert (new.commit(), old.commit(), old.commit()) == (1, 1, 0)
    blob = fake_hub.repo("me/verdicts", "dataset").at().blobs[FILE].data
    (tmp_path / "all.jsonl").write_bytes(blob)
    assert [event.who for event in read_events(tmp_path / "all.jsonl")] == ["ben", "ana", "ben", "ana"]
    fake_hub.fail("POST", "/commit/", status=502, applied=True)  # it was taken, and nobody was told
    ana.append(Event("r4", "accept"))
    assert (old.commit(), old.waiting()) == (1, 0)
    assert fake_hub.repo("me/verdicts", "dataset").at().blobs[FILE].data.count(b"\n") == 5


def test_what_is_not_taken_stays_here_and_is_said(fake_hub: FakeHub, tmp_path: Path) -> None:
    verdicts = shared(fake_hub, tmp_path / FILE)
    VerdictLog(verdicts.path, "ana").append(Event("r1", "accept"))
    with verdicts.path.open("ab") as file:
        file.write(b'{"row_id": "r2", "verd')  # a write that was cut off
    app = space_app(ENVIRONMENT, content(verdicts.path, notice=lambda: verdicts.notice), now=lambda: NOW)
    where, kept = f"/{SIGNER.name('desk', 'id-ana')}/done", f"{SESSION}={cookie()}"
    fake_hub.fail("POST", "/commit/", times=None, status=403, body="Private repository storage limit reached")
    assert (verdicts.commit(), verdicts.waiting()) == (0, 1)
    said = "1 decision could not be sent to me/verdicts yet, and will be tried again: cannot push to dataset"
    assert said in visited(app, where, kept).text.replace("&#39;", "'")
    fake_hub.mend()
    assert (verdicts.commit(), verdicts.notice) == (1, "")
    assert "could not be sent" not in visited(app, where, kept).text
    assert fake_hub.repo("me/verdicts", "dataset").at().blobs[FILE].data.count(b"\n") == 1
    fake_hub.repo("me/verdicts", "dataset").private = False
    VerdictLog(verdicts.path, "ana").append(Event("r3", "accept"))
    assert (verdicts.commit(), "is public" in verdicts.trouble, verdicts.waiting()) == (0, True, 1)
    del fake_hub.repos["dataset", "me/verdicts"]
    assert (verdicts.commit(), "is not there" in verdicts.trouble, fake_hub.repos) == (0, True, {})


def test_what_is_decided_is_sent_while_the_container_runs(fake_hub: FakeHub, tmp_path: Path) -> None:
    verdicts = shared(fake_hub, tmp_path / FILE)
    committer, sent = Committer(verdicts, 0.01), Signal()
    fake_hub.race(lambda repo: sent.set())
    committer.start()
    VerdictLog(verdicts.path, "ana").append(Event("r1", "accept"))
    assert sent.wait(60)
    VerdictLog(verdicts.path, "ana").append(Event("r2", "accept"))
    assert committer.close() == 0
    assert fake_hub.repo("me/verdicts", "dataset").at().blobs[FILE].data.count(b"\n") == 2


def test_a_container_does_not_begin_without_its_dataset(fake_hub: FakeHub, tmp_path: Path) -> None:
    def begun(repo_id: str, token: str = "hf_test_write") -> None:
        CommittedVerdicts(tmp_path / FILE, repo_id, hub_api(token), QUICK).begin()

    fake_hub.add_repo("me/public", "dataset", files={"a": "1"})
    fake_hub.add_repo("me/broken", "dataset", private=True, files={FILE: '{"row_id": "r", "verdict": "accept"}\n{}\n'})
    with pytest.raises(HubRefusal, match="is public, and verdicts are not for everybody"):
        begun("me/public")
    with pytest.raises(RepoError, match="there is none, or it is private"):
        begun("me/nowhere")
    with pytest.raises(HfcleanError, match="the token may not do that"):
        begun("me/broken", "hf_test_read")
    with pytest.raises(SourceError, match=r"verdict 2 of 'there.verdicts.jsonl'"):
        begun("me/broken")
    assert not (tmp_path / FILE).exists()
