# /// script
# requires-python = ">=3.11"
# dependencies = ["datasets>=4.7", "hfclean[models]"]
# ///
"""Have a model make new rows after the manner of a dataset of the Hub, and push them with their lineage.

The model is a Hub id that runs here, or on any OpenAI-compatible server. Say the licenses of both: nothing is assumed.
Every answer is kept: run it again after a stop. Dry by default: nothing is pushed.

    uv run generate_dataset.py me/seeds me/made --model Qwen/Qwen3-8B -n 100
    hf jobs uv run --flavor a10g-large --secrets HF_TOKEN generate_dataset.py me/seeds me/made \
        --model Qwen/Qwen3-8B -n 1000 --seeds-license cc-by-4.0 --teacher-license apache-2.0 --push
"""

from __future__ import annotations

import argparse


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", metavar="INPUT", help="Hub id of the dataset with the seeds")
    parser.add_argument("output", metavar="OUTPUT", help="Hub id to push to")
    parser.add_argument(
        "--model", required=True, help="Hub id to run here, or with --base-url the server's name for it"
    )
    parser.add_argument("-n", type=int, required=True, metavar="N", help="how many rows to make")
    parser.add_argument("--base-url", metavar="URL", help="of an OpenAI-compatible server, as far as /v1")
    parser.add_argument("--api-key-env", metavar="NAME", help="environment variable that holds its key")
    parser.add_argument("--split", default="train", help="split of INPUT (default: train)")
    parser.add_argument(
        "--novelty", type=float, default=0.7, metavar="S", help="ROUGE-L of repetitions (default: 0.7)"
    )
    parser.add_argument("--against", action="append", default=[], metavar="REPO", help="a benchmark pack of the Hub")
    parser.add_argument(
        "--folder", default="made", metavar="DIR", help="where rounds and rows are kept (default: made)"
    )
    parser.add_argument("--seeds-license", metavar="ID", help="license of INPUT")
    parser.add_argument("--teacher-license", metavar="ID", help="license or terms of use of the model")
    parser.add_argument("--license", metavar="ID", help="license of OUTPUT")
    parser.add_argument("--private", action="store_true", help="make OUTPUT a private repo")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--dry-run", action="store_true", help="write and check the files, push nothing (the default)")
    mode.add_argument("--push", action="store_true", help="push")
    args = parser.parse_args()

    from pathlib import Path

    from datasets import load_dataset

    import hfclean
    from hfclean.generation import Rounds, Terms, generator_of, run, save

    settings = {"base_url": args.base_url, "api_key_env": args.api_key_env}
    settings = {name: value for name, value in settings.items() if value is not None}
    terms = Terms(args.seeds_license, args.teacher_license, args.license)
    for sentence in (*terms.conflicts(), *terms.unstated()):
        print(f"note: {sentence}")
    seeds = load_dataset(args.input, split=args.split)
    folder = Path(args.folder)
    rounds = Rounds(
        generator_of(args.model, novelty=args.novelty, **settings), folder / "rounds", against=args.against
    )
    run(rounds, seeds, args.n)
    rows = folder / "rows"
    print(save(rounds, rows, n=args.n, terms=terms, seeds=args.input, seeds_is_hub=True, overwrite=True).summary())
    result = hfclean.push_dataset(rows, args.output, private=args.private or None, dry_run=not args.push)
    print(result.url if args.push else result)


if __name__ == "__main__":
    main()
