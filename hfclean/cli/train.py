"""Fine-tune a reviser on pairs of raw and revised text.

Fine-tune a model to revise as people did: on pairs from a cleaned folder, its ledger.parquet, verdicts, preferences or
a file of pairs. Writes a folder that hfclean revise --model takes and hfclean push releases. Stopped or killed, the
same command with --resume continues from the last checkpoint. On several GPUs: accelerate launch -m hfclean train ...
"""

import argparse
from pathlib import Path
from typing import Any, TextIO

from hfclean.cli import options
from hfclean.cli.prompt_files import read_text
from hfclean.cli.reading import emit, given, layout_of, unpacked
from hfclean.cli.settings import training_settings
from hfclean.records.common import read_record

PRESETS = ("coachlm", "modern", "form")
# what --train-option takes beside fields of trl's SFTConfig: arguments of `train_reviser`, and those of an adapter
OWN = {
    "heldout": float,
    "near_identity": float,
    "distance_at_most": float,
    "lora_rank": int,
    "lora_alpha": int,
    "patience": int,
    "chat_template": str,
}


def add(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "source", metavar="IN", help="a cleaned folder, ledger.parquet, or pairs as .jsonl or .parquet"
    )
    command.add_argument("--base", required=True, metavar="M", help="the model to tune: a folder or a Hub id")
    command.add_argument("--out", required=True, metavar="DIR", help="the folder of the reviser")
    command.add_argument(
        "--preset",
        choices=PRESETS,
        help="settings that were published (coachlm), a start (modern), or one for small edits of responses (form)",
    )
    command.add_argument("--resume", action="store_true", help="continue from the last checkpoint in DIR")
    command.add_argument(
        "--verdicts",
        metavar="FILE",
        action="append",
        help="lines of JSON: row_id; accept, edit or reject; texts (may be given several times)",
    )
    choice = command.add_argument_group("the pairs")
    choice.add_argument("--alpha", type=float, metavar="A", help="train on this share, the most revised first")
    choice.add_argument(
        "--revise", choices=["pair", "response"], help="whole pairs or responses only (default: the preset's, or pair)"
    )
    choice.add_argument(
        "--instructions", metavar="FILE", help="instructions for the model, instead of those of hfclean"
    )
    choice.add_argument(
        "--wording",
        choices=["full", "short"],
        help="which prompt of hfclean's: the full one, or one some 150 tokens shorter; the reviser remembers it "
        "(default: the preset's, or full)",
    )
    choice.add_argument("--columns", metavar="MAP", help="the --columns of hfclean clean")
    choice.add_argument("--prefix", default="", help="the --prefix of hfclean clean")
    tuning = command.add_argument_group("the tuning")
    tuning.add_argument("--epochs", type=float, metavar="N", help="passes over the pairs")
    tuning.add_argument("--seed", type=int, default=0, metavar="N", help="random seed (default: 0)")
    tuning.add_argument("--revision", metavar="R", help="git ref of the base on the Hub")
    tuning.add_argument(
        "--train-option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="one of the following, or a field of trl's SFTConfig, such as learning_rate=2e-5 or max_length=2048 (may "
        "be given several times). heldout: share of pairs to hold out (default: 0.1); near_identity: share of "
        "training pairs that leave a text as it is (default: the preset's, or none); distance_at_most: leave out "
        "pairs that were revised more than this share of their raw text; lora_rank: tune an adapter of this rank, 0 "
        "for all weights; lora_alpha: its scale (default: the preset's, or 8); patience: stop after this many "
        "evaluations without a lower loss; "
        "chat_template: for a base without one, in Jinja, or 'plain' for a simple one",
    )
    options.json_output(command)
    options.quiet(command)


def run(args: argparse.Namespace, out: TextIO, err: TextIO) -> None:
    from hfclean.training.coaching import train_reviser, training_lines
    from hfclean.training.pairs import revision_pairs
    from hfclean.training.tuning import is_main_process

    folder = Path(args.out).expanduser()
    settings, fields = training_settings(args, OWN)
    rank, scale = settings.pop("lora_rank", None), settings.pop("lora_alpha", None)
    adapter = {name: value for name, value in (("r", rank), ("lora_alpha", scale)) if value is not None}
    with unpacked(args) as cache:
        pairs = revision_pairs(
            _source(args.source, cache), verdicts=args.verdicts, unchanged=True, **given(layout_of(args))
        )
        reviser = train_reviser(
            pairs,
            args.base,
            fields | ({"disable_tqdm": True} if args.quiet else {}),
            False if rank == 0 else adapter or None,
            args.alpha,
            args.preset,
            folder=folder,
            seed=args.seed,
            resume=args.resume,
            revise=args.revise,
            wording=args.wording,
            instructions=read_text("--instructions", args.instructions) if args.instructions else None,
            revision=args.revision,
            **settings,
        )
    if not is_main_process():
        return
    record = read_record(folder)["training"]
    if args.json:
        emit({"folder": str(folder), "sources_left_out": pairs.left_out, **record}, out)
        return
    for name, value in training_lines(record).items():
        print(f"{name + ':':<40} {value}", file=out)
    for reason, count in pairs.left_out.items():
        print(f"{reason + ', no pairs:':<40} {count}", file=out)
    print(f"{type(reviser).__name__} in {folder}: hfclean revise IN --model {folder} --out OTHER", file=out)


def _source(where: str, cache: Path) -> Any:
    """A file of pairs, read with messages that name the line; a folder and its ledger as they are."""
    from hfclean.source import load
    from hfclean.training.pairs import LEDGER

    path = Path(where).expanduser()
    if path.is_file() and path.suffix in (".jsonl", ".json", ".parquet") and path.name != LEDGER:
        return load(path, cache_dir=cache).dataset
    return where
