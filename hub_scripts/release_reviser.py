# /// script
# requires-python = ">=3.11"
# dependencies = ["hfclean"]
# ///
"""Release a reviser that lies in a folder: weights or adapter, prompt, record of its training, card, in one commit.

INPUT is what hfclean train or save_pretrained wrote. Dry by default: the exact files are written and checked.

    uv run release_reviser.py ./coach me/coach --base Qwen/Qwen3-0.6B --dataset me/expert-pairs --push
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", metavar="INPUT", help="folder of the reviser")
    parser.add_argument("output", metavar="OUTPUT", help="Hub id to push to")
    parser.add_argument("--base", metavar="ID", help="Hub id of the model that it was tuned from")
    parser.add_argument("--base-revision", metavar="REF", help="commit, branch or tag of it")
    parser.add_argument("--dataset", metavar="ID", action="append", default=[], help="Hub id of its training data")
    parser.add_argument(
        "--evaluation", metavar="FILE", help="what hfclean evaluate --json printed, or figures as JSON"
    )
    parser.add_argument("--license", help="license of OUTPUT (default: what follows from base and data)")
    parser.add_argument("--language", metavar="CODE", action="append", help="language for the card, e.g. en")
    parser.add_argument("--private", action="store_true", help="make OUTPUT a private repo")
    parser.add_argument("--create-pr", action="store_true", help="open a pull request on OUTPUT")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--dry-run", action="store_true", help="write and check the files, push nothing (the default)")
    mode.add_argument("--push", action="store_true", help="push")
    args = parser.parse_args()

    import hfclean

    figures = json.loads(Path(args.evaluation).read_text(encoding="utf-8")) if args.evaluation else ()
    result = hfclean.push_reviser(
        args.input,
        args.output,
        base_model=args.base,
        base_revision=args.base_revision,
        datasets=args.dataset,
        evaluation=figures,
        license=args.license,
        language=args.language,
        private=args.private or None,
        create_pr=args.create_pr,
        dry_run=not args.push,
    )
    print(result.url if args.push else result)


if __name__ == "__main__":
    main()
