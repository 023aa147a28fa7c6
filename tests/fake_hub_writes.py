"""What the loopback Hub does with what it is given: uploads, commits, branches, tags, pull requests."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Iterable
from typing import Any

from fake_hub_access import Access
from fake_hub_cards import check_card
from fake_hub_repo import MAIN, Blob, PullRequest, Refused, Repo, stamp
from fake_hub_wire import Request, Response


class Writes(Access):
    """The answers to what writes to a repo, and to the storage behind it."""

    def _preupload(self, request: Request, repo: Repo, revision: str) -> Response:
        self._writable(request, repo, revision)
        blobs = repo.at(revision).blobs
        files = []
        for file in request.json["files"]:
            path = file["path"]
            large = repo.is_large(path, base64.b64decode(file.get("sample", "")), file["size"], revision)
            answer = {"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False}
            if path in blobs:
                answer["oid"] = blobs[path].etag
            files.append(answer)
        return Response.of({"files": files, "commitOid": repo.at(revision).sha})

    def _batch(self, request: Request, repo: Repo) -> Response:
        account = self.account(request)
        if account is None:
            raise Refused(401, "Invalid username or password.")
        objects = request.json["objects"]
        new = {o["oid"]: o["size"] for o in objects if self._held(repo, o["oid"]) is None}
        self._check_storage(repo, new)
        answers = []
        for oid, size in ((o["oid"], o["size"]) for o in objects):
            answer: dict[str, Any] = {"oid": oid, "size": size, "authenticated": True}
            if oid in new:
                answer["actions"] = {
                    "upload": self._upload(oid, size),
                    "verify": {"href": f"{self.url}/_lfs/{oid}/verify", "header": {}},
                }
            answers.append(answer)
        kind = "multipart" if any("chunk_size" in str(answer) for answer in answers) else "basic"
        return Response.of({"transfer": kind, "objects": answers})

    def _upload(self, oid: str, size: int) -> dict[str, Any]:
        if self.multipart_over is None or size <= self.multipart_over:
            return {"href": f"{self.url}/_lfs/{oid}"}
        numbers = range(1, 1 + math.ceil(size / self.multipart_over))
        parts = {f"{number:05}": f"{self.url}/_lfs/{oid}/parts/{number}" for number in numbers}
        return {"href": f"{self.url}/_lfs/{oid}/complete", "header": {"chunk_size": str(self.multipart_over), **parts}}

    def _store(self, request: Request, rest: list[str]) -> Response:
        """The storage behind LFS: it asks for no token, since its URLs are signed."""
        match request.method, *rest:
            case "PUT", oid:
                return self._stored(oid, request.body)
            case "PUT", oid, "parts", number:
                self.parts.setdefault(oid, {})[int(number)] = request.body
                return Response(200, b"", {"ETag": f'"{hashlib.md5(request.body).hexdigest()}"'})
            case "POST", oid, "complete":
                parts = self.parts.pop(oid, {})
                posted = [(part["partNumber"], part["etag"]) for part in request.json["parts"]]
                if posted != [(n, f'"{hashlib.md5(parts[n]).hexdigest()}"') for n in sorted(parts)]:
                    raise Refused(400, "the parts are not those that were sent")
                return self._stored(oid, b"".join(parts[n] for n in sorted(parts)))
            case "POST", oid, "verify":
                if len(self.stored.get(oid, b"")) != request.json["size"]:
                    raise Refused(404, f"object {oid} is not there")
                return Response.of({})
        raise Refused(404, f"no such endpoint: {request}")

    def _held(self, repo: Repo, oid: str) -> bytes | None:
        """The content of a large file that was uploaded, or that was put into the repo with no upload."""
        blobs = (blob for commit in repo.objects.values() for blob in commit.blobs.values() if blob.lfs)
        return self.stored.get(oid) or next((blob.data for blob in blobs if blob.sha256 == oid), None)

    def _stored(self, oid: str, data: bytes) -> Response:
        if hashlib.sha256(data).hexdigest() != oid:
            raise Refused(400, f"the content of {oid} has another sha256")
        self.stored[oid] = data
        return Response(200, b"", {"ETag": f'"{hashlib.md5(data).hexdigest()}"'})

    def _check_storage(self, repo: Repo, more: dict[str, int]) -> None:
        """Refuse what goes beyond the storage of a namespace."""
        if self.storage_limit is None:
            return
        namespace = repo.repo_id.split("/")[0]
        held = dict(more)
        for other in self.repos.values():
            if other.repo_id.split("/")[0] == namespace:
                for commit in other.objects.values():
                    held |= {blob.sha256: blob.size for blob in commit.blobs.values() if blob.lfs}
        if sum(held.values()) > self.storage_limit:
            raise Refused(403, "Private repository storage limit reached, please upgrade your plan")

    # --- commits and refs

    def _commit(self, request: Request, repo: Repo, revision: str) -> Response:
        account = self._writable(request, repo, revision)
        header, *operations = [json.loads(line) for line in request.body.splitlines() if line.strip()]
        if header.get("key") != "header" or not str(header["value"].get("summary", "")).strip():
            raise Refused(400, "the first line is to be the header, and its summary is not to be empty")
        head = header["value"]
        ref = repo.ref(revision)
        if ref is None or ref.startswith("refs/tags/"):
            if revision in repo.objects and request.flag("create_pr"):
                ref = revision
            else:
                raise Refused(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        start = repo.refs.get(ref, ref)
        parent = head.get("parentCommit")
        if parent is not None and not re.fullmatch("[0-9a-f]{40}", parent):
            raise Refused(400, '"parentCommit" must be a valid commit oid')
        if parent is not None and parent != start and not request.flag("create_pr"):
            raise Refused(412, "A commit has happened since. Please refresh and try again.")
        blobs = self._applied(repo, dict(repo.objects[parent or start].blobs), operations)
        self._check_storage(repo, {blob.sha256: blob.size for blob in blobs.values() if blob.lfs})
        opened: PullRequest | None = None
        if request.flag("create_pr"):
            opened = PullRequest(1 + len(repo.pull_requests), head["summary"], account.user, base=ref)
            repo.pull_requests[opened.number] = opened
            ref = f"refs/pr/{opened.number}"
        commit = repo.advance(
            ref, blobs, head["summary"], head.get("description", ""), account.user, operations, start=parent or start
        )
        place = f"{self.url}/{repo.url_path}"
        return Response.of(
            {
                "success": True,
                "commitOid": commit.sha,
                "commitUrl": f"{place}/commit/{commit.sha}",
                "hookOutput": "",
                "pullRequestUrl": f"{place}/discussions/{opened.number}" if opened else None,
            }
        )

    def _applied(self, repo: Repo, blobs: dict[str, Blob], operations: Iterable[dict[str, Any]]) -> dict[str, Blob]:
        """The tree after the operations of a commit."""
        for operation in operations:
            key, value = operation["key"], operation["value"]
            path = value["path"]
            parts = path.split("/")
            if key != "deletedFolder" and any(part in ("", ".", "..", ".git") for part in parts):
                raise Refused(400, f"Invalid path: {path}")
            if key == "file":
                data = (
                    base64.b64decode(value["content"])
                    if value.get("encoding") == "base64"
                    else value["content"].encode()
                )
                if repo.is_large(path, data[:512], len(data)) and data:
                    raise Refused(400, f"Your push was rejected because it contains binary files, use LFS: {path}")
                if path == "README.md" and (errors := check_card(data.decode(errors="replace"), repo.repo_type)[0]):
                    raise Refused(400, "Invalid metadata in README.md: " + "; ".join(e["message"] for e in errors))
                blobs[path] = Blob(data)
            elif key == "lfsFile":
                stored = self._held(repo, value["oid"])
                if stored is None or len(stored) != value.get("size", len(stored)):
                    raise Refused(400, f"LFS pointer pointed to a file that does not exist: {path}")
                blobs[path] = Blob(stored, lfs=True)
            elif key == "copyFile":
                source = repo.at(value.get("srcRevision") or "main").blobs.get(value["srcPath"])
                if source is None:
                    raise Refused(404, f"A file with this name doesn't exist: {value['srcPath']}", "EntryNotFound")
                blobs[path] = source
            elif key in ("deletedFile", "deletedFolder"):
                folder = path.rstrip("/") + "/"
                gone = [p for p in blobs if (p == path if key == "deletedFile" else p.startswith(folder))]
                if not gone:
                    raise Refused(404, f"A file with this name doesn't exist: {path}", "EntryNotFound")
                for found in gone:
                    del blobs[found]
            else:
                raise Refused(400, f"unknown operation: {key}")
        return blobs

    def _refs(self, request: Request, repo: Repo) -> Response:
        def item(ref: str, prefix: str) -> dict[str, str]:
            return {"name": ref.removeprefix(prefix), "ref": ref, "targetCommit": repo.refs[ref]}

        def under(prefix: str) -> list[dict[str, str]]:
            return [item(ref, prefix) for ref in repo.refs if ref.startswith(prefix)]

        refs = {"branches": under("refs/heads/"), "tags": under("refs/tags/"), "converts": under("refs/convert/")}
        if request.flag("include_prs"):
            refs["pullRequests"] = [item(ref, "refs/pr/") for ref in repo.refs if ref.startswith("refs/pr/")]
        return Response.of(refs)

    def _branch(self, request: Request, repo: Repo, branch: str) -> Response:
        self._owned(request, repo)
        ref = branch if branch.startswith("refs/") else f"refs/heads/{branch}"
        if request.method == "DELETE":
            if ref == MAIN:
                raise Refused(403, "the main branch cannot be deleted")
            if ref not in repo.refs:
                raise Refused(404, f"Invalid rev id: {branch}", "RevisionNotFound")
            del repo.refs[ref]
            return Response.of({})
        if ref in repo.refs:
            raise Refused(409, f"Reference already exists: {ref}")
        posted = request.json or {}
        repo.refs[ref] = repo.at(posted.get("startingPoint") or "main").sha
        return Response.of({})

    def _tag(self, request: Request, repo: Repo, revision: str) -> Response:
        self._owned(request, repo)
        if request.method == "DELETE":
            if f"refs/tags/{revision}" not in repo.refs:
                raise Refused(404, f"Invalid rev id: {revision}", "RevisionNotFound")
            del repo.refs[f"refs/tags/{revision}"]
            return Response.of({})
        ref = f"refs/tags/{request.json['tag']}"
        if ref in repo.refs:
            raise Refused(409, f"Tag reference exists already: {ref}")
        repo.refs[ref] = repo.at(revision).sha
        return Response.of({})

    def _discussions(self, request: Request, repo: Repo, rest: list[str]) -> Response:
        match request.method, *rest:
            case ("GET",):
                listed = [self._discussion(repo, opened) for opened in repo.pull_requests.values()]
                return Response.of({"discussions": listed, "count": len(listed), "start": 0})
            case ("POST",):
                account, posted = self.account(request), request.json
                if account is None or not posted.get("pullRequest"):
                    raise Refused(401 if account is None else 400, "only pull requests, of a known user")
                opened = PullRequest(1 + len(repo.pull_requests), posted["title"], account.user, "draft")
                repo.pull_requests[opened.number] = opened
                repo.refs[f"refs/pr/{opened.number}"] = repo.head
                return Response.of(self._discussion(repo, opened))
            case "GET", number if int(number) in repo.pull_requests:
                return Response.of(self._discussion(repo, repo.pull_requests[int(number)]))
            case "POST", number, "status" | "merge" as action if int(number) in repo.pull_requests:
                self._owned(request, repo)
                opened = repo.pull_requests[int(number)]
                if action == "status":
                    opened.status = request.json["status"]
                elif repo.history(f"refs/pr/{number}")[-1] is not repo.history()[-1] or opened.status == "merged":
                    raise Refused(409, "this cannot be merged")
                else:
                    self._merge(repo, opened)
                return Response.of(self._discussion(repo, opened))
        raise Refused(404, "Discussion not found")

    def _merge(self, repo: Repo, opened: PullRequest) -> None:
        """Merge by file: what the pull request changed wins."""
        theirs = repo.history(f"refs/pr/{opened.number}")
        ours = {commit.sha for commit in repo.history()}
        base = next(commit for commit in theirs if commit.sha in ours).blobs
        blobs = {path: blob for path, blob in repo.at().blobs.items() if path in theirs[0].blobs or path not in base}
        blobs |= {path: blob for path, blob in theirs[0].blobs.items() if base.get(path) != blob}
        operations = [op for commit in theirs if commit.sha not in ours for op in commit.operations]
        opened.merge = repo.advance(
            MAIN, blobs, f"{opened.title} (#{opened.number})", "", opened.author, operations
        ).sha
        opened.status = "merged"

    def _discussion(self, repo: Repo, opened: PullRequest) -> dict[str, Any]:
        return {
            "num": opened.number,
            "title": opened.title,
            "author": {"name": opened.author, "type": "user"},
            "repo": {"name": repo.repo_id, "type": repo.repo_type},
            "status": opened.status,
            "isPullRequest": True,
            "createdAt": stamp(opened.number),
            "events": [],
            "filesWithConflicts": [],
            "changes": {"base": opened.base, "mergeCommitId": opened.merge},
            "diff": "",
        }
