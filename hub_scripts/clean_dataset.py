# /// script
# requires-python = ">=3.11"
# dependencies = ["datasets>=4.7", "hfclean"]
# ///
"""Clean an instruction dataset of the Hub with rules and push it, with every original, a ledger and a card.

No model, no GPU. Dry by default: the exact files are written and checked, and nothing is pushed.

    uv run clean_dataset.py tatsu-lab/alpaca me/alpaca-cleaned
    hf jobs uv run --secrets HF_TOKEN clean_dataset.py tatsu-lab/alpaca me/alpaca-cleaned --push
"""

from __future__ import annotations

import argparse


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", metavar="INPUT", help="Hub id of the dataset to clean")
    parser.add_argument("output", metavar="OUTPUT", help="Hub id to push to")
    parser.add_argument("--config", help="configuration of INPUT")
    parser.add_argument("--split", default="train", help="split of INPUT (default: train)")
    parser.add_argument("--max-samples", type=int, metavar="N", help="clean N rows, chosen at random (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="of that choice (default: 0)")
    parser.add_argument("--drop-duplicates", action="store_true", help="drop exact duplicates instead of marking them")
    parser.add_argument("--license", help="license of OUTPUT (default: that of INPUT)")
    parser.add_argument("--private", action="store_true", help="make OUTPUT a private repo")
    parser.add_argument("--create-pr", action="store_true", help="open a pull request on OUTPUT")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--dry-run", action="store_true", help="write and check the files, push nothing (the default)")
    mode.add_argument("--push", action="store_true", help="push")
    args = parser.parse_args()

    from datasets import load_dataset

    import hfclean

    raw = load_dataset(args.input, args.config, split=args.split)
    if args.max_samples is not None:
        raw = raw.shuffle(seed=args.seed).select(range(min(args.max_samples, len(raw))))
    cleaned = hfclean.clean(raw, drop_duplicates=args.drop_duplicates)
    done = {"removed": cleaned.removed, "transforms": cleaned.transforms}
    report = hfclean.compare(raw, cleaned.dataset, **done)
    print(report)
    result = hfclean.push_dataset(
        cleaned.dataset,
        args.output,
        report=report,
        source=args.input,
        license=args.license,
        private=args.private or None,
        create_pr=args.create_pr,
        dry_run=not args.push,
        **done,
    )
    print(result.url if args.push else result)


if __name__ == "__main__":
    main()
