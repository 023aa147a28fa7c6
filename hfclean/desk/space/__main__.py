"""What the container of a Space runs: `python -m hfclean.desk.space`."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
from collections.abc import Sequence
from copy import copy
from pathlib import Path

from hfclean.desk.planting import plant
from hfclean.desk.queue import Queue
from hfclean.desk.rows import Rows, price_of
from hfclean.desk.space.app import Content, space_app
from hfclean.desk.space.committed import FILE, CommittedVerdicts, Committer
from hfclean.desk.space.settings import Environment
from hfclean.errors import HfcleanError, require
from hfclean.folder import read_folder
from hfclean.hub.loading import pull_dataset
from hfclean.hub.remote import hub_api
from hfclean.report.formatting import plural

KEPT = Path("/data")  # where the Hub mounts what outlives a container, if that was asked for


def main(argv: Sequence[str] | None = None) -> int:
    """Answer people until a signal to end; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m hfclean.desk.space")
    parser.add_argument("--port", type=int, default=7860)
    parser.add_argument("--every", type=float, default=60.0, help="seconds between two commits of verdicts")
    args = parser.parse_args(argv)
    try:
        return _run(args.port, args.every)
    except HfcleanError as e:
        print(f"the desk does not open: {e}", file=sys.stderr, flush=True)
    except OSError as e:
        print(f"the desk does not open: {e.strerror or type(e).__name__} {e.filename or ''}", file=sys.stderr)
    return 1


def _run(port: int, every_s: float) -> int:
    import uvicorn
    from datasets.utils.logging import disable_progress_bar
    from huggingface_hub.utils.tqdm import disable_progress_bars

    require("starlette", extra="review")
    disable_progress_bar()
    disable_progress_bars()
    environment = Environment.of(os.environ)
    settings = environment.settings
    folder = (KEPT if os.access(KEPT, os.W_OK) else Path.home()) / "desk"
    folder.mkdir(parents=True, exist_ok=True)
    verdicts = CommittedVerdicts(folder / FILE, settings.verdicts, hub_api(environment.token))
    verdicts.begin()
    place = pull_dataset(settings.rows, folder / "rows", token=environment.token, overwrite=True)
    cleaned = read_folder(place, cache_dir=folder / "cache")
    rows = Rows(dict(cleaned.dataset), cleaned.layout, refused=cleaned.refused)
    queue = Queue(rows, settings.selection)
    if settings.gold:
        plant(rows, copy(queue), settings.gold, "")  # so that a share that cannot be planted is said here
    name = settings.rows.partition("/")[2]
    app = space_app(
        environment, Content(rows, queue, name, price_of(cleaned.about), verdicts.path, lambda: verdicts.notice)
    )
    committer = Committer(verdicts, every_s)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="error",
            access_log=False,  # the addresses of the desks have keys in them
            lifespan="off",
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=2,
        )
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # the server ends by them, and the rest is sent after that
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("0.0.0.0", port))  # noqa: S104  a container is reached from outside
        listening.listen()
        print(f"the desk is open at {environment.origin}: {plural(len(queue), 'row')} of {settings.rows}", flush=True)
        committer.start()
        try:
            server.run(sockets=[listening])
        finally:
            left = committer.close()
    if left:
        print(f"{plural(left, 'decision')} not sent to {settings.verdicts}: {verdicts.trouble}", file=sys.stderr)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
