"""A page on which rows are pasted and come back cleaned: a Docker Space, or a server of one's own.

    uvicorn --app-dir spaces/clean --port 7860 app:app

Every request runs `hfclean clean` in a process of its own, bounded in time and memory, over a file in a temporary
folder. What it writes is served under a name that nobody can guess, for an hour, the newest results only.
"""

from __future__ import annotations

import asyncio
import html
import json
import os
import resource
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

MOST_BYTES = 1 << 20
SECONDS = 60
MEMORY_BYTES = 4 << 30
RESULTS = 20
KEPT_S = 3600
AT_ONCE = 2
SHOWN = ("report.html", "cleaned.zip")
EXAMPLE = """\
{"instruction": "Name a fruit.", "input": "<noinput>", "output": "It\\u00e2\\u20ac\\u2122s an apple.</s>"}
{"instruction": "What is 12 times 12?", "input": "", "output": "12 * 12 = 142, so the answer is 142."}
{"instruction": "Give me three tips for sleep.", "input": "", "output": "1. Go to bed early.\\n2. Darken the room."}
"""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "form-action 'self'; frame-src 'self'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>hfclean</title><style>
:root {{ color-scheme: light dark }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 0 auto; padding: 1rem }}
textarea {{ width: 100%; box-sizing: border-box; font: 13px/1.4 ui-monospace, monospace }}
button, input::file-selector-button {{ font: inherit; padding: .3em 1em }}
.error {{ border-left: 4px solid #c33; padding-left: 1em; white-space: pre-wrap; overflow-wrap: anywhere }}
iframe {{ width: 100%; height: 80vh; border: 1px solid #8888 }}
</style></head><body><h1>hfclean</h1>{body}</body></html>"""
FORM = """<p>Paste rows of instruction data as JSON lines, at most {most} kB: what a program can repair is repaired,
everything else is scored and named. No model is asked.</p>{error}
<form method="post" action="./"><p><label for="rows">Rows</label></p>
<textarea id="rows" name="rows" rows="14" spellcheck="false" required>{rows}</textarea>
<p><input type="file" id="file" aria-label="Read a file into the field" accept=".jsonl,.json">
<button>Clean</button></p></form>
<script>
document.getElementById("file").addEventListener("change", async event => {{
  const file = event.target.files[0];
  if (file) document.getElementById("rows").value = await file.slice(0, {bytes}).text();
}});
</script>"""


@dataclass(frozen=True)
class Result:
    """What one request left: its folder and when it came."""

    folder: Path
    at: float


def page(body: str, status: int = 200) -> HTMLResponse:
    return HTMLResponse(PAGE.format(body=body), status, HEADERS)


def form(rows: str = EXAMPLE, error: str = "", status: int = 200) -> HTMLResponse:
    said = f'<p class="error" role="alert">{html.escape(error)}</p>' if error else ""
    body = FORM.format(most=MOST_BYTES >> 10, bytes=MOST_BYTES, rows=html.escape(rows), error=said)
    return page(body, status)


def bound() -> None:
    """In the child, before it starts: memory, and no core file."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


async def cleaned(rows: str, folder: Path) -> str:
    """Clean rows into `folder / "cleaned"`; returns what went wrong, or nothing."""
    (folder / "rows.jsonl").write_text(rows, encoding="utf-8")
    words = [sys.executable, "-m", "hfclean", "clean", "rows.jsonl", "--out", "cleaned", "--quiet", "--num-proc", "1"]
    home = {"HFCLEAN_HOME": str(folder / "home"), "HF_DATASETS_CACHE": str(folder / "cache"), "HF_HUB_OFFLINE": "1"}
    child = await asyncio.create_subprocess_exec(
        *words,
        cwd=folder,
        env={**os.environ, **home},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=bound,
    )
    try:
        async with asyncio.timeout(SECONDS):
            _, said = await child.communicate()
    except TimeoutError:
        child.kill()
        await child.wait()
        return f"These rows take more than {SECONDS} seconds here. Try fewer, or hfclean on your own machine."
    for name in ("home", "cache"):
        shutil.rmtree(folder / name, ignore_errors=True)
    if child.returncode:
        lines = said.decode("utf-8", "replace").strip().splitlines()
        return lines[-1][:2000] if lines else f"hfclean ended with the code {child.returncode}."
    await asyncio.to_thread(shutil.make_archive, str(folder / "cleaned"), "zip", folder, "cleaned")
    return ""


class Results:
    """The newest results, each under a name that nobody can guess."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.gate = asyncio.Semaphore(AT_ONCE)
        self.found: dict[str, Result] = {}

    async def add(self, rows: str) -> tuple[str, str]:
        """Clean rows; returns the name of the result, and what went wrong where nothing came of it."""
        name = secrets.token_urlsafe(16)
        folder = self.root / name
        folder.mkdir()
        async with self.gate:
            wrong = await cleaned(rows, folder)
        if wrong:
            shutil.rmtree(folder)
        else:
            self.found[name] = Result(folder, time.monotonic())
            self.forget()
        return name, wrong

    def forget(self) -> None:
        """Delete what is too old or too much."""
        old = [name for name, result in self.found.items() if time.monotonic() - result.at > KEPT_S]
        for name in {*old, *list(self.found)[:-RESULTS]}:
            shutil.rmtree(self.found.pop(name).folder, ignore_errors=True)

    def file(self, name: str, file: str) -> Path | None:
        self.forget()
        result = self.found.get(name)
        if result is None or file not in SHOWN:
            return None
        return result.folder / "cleaned" / file if file == "report.html" else result.folder / file


async def body_of(request: Request) -> bytes | None:
    """The body; None if it is too long."""
    found = bytearray()
    async for piece in request.stream():
        found += piece
        if len(found) > 3 * MOST_BYTES:  # a form writes a byte as three
            return None
    return bytes(found)


async def first(request: Request) -> Response:
    return form()


async def clean(request: Request) -> Response:
    body = await body_of(request)
    fields = parse_qs((body or b"").decode("ascii", "replace"), max_num_fields=4, errors="replace")
    rows = fields.get("rows", [""])[0].replace("\r\n", "\n")
    if body is None or len(rows.encode()) > MOST_BYTES:
        return form("", f"More than {MOST_BYTES >> 10} kB. Try fewer rows, or hfclean on your own machine.", 413)
    if not rows.strip():
        return form(rows, "No rows. Paste at least one line such as " + EXAMPLE.splitlines()[0], 400)
    name, wrong = await request.app.state.results.add(rows)
    if wrong:
        return form(rows, wrong, 400)
    return RedirectResponse(f"./results/{name}", 303)


async def result(request: Request) -> Response:
    name = request.path_params["name"]
    if request.app.state.results.file(name, SHOWN[0]) is None:
        return form(
            error="This result is gone: it is kept for an hour, and only the newest are. Clean the rows again.",
            status=404,
        )
    return page(
        f'<p><a href="{name}/cleaned.zip" download>The cleaned folder</a> (load_dataset reads it) · '
        f'<a href="{name}/report.html">the report alone</a> · <a href="../">other rows</a></p>'
        f'<iframe sandbox="allow-scripts" src="{name}/report.html" title="What was changed, and the scores"></iframe>'
    )


async def file(request: Request) -> Response:
    path = request.app.state.results.file(request.path_params["name"], request.path_params["file"])
    if path is None:
        return page("<p>There is no such file.</p>", 404)
    # the report says in itself what it may load: nothing
    return FileResponse(
        path, headers={name: value for name, value in HEADERS.items() if name != "Content-Security-Policy"}
    )


async def health(request: Request) -> Response:
    return Response(json.dumps({"ok": True}), media_type="application/json")


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    with tempfile.TemporaryDirectory(prefix="hfclean-space-") as root:
        app.state.results = Results(Path(root))
        yield


app = Starlette(
    routes=[
        Route("/", first),
        Route("/", clean, methods=["POST"]),
        Route("/health", health),
        Route("/results/{name}", result),
        Route("/results/{name}/{file}", file),
    ],
    lifespan=lifespan,
)
