"""The loopback Hub, seen by the real clients: what the tests of hfclean.hub stand on."""

from __future__ import annotations

import array
import contextlib
import gc
import hashlib
import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from datasets import Dataset, DatasetDict, load_dataset
from datasets.exceptions import DatasetNotFoundError
from extras import needs_newer_client
from fake_hub import FakeHub, Repo, hub_fixture, hub_xet_fixture  # noqa: F401
from fake_hub_cards import check_card
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationCopy,
    CommitOperationDelete,
    DatasetCard,
    HfApi,
    HfFileSystem,
    hf_hub_download,
    snapshot_download,
)
from huggingface_hub.errors import (
    BadRequestError,
    DisabledRepoError,
    GatedRepoError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

LARGE = bytes(range(256)) * 40
ROWS = {"instruction": [f"Say {n}." for n in range(50)], "output": [str(n) for n in range(50)]}


def add(path: str, content: bytes) -> CommitOperationAdd:
    return CommitOperationAdd(path, content)


def status_of(call: Callable[[], Any]) -> int:
    """The status with which a call is refused."""
    with pytest.raises(HfHubHTTPError) as error:
        call()
    return error.value.response.status_code


# --- repos and accounts


def test_a_repo_is_made_once_and_described(fake_hub: FakeHub) -> None:
    api = HfApi()
    url = api.create_repo("me/x", repo_type="dataset", private=True)
    assert (url, url.repo_id, url.repo_type) == (f"{fake_hub.url}/datasets/me/x", "me/x", "dataset")
    assert status_of(lambda: api.create_repo("me/x", repo_type="dataset")) == 409
    assert api.create_repo("me/x", repo_type="dataset", exist_ok=True) == url
    repo = fake_hub.repo("me/x", "dataset")
    repo.commit({"README.md": "---\nlicense: mit\ntags: [a]\n---\n# x\n", "big.bin": LARGE})
    info = api.dataset_info("me/x", files_metadata=True)
    assert (info.sha, info.private, info.gated) == (repo.head, True, False)
    assert (info.card_data.license, info.tags) == ("mit", ["license:mit", "a", "region:us"])
    assert {s.rfilename: (s.size, bool(s.lfs)) for s in info.siblings}["big.bin"] == (len(LARGE), True)
    assert [d.id for d in api.list_datasets(author="me")] == ["me/x"]
    assert not list(api.list_models(author="me"))
    api.update_repo_settings("me/x", repo_type="dataset", gated="auto", private=False)
    assert (repo.gated, repo.private) == ("auto", False)
    api.move_repo("me/x", "org/y", repo_type="dataset")
    api.delete_repo("org/y", repo_type="dataset")
    assert fake_hub.repos == {}
    assert status_of(lambda: api.delete_repo("org/y", repo_type="dataset")) == 404


def test_the_plain_functions_and_the_environment_point_here(fake_hub: FakeHub) -> None:
    assert huggingface_hub.create_repo("plain").repo_id == "me/plain"
    assert huggingface_hub.whoami()["name"] == "me"
    assert [org["name"] for org in huggingface_hub.whoami()["orgs"]] == ["org", "club"]
    code = (
        "import huggingface_hub as h; print(h.whoami()['name'], h.model_info('me/plain').id, h.constants.HF_HUB_CACHE)"
    )
    ran = subprocess.run([sys.executable, "-c", code], env={**os.environ}, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["me", "me/plain", fake_hub.env()["HF_HUB_CACHE"]]


@pytest.mark.parametrize("repo_id", ["you/x", "club/x", "nobody/x"])
def test_a_namespace_of_others_is_refused(fake_hub: FakeHub, repo_id: str) -> None:
    with pytest.raises(HfHubHTTPError, match="rights to create a dataset under the namespace") as error:
        HfApi().create_repo(repo_id, repo_type="dataset")
    assert error.value.response.status_code == 403
    assert not fake_hub.repos


def test_a_token_for_reading_reads_and_opens_pull_requests(fake_hub: FakeHub) -> None:
    repo = fake_hub.add_repo("me/x", files={"a.txt": "a"})
    api = HfApi(token="hf_test_read")
    assert Path(api.hf_hub_download("me/x", "a.txt")).read_text() == "a"
    upload = {"path_or_fileobj": LARGE, "path_in_repo": "b.bin", "repo_id": "me/x"}
    assert status_of(lambda: api.upload_file(**upload)) == 403
    with pytest.raises(HfHubHTTPError, match="create_pr=1"):
        api.auth_check("me/x", write=True)
    assert api.upload_file(**upload, create_pr=True).pr_num == 1
    assert "b.bin" not in repo.files
    assert repo.at("refs/pr/1").files["b.bin"] == LARGE


def test_an_expired_token_is_refused_everywhere(fake_hub: FakeHub) -> None:
    fake_hub.add_repo("me/x", files={"a.txt": "a"})
    fake_hub.expire("hf_test_write")
    api = HfApi()
    for call in (
        lambda: api.model_info("me/x"),
        lambda: api.create_repo("me/y"),
        lambda: api.upload_file(path_or_fileobj=b"a", path_in_repo="a", repo_id="me/x"),
        lambda: api.whoami(),
    ):
        assert status_of(call) == 401
    with pytest.raises(HfHubHTTPError, match="Invalid credentials in Authorization header") as error:
        api.model_info("me/x")
    assert not isinstance(error.value, RepositoryNotFoundError)
    assert HfApi(token=False).model_info("me/x").id == "me/x"


@pytest.mark.parametrize("token", ["hf_test_other", False])
def test_a_private_repo_is_not_there_for_others(fake_hub: FakeHub, token: str | bool) -> None:
    fake_hub.add_repo("me/x", "dataset", private=True, files={"a.txt": "a"})
    api = HfApi(token=token)
    for repo_id in ("me/x", "me/none"):
        with pytest.raises(RepositoryNotFoundError) as error:
            api.dataset_info(repo_id)
        assert error.value.response.status_code == (404 if token else 401)
        with pytest.raises(RepositoryNotFoundError):
            api.hf_hub_download(repo_id, "a.txt", repo_type="dataset")
        with pytest.raises(DatasetNotFoundError):
            load_dataset(repo_id, token=token)
    assert HfApi().dataset_info("me/x").private


@pytest.mark.parametrize(("token", "status"), [("hf_test_other", 403), (False, 401)])
def test_a_gated_repo_shows_itself_but_not_its_files(fake_hub: FakeHub, token: str | bool, status: int) -> None:
    repo = fake_hub.add_repo("org/x", gated="manual", files={"a.txt": "a"})
    api = HfApi(token=token)
    assert api.model_info("org/x").gated == "manual"
    with pytest.raises(GatedRepoError, match="Access to model org/x is restricted") as error:
        api.hf_hub_download("org/x", "a.txt")
    assert error.value.response.status_code == status
    assert Path(HfApi().hf_hub_download("org/x", "a.txt", force_download=True)).read_text() == "a"
    repo.granted.add("you")
    if token:
        assert Path(api.hf_hub_download("org/x", "a.txt", force_download=True)).read_text() == "a"


def test_what_is_not_there_has_its_own_error(fake_hub: FakeHub) -> None:
    repo = fake_hub.add_repo("me/x", files={"a.txt": "a"})
    with pytest.raises(RevisionNotFoundError):
        hf_hub_download("me/x", "a.txt", revision="none")
    with pytest.raises(RemoteEntryNotFoundError):
        hf_hub_download("me/x", "none.txt")
    with pytest.raises(RemoteEntryNotFoundError):
        list(HfApi().list_repo_tree("me/x", "none"))
    with pytest.raises(RevisionNotFoundError):
        HfApi().upload_file(path_or_fileobj=b"b", path_in_repo="b.txt", repo_id="me/x", revision="none")
    repo.disabled = True
    with pytest.raises(DisabledRepoError):
        HfApi().model_info("me/x")


# --- commits


@pytest.mark.parametrize("kind", ["basic", "multipart"])
def test_small_and_large_files_go_up_in_one_commit(fake_hub: FakeHub, kind: str) -> None:
    fake_hub.multipart_over = 4000 if kind == "multipart" else None
    repo = fake_hub.add_repo("me/x", "dataset")
    operations = [add("README.md", b"---\nlicense: mit\n---\n"), add("d/a.parquet", LARGE), add("empty.txt", b"")]
    done = HfApi().create_commit(
        "me/x", operations, commit_message="two", repo_type="dataset", parent_commit=repo.head
    )
    assert [commit.title for commit in repo.commits] == ["initial commit", "two"]
    commit = repo.commits[1]
    assert done.oid == commit.sha == repo.head
    assert [operation["key"] for operation in commit.operations] == ["file", "lfsFile", "file"]
    assert commit.paths == ["README.md", "d/a.parquet", "empty.txt"]
    assert repo.files["d/a.parquet"] == LARGE
    parts = fake_hub.requests("PUT", "/parts/")
    assert [len(part.body) for part in parts] == ([4000, 4000, 2240] if kind == "multipart" else [])
    assert {request.token for request in fake_hub.requests("PUT")} == {None}  # the storage sees no token
    assert repo.at().blobs["README.md"].oid == hashlib.sha1(b"blob 21\0---\nlicense: mit\n---\n").hexdigest()


def test_a_stale_parent_is_refused_and_changes_nothing(fake_hub: FakeHub) -> None:
    repo = fake_hub.add_repo("me/x")
    stale = repo.head
    repo.commit({"theirs.txt": "1"})

    def push(parent: str | None) -> object:
        operations = [add("ours.txt", b"1")]
        return HfApi().create_commit("me/x", operations, commit_message="ours", parent_commit=parent)

    with pytest.raises(HfHubHTTPError, match="A commit has happened since") as error:
        push(stale)
    assert error.value.response.status_code == 412
    assert len(repo.commits) == 2
    push(repo.head)
    push(None)
    assert sorted(repo.files) == [".gitattributes", "ours.txt", "theirs.txt"]


def test_deleting_copying_and_replacing(fake_hub: FakeHub) -> None:
    repo = fake_hub.add_repo("me/x", files={"a.txt": "a", "d/1.bin": LARGE, "d/e/2.txt": "2", "keep.txt": "k"})
    api = HfApi()
    operations = [
        CommitOperationDelete("a.txt"),
        CommitOperationCopy("d/1.bin", "new.bin"),
        CommitOperationCopy("keep.txt", "kept.txt"),
    ]
    api.create_commit("me/x", operations, commit_message="moved")
    api.delete_folder("d", "me/x")
    assert repo.files.keys() == {".gitattributes", "keep.txt", "kept.txt", "new.bin"}
    assert repo.files["new.bin"] == LARGE
    with pytest.raises(RemoteEntryNotFoundError, match="A file with this name doesn't exist"):
        api.delete_file("none.txt", "me/x")
    assert len(repo.commits) == 4


def test_an_upload_of_what_is_there_makes_no_commit(fake_hub: FakeHub, work: Path) -> None:
    repo = fake_hub.add_repo("me/x")
    (work / "up" / "d").mkdir(parents=True)
    (work / "up" / "d" / "a.bin").write_bytes(LARGE)
    (work / "up" / "b.txt").write_text("b")
    for _ in range(2):
        HfApi().upload_folder(repo_id="me/x", folder_path="up", delete_patterns="*.old")
    assert len(repo.commits) == 2
    assert repo.commits[1].files == {".gitattributes": repo.files[".gitattributes"], "d/a.bin": LARGE, "b.txt": b"b"}
    assert len(fake_hub.requests("PUT")) == 1


def test_branches_tags_and_history(fake_hub: FakeHub) -> None:
    repo = fake_hub.add_repo("me/x", files={"a.txt": "1"})
    api = HfApi()
    api.create_tag("me/x", tag="v1", tag_message="first")
    api.create_branch("me/x", branch="feature/a")
    api.upload_file(path_or_fileobj=b"2", path_in_repo="a.txt", repo_id="me/x", revision="feature/a")
    assert (repo.text("a.txt"), repo.text("a.txt", "feature/a"), repo.text("a.txt", "v1")) == ("1", "2", "1")
    assert Path(hf_hub_download("me/x", "a.txt", revision="feature/a")).read_text() == "2"
    refs = api.list_repo_refs("me/x", include_pull_requests=True)
    assert [branch.name for branch in refs.branches] == ["main", "feature/a"]
    assert [(tag.name, tag.target_commit) for tag in refs.tags] == [("v1", repo.head)]
    assert refs.pull_requests == []
    fake_hub.page_size = 2
    titles = [commit.title for commit in api.list_repo_commits("me/x", revision="feature/a")]
    assert titles == ["Upload a.txt with huggingface_hub", "first files", "initial commit"]
    assert status_of(lambda: api.create_tag("me/x", tag="v1")) == 409
    with pytest.raises(RevisionNotFoundError):
        api.upload_file(path_or_fileobj=b"3", path_in_repo="a.txt", repo_id="me/x", revision="v1")
    api.delete_tag("me/x", tag="v1")
    api.delete_branch("me/x", branch="feature/a")
    assert repo.refs == {"refs/heads/main": repo.head}


def test_a_pull_request_is_opened_added_to_and_merged(fake_hub: FakeHub) -> None:
    repo = fake_hub.add_repo("me/x", "dataset", files={"a.txt": "1"})
    api = HfApi()
    options: dict[str, Any] = {"repo_id": "me/x", "repo_type": "dataset"}
    done = api.upload_file(path_or_fileobj=b"2", path_in_repo="b.txt", create_pr=True, **options)
    assert (done.pr_num, done.pr_revision) == (1, "refs/pr/1")
    assert done.pr_url == f"{fake_hub.url}/datasets/me/x/discussions/1"
    api.upload_file(path_or_fileobj=LARGE, path_in_repo="c.bin", revision="refs/pr/1", **options)
    assert "b.txt" not in repo.files
    assert api.dataset_info("me/x", revision="refs/pr/1").sha == repo.refs["refs/pr/1"]
    (listed,) = api.get_repo_discussions(**options)
    assert (listed.num, listed.status, listed.is_pull_request) == (1, "open", True)
    repo.commit({"theirs.txt": "t"})
    api.merge_pull_request(discussion_num=1, **options)
    assert repo.files.keys() == {".gitattributes", "a.txt", "b.txt", "c.bin", "theirs.txt"}
    assert api.get_discussion_details(discussion_num=1, **options).merge_commit_oid == repo.head


def test_the_hub_refuses_what_it_cannot_keep(fake_hub: FakeHub) -> None:
    repo = fake_hub.add_repo("me/x", "dataset")
    api = HfApi()
    with pytest.raises(ValueError, match=r"Invalid metadata in README.md.\n- \"license\" must be one of"):
        api.upload_file(
            path_or_fileobj=b"---\nlicense: mine\n---\n", path_in_repo="README.md", repo_id="me/x", repo_type="dataset"
        )
    head = {"key": "header", "value": {"summary": "s"}}
    for value, wanted in (
        ({"path": "../a", "content": "", "encoding": "base64"}, "Invalid path"),
        ({"path": "a", "content": "AAAA", "encoding": "base64"}, "binary files"),
        ({"path": "README.md", "content": "---\na: [\n---\n", "encoding": "utf-8"}, "YAML metadata is invalid"),
    ):
        body = "\n".join(json.dumps(line) for line in (head, {"key": "file", "value": value}))
        url = f"{fake_hub.url}/api/datasets/me/x/commit/main"
        answer = huggingface_hub.get_session().post(url, content=body, headers=api._build_hf_headers())
        with pytest.raises(BadRequestError, match=wanted):
            huggingface_hub.utils.hf_raise_for_status(answer)
    assert len(repo.commits) == 1


def test_a_namespace_can_be_full(fake_hub: FakeHub) -> None:
    repo = fake_hub.add_repo("me/x")
    api = HfApi()
    fake_hub.storage_limit = len(LARGE)
    api.upload_file(path_or_fileobj=LARGE, path_in_repo="a.bin", repo_id="me/x")
    with pytest.raises(HfHubHTTPError, match="storage limit reached") as error:
        api.upload_file(path_or_fileobj=LARGE[1:], path_in_repo="b.bin", repo_id="me/x")
    assert error.value.response.status_code == 403
    api.upload_file(path_or_fileobj=LARGE, path_in_repo="same.bin", repo_id="me/x")
    assert len(repo.commits) == 3


@pytest.mark.parametrize(
    ("metadata", "wanted"),
    [
        ("license: mit\nlanguage: [en, zh, zh-Hans]\nmine: {a: 1}", []),
        ("license: [mit, apache-2.0]\nsize_categories: [n<1K]\nconfigs: [{config_name: default}]", []),
        ("license: MIT", ['"license" must be one of']),
        ("language: English", ['"language[0]" with value "English" is not valid']),
        ("size_categories: 1K", ['"size_categories" must be one of']),
        ("tags: [1]", ['"tags[0]" must be a string']),
        ("configs: [{config_name: a}, {config_name: a}]", ['"configs" must not name a config twice']),
        ("- a", ["YAML metadata must be a mapping"]),
        ("a: [", ["YAML metadata is invalid"]),
    ],
)
def test_metadata_is_checked(metadata: str, wanted: list[str]) -> None:
    errors, warnings = check_card(f"---\n{metadata}\n---\n# card\n", "dataset")
    assert [error["message"][: len(text)] for error, text in zip(errors, wanted, strict=True)] == wanted
    assert not warnings
    assert check_card("# no metadata", "dataset")[1] == [{"message": "empty or missing yaml metadata in repo card"}]


def test_a_model_index_is_checked() -> None:
    card = "---\nmodel-index:\n- name: m\n  results:\n  - task: {type: t}\n    metrics: [{type: acc}]\n---\n"
    assert [error["message"] for error in check_card(card, "model")[0]] == [
        '"model-index[0].results[0].dataset.name" is required',
        '"model-index[0].results[0].dataset.type" is required',
        '"model-index[0].results[0].metrics[0].value" is required',
    ]


# --- what is read


def test_a_download_is_cached_and_followed_by_etag(fake_hub: FakeHub) -> None:
    repo = fake_hub.add_repo("me/x", files={"a.txt": "1", "d/b c+ü.bin": LARGE})
    for path, content in (("a.txt", b"1"), ("d/b c+ü.bin", LARGE)):
        assert Path(hf_hub_download("me/x", path)).read_bytes() == content
    mark = fake_hub.mark()
    hf_hub_download("me/x", "a.txt")
    assert [request.method for request in fake_hub.since(mark)] == ["HEAD"]
    repo.commit({"a.txt": "2"})
    assert Path(hf_hub_download("me/x", "a.txt")).read_text() == "2"
    url = huggingface_hub.hf_hub_url("me/x", "a.txt")
    session = huggingface_hub.get_session()
    assert session.get(url, headers={"If-None-Match": session.head(url).headers["ETag"]}).status_code == 304
    metadata = huggingface_hub.get_hf_file_metadata(huggingface_hub.hf_hub_url("me/x", "d/b c+ü.bin"))
    assert (metadata.etag, metadata.size) == (hashlib.sha256(LARGE).hexdigest(), len(LARGE))
    assert metadata.commit_hash == repo.head


def test_a_snapshot_is_whole(fake_hub: FakeHub) -> None:
    files = {f"{n // 3}/{n}.txt": str(n) for n in range(9)}
    repo = fake_hub.add_repo("me/x", "dataset", files=files)
    fake_hub.page_size = 4
    folder = Path(snapshot_download("me/x", repo_type="dataset", allow_patterns="*.txt"))
    assert {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*.txt")} == files
    assert folder.name == repo.head


def test_a_tree_comes_in_pages(fake_hub: FakeHub) -> None:
    repo = fake_hub.add_repo("me/x", files={"a.txt": "1", "d/b.bin": LARGE, "d/e/c.txt": "3"})
    later = repo.commit({"d/e/c.txt": "4"})
    fake_hub.page_size = 2
    api = HfApi()
    paths = [entry.path for entry in api.list_repo_tree("me/x", recursive=True)]
    assert paths == [".gitattributes", "a.txt", "d", "d/b.bin", "d/e", "d/e/c.txt"]
    assert len(fake_hub.requests("GET", "/tree/")) == 3
    assert [entry.path for entry in api.list_repo_tree("me/x", "d")] == ["d/b.bin", "d/e"]
    expanded = {entry.path: entry for entry in api.list_repo_tree("me/x", "d", recursive=True, expand=True)}
    assert expanded["d/e"].last_commit.oid == expanded["d/e/c.txt"].last_commit.oid == later.sha
    assert expanded["d/b.bin"].last_commit.oid == later.parent
    assert expanded["d/b.bin"].lfs.sha256 == hashlib.sha256(LARGE).hexdigest()
    infos = api.get_paths_info("me/x", ["a.txt", "d", "none"])
    assert [(info.path, type(info).__name__) for info in infos] == [("a.txt", "RepoFile"), ("d", "RepoFolder")]


def test_ranges_are_served(fake_hub: FakeHub) -> None:
    fake_hub.add_repo("me/x", files={"a.bin": LARGE})
    with HfFileSystem().open("me/x/a.bin", block_size=1000) as file:
        file.seek(5000)
        assert file.read(10) == LARGE[5000:5010]
    (request,) = fake_hub.requests("GET", "/resolve/")
    assert request.headers["range"].startswith("bytes=5000-")
    assert request.status == 206
    session, url = huggingface_hub.get_session(), huggingface_hub.hf_hub_url("me/x", "a.bin")
    assert session.get(url, headers={"Range": "bytes=-4"}).content == LARGE[-4:]
    assert session.get(url, headers={"Range": "bytes=99999-"}).status_code == 416


# --- datasets and transformers


def test_a_dataset_is_pushed_and_loaded(fake_hub: FakeHub) -> None:
    dataset = Dataset.from_dict(ROWS)
    dataset.push_to_hub("me/x", private=True, num_shards=2)
    dataset.select(range(3)).push_to_hub("me/x", "small")
    repo = fake_hub.repo("me/x", "dataset")
    assert repo.private
    assert [commit.title for commit in repo.commits[1:]] == ["Upload dataset", "Upload dataset"]
    assert load_dataset("me/x", split="train").to_dict() == ROWS
    assert load_dataset("me/x", "small", split="train").num_rows == 3
    streamed = load_dataset("me/x", split="train", streaming=True)
    assert [row["output"] for row in streamed] == ROWS["output"]
    before = repo.head
    dataset.push_to_hub("me/x", num_shards=2)
    assert repo.head == before
    dataset.select(range(10)).push_to_hub("me/x")  # in one shard: the two are gone
    assert [path for path in repo.files if path.startswith("data/")] == ["data/train-00000-of-00001.parquet"]
    assert load_dataset("me/x", "default", split="train", revision=before).num_rows == 50


def test_several_splits_and_a_card_that_survives(fake_hub: FakeHub) -> None:
    splits = DatasetDict({"train": Dataset.from_dict(ROWS), "test": Dataset.from_dict(ROWS).select(range(5))})
    splits.push_to_hub("org/x")
    card = DatasetCard.load("org/x")
    card.data.license = "cc-by-4.0"
    card.data["mine"] = {"a": 1}
    card.text = "# Mine\n"
    # not card.push_to_hub: huggingface_hub 1.31 has the card checked by huggingface.co, whatever HF_ENDPOINT says
    huggingface_hub.upload_file(
        path_or_fileobj=str(card).encode(), path_in_repo="README.md", repo_id="org/x", repo_type="dataset"
    )
    splits.push_to_hub("org/x", "other")
    repo = fake_hub.repo("org/x", "dataset")
    assert "# Mine" in repo.text("README.md")
    assert (repo.card_data() or {})["mine"] == {"a": 1}
    assert load_dataset("org/x", "other").num_rows == {"train": 50, "test": 5}


@pytest.mark.needs_extra("models", "torch", "transformers", "tokenizers")
def test_a_model_and_its_tokenizer_come_back(fake_hub: FakeHub) -> None:
    from tokenizers import Tokenizer, models
    from transformers import (
        AutoModelForCausalLM,
        AutoTokenizer,
        LlamaConfig,
        LlamaForCausalLM,
        PreTrainedTokenizerFast,
    )

    words = {word: number for number, word in enumerate(["<unk>", "a", "b"])}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(words, unk_token="<unk>")), unk_token="<unk>"
    )
    config = LlamaConfig(
        vocab_size=3, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, head_dim=8
    )
    model = LlamaForCausalLM(config)
    model.push_to_hub("me/m")
    tokenizer.push_to_hub("me/m")
    assert {"config.json", "model.safetensors", "tokenizer.json", "README.md"} <= fake_hub.repo("me/m").files.keys()
    assert AutoTokenizer.from_pretrained("me/m").convert_tokens_to_ids("b") == 2
    loaded = AutoModelForCausalLM.from_pretrained("me/m").state_dict()
    assert all((tensor == loaded[name]).all() for name, tensor in model.state_dict().items())


# --- xet


def test_files_go_up_and_come_down_by_xet(fake_hub_xet: FakeHub, work: Path) -> None:
    hub = fake_hub_xet
    repo = hub.add_repo("me/x", "dataset")
    hub.fail("POST", "/_cas/v1/xorbs", status=503)
    hub.fail("POST", "/_cas/v1/shards", reset=True)
    repeated = LARGE * 30
    chance = random.Random(0)
    floats = array.array("f", [chance.gauss() for _ in range(50_001)]).tobytes() + b"end"  # these xet sends grouped
    Path("a.bin").write_bytes(repeated)
    operations = [CommitOperationAdd("a.bin", "a.bin"), add("b.bin", floats), add("c.txt", b"text")]
    HfApi().create_commit("me/x", operations, commit_message="three", repo_type="dataset", parent_commit=repo.head)
    assert [(path, repo.files[path]) for path in ("a.bin", "b.bin")] == [("a.bin", repeated), ("b.bin", floats)]
    assert not hub.requests("POST", "/info/lfs/")
    assert not [request for request in hub.log if "/_cas/" in request.path and request.token == "hf_test_write"]
    for path in ("a.bin", "b.bin"):
        assert Path(hf_hub_download("me/x", path, repo_type="dataset")).read_bytes() == repo.files[path]
    assert hub.requests("GET", "/_cas/data/")
    dataset = Dataset.from_dict(ROWS)
    dataset.push_to_hub("me/y")
    assert load_dataset("me/y", split="train").to_dict() == ROWS


@pytest.mark.parametrize("token", ["hf_test_other", False])
def test_xet_is_refused_to_those_without_a_right(fake_hub_xet: FakeHub, token: str | bool) -> None:
    fake_hub_xet.add_repo("me/x")
    api = HfApi(token=token)
    assert status_of(lambda: api.upload_file(path_or_fileobj=LARGE, path_in_repo="a.bin", repo_id="me/x")) in (
        401,
        403,
    )
    assert not fake_hub_xet.requests("POST", "/_cas/")


# --- faults, races, the log


def push_three(hub: FakeHub) -> Repo:
    """A push of a small and a large file: five requests."""
    repo = hub.repos.get(("model", "me/x")) or hub.add_repo("me/x", files={"old.txt": "old"})
    operations = [add("a.bin", LARGE), add("b.txt", b"b"), CommitOperationDelete("old.txt")]
    HfApi().create_commit("me/x", operations, commit_message="push", parent_commit=repo.head)
    return repo


WAYS: list[dict[str, Any]] = [{"status": 500}, {"reset": True}, {"cut": 0.5}, {"reset": True, "applied": True}]


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_sweep_leaves_the_old_or_the_new_state(fake_hub: FakeHub, way: dict[str, Any]) -> None:
    new = {".gitattributes", "a.bin", "b.txt"}
    push_three(fake_hub)
    whole = [request.method for request in fake_hub.log]
    assert whole == ["POST", "POST", "PUT", "POST", "POST"]
    failed = []
    for nth in range(1, 1 + len(whole)):
        fake_hub.repos.clear()
        fake_hub.stored.clear()
        repo = fake_hub.add_repo("me/x", files={"old.txt": "old"})
        fault = fake_hub.fail(nth=nth, **way)
        try:
            push_three(fake_hub)
        except (OSError, huggingface_hub.errors.HTTPError):
            failed.append(nth)
        (struck,) = fault.struck
        assert struck.method == whole[nth - 1]
        assert repo.files.keys() in (new, {".gitattributes", "old.txt"})
        fake_hub.mend()
        landed = "a.bin" in repo.files
        assert landed == (nth != 5 or "applied" in way or "cut" in way)
        if not landed:
            push_three(fake_hub)
        assert repo.files.keys() == new
        assert len(repo.commits) == 3
    assert failed == [5]  # the client tries all but the commit again
    assert fake_hub.slept  # and no test has slept


@needs_newer_client
def test_a_fault_strikes_the_nth_and_as_often_as_told(fake_hub: FakeHub) -> None:
    fake_hub.add_repo("me/x")
    session = huggingface_hub.get_session()

    def statuses(count: int) -> list[int]:
        return [session.get(f"{fake_hub.url}/api/models/me/x").status_code for _ in range(count)]

    fault = fake_hub.fail(
        "GET", "^/api/models/", nth=2, times=2, status=429, headers={"Retry-After": "7"}, body="slow"
    )
    assert statuses(5) == [200, 429, 429, 200, 200]
    assert (fault.seen, len(fault.struck)) == (5, 2)
    fake_hub.fail("GET", status=503, times=None)
    assert statuses(3) == [503, 503, 503]
    fake_hub.mend()
    assert statuses(1) == [200]
    fake_hub.fail(status=413, body={"error": "a file of 3 TB"})
    with pytest.raises(HfHubHTTPError, match="a file of 3 TB"):
        HfApi().model_info("me/x")
    fake_hub.fail("GET", "/tree/", status=429, headers={"Retry-After": "7"})
    list(HfApi().list_repo_tree("me/x"))
    assert fake_hub.slept == [8.0]


def test_a_half_body_is_taken_up_again(fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", len(LARGE) // 4)
    fake_hub.add_repo("me/x", files={"a.bin": LARGE})
    fake_hub.fail("GET", r"a\.bin$", cut=0.5)
    assert Path(hf_hub_download("me/x", "a.bin")).read_bytes() == LARGE
    assert [request.headers.get("range") for request in fake_hub.requests("GET", "/resolve/")] == [
        None,
        f"bytes={len(LARGE) // 2}-",
    ]


def test_a_request_is_held_until_it_is_let_go(fake_hub: FakeHub) -> None:
    repo = fake_hub.add_repo("me/x")
    go = threading.Event()
    fault = fake_hub.fail("POST", "/commit/", until=go)
    with ThreadPoolExecutor(1) as pool:
        pushed = pool.submit(HfApi().upload_file, path_or_fileobj=b"a", path_in_repo="a.txt", repo_id="me/x")
        assert fault.reached.wait(60)
        assert len(repo.commits) == 1
        assert not pushed.done()
        go.set()
        assert pushed.result(60).oid == repo.head


def test_a_concurrent_writer_slips_in_before_the_commit(fake_hub: FakeHub) -> None:
    repo = fake_hub.add_repo("me/x")
    api = HfApi()

    def push() -> object:
        return api.create_commit("me/x", [add("a", b"a")], commit_message="ours", parent_commit=repo.head)

    fake_hub.race(lambda found: found.commit({"theirs.txt": "t"}))
    assert status_of(push) == 412
    push()
    assert [commit.title for commit in repo.commits[1:]] == ["a change by someone else", "ours"]
    other = HfApi(token="hf_test_write")
    fake_hub.race(
        lambda found: other.upload_file(path_or_fileobj=b"x", path_in_repo="by-http.txt", repo_id=found.repo_id)
    )
    assert status_of(lambda: api.create_commit("me/x", [add("b", b"b")], commit_message="b", parent_commit=repo.head))
    assert "by-http.txt" in repo.files
    assert "b" not in repo.files


@needs_newer_client
def test_many_writers_at_once_all_land(fake_hub: FakeHub) -> None:
    repo = fake_hub.add_repo("me/x")

    def push(number: int) -> None:
        for _ in range(100):
            operations = [add(f"{number}.bin", LARGE + bytes([number]))]
            with contextlib.suppress(HfHubHTTPError):
                HfApi().create_commit("me/x", operations, commit_message="p", parent_commit=repo.head)
                return

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(push, range(4)))
    assert repo.files.keys() == {".gitattributes", "0.bin", "1.bin", "2.bin", "3.bin"}
    assert len(repo.commits) == 5
    assert {request.status for request in fake_hub.requests("POST", "/commit/")} <= {200, 412}


def test_the_log_tells_who_asked_what(fake_hub: FakeHub) -> None:
    fake_hub.add_repo("me/x", files={"a.txt": "a"})
    mark = fake_hub.mark()
    HfApi(token="hf_test_read").model_info("me/x", files_metadata=True)
    HfApi(token=False).list_repo_refs("me/x", include_pull_requests=True)
    assert [(str(r), r.token) for r in fake_hub.since(mark)] == [
        ("GET /api/models/me/x -> 200", "hf_test_read"),
        ("GET /api/models/me/x/refs -> 200", None),
    ]
    assert fake_hub.since(mark)[0].query == {"blobs": ["true"]}


@needs_newer_client
def test_a_hub_leaves_nothing_open() -> None:
    before = threading.active_count()
    session = huggingface_hub.get_session()
    hub = FakeHub().__enter__()
    go = threading.Event()
    fault = hub.fail(until=go, reset=True)
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(session.get, f"{hub.url}/api/whoami-v2")
        assert fault.reached.wait(60)
        assert session.get(f"{hub.url}/api/whoami-v2").status_code == 401
        hub.__exit__()  # with one connection that waits for its answer, and one that may still be used
        with pytest.raises(huggingface_hub.errors.HTTPError):
            held.result(60)
    huggingface_hub.close_session()
    gc.collect()
    assert threading.active_count() == before
    assert go.is_set()


def test_an_error_of_the_hub_itself_fails_the_test() -> None:
    hub = FakeHub().__enter__()
    hub.add_repo("me/x")
    hub.race(lambda _: 1 / 0)
    with pytest.raises(huggingface_hub.errors.HTTPError):
        HfApi(endpoint=hub.url, token=hub.token).create_commit("me/x", [add("a", b"a")], commit_message="a")
    huggingface_hub.close_session()
    with pytest.raises(ZeroDivisionError):
        hub.__exit__()
