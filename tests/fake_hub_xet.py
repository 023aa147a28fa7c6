"""The content-addressed store behind uploads and downloads by xet, as the compiled client (hf_xet) wants it.

The client cuts a file into chunks and asks for them (`chunks`, here never known), sends them packed in xorbs, then a
shard: a list of files, each with its sha256 and the ranges of chunks of xorbs that it is made of. A file is put
together when its shard comes. The newer endpoints (`xorb-grants`, `v2/shards`) are not here, and by a 404 the client
learns to use the older ones. The formats are those of the xet protocol's specification.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fake_hub_repo import Refused
from fake_hub_wire import Request, Response, span

if TYPE_CHECKING:
    from fake_hub_api import Api

RECORD = 48  # bytes of every record of a shard
END = b"\xff" * 32
VERIFIED, DESCRIBED = 1 << 31, 1 << 30  # flags of a file: a record for each term, a record with the sha256
PLAIN, LZ4, GROUPED = 0, 1, 2
FAR = 4102444800  # when tokens expire: 2100


@dataclass(frozen=True)
class Term:
    """A range of chunks of a xorb."""

    xorb: str
    size: int
    start: int
    end: int


@dataclass(frozen=True)
class Chunk:
    """Where a chunk lies in its xorb, and what it holds."""

    start: int
    end: int
    data: bytes


class Cas:
    """The store; it puts each file that it gets into `Api.stored`, where LFS puts its own."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.xorbs: dict[str, bytes] = {}
        self.chunks: dict[str, list[Chunk]] = {}
        self.files: dict[str, list[Term]] = {}
        self.hashes: dict[str, str] = {}

    def hash_of(self, sha256: str) -> str | None:
        """The name that xet has for a file; None where it did not come by xet."""
        return self.hashes.get(sha256)

    def token(self, scope: str) -> Response:
        """The answer to who may read or write here."""
        url, token = f"{self.api.url}/_cas", f"xet_{scope}"
        headers = {"X-Xet-Cas-Url": url, "X-Xet-Access-Token": token, "X-Xet-Token-Expiration": str(FAR)}
        return Response.of({"casUrl": url, "accessToken": token, "exp": FAR}, headers=headers)

    def answer(self, request: Request, rest: list[str]) -> Response:
        """The answer to a request below `/_cas`."""
        match request.method, *rest:
            case "GET", "data", xorb if xorb in self.xorbs:  # as if signed: without a token
                return self._data(request, xorb)
        if request.token != "xet_write" and (request.method != "GET" or request.token != "xet_read"):
            raise Refused(401, "no token of this store")
        match request.method, *rest:
            case "POST", "v1", "xorbs", "default", xorb:
                new = xorb not in self.xorbs
                self.chunks[xorb] = list(unpack(request.body))
                self.xorbs[xorb] = request.body
                return Response.of({"was_inserted": new})
            case "POST", "v1", "shards":
                return self._shard(request.body)
            case "GET", "v1", "reconstructions", name if name in self.files:
                return self._reconstruction(request, self.files[name])
        raise Refused(404, "Not found")

    def _shard(self, body: bytes) -> Response:
        for name, sha256, terms in files_of(body):
            if any(term.xorb not in self.chunks for term in terms):
                raise Refused(400, f"the shard names a xorb that is not here, for {sha256}")
            data = b"".join(chunk.data for term in terms for chunk in self.chunks[term.xorb][term.start : term.end])
            if hashlib.sha256(data).hexdigest() != sha256:
                raise Refused(400, f"the content of {sha256} has another sha256")
            self.api.stored[sha256] = data
            self.hashes[sha256] = name
            self.files[name] = terms
        return Response.of({"result": 1})

    def _reconstruction(self, request: Request, terms: list[Term]) -> Response:
        size = sum(term.size for term in terms)
        start, end = span(request.headers.get("range", ""), size)
        if start >= end:
            return Response(416, b"", {"Content-Range": f"bytes */{size}"})
        chosen: list[Term] = []
        skipped = at = 0
        for term in terms:
            if at + term.size > start and at < end:
                if not chosen:
                    skipped = start - at
                chosen.append(term)
            at += term.size
        fetch: dict[str, list[dict[str, object]]] = {}
        for xorb in {term.xorb: None for term in chosen}:  # one range for all of its terms: they may overlap
            first = min(term.start for term in chosen if term.xorb == xorb)
            last = max(term.end for term in chosen if term.xorb == xorb)
            chunks = self.chunks[xorb][first:last]
            fetch[xorb] = [
                {
                    "range": {"start": first, "end": last},
                    "url": f"{self.api.url}/_cas/data/{xorb}",
                    "url_range": {"start": chunks[0].start, "end": chunks[-1].end - 1},
                }
            ]
        listed = [
            {"hash": term.xorb, "unpacked_length": term.size, "range": {"start": term.start, "end": term.end}}
            for term in chosen
        ]
        return Response.of({"offset_into_first_range": skipped, "terms": listed, "fetch_info": fetch})

    def _data(self, request: Request, xorb: str) -> Response:
        data = self.xorbs[xorb]
        start, end = span(request.headers.get("range", ""), len(data))
        headers = {"Content-Range": f"bytes {start}-{end - 1}/{len(data)}", "Content-Type": "application/octet-stream"}
        return Response(206, data[start:end], headers)


def unpack(xorb: bytes) -> Iterator[Chunk]:
    """The chunks of a xorb."""
    import pyarrow

    at = 0
    while at < len(xorb):
        packed = int.from_bytes(xorb[at + 1 : at + 4], "little")
        scheme = xorb[at + 4]
        size = int.from_bytes(xorb[at + 5 : at + 8], "little")
        data = xorb[at + 8 : at + 8 + packed]
        if scheme != PLAIN:
            data = pyarrow.decompress(data, decompressed_size=size, codec="lz4", asbytes=True)
        if scheme == GROUPED:
            data = ungrouped(data)
        yield Chunk(at, at + 8 + packed, data)
        at += 8 + packed


def ungrouped(data: bytes) -> bytes:
    """Bytes that were sorted by their place modulo four, put back."""
    whole = bytearray(len(data))
    at = 0
    for place in range(4):
        count = len(whole[place::4])
        whole[place::4] = data[at : at + count]
        at += count
    return bytes(whole)


def files_of(shard: bytes) -> Iterator[tuple[str, str, list[Term]]]:
    """The files of a shard: their name in xet, their sha256, their terms."""
    at = RECORD
    while (record := shard[at : at + RECORD])[:32] != END:
        name, flags, count = name_of(record), *struct.unpack_from("<II", record, 32)
        at += RECORD
        terms = []
        for _ in range(count):
            _, size, start, end = struct.unpack_from("<IIII", shard, at + 32)
            terms.append(Term(name_of(shard[at:]), size, start, end))
            at += RECORD
        if flags & VERIFIED:
            at += RECORD * count
        if not flags & DESCRIBED:
            raise Refused(400, f"the shard does not give the sha256 of {name}")
        yield name, name_of(shard[at:]), terms
        at += RECORD


def name_of(record: bytes) -> str:
    """The hash that begins a record, written as xet writes it: four numbers."""
    return "".join(f"{number:016x}" for number in struct.unpack_from("<4Q", record))
