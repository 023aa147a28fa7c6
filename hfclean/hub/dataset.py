"""Datasets to the Hub: rows, ledger, card, report and record in one commit, over whatever the repo holds."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

from hfclean.cards import CardError, config_family, dataset_card, license_of, read_card
from hfclean.durable import scratch_folder
from hfclean.evaluation.ab_report import AbTest
from hfclean.hub.failures import HubError, HubRefusal, Repo, RepoError, explained
from hfclean.hub.preparing import Prepared, prepare_dataset, prepare_folder, refuse_key
from hfclean.hub.push_plan import PushPlan
from hfclean.hub.pushing import PushKeywords, PushOptions, push_files
from hfclean.hub.record import CONFIG_NAME, folder_of, read_about
from hfclean.hub.remote import Pushed, Remote, hub_api
from hfclean.hub.secrets import mask_all
from hfclean.hub.secrets import mask_secrets as mask_secrets_in
from hfclean.hub_id import is_hub_id
from hfclean.layout import Layout
from hfclean.records.common import ABOUT, LARGEST_RECORD
from hfclean.records.dataset import SHARD
from hfclean.report import Report
from hfclean.report.formatting import plural
from hfclean.rules import Rule
from hfclean.schema import Columns
from hfclean.source import LOADERS

TAKEN = ("data", "ledger", "removed", "refused", "plots")
FAMILY = ("-ledger", "-removed", "-refused")


def push_dataset(
    ds: Any,
    repo_id: str,
    *,
    report: Report | None = None,
    removed: Any = None,
    refused: Any = None,
    transforms: Sequence[Mapping[str, Any]] = (),
    source: str | Sequence[str] | None = None,
    license: str | None = None,
    language: str | Sequence[str] | None = None,
    config_name: str = "default",
    mask_secrets: bool = False,
    columns: Columns = None,
    prefix: str = "",
    extra: Sequence[Rule] = (),
    ab_test: AbTest | None = None,
    token: str | None = None,
    **keywords: Unpack[PushKeywords],
) -> Pushed | PushPlan:
    """Push a cleaned dataset to the Hub in one commit: rows, ledger, removed rows, card, report, pictures, record.

    `load_dataset(repo_id)` gives the rows, `load_dataset(repo_id, "ledger")` every change, `"removed"` what was
    dropped and why, `"refused"` what a model proposed and the gate refused; `hfclean.load_cleaned(repo_id)` the rows
    with their report. An existing card keeps its text, its own keys and its other configs. The same data pushed again
    makes no commit. It either lands whole or not at all, and may be run again after any failure.

    Args:
        ds: a `Dataset`, a `DatasetDict`, or a folder that hfclean wrote.
        repo_id: `NAMESPACE/NAME`; made if it is not there.
        report: what `hfclean.compare` found; by default made from what the rows themselves remember.
        removed: the rows that were dropped, with `row_id` and `removed_reason`.
        refused: the revisions that were refused, as `hfclean.clean` gives them.
        transforms: what was done, as `hfclean.clean` tells it.
        source: what was cleaned: Hub ids or file names. License and language of one Hub id are read off its card.
        license, language: over what the card there and the source say; what nobody states is marked unknown.
        config_name: what the config of the rows is called; another name than `default` gives it a folder and a
            its own ledger (`NAME-ledger`).
        mask_secrets: replace all other keys by their kind in brackets, also in originals and report.
        columns, prefix, extra: as the transforms were given them; `extra` are custom rules.
        ab_test: what `hfclean.evaluation.ab_test` found, for the card. It stands there until the next push.
        token: of the Hub; by default that of `hf auth login` or HF_TOKEN.
        keywords: how the push goes, see `hfclean.hub.PushOptions`: `private` (of a repo that is made now; `True`
            refuses to push to a public one), `revision` (the branch), `create_pr` (open a pull request instead),
            `message` of the commit, `dry_run` (push nothing; write the exact files into `folder`, a fresh one by
            default, and say what a push would do), `allow_secrets` (ids of keys that may stay, as the refusal names
            them), `patience` with failures that may pass, `num_proc` (how many processes look for keys in the rows;
            what is pushed is the same).

    Returns:
        What was pushed, or with `dry_run` what would be.

    Raises:
        HubRefusal: the push is unsafe or inconsistent: a secret, a report for different data, a card that the Hub
            would refuse.
        HubError: the Hub cannot be reached, or refuses; the message says what to do.
    """
    options, api = PushOptions(**keywords), hub_api(token)
    allowed = options.allow_secrets
    repo = Repo(repo_id, "dataset", options.revision)
    refuse_key("config_name=", config_name, allowed)
    if not CONFIG_NAME.fullmatch(config_name) or config_name in TAKEN or config_name.endswith(FAMILY):
        raise HubRefusal(f"config_name={config_name!r} is not valid; expected letters, digits, '_' and '-' (as in v2)")
    with scratch_folder("push") as scratch:
        stated = {"license": license, "language": language, "source": source}
        if mask_secrets:
            stated = mask_all(stated, allowed)
            license, language, source = stated["license"], stated["language"], stated["source"]
            options = replace(options, message=mask_secrets_in(options.message, allowed) if options.message else None)
        if isinstance(ds, (str, Path)):
            if report is not None or removed is not None or refused is not None:
                raise HubRefusal("report=, removed= and refused= go with a dataset; a folder has its own")
            prepared = prepare_folder(Path(ds).expanduser(), scratch, mask_secrets, allowed, options.num_proc)
        else:
            layout = Layout(columns, prefix)
            prepared = prepare_dataset(
                ds,
                scratch,
                layout,
                report,
                removed,
                refused,
                transforms,
                stated,
                mask_secrets,
                allowed,
                tuple(extra),
                num_proc=options.num_proc,
            )
        prepared = _with_source(prepared, source, license, language, api)
        below = folder_of(config_name)
        files = {below + name: prepared.folder / name for name in prepared.files}

        def card(existing: str | None) -> str:
            text = card_of(prepared, existing, repo_id, config_name, license, language, ab_test)
            return mask_secrets_in(text, allowed) if mask_secrets else text

        def gone(remote: Remote) -> tuple[tuple[str, ...], tuple[str, ...]]:
            return _gone(remote, config_name, files)

        message = f"{plural(prepared.report.rows_after, 'row')}, cleaned with hfclean {prepared.report.hfclean}"
        return push_files(repo, api, options, files, card, message=message, gone=gone, notes=prepared.notes)


def _with_source(prepared: Prepared, source: Any, license: Any, language: Any, api: Any) -> Prepared:
    """What the source says of license and language, where nobody else does."""
    if source is not None:
        prepared = replace(prepared, source=source, source_is_hub=None)
    if prepared.card is not None:
        data, note = read_card(prepared.card)[0], ""
    elif (
        isinstance(prepared.source, str)
        and _is_hub(prepared.source, prepared.source_is_hub)
        and not (license and language)
    ):
        data, note = _source_card(prepared.source, api)
    else:
        return prepared
    return replace(
        prepared,
        license=prepared.license or license_of(data),
        language=prepared.language or data.get("language"),
        notes=(*prepared.notes, note) if note else prepared.notes,
    )


def _is_hub(source: str, stated: bool | None) -> bool:
    if stated is not None:
        return stated
    return is_hub_id(source, namespace=True) and Path(source).suffix not in LOADERS


def _source_card(source: str, api: Any) -> tuple[dict[str, Any], str]:
    """The YAML of a source's card on the Hub, and a note where it could not be had."""
    try:
        repo = Repo(source, bare=True)
        with explained(repo, "read the card of", api):
            raw = Path(api.hf_hub_download(source, "README.md", repo_type="dataset")).read_bytes()
        return read_card(raw[:LARGEST_RECORD].decode("utf-8", "replace"))[0], ""
    except (HubError, CardError) as e:
        return {}, f"license and language of the source {source} could not be read ({e})"


