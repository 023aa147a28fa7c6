# /// script
# requires-python = ">=3.11"
# dependencies = ["datasets>=4.7", "hfclean[models]"]
# ///
"""Add instruction-following difficulty to a dataset of the Hub: how much an instruction helps a small model to answer.

Adds the columns of `hfclean.IFD` (Cherry LLM, arXiv 2308.12032; Superfiltering, arXiv 2402.00530); keeps every row.
Dry by default: nothing is pushed.

    uv run score_ifd.py me/raw me/scored --model Qwen/Qwen3-0.6B --max-samples 1000
    hf jobs uv run --flavor t4-small --secrets HF_TOKEN score_ifd.py me/raw me/scored --model Qwen/Qwen3-0.6B --push
"""

from __future__ import annotations

import argparse


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", metavar="INPUT", help="Hub id of the dataset to score")
    parser.add_argument("output", metavar="OUTPUT", help="Hub id to push to")
    parser.add_argument("--model", required=True, help="Hub id of the small model that reads the rows")
    parser.add_argument("--batch-size", type=int, default=256, metavar="N", help="rows at a time (default: 256)")
    parser.add_argument("--split", default="train", help="split of INPUT (default: train)")
    parser.add_argument("--max-samples", type=int, metavar="N", help="score N rows, chosen at random (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="of that choice (default: 0)")
    parser.add_argument("--license", help="license of OUTPUT (default: that of INPUT)")
    parser.add_argument("--private", action="store_true", help="make OUTPUT a private repo")
    parser.add_argument("--create-pr", action="store_true", help="open a pull request on OUTPUT")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--dry-run", action="store_true", help="write and check the files, push nothing (the default)")
    mode.add_argument("--push", action="store_true", help="push")
    args = parser.parse_args()

    from datasets import load_dataset

    import hfclean

    raw = load_dataset(args.input, split=args.split)
    if args.max_samples is not None:
        raw = raw.shuffle(seed=args.seed).select(range(min(args.max_samples, len(raw))))
    scored = raw.map(hfclean.IFD(args.model), batched=True, batch_size=args.batch_size)
    report = hfclean.compare(raw, scored)
    print(report)
    result = hfclean.push_dataset(
        scored,
        args.output,
        report=report,
        source=args.input,
        license=args.license,
        private=args.private or None,
        create_pr=args.create_pr,
        dry_run=not args.push,
    )
    print(result.url if args.push else result)


if __name__ == "__main__":
    main()
