"""What the loopback Hub answers; what writes to a repo is in `fake_hub_writes`, the wire in `fake_hub_wire`."""

from __future__ import annotations

import hashlib
import posixpath
import re
from typing import Any
from urllib.parse import parse_qs, quote, urlencode

from fake_hub_cards import check_card
from fake_hub_repo import Commit, Refused, Repo, stamp
from fake_hub_spaces import Space, Spaces
from fake_hub_wire import Request, Response, span
from fake_hub_writes import Writes
from fake_hub_xet import Cas

NAME = re.compile(r"(?!.*(--|\.\.))[A-Za-z0-9_](?:[\w.-]{0,94}[A-Za-z0-9_])?", re.ASCII)
KINDS = ("models", "datasets", "spaces")


class Api(Spaces, Writes):
    """Every endpoint."""

    def __init__(self) -> None:
        super().__init__()
        self.cas = Cas(self)

    def answer(self, request: Request) -> Response:
        """The answer to a request."""
        try:
            if re.fullmatch(r"POST /api/\w+/[^/]+/[^/]+/commit/.*", f"{request.method} {request.path}"):
                self._race(request)
            with self.lock:
                return self._route(request)
        except Refused as refused:
            headers = {"X-Error-Message": re.sub(r"\s+", " ", refused.message)}  # a header is one line
            if refused.code:
                headers["X-Error-Code"] = refused.code
            return Response.of({"error": refused.message, **refused.body}, refused.status, headers)

    def _race(self, request: Request) -> None:
        if self.races:
            _, kind, owner, name, *_ = request.segments
            repo = self.repos.get((kind[:-1], f"{owner}/{name}"))
            if repo is not None:
                self.races.pop(0)(repo)

    def _route(self, request: Request) -> Response:
        match request.method, *request.segments:
            case "PUT" | "POST", "_lfs", *rest:
                return self._store(request, rest)
            case _, "_cas", *rest:
                return self.cas.answer(request, rest)
            case "GET", "api", "whoami-v2":
                return self._whoami(request)
            case "POST", "api", "validate-yaml":
                posted = request.json
                errors, warnings = check_card(posted["content"], posted["repoType"])
                return Response.of({"errors": errors, "warnings": warnings}, 400 if errors else 200)
            case "POST", "api", "repos", "create":
                return self._create(request)
            case "DELETE", "api", "repos", "delete":
                return self._delete(request)
            case "POST", "api", "repos", "move":
                return self._move(request)
            case "GET", ".well-known", "openid-configuration":
                return self._openid()
            case "GET", "oauth", "authorize":
                return self._authorize(request)
            case "POST", "oauth", "token":
                return self._exchange(request)
            case "GET", "oauth", "userinfo":
                return self._userinfo(request)
            case "GET", "api", kind if kind in KINDS:
                return self._list(request, kind[:-1])
            case method, "api", kind, owner, name, *rest if kind in KINDS:
                repo = self._seen(request, kind[:-1], f"{owner}/{name}")
                return self._repo(request, repo, method, rest)
            case _, "datasets" | "spaces" as kind, owner, name, *rest if rest:
                return self._git(request, kind[:-1], owner, name, rest)
            case _, owner, name, *rest if rest:
                return self._git(request, "model", owner, name, rest)
        raise Refused(404, f"Sorry, we can't find the page you are looking for: {request.path}")

    def _repo(self, request: Request, repo: Repo, method: str, rest: list[str]) -> Response:
        match method, *rest:
            case ("GET",):
                return self._info(request, repo, "main")
            case "GET", "revision", revision:
                return self._info(request, repo, revision)
            case "GET", "tree", revision, *folder:
                return self._tree(request, repo, revision, "/".join(folder).strip("/"))
            case "POST", "paths-info", revision:
                return self._paths_info(request, repo, revision)
            case "GET", "commits", revision:
                listed = [self._commit_item(commit) for commit in repo.history(revision)]
                return self._page(request, listed, self.page_size)
            case "GET", "refs":
                return self._refs(request, repo)
            case "POST", "preupload", revision:
                return self._preupload(request, repo, revision)
            case "GET", "xet-read-token", *_:
                self._readable(request, repo)
                return self.cas.token("read")
            case "GET", "xet-write-token", revision:
                self._writable(request, repo, revision)
                return self.cas.token("write")
            case "POST", "commit", revision:
                return self._commit(request, repo, revision)
            case "POST" | "DELETE", "branch", branch:
                return self._branch(request, repo, branch)
            case "POST" | "DELETE", "tag", revision:
                return self._tag(request, repo, revision)
            case "PUT", "settings":
                self._owned(request, repo)
                settings = request.json
                repo.gated = settings.get("gated", repo.gated)
                repo.private = settings.get("visibility", "private" if repo.private else "public") == "private"
                return Response.of({"private": repo.private, "gated": repo.gated})
            case "GET", "auth-check", *write:
                (self._owned if write else self._readable)(request, repo)
                return Response.of({})
            case _, "discussions", *number:
                return self._discussions(request, repo, number)
            case _, "secrets" | "variables" as what if repo.repo_type == "space":
                return self._settings(request, repo, what)
        raise Refused(404, f"no such endpoint: {request}")

    def _git(self, request: Request, kind: str, owner: str, name: str, rest: list[str]) -> Response:
        name = name.removesuffix(".git")
        repo = self._seen(request, kind, f"{owner}/{name}")
        match request.method, *rest:
            case "GET" | "HEAD", "resolve" | "raw", revision, *path:
                return self._resolve(request, repo, revision, "/".join(path))
            case "POST", "info", "lfs", "objects", "batch":
                return self._batch(request, repo)
        raise Refused(404, f"no such endpoint: {request}")

    # --- accounts and repos

    def _whoami(self, request: Request) -> Response:
        account = self.account(request)
        if account is None:
            raise Refused(401, "Invalid username or password.")
        orgs = [
            {"type": "org", "id": f"{org:0<24}", "name": org, "fullname": org, "roleInOrg": role}
            for org, role in account.orgs.items()
        ]
        token = {"displayName": "test", "role": account.role, "createdAt": stamp(0)}
        return Response.of(
            {
                "type": "user",
                "id": f"{account.user:0<24}",
                "name": account.user,
                "fullname": account.user,
                "email": f"{account.user}@example.com",
                "isPro": False,
                "orgs": orgs,
                "auth": {"type": "access_token", "accessToken": token},
            }
        )

    def _namespace(self, request: Request, posted: dict[str, Any], kind: str) -> str:
        """The namespace of what is to be made or removed there, if whoever asks may."""
        account = self.account(request)
        if account is None:
            raise Refused(401, "Invalid username or password.")
        namespace: str = posted.get("organization") or account.user
        if not account.may_write(namespace):
            raise Refused(403, f'You don\'t have the rights to create a {kind} under the namespace "{namespace}"')
        return namespace

    def _create(self, request: Request) -> Response:
        posted = request.json
        kind, name = posted.get("type") or "model", posted["name"]
        namespace = self._namespace(request, posted, kind)
        if not NAME.fullmatch(name) or name.endswith(".git"):
            raise Refused(400, f"Invalid repo name: {name}")
        repo = self.repos.get((kind, f"{namespace}/{name}"))
        body = {"name": f"{namespace}/{name}", "id": f"{namespace}/{name}"}
        if repo is not None:
            message = f"You already created this {kind} repo: {namespace}/{name}"
            raise Refused(409, message, url=f"{self.url}/{repo.url_path}", **body)
        private = posted.get("visibility") == "private" or bool(posted.get("private"))
        account = self.account(request)
        assert account is not None
        repo = Repo(f"{namespace}/{name}", kind, private=private, author=account.user, lock=self.lock)
        self.repos[kind, repo.repo_id] = repo
        if kind == "space":
            self.spaces[repo.repo_id] = Space(posted["sdk"])
        return Response.of({"url": f"{self.url}/{repo.url_path}", **body})

    def _delete(self, request: Request) -> Response:
        posted = request.json
        kind = posted.get("type") or "model"
        account = self.account(request)
        namespace = posted.get("organization") or (account.user if account else "")
        repo = self._seen(request, kind, f"{namespace}/{posted['name']}")
        self._owned(request, repo)
        del self.repos[kind, repo.repo_id]
        return Response(200, b"OK")

    def _move(self, request: Request) -> Response:
        posted = request.json
        kind = posted.get("type") or "model"
        repo = self._seen(request, kind, posted["fromRepo"])
        self._owned(request, repo)
        if (kind, posted["toRepo"]) in self.repos:
            raise Refused(409, f"{posted['toRepo']} is taken")
        del self.repos[kind, repo.repo_id]
        repo.repo_id = posted["toRepo"]
        self.repos[kind, repo.repo_id] = repo
        return Response.of({})

    def _list(self, request: Request, kind: str) -> Response:
        account = self.account(request)
        author, search = request.query.get("author", [""])[0], request.query.get("search", [""])[0]
        listed = []
        for (found, repo_id), repo in sorted(self.repos.items()):
            namespace = repo_id.split("/")[0]
            seen = not repo.private or (account is not None and account.may_read(namespace))
            if found == kind and seen and author in ("", namespace) and search.lower() in repo_id.lower():
                listed.append({key: value for key, value in self._about(repo, "main").items() if key != "siblings"})
        return self._page(request, listed, self.page_size)

    def _about(self, repo: Repo, revision: str, *, blobs: bool = False) -> dict[str, Any]:
        commit = repo.at(revision)
        siblings: list[dict[str, Any]] = []
        for path, blob in commit.blobs.items():
            sibling: dict[str, Any] = {"rfilename": path}
            if blobs:
                sibling |= {"size": blob.size, "blobId": blob.oid}
                if blob.lfs:
                    sibling["lfs"] = {"size": blob.size, "sha256": blob.sha256, "pointerSize": len(blob.pointer)}
            siblings.append(sibling)
        card = repo.card_data(revision) or {}
        tags = [f"license:{card['license']}"] if isinstance(card.get("license"), str) else []
        tags += [tag for tag in card.get("tags") or () if isinstance(tag, str)]
        about = {
            "_id": hashlib.sha1(f"{repo.repo_type}/{repo.repo_id}".encode()).hexdigest()[:24],
            "id": repo.repo_id,
            "author": repo.repo_id.split("/")[0],
            "sha": commit.sha,
            "createdAt": repo.history()[-1].date,
            "lastModified": commit.date,
            "private": repo.private,
            "gated": repo.gated,
            "disabled": repo.disabled,
            "downloads": 0,
            "likes": 0,
            "tags": [*tags, "region:us"],
            "siblings": siblings,
            "usedStorage": sum(blob.size for blob in commit.blobs.values()),
        }
        if card:
            about["cardData"] = card
        if repo.repo_type == "model":
            about |= {key: card[key] for key in ("pipeline_tag", "library_name") if key in card}
        return about

    def _info(self, request: Request, repo: Repo, revision: str) -> Response:
        about = self._about(repo, revision, blobs=request.flag("blobs"))
        wanted = request.query.get("expand", request.query.get("expand[]"))
        if wanted is not None:
            about = {key: value for key, value in about.items() if key in ("_id", "id", *wanted)}
        return Response.of(about)

    # --- what is in a repo

    def _page(self, request: Request, listed: list[Any], size: int) -> Response:
        start = int(request.query.get("cursor", ["0"])[0])
        response = Response.of(listed[start : start + size])
        if start + size < len(listed):
            query = {**{k: v for k, v in request.query.items() if k != "cursor"}, "cursor": [str(start + size)]}
            place = request.target.partition("?")[0]
            response.headers["Link"] = f'<{self.url}{place}?{urlencode(query, doseq=True)}>; rel="next"'
        return response

    def _entry(self, repo: Repo, revision: str, path: str, *, expand: bool) -> dict[str, Any]:
        blob = repo.at(revision).blobs.get(path)
        entry: dict[str, Any]
        if blob is None:
            entry = {"type": "directory", "oid": hashlib.sha1(path.encode()).hexdigest(), "size": 0, "path": path}
        else:
            entry = {"type": "file", "oid": blob.oid, "size": blob.size, "path": path}
            if blob.lfs:
                entry["lfs"] = {"oid": blob.sha256, "size": blob.size, "pointerSize": len(blob.pointer)}
                if xet_hash := self.cas.hash_of(blob.sha256):
                    entry["xetHash"] = xet_hash
        if expand:
            changed = repo.last_change(path, revision)
            entry["lastCommit"] = {"id": changed.sha, "title": changed.title, "date": changed.date}
            if blob is not None:
                entry["securityFileStatus"] = {"status": "safe", "avScan": None, "pickleImportScan": None}
        return entry

    def _tree(self, request: Request, repo: Repo, revision: str, folder: str) -> Response:
        blobs = repo.at(revision).blobs
        recursive, expand = request.flag("recursive"), request.flag("expand")
        paths = sorted([*blobs, *repo.folders(revision)])
        if folder:
            paths = [path for path in paths if path.startswith(f"{folder}/")]
            if not paths:
                raise Refused(404, f'{folder} does not exist on "{revision}"', "EntryNotFound")
        if not recursive:
            paths = [path for path in paths if posixpath.dirname(path) == folder]
        size = min(self.page_size, 50) if expand else self.page_size
        return self._page(request, [self._entry(repo, revision, path, expand=expand) for path in paths], size)

    def _paths_info(self, request: Request, repo: Repo, revision: str) -> Response:
        posted = parse_qs(request.body.decode()) if request.body[:1] != b"{" else request.json
        expand = str(posted.get("expand", ["false"])[0]).lower() in ("1", "true")
        known = {*repo.at(revision).blobs, *repo.folders(revision)}
        paths = [path for path in posted.get("paths", ()) if path in known]
        return Response.of([self._entry(repo, revision, path, expand=expand) for path in paths])

    def _commit_item(self, commit: Commit) -> dict[str, Any]:
        return {
            "id": commit.sha,
            "title": commit.title,
            "message": commit.description,
            "authors": [{"user": commit.author}],
            "date": commit.date,
        }

    def _resolve(self, request: Request, repo: Repo, revision: str, path: str) -> Response:
        self._readable(request, repo)
        commit = repo.at(revision)
        blob = commit.blobs.get(path)
        if blob is None:
            headers = {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"}
            return Response.of({"error": "Entry not found"}, 404, headers | {"X-Repo-Commit": commit.sha})
        headers = {
            "X-Repo-Commit": commit.sha,
            "ETag": f'"{blob.etag}"',
            "Accept-Ranges": "bytes",
            "Content-Type": "application/octet-stream" if blob.lfs else "text/plain; charset=utf-8",
            "Content-Disposition": f"inline; filename*=UTF-8''{quote(name := posixpath.basename(path))};"
            + (f' filename="{name}";' if name.isascii() and '"' not in name else ""),
        }
        if blob.lfs:
            headers |= {"X-Linked-Size": str(blob.size), "X-Linked-Etag": f'"{blob.sha256}"'}
            if xet_hash := self.cas.hash_of(blob.sha256):
                refresh = f"{self.url}/api/{repo.repo_type}s/{repo.repo_id}/xet-read-token/{commit.sha}"
                headers |= {"X-Xet-Hash": xet_hash, "Link": f'<{refresh}>; rel="xet-auth"'}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(304, b"", headers)
        wanted = request.headers.get("range")
        if wanted is None:
            return Response(200, blob.data, headers)
        start, end = span(wanted, blob.size)
        if start >= end:
            return Response(416, b"", headers | {"Content-Range": f"bytes */{blob.size}"})
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{blob.size}"
        return Response(206, blob.data[start:end], headers)
