"""The files of a reviser's push: weights, or an adapter with its base and commit; the record; of a rule reviser that
record alone."""

import fnmatch
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hfclean.cards import (
    Derived,
    Evaluation,
    ReviserFacts,
    derive_license,
    license_of,
    read_card,
    read_comparisons,
    read_evaluation,
    reviser_card,
    rule_reviser_card,
)
from hfclean.errors import RecordError
from hfclean.hub.failures import HubAccessError, HubError, HubRefusal, HubUnreachable, Repo, RepoError, explained
from hfclean.hub_id import is_hub_id, names_hub
from hfclean.limits import check_inside
from hfclean.models.weights import NOT_PARTS, is_part
from hfclean.ownership import is_own
from hfclean.records.common import ABOUT, read_record, record_text
from hfclean.reviser import RuleReviser
from hfclean.reviser.coach import Reviser
from hfclean.reviser.modelled import ModelReviser
from hfclean.reviser.reflection import Reflection
from hfclean.training.coaching import training_lines
from hfclean.version import __version__

KINDS: dict[str, type[ModelReviser] | type[RuleReviser]] = {
    "Reviser": Reviser,
    "Reflection": Reflection,
    "RuleReviser": RuleReviser,
}
ADAPTER = "adapter_config.json"
UNSAFE = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.pickle", "*.ckpt")
OF_MODELS = ("base_model", "base_revision", "base_license", "datasets", "data_license", "training")


@dataclass(frozen=True)
class Stated:
    """What the user says of a reviser beside the reviser; see `push_reviser`."""

    base_model: str | None = None
    base_revision: str | None = None
    datasets: str | Sequence[str] = ()
    training: Mapping[str, Any] | None = None
    evaluation: Any = ()
    license: str | None = None
    base_license: str | None = None
    data_license: str | None = None
    language: str | Sequence[str] | None = None


@dataclass(frozen=True)
class _Base:
    """What a reviser was made of: an id and commit, its license, and notes."""

    id: str | None = None
    commit: str | None = None
    license: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PreparedReviser:
    """The files of a push, and what the card says."""

    files: Mapping[str, Path | bytes]
    facts: ReviserFacts
    stated: Stated
    derived: Derived
    notes: tuple[str, ...]

    def card(self, existing: str | None) -> str:
        """The card, on top of the existing one."""
        known = license_of(read_card(existing)[0]) if existing else None
        derived = self.derived.license if self.derived.license != "unknown" else None
        chosen = self.stated.license or (None if known else derived)
        return reviser_card(self.facts, existing=existing, license=chosen, language=self.stated.language)


def prepare_reviser(
    reviser: ModelReviser, repo_id: str, stated: Stated, place: Path, api: Any, *, dry_run: bool
) -> PreparedReviser:
    """The files of a reviser, written into a new folder or left where they are.

    Args:
        api: looks up base and licenses; `None` reaches no network.
        dry_run: what cannot be found is noted instead of refused.
    """
    reviser.save_pretrained(place)
    weights, form = _weights(reviser)
    base = _base(weights, form, reviser, stated, api, dry_run=dry_run)
    about = _about(place, repo_id, form, base)
    files: dict[str, Path | bytes] = {ABOUT: place / ABOUT}
    for file in weights:
        files[file.name] = _adapter(file, base) if file.name == ADAPTER else file
    names = (stated.datasets,) if isinstance(stated.datasets, str) else tuple(stated.datasets)
    figures = read_evaluation(stated.evaluation)
    files |= _eval_results(figures)
    data_licenses, notes = _data_licenses(names, stated.data_license, api)
    parts: list[tuple[str, str | None]] = []
    if base.id and form != "prompt":
        parts = [(f"the base {base.id}", stated.base_license or base.license)]
    derived = derive_license([*parts, *data_licenses])
    known = about.get("training")  # what the user states comes before it
    training = {**(training_lines(known) if isinstance(known, dict) else {}), **(stated.training or {})}
    facts = ReviserFacts(
        name=repo_id,
        kind=type(reviser).__name__,
        form=form,
        about=about,
        checks=reviser.depends()["checks"],
        hfclean=__version__,
        base_model=base.id,
        base_revision=base.commit,
        datasets=names,
        training=tuple((str(key), str(value)) for key, value in training.items()),
        evaluation=figures,
        comparisons=read_comparisons(stated.evaluation),
        license_why="as stated by whoever published it" if stated.license else derived.why if parts or names else "",
    )
    return PreparedReviser(files, facts, stated, derived, (*base.notes, *notes))


