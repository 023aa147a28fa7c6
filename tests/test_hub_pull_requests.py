"""Pull requests: one for a push, however often it has to be tried, and whoever else has opened some."""

from __future__ import annotations

from typing import Any

import pytest
from fake_hub import FakeHub, hub_fixture  # noqa: F401

import hfclean
from hfclean.hub import HubUnreachable, Patience, Pushed, push_rule
from hfclean.scorers.embedded import preference_rule

QUICK = Patience(sleep=lambda seconds: None)
LOST: dict[str, Any] = {"method": "POST", "path": "/commit/", "reset": True, "applied": True}


def push(**how: Any) -> Pushed:
    done = push_rule(preference_rule(), "you/rule", create_pr=True, license="mit", **{"patience": QUICK, **how})
    assert isinstance(done, Pushed)
    return done


def test_a_lost_answer_opens_no_second_pull_request(fake_hub: FakeHub) -> None:
    repo = fake_hub.add_repo("you/rule", author="you")
    fake_hub.fail(**LOST)
    done = push()
    assert list(repo.pull_requests) == [1]
    assert done.pull_request == f"{fake_hub.url}/you/rule/discussions/1"
    assert (done.changed, done.commit, sorted(done.files)) == (
        True,
        repo.at("refs/pr/1").sha,
        ["README.md", "linear_rule.json"],
    )
    assert len(repo.commits) == 1


def test_a_lost_answer_is_found_though_the_branch_went_on(fake_hub: FakeHub) -> None:
    repo = fake_hub.add_repo("you/rule", author="you")
    fake_hub.fail(**LOST)
    fake_hub.race(lambda there: there.commit({"README.md": "# Theirs\n"}))
    assert push().pull_request == f"{fake_hub.url}/you/rule/discussions/1"
    assert list(repo.pull_requests) == [1]


def test_the_same_again_is_the_pull_request_that_is_open(fake_hub: FakeHub) -> None:
    repo = fake_hub.add_repo("you/rule", author="you")
    fake_hub.fail(**LOST)
    with pytest.raises(HubUnreachable):
        push(patience=Patience(tries=1))
    again = push()
    assert (again.changed, again.pull_request) == (False, f"{fake_hub.url}/you/rule/discussions/1")
    assert push(language="en").pull_request == f"{fake_hub.url}/you/rule/discussions/2"
    repo.pull_requests[1].status = "closed"
    assert push().pull_request == f"{fake_hub.url}/you/rule/discussions/3"


def test_pull_requests_of_others_and_of_other_titles_are_not_ours(fake_hub: FakeHub) -> None:
    repo = fake_hub.add_repo("you/rule", author="you")
    push(token="hf_test_other")
    push(message="Another title")
    assert push().pull_request == f"{fake_hub.url}/you/rule/discussions/3"
    assert [opened.author for opened in repo.pull_requests.values()] == ["you", "me", "me"]


def test_what_cannot_be_listed_does_not_stop_a_push(fake_hub: FakeHub) -> None:
    fake_hub.add_repo("you/rule", author="you")
    fake_hub.fail("GET", "/discussions", status=403, times=None)
    assert push().pull_request == f"{fake_hub.url}/you/rule/discussions/1"
    fake_hub.mend()
    fake_hub.fail("GET", "/discussions", status=503)
    assert push(message="Once more").pull_request == f"{fake_hub.url}/you/rule/discussions/2"


def test_a_commit_whose_answer_was_lost_counts_as_made(fake_hub: FakeHub) -> None:
    fake_hub.fail(**LOST)
    done = hfclean.push_reviser(hfclean.RuleReviser(), "me/rules", patience=QUICK)
    assert isinstance(done, Pushed)
    repo = fake_hub.repo("me/rules")
    assert (done.changed, done.commit, sorted(done.files)) == (True, repo.head, ["README.md", "hfclean.json"])
    assert len(repo.commits) == 2
