# /// script
# requires-python = ">=3.11"
# dependencies = ["datasets>=4.7", "hfclean[train]"]
# ///
"""Train a reviser on pairs of raw and revised text from the Hub, and push it with its weights, record and card.

INPUT is a dataset that hfclean cleaned, a preference set, or pairs (raw_instruction ... revised_output). Dry by
default: the reviser is trained, and the exact files are written and checked; nothing is pushed.

    uv run train_reviser.py me/expert-pairs me/coach --base Qwen/Qwen3-0.6B --preset modern
    hf jobs uv run --flavor a10g-large --secrets HF_TOKEN train_reviser.py me/pairs me/coach --base ID --push
"""

from __future__ import annotations

import argparse


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", metavar="INPUT", help="Hub id of the pairs")
    parser.add_argument("output", metavar="OUTPUT", help="Hub id to push the reviser to")
    parser.add_argument("--base", required=True, metavar="ID", help="Hub id of the model to tune")
    parser.add_argument("--folder", default="reviser", metavar="DIR", help="for checkpoints (default: ./reviser)")
    parser.add_argument("--preset", choices=["coachlm", "modern", "form"], help="settings that somebody published")
    parser.add_argument("--alpha", type=float, metavar="A", help="train on this share, the most revised")
    parser.add_argument("--epochs", type=float, metavar="N", help="passes over the pairs")
    parser.add_argument("--resume", action="store_true", help="continue from the last checkpoint in DIR")
    parser.add_argument("--split", default="train", help="split of INPUT (default: train)")
    parser.add_argument("--max-samples", type=int, metavar="N", help="take N pairs, chosen at random (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="of every choice (default: 0)")
    parser.add_argument("--license", help="license of OUTPUT (default: what follows from base and data)")
    parser.add_argument("--private", action="store_true", help="make OUTPUT a private repo")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--dry-run", action="store_true", help="train, write and check the files (the default)")
    mode.add_argument("--push", action="store_true", help="push")
    args = parser.parse_args()

    from datasets import load_dataset

    import hfclean
    from hfclean.training.tuning import is_main_process

    raw = load_dataset(args.input, split=args.split)
    if args.max_samples is not None:
        raw = raw.shuffle(seed=args.seed).select(range(min(args.max_samples, len(raw))))
    pairs = hfclean.revision_pairs(raw, unchanged=True)
    print(f"{len(pairs.rows):,} pairs; left out: {pairs.left_out or 'none'}")
    coach = hfclean.train_reviser(
        pairs,
        args.base,
        {"num_train_epochs": args.epochs} if args.epochs is not None else None,
        alpha=args.alpha,
        preset=args.preset,
        folder=args.folder,
        seed=args.seed,
        resume=args.resume,
    )
    if not is_main_process():
        return
    result = hfclean.push_reviser(
        coach,
        args.output,
        base_model=args.base,
        datasets=args.input,
        license=args.license,
        private=args.private or None,
        dry_run=not args.push,
    )
    print(result.url if args.push else result)


if __name__ == "__main__":
    main()