def read_reviser_folder(folder: Path) -> ModelReviser | RuleReviser:
    """The reviser of a folder, whichever kind it is.

    Raises:
        RepoError: it holds none.
    """
    try:
        kind = read_record(folder)["reviser"]
    except (OSError, RecordError, KeyError) as e:
        raise RepoError(
            f"{str(folder)!r} holds no reviser ({type(e).__name__} in {ABOUT}); save one there first"
        ) from e
    if not isinstance(kind, str) or kind not in KINDS:
        raise RepoError(f"{str(folder)!r} holds a {str(kind)[:40]!r}; expected one of {', '.join(KINDS)}")
    return KINDS[kind].from_pretrained(folder)


def _weights(reviser: ModelReviser) -> tuple[list[Path], str]:
    """The files of a reviser's model that go along, and the form: `adapter`, `weights` or `prompt`."""
    spec = reviser.spec()
    folder = Path(spec.name).expanduser()
    if spec.kind != "local" or not folder.is_dir():
        return [], "prompt"
    files = [
        file
        for file in sorted(folder.iterdir())
        if file.is_file() and is_part(file.name) and not any(fnmatch.fnmatch(file.name, bad) for bad in NOT_PARTS)
    ]
    if (folder / ABOUT).is_file() and not is_own(folder):
        check_inside(folder, files)
    names = {file.name for file in files}
    if not any(name.endswith(".safetensors") for name in names):
        unsafe = sorted(f.name for f in folder.iterdir() if any(fnmatch.fnmatch(f.name, bad) for bad in UNSAFE))
        raise HubRefusal(
            f"the model {folder.name!r} has no weights in safetensors (found: {', '.join(unsafe) or 'none at all'}); "
            "other formats can carry code and are not pushed. model.save_pretrained(folder) of transformers writes it"
        )
    if not names & {"tokenizer.json", "tokenizer_config.json", "tokenizer.model"} and ADAPTER not in names:
        raise HubRefusal(f"the model {folder.name!r} has no tokenizer beside it: tokenizer.save_pretrained(folder)")
    return files, "adapter" if ADAPTER in names else "weights"


def _base(
    weights: Sequence[Path],
    form: str,
    reviser: ModelReviser,
    given: Stated,
    api: Any,
    *,
    dry_run: bool,
) -> _Base:
    """What the reviser's model was made of, with its commit."""
    stated, revision = given.base_model, given.base_revision
    name = stated
    config: dict[str, Any] = {}
    if form == "prompt":
        spec = reviser.spec()
        name = stated or (spec.name if spec.kind == "local" and is_hub_id(spec.name) else None)
        revision = revision or (spec.revision if not stated else None)
    elif form == "adapter":
        config = json.loads(next(file for file in weights if file.name == ADAPTER).read_text(encoding="utf-8"))
        base = str(config.get("base_model_name_or_path") or "")
        if stated is None and not names_hub(base):
            raise HubRefusal(
                f"the adapter's base is {Path(base).name!r} on this machine, where nobody else finds it; name it by "
                "its Hub id: base_model='org/name', or merge the adapter into it and push that"
            )
        name, revision = stated or base, revision or (None if stated else config.get("revision"))
    if not name:
        return _Base()
    if api is None:
        return _Base(name, revision)
    try:
        with explained(Repo(name, "model", revision, bare=True), "find the base", api):
            info = api.model_info(name, revision=revision)
    except (HubUnreachable, HubAccessError, RepoError) as e:
        if form == "adapter" and not dry_run:
            raise HubRefusal(f"nothing was pushed: an adapter is worth nothing without its base. {e}") from e
        note = f"the base {name} was not found, so its commit and license are unknown: {e}"
        return _Base(name, revision, None, (note,))
    data = info.card_data.to_dict() if info.card_data else {}
    return _Base(name, info.sha, license_of(data))


def _adapter(file: Path, base: _Base) -> bytes:
    """`adapter_config.json` with the base by its Hub id and commit."""
    config = json.loads(file.read_text(encoding="utf-8"))
    config |= {"base_model_name_or_path": base.id, "revision": base.commit}
    return (json.dumps(config, indent=2, sort_keys=True) + "\n").encode()


