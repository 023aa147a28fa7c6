"""Keys and tokens that look real, by the form that their makers gave them.

What documentation prints as an example (few characters, runs of them, words such as EXAMPLE) is let through.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from math import log2

__all__ = ["KINDS", "find_secrets"]

# kind -> what it looks like; group 1, where there is one, is the part that chance made
KINDS = {
    "hf_token": r"\b(?:hf|api_org)_([A-Za-z0-9]{30,50})\b",
    "openai_key": r"\bsk-(?!ant-)(?:proj-|svcacct-|admin-)?([A-Za-z0-9_-]{32,200})",
    "anthropic_key": r"\bsk-ant-([A-Za-z0-9_-]{32,200})",
    "aws_key": r"\b(?:AKIA|ASIA)([A-Z2-7]{16})\b",
    "github_token": r"\b(?:gh[pousr]_|github_pat_)([A-Za-z0-9_]{36,255})\b",
    "gitlab_token": r"\bglpat-([A-Za-z0-9_-]{20,64})",
    "google_key": r"\bAIza([A-Za-z0-9_-]{35})",
    "slack_token": r"\bxox[abposr]-([A-Za-z0-9-]{24,250})",
    "stripe_key": r"\b[sr]k_live_([A-Za-z0-9]{24,247})\b",
    "npm_token": r"\bnpm_([A-Za-z0-9]{36})\b",
    "pypi_token": r"\bpypi-AgEIcHlwaS5vcmc([A-Za-z0-9_-]{50,250})",
    "sendgrid_key": r"\bSG\.([A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43})",
    "groq_key": r"\bgsk_([A-Za-z0-9]{52})\b",
    "private_key": r"-----BEGIN (?:[A-Z]{2,12} ){0,2}PRIVATE KEY(?: BLOCK)?-----(?:\\[nr]|\s)+"
    r"((?:[A-Za-z0-9+/=]{40,80}(?:\\[nr]|\s)+){2,})",
}
ANY = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in KINDS.items()))
# each has one of these, which is looked for first
HINTS = (
    *("hf_", "api_org_", "sk-", "AKIA", "ASIA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-"),
    *("AIza", "xoxa-", "xoxb-", "xoxp-", "xoxo-", "xoxs-", "xoxr-", "sk_live_", "rk_live_", "npm_", "pypi-AgEI"),
    *("SG.", "gsk_", "PRIVATE KEY"),
)
SAMPLE = re.compile(
    r"example|sample|dummy|placeholder|your|changeme|redacted|secret|insert|fake|(.)\1{4}|0123456|1234567|abcdefg|"
    r"x{4}|\*{3}",
    re.IGNORECASE,
)


def find_secrets(text: str) -> Iterator[tuple[str, str, int, int]]:
    """Kind, id, start and end of every key in a text that looks real.

    >>> [kind for kind, *_ in find_secrets("token = hf_" + "aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3x")]
    ['hf_token']
    >>> list(find_secrets("token = hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"))
    []
    """
    if not any(hint in text for hint in HINTS):
        return
    for found in ANY.finditer(text):
        kind = str(found.lastgroup)
        whole = found[kind]
        chance = next((part for part in reversed(found.groups()) if part is not None and part != whole), whole)
        if _looks_real(kind, chance):
            yield kind, f"{kind}-{sha256(whole.encode()).hexdigest()[:8]}", found.start(), found.end()


def _looks_real(kind: str, chance: str) -> bool:
    if SAMPLE.search(chance if kind != "private_key" else chance[:40]):
        return False
    groups = sum(any(test(c) for c in chance) for test in (str.islower, str.isupper, str.isdigit))
    counts = Counter(chance)
    bits = -sum(n / len(chance) * log2(n / len(chance)) for n in counts.values())
    return (groups >= 2 or kind == "aws_key") and bits >= 2.8