def card_of(
    prepared: Prepared,
    existing: str | None,
    repo_id: str,
    config_name: str,
    license: str | None,
    language: Any,
    ab_test: AbTest | None = None,
) -> str:
    """The card of a push, on top of the existing one."""
    data = read_card(existing)[0] if existing else {}
    below = folder_of(config_name)
    keep = existing is not None
    known = license_of(data) is not None
    return dataset_card(
        prepared.report,
        existing=existing if keep else prepared.card,
        keep_configs=keep,
        name=repo_id,
        source=prepared.source,
        source_is_hub=prepared.source_is_hub,
        license=license or (None if known else prepared.license),
        language=language or (None if data.get("language") else prepared.language),
        data_files={split: below + pattern for split, pattern in prepared.data.items()},
        ledger_file=below + prepared.ledger if prepared.ledger else None,
        removed_files={split: below + file for split, file in prepared.removed.items()},
        refused_file=below + prepared.refused if prepared.refused else None,
        plots=prepared.plots,
        config_name=config_name,
        folder=below,
        ab_test=ab_test,
    )


def _gone(remote: Remote, config_name: str, files: Collection[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The files of an earlier push that this one does not write; refuses configs of somebody else's by our names."""
    below = folder_of(config_name)
    raw = remote.read(below + ABOUT, most=LARGEST_RECORD)
    if raw is None:
        _refuse_foreign(remote, config_name)
        return (), ()
    try:
        about, _ = read_about(raw, below + ABOUT)
    except RepoError as e:
        return (), (f"the earlier {below}{ABOUT} there cannot be read, so its files were left: {e}",)
    old = [below + name for name in about.files]
    if not about.files:
        old = [path for path in remote.files if path.startswith(below) and SHARD.fullmatch(path[len(below) :])]
    return tuple(sorted(path for path in old if path in remote.files and path not in files)), ()


def _refuse_foreign(remote: Remote, config_name: str) -> None:
    """Stop where `ledger`, `removed` or `refused` there is somebody else's."""
    raw = remote.read("README.md", most=LARGEST_RECORD)
    try:
        listed = read_card((raw or b"").decode("utf-8", "replace"))[0].get("configs")
    except CardError:
        return
    names = [config.get("config_name") for config in listed or () if isinstance(config, dict)]
    _, *ours = config_family(config_name)
    taken = [name for name in ours if name in names]
    if taken:
        raise HubRefusal(
            f"{remote.repo} has a config {taken[0]!r} that hfclean did not write, and ours would replace it; choose "
            "another name for ours, whose ledger is then called after it: config_name='cleaned' (--config cleaned)"
        )
