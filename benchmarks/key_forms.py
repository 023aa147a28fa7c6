"""Keys found and false alarms, beside detect-secrets where it is installed: `pip install detect-secrets`.

    python benchmarks/key_forms.py

Every form is made at random, alone and in the places where keys stand; false alarms are what is found in texts that
only look like keys and in the real rows, each of which was read.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from hfclean.keys import find_secrets

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("HFCLEAN_REALDATA", ROOT.parent / "shared" / "data"))
FORMS = [
    "ArtifactoryDetector",
    "AWSKeyDetector",
    "AzureStorageKeyDetector",
    "BasicAuthDetector",
    "CloudantDetector",
    "DiscordBotTokenDetector",
    "GitHubTokenDetector",
    "GitLabTokenDetector",
    "IbmCloudIamDetector",
    "IbmCosHmacDetector",
    "JwtTokenDetector",
    "MailchimpDetector",
    "NpmDetector",
    "OpenAIDetector",
    "PrivateKeyDetector",
    "PypiTokenDetector",
    "SendGridDetector",
    "SlackDetector",
    "SoftlayerDetector",
    "SquareOAuthDetector",
    "StripeDetector",
    "TelegramBotTokenDetector",
    "TwilioKeyDetector",
]


def found_by_us(text: str) -> bool:
    return any(True for _ in find_secrets(text))


def found_by_detect_secrets(*plugins: str) -> Callable[[str], bool] | None:
    try:
        scan = importlib.import_module("detect_secrets.core.scan")
        settings = importlib.import_module("detect_secrets.settings")
    except ImportError:
        return None

    def found(text: str) -> bool:
        with settings.transient_settings({"plugins_used": [{"name": name} for name in plugins]}):
            return any(True for line in text.split("\n") for _ in scan.scan_line(line))

    return found


def main() -> None:
    sys.path.insert(0, str(ROOT / "tests"))
    keys_made = importlib.import_module("keys_made")
    samples = [f"Use this: {key}\nand go on." for key in keys_made.KEYS.values()]
    samples += [f"my_{keys_made.KEYS['hf_token']}", f"key{keys_made.KEYS['hf_token']}"]
    keys_places = importlib.import_module("keys_places")
    samples += [text for _, text in keys_places.PLACES.values()]
    lines = [line for file in sorted(DATA.rglob("*.jsonl")) for line in file.read_text("utf-8").split("\n") if line]
    print(f"{len(samples)} keys, {len(keys_places.NO_KEYS)} texts that look like keys, {len(lines):,} real rows")
    named = {
        "hfclean": found_by_us,
        "detect-secrets, forms": found_by_detect_secrets(*FORMS),
        "detect-secrets, forms and keywords": found_by_detect_secrets(*FORMS, "KeywordDetector"),
    }
    for name, find in named.items():
        if find is None:
            print(f"{name}: not installed")
            continue
        recall = sum(map(find, samples))
        odd = sum(map(find, keys_places.NO_KEYS))
        begin = time.process_time()
        alarms = Counter(map(find, lines))[True]
        took = f"{time.process_time() - begin:.1f} CPU s"
        print(f"{name}: {recall} found, {odd} alarms in texts that look like keys, {alarms} in real rows, {took}")


if __name__ == "__main__":
    main()
