# /// script
# requires-python = ">=3.11"
# dependencies = ["hfclean"]
# ///
"""Download a released reviser or linear rule of the Hub as a folder, and show what it is.

Only data is taken: JSON, tokenizer files, safetensors, the card. Dry by default: the record is read, nothing is kept.

    uv run download_reviser.py me/coach ./coach --download
"""

from __future__ import annotations

import argparse


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", metavar="INPUT", help="Hub id of the reviser or rule")
    parser.add_argument("output", metavar="OUTPUT", help="the folder to write")
    parser.add_argument("--revision", help="branch, tag or commit (default: main)")
    parser.add_argument(
        "--kind",
        choices=["Reviser", "Reflection", "RuleReviser", "LinearRule"],
        default="Reviser",
        help="what it is",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace OUTPUT if hfclean wrote it")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--dry-run", action="store_true", help="show what it is, write nothing (the default)")
    mode.add_argument("--download", action="store_true", help="write the folder")
    args = parser.parse_args()

    import hfclean
    from hfclean.hub import pull

    kind = getattr(hfclean, args.kind)
    loaded = kind.from_pretrained(args.input, revision=args.revision)
    print(f"{args.kind} of {args.input}:", loaded.settings() if args.kind != "LinearRule" else loaded.name)
    if args.download:
        folder = pull(args.input, args.output, revision=args.revision, overwrite=args.overwrite)
        print(f"{folder}  hfclean.{args.kind}.from_pretrained({str(folder)!r})")


if __name__ == "__main__":
    main()
