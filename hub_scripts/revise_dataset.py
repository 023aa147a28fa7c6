# /// script
# requires-python = ">=3.11"
# dependencies = ["datasets>=4.7", "hfclean[models]"]
# ///
"""Have a model revise an instruction dataset of the Hub, after the rules, and push it with every original.

The model is a Hub id that runs here, a released reviser (--reviser), or on any OpenAI-compatible server. A revision
that fails a check is not taken. Every answer is kept: run it again after a stop. Dry by default: nothing is pushed.

    uv run revise_dataset.py me/raw me/revised --model Qwen/Qwen3-8B --max-samples 100
    hf jobs uv run --flavor a10g-large --secrets HF_TOKEN revise_dataset.py me/raw me/revised --reviser me/coach --push
"""

from __future__ import annotations

import argparse


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", metavar="INPUT", help="Hub id of the dataset to revise")
    parser.add_argument("output", metavar="OUTPUT", help="Hub id to push to")
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--model", help="Hub id to run here, or with --base-url the server's name for it")
    who.add_argument("--reviser", metavar="REPO", help="a released reviser of the Hub")
    parser.add_argument("--base-url", metavar="URL", help="of an OpenAI-compatible server, as far as /v1")
    parser.add_argument("--api-key-env", metavar="NAME", help="environment variable that holds its key")
    parser.add_argument("--max-new-tokens", type=int, metavar="N", help="longest answer")
    parser.add_argument("--split", default="train", help="split of INPUT (default: train)")
    parser.add_argument("--max-samples", type=int, metavar="N", help="revise N rows, chosen at random (default: all)")
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
    settings = {"base_url": args.base_url, "api_key_env": args.api_key_env, "max_new_tokens": args.max_new_tokens}
    settings = {name: value for name, value in settings.items() if value is not None}
    if args.reviser:
        coach = hfclean.Reviser.from_pretrained(args.reviser, **settings)
    else:
        coach = hfclean.Reviser(args.model, **settings)
    cleaned = hfclean.clean(raw, reviser=(hfclean.revise, coach))
    report = hfclean.compare(raw, cleaned.dataset, transforms=cleaned.transforms)
    print(report)
    result = hfclean.push_dataset(
        cleaned.dataset,
        args.output,
        report=report,
        transforms=cleaned.transforms,
        source=args.input,
        license=args.license,
        private=args.private or None,
        create_pr=args.create_pr,
        dry_run=not args.push,
    )
    print(result.url if args.push else result)


if __name__ == "__main__":
    main()