def _about(folder: Path, repo_id: str, form: str, base: _Base) -> dict[str, Any]:
    """The record as others get it: without anything about this machine."""
    about = read_record(folder)
    settings = about["settings"]
    if form != "prompt":
        settings["model"] = repo_id
        settings.pop("revision", None)
    elif base.id and base.commit and settings.get("model") == base.id:
        settings["revision"] = base.commit
    if _is_near(settings.get("base_url")):
        settings["base_url"] = "http://localhost/v1"  # that there was a server is worth knowing; where is not
    if form == "prompt" and not settings.get("base_url") and not is_hub_id(settings.get("model")):
        settings["model"] = Path(str(settings["model"])).name
    settings.pop("cache_as", None)
    (folder / ABOUT).write_text(record_text(about), encoding="utf-8")
    return about


def _is_near(url: Any) -> bool:
    """Whether an address is on a private network."""
    host = urlsplit(url).hostname if isinstance(url, str) else None
    if not host:
        return False
    try:
        return not ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith((".local", ".internal", ".lan", ".localdomain"))


def _data_licenses(
    names: Sequence[str], stated: str | None, api: Any
) -> tuple[list[tuple[str, str | None]], tuple[str, ...]]:
    """The license of each dataset, as its card or the caller says it."""
    licenses: list[tuple[str, str | None]] = []
    notes = []
    for name in names:
        if not is_hub_id(name):
            raise HubRefusal(
                f"datasets={name!r} is not a Hub id; push the data first: hfclean.push_dataset(ds, 'me/name')"
            )
        license = stated
        if license is None and api is not None:
            try:
                with explained(Repo(name, bare=True), "read the card of", api):
                    info = api.dataset_info(name)
                license = license_of(info.card_data.to_dict() if info.card_data else {})
            except HubError as e:
                notes.append(f"the license of the data {name} is unknown: {e}")
        licenses.append((f"the data {name}", license))
    return licenses, tuple(notes)


def _eval_results(figures: Sequence[Evaluation]) -> dict[str, Path | bytes]:
    """Figures on a benchmark of the Hub, as its leaderboard reads them."""
    import yaml

    figures_of: dict[str, list[dict[str, Any]]] = {}
    for one in figures:
        if one.task and is_hub_id(one.dataset, namespace=True):
            dataset = {"id": one.dataset, "task_id": one.task}
            entry = {
                "dataset": {**dataset, **({"revision": one.revision} if one.revision else {})},
                "value": one.value,
            }
            notes = "; ".join(word for word in (one.metric, one.notes) if word)
            figures_of.setdefault(one.dataset, []).append({**entry, "notes": notes})
    return {
        f".eval_results/{dataset.replace('/', '--')}.yaml": yaml.safe_dump(entries, sort_keys=False).encode()
        for dataset, entries in figures_of.items()
    }


@dataclass(frozen=True)
class PreparedRules:
    """The files of a rule reviser's push, and what the card says."""

    files: Mapping[str, Path | bytes]
    name: str
    about: Mapping[str, Any]
    evaluation: Sequence[Evaluation]
    license: str | None
    language: str | Sequence[str] | None
    notes: tuple[str, ...] = ()

    def card(self, existing: str | None) -> str:
        """The card, on top of the existing one."""
        return rule_reviser_card(
            self.about,
            name=self.name,
            existing=existing,
            license=self.license,
            language=self.language,
            evaluation=self.evaluation,
        )


def prepare_rules(reviser: RuleReviser, repo_id: str, stated: Stated, place: Path) -> PreparedRules:
    """The files of a rule reviser, written into a fresh folder.

    Raises:
        HubRefusal: something was said that only a model has.
        FolderError: the reviser has rules of the user's own.
    """
    odd = [name for name in OF_MODELS if getattr(stated, name)]
    if odd:
        raise HubRefusal(f"{odd[0]}= is for revisers with a model, and a RuleReviser has none: leave it out")
    folder = reviser.save_pretrained(place)
    figures = read_evaluation(stated.evaluation)
    files = {ABOUT: folder / ABOUT, **_eval_results(figures)}
    return PreparedRules(files, repo_id, read_record(folder), figures, stated.license, stated.language)
