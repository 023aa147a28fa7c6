# /// script
# requires-python = ">=3.11"
# dependencies = ["hfclean", "huggingface_hub"]
# ///
"""Clean a large dataset of the Hub on several machines, and push the result of all of them as one.

Each job cleans its shard and uploads a part to the private repo OUTPUT-parts; the last step merges the parts and
pushes OUTPUT: rows, ids, duplicates, ledger, report and card are those of one run. Dry by default.

    uv run clean_in_shards.py INPUT OUTPUT --shards 16             # prints the 16 commands that follow
    hf jobs uv run --secrets HF_TOKEN clean_in_shards.py INPUT OUTPUT --shard 1/16 --push
    uv run clean_in_shards.py INPUT OUTPUT --merge --push          # once all jobs have ended; see: hf jobs ps

Where a job failed, its command is run again: the merge names the shards that are missing.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from tempfile import TemporaryDirectory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", metavar="INPUT", help="Hub id of the dataset to clean")
    parser.add_argument("output", metavar="OUTPUT", help="Hub id to push to")
    step = parser.add_mutually_exclusive_group(required=True)
    step.add_argument("--shards", type=int, metavar="N", help="start N jobs, one for each shard")
    step.add_argument("--shard", metavar="K/N", help="clean this shard, and upload the part")
    step.add_argument("--merge", action="store_true", help="merge the parts, and push OUTPUT")
    parser.add_argument("--flavor", default="cpu-upgrade", help="hardware of the jobs (default: cpu-upgrade)")
    parser.add_argument("--drop-duplicates", action="store_true", help="drop exact duplicates instead of marking them")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--dry-run", action="store_true", help="start, upload and push nothing (the default)")
    mode.add_argument("--push", action="store_true", help="start the jobs, upload the part, or push OUTPUT")
    args = parser.parse_args()

    from huggingface_hub import HfApi, get_token, run_uv_job, snapshot_download

    import hfclean

    parts_repo = f"{args.output}-parts"
    if args.shards:
        for number in range(1, args.shards + 1):
            words = [args.input, args.output, "--shard", f"{number}/{args.shards}", "--push"]
            print("hf jobs uv run --flavor", args.flavor, "--secrets HF_TOKEN", Path(__file__).name, *words)
            if args.push:
                found = {name: os.environ[name] for name in ("UV_FIND_LINKS",) if name in os.environ}
                token = {"HF_TOKEN": get_token() or ""}
                job = run_uv_job(__file__, script_args=words, flavor=args.flavor, env=found, secrets=token)
                print(job.url)
        return
    with TemporaryDirectory() as place:
        if args.shard:
            part = Path(place) / f"part-{args.shard.replace('/', '-of-')}"
            print(hfclean.engines.clean_shard(args.input, args.shard, part), "rows in", part.name)
            if args.push:
                api = HfApi()
                api.create_repo(parts_repo, repo_type="dataset", private=True, exist_ok=True)
                if not api.dataset_info(parts_repo).private:
                    raise SystemExit(
                        f"{parts_repo} is public, and parts hold the rows unmasked; make it private first"
                    )
                where = {"repo_id": parts_repo, "repo_type": "dataset", "path_in_repo": part.name}
                api.upload_folder(
                    folder_path=part, delete_patterns="*", **where
                )  # of a shard that ran before, nothing
            return
        found = Path(snapshot_download(parts_repo, repo_type="dataset", local_dir=Path(place) / "parts"))
        cleaned = hfclean.engines.merge(sorted(found.glob("part-*")), drop_duplicates=args.drop_duplicates)
        folder = Path(place) / args.output.rpartition("/")[2]
        print(cleaned.save(folder, source_id=args.input))
        result = hfclean.push_dataset(folder, args.output, dry_run=not args.push)
        print(result.url if args.push else result)
        print(f"{parts_repo} holds the rows unmasked; in the end: hf repos delete {parts_repo} --type dataset")


if __name__ == "__main__":
    main()
