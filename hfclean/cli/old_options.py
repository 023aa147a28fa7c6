"""Options of version 0.1 and what they are called now, so that an old command line is refused with the new spelling.
For one version."""

from collections.abc import Sequence

_MODEL = {
    **{
        f"--{name.replace('_', '-')}": f"--model-option {name}=VALUE"
        for name in (
            *("revision", "chat_template", "device", "dtype", "max_new_tokens", "top_p", "seed"),
            *("candidates", "extra_body", "max_tokens_total", "cache_as"),
        )
    },
    **{
        f"--{name.replace('_', '-')}": f"--limit {name}=VALUE"
        for name in ("requests_per_minute", "tokens_per_minute", "retries", "give_up_after", "batch_size")
    },
    "--temperature": "--model-option temperature=VALUE, with none in place of server",
    "--timeout": "--limit timeout_s=VALUE",
    "--skip-check": "--model-option skip_checks=ID,ID",
    **dict.fromkeys(
        ("--price-input", "--price-output", "--currency"), "--prices input=PRICE,output=PRICE,currency=CODE"
    ),
}
_TUNING = {
    "--learning-rate": "--train-option learning_rate=VALUE",
    "--batch-size": "--train-option per_device_train_batch_size=VALUE",
    "--lora-rank": "--train-option lora_rank=VALUE",
}
# verb -> old option -> what to say instead
OLD_OPTIONS: dict[str, dict[str, str]] = {
    **dict.fromkeys(("clean", "revise", "estimate"), _MODEL),
    "evaluate": {**_MODEL, "--unseen": "--trained-on skip", "--force": "--trained-on keep"},
    "train": {
        **_TUNING,
        **{
            f"--{name.replace('_', '-')}": f"--train-option {name}=VALUE"
            for name in ("max_length", "patience", "chat_template", "near_identity", "heldout")
        },
        "--arg": "--train-option NAME=VALUE",
    },
    "ab": {
        **_TUNING,
        "--max-steps": "--train-option max_steps=VALUE",
        "--base-model": "--base M",
        "--judge-model": "--judge M",
        "--judge-base-url": "--base-url URL",
        "--judge-api-key-env": "--api-key-env NAME",
        "--judged-rows": "--sample N",
    },
    "diff": {"--limit": "--first N"},
    "dedupe": {"--best": "--by COLUMN"},
    "decontaminate": {"--overlap": "--threshold S", "--no-fuzzy": "--fuzzy none"},
    "mine": {"--fraction": "-n SHARE, as a decimal such as 0.1"},
    "push": {"--base-model": "--base ID", "--dataset": "--source ID"},
    "card": {"--repo": "hfclean card DIR REPO"},
}


def new_spelling(words: Sequence[str]) -> str:
    """Which option of a command line is of an earlier version, and what it is called now; empty where none is."""
    if not words or words[0] not in OLD_OPTIONS:
        return ""
    old = OLD_OPTIONS[words[0]]
    for word, after in zip(words, [*words[1:], ""], strict=True):
        if word == "--":
            break
        name, _, value = word.partition("=")
        if name == "--limit" and words[0] == "evaluate" and (value or after).isdecimal():
            return "--limit N is now --first N"
        if name in old:
            return f"{name} is now {old[name]}"
    return ""
