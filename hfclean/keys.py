"""Keys and tokens that look real, by the form that their makers gave them, or by the name that stands before them.

What documentation prints as an example (few characters, runs of them, words such as EXAMPLE) is let through.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache, lru_cache
from hashlib import sha256
from math import log2
from typing import NamedTuple

__all__ = ["HINT", "KINDS", "find_secrets"]


class _Kind(NamedTuple):
    """What a key of one kind looks like.

    Args:
        pattern: the key; group 1, where there is one, is the part that is random.
        hints: literal strings of which every such key has one.
        least_bits: least entropy of the random part, in bits per character.
        one_class: whether the random part may be of digits, small letters or capitals alone.
    """

    pattern: str
    hints: tuple[str, ...]
    least_bits: float = 2.8
    one_class: bool = False


TAIL = r"(?![A-Za-z0-9])"
HEX = r"[0-9a-f]"
UUID = rf"{HEX}{{8}}-(?:{HEX}{{4}}-){{3}}{HEX}{{12}}"
# What may stand between a name and its value in code, JSON, YAML, shell and prose.
IS = r"(?:\\?[\"'`]?\]?\s{0,3}(?::=|=>|[:=])\s{0,3}|\s{1,3}is\s{1,3})\\?[\"'`]?"

# A form that its maker gave it: found wherever it stands, also right behind a letter or an underscore.
KINDS: dict[str, _Kind] = {
    # models and what is around them
    "hf_token": _Kind(rf"(?:hf|api_org|hf_oauth)_([A-Za-z0-9]{{30,}}){TAIL}", ("hf_", "api_org_")),
    "hf_oauth_token": _Kind(r"hf_oauth_([A-Za-z0-9_.-]{30,})", ("hf_oauth_",)),
    "anthropic_key": _Kind(r"sk-ant-([A-Za-z0-9_-]{32,200})", ("sk-ant-",)),
    "openai_key": _Kind(
        r"(?:sk-(?:proj|svcacct|admin|None|or-v1|lf)-|(?<![A-Za-z0-9-])sk-(?!ant-))([A-Za-z0-9_-]{32,250})"
        r"|sk-([A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20})",
        ("sk-",),
    ),
    "openai_session": _Kind(rf"(?<![A-Za-z0-9])sess-([A-Za-z0-9]{{40}}){TAIL}", ("sess-",)),
    "xai_key": _Kind(rf"xai-([A-Za-z0-9]{{60,100}}){TAIL}", ("xai-",)),
    "nvidia_key": _Kind(r"nvapi-([A-Za-z0-9_-]{50,90})", ("nvapi-",)),
    "replicate_token": _Kind(rf"r8_([A-Za-z0-9]{{37,40}}){TAIL}", ("r8_",)),
    "perplexity_key": _Kind(rf"pplx-([A-Za-z0-9]{{40,64}}){TAIL}", ("pplx-",)),
    "groq_key": _Kind(rf"gsk_([A-Za-z0-9]{{48,56}}){TAIL}", ("gsk_",)),
    "together_key": _Kind(r"tgp_v1_([A-Za-z0-9_-]{40,50})", ("tgp_v1_",)),
    "fireworks_key": _Kind(rf"(?<![A-Za-z0-9])fw_([A-Za-z0-9]{{22,32}}){TAIL}", ("fw_",)),
    "cerebras_key": _Kind(rf"csk-([a-z0-9]{{44,56}}){TAIL}", ("csk-",)),
    "tavily_key": _Kind(r"tvly-(?:dev-|prod-)?([A-Za-z0-9]{28,48})", ("tvly-",)),
    "jina_key": _Kind(rf"jina_([A-Za-z0-9_-]{{50,70}}){TAIL}", ("jina_",)),
    "pinecone_key": _Kind(r"pcsk_([A-Za-z0-9_]{60,80})", ("pcsk_",)),
    "langsmith_key": _Kind(rf"lsv2_(?:pt|sk)_({HEX}{{32}}_{HEX}{{10}})", ("lsv2_",)),
    "elevenlabs_key": _Kind(rf"(?<![A-Za-z0-9])sk_({HEX}{{48}}){TAIL}", ("sk_",)),
    "wandb_key": _Kind(r"wandb_v1_([A-Za-z0-9_]{60,90})", ("wandb_v1_",)),
    # clouds
    "aws_key": _Kind(rf"(?:AKIA|ASIA)([A-Z2-7]{{16}}){TAIL}", ("AKIA", "ASIA"), one_class=True),
    "google_key": _Kind(r"AIza([A-Za-z0-9_-]{35})", ("AIza",)),
    "google_oauth": _Kind(r"ya29\.([A-Za-z0-9_-]{40,})|GOCSPX-([A-Za-z0-9_-]{28})", ("ya29.", "GOCSPX-")),
    "google_refresh_token": _Kind(r"(?<![\w:/])1//0([A-Za-z0-9_-]{40,120})", ("1//0",)),
    "azure_storage_key": _Kind(r"AccountKey=([A-Za-z0-9+/]{86}==)", ("AccountKey=",)),
    "azure_access_key": _Kind(r"SharedAccessKey=([A-Za-z0-9+/]{40,88}={0,2})", ("SharedAccessKey=",)),
    "azure_sas": _Kind(r"[?&;]sig=([A-Za-z0-9%+/]{40,90}(?:%3[dD]|=)?)", ("sig=",)),
    "azure_client_secret": _Kind(r"(?<![A-Za-z0-9~._-])([A-Za-z0-9_~.-]{3}8Q~[A-Za-z0-9_~.-]{31,34})", ("8Q~",)),
    "digitalocean_token": _Kind(rf"do[opr]_v1_({HEX}{{64}})", ("doo_v1_", "dop_v1_", "dor_v1_")),
    "databricks_token": _Kind(rf"dapi({HEX}{{32}}(?:-\d)?){TAIL}", ("dapi",)),
    "vault_token": _Kind(r"hv[sbr]\.([A-Za-z0-9_-]{24,220})", ("hvs.", "hvb.", "hvr.")),
    "terraform_token": _Kind(r"([A-Za-z0-9]{14})\.atlasv1\.[A-Za-z0-9_-]{60,70}", (".atlasv1.",)),
    "docker_token": _Kind(r"dckr_[po]at_([A-Za-z0-9_-]{27,40})", ("dckr_",)),
    "heroku_key": _Kind(rf"HRKU-([A-Za-z0-9_-]{{30,70}}){TAIL}", ("HRKU-",)),
    "supabase_key": _Kind(rf"sbp_({HEX}{{40}})|sb_secret_([A-Za-z0-9_-]{{20,50}})", ("sbp_", "sb_secret_")),
    "planetscale_key": _Kind(r"pscale_(?:tkn|pw|oauth)_([A-Za-z0-9_.-]{32,64})", ("pscale_",)),
    "netlify_token": _Kind(rf"nfp_([A-Za-z0-9]{{36,40}}){TAIL}", ("nfp_",)),
    "cloudflare_key": _Kind(rf"v1\.0-({HEX}{{24}}-{HEX}{{100,150}})", ("v1.0-",)),
    "alibaba_key": _Kind(rf"(?<![A-Za-z0-9])LTAI([A-Za-z0-9]{{16,24}}){TAIL}", ("LTAI",)),
    # code and packages
    "github_token": _Kind(rf"gh[pousr]_([A-Za-z0-9]{{36,255}}){TAIL}", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_")),
    "github_pat": _Kind(rf"github_pat_([A-Za-z0-9_]{{36,255}}){TAIL}", ("github_pat_",)),
    "gitlab_token": _Kind(
        r"gl(?:pat|dt|ptt|rt|cbt|soat|ft|imt|agent|oas)-([A-Za-z0-9_.-]{20,80})",
        ("glpat-", "gldt-", "glptt-", "glrt-", "glcbt-", "glsoat-", "glft-", "glimt-", "glagent-", "gloas-"),
    ),
    "bitbucket_token": _Kind(rf"ATBB([A-Za-z0-9_=.-]{{28,40}}){TAIL}", ("ATBB",)),
    "atlassian_token": _Kind(r"ATATT3xFf([A-Za-z0-9_=-]{80,250})", ("ATATT3xFf",)),
    "npm_token": _Kind(rf"npm_([A-Za-z0-9]{{36}}){TAIL}", ("npm_",)),
    "pypi_token": _Kind(r"pypi-AgE[A-Za-z0-9_-]{13,17}([A-Za-z0-9_-]{50,250})", ("pypi-AgE",)),
    "rubygems_key": _Kind(rf"rubygems_({HEX}{{48}})", ("rubygems_",)),
    "postman_key": _Kind(rf"PMAK-({HEX}{{24}}-{HEX}{{34}})", ("PMAK-",)),
    "linear_key": _Kind(rf"lin_api_([A-Za-z0-9]{{40}}){TAIL}", ("lin_api_",)),
    "notion_token": _Kind(rf"ntn_([A-Za-z0-9]{{40,50}}){TAIL}|secret_([A-Za-z0-9]{{43}}){TAIL}", ("ntn_", "secret_")),
    "airtable_token": _Kind(rf"(?<![A-Za-z0-9])pat[A-Za-z0-9]{{14}}\.({HEX}{{64}})", ("pat",)),
    "figma_token": _Kind(r"fig[dou]r?_([A-Za-z0-9_-]{40,60})", ("figd_", "figo_", "figu_", "figdr_", "figor_")),
    "grafana_token": _Kind(r"glsa_([A-Za-z0-9]{32}_[0-9a-f]{8})|glc_(eyJ[A-Za-z0-9+/=]{60,})", ("glsa_", "glc_eyJ")),
    "sentry_token": _Kind(r"sntr(?:ys|yu)_([A-Za-z0-9+/=_]{40,250})", ("sntrys_", "sntryu_")),
    "newrelic_key": _Kind(rf"NRAK-([A-Z0-9]{{27}}){TAIL}", ("NRAK-",)),
    "doppler_token": _Kind(r"dp\.(?:pt|st|ct|sa)\.(?:[a-z0-9_-]{2,35}\.)?([A-Za-z0-9]{40,44})", ("dp.",)),
    # people, money, mail
    "slack_token": _Kind(
        r"xox[abeoprsc][-.](?:xox[bp]-)?([A-Za-z0-9-]{24,250})|xapp-\d-([A-Za-z0-9-]{40,160})",
        ("xoxa", "xoxb", "xoxe", "xoxo", "xoxp", "xoxr", "xoxs", "xoxc", "xapp-"),
    ),
    "slack_webhook": _Kind(
        r"hooks\.slack\.com/(?:services|workflows|triggers)/(T[A-Z0-9]{6,}/[A-Z0-9]{6,}/[A-Za-z0-9]{20,})",
        ("hooks.slack.com/",),
    ),
    "discord_token": _Kind(
        rf"(?<![\w.-])(?:mfa\.[A-Za-z0-9_-]{{80,}}|([A-Z][A-Za-z0-9_-]{{23,27}}\.[A-Za-z0-9_-]{{6}}\."
        rf"[A-Za-z0-9_-]{{27,40}})){TAIL}",
        (".",),
    ),
    "discord_webhook": _Kind(
        r"discord(?:app)?\.com/api/webhooks/\d{17,20}/([A-Za-z0-9_-]{60,80})", ("/api/webhooks/",)
    ),
    "teams_webhook": _Kind(
        rf"webhook\.office\.com/webhookb2/({UUID}@{UUID}/IncomingWebhook/{HEX}{{32}}/{UUID})", ("webhook.office.com/",)
    ),
    "telegram_token": _Kind(r"(?<!\d)\d{8,10}:(AA[A-Za-z0-9_-]{32,35})(?![A-Za-z0-9_-])", (":AA",)),
    "stripe_key": _Kind(
        rf"[sr]k_live_([A-Za-z0-9]{{24,247}}){TAIL}|whsec_([A-Za-z0-9]{{32,64}}){TAIL}", ("k_live_", "whsec_")
    ),
    "square_token": _Kind(rf"sq0(?:atp|csp)-([A-Za-z0-9_-]{{22,43}}){TAIL}", ("sq0atp-", "sq0csp-")),
    "shopify_token": _Kind(rf"shp(?:at|ca|pa|ss)_({HEX}{{32}})", ("shpat_", "shpca_", "shppa_", "shpss_")),
    "sendgrid_key": _Kind(r"SG\.([A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43})", ("SG.",)),
    "mailgun_key": _Kind(rf"(?<![A-Za-z0-9])key-({HEX}{{32}}){TAIL}", ("key-",)),
    "mailchimp_key": _Kind(rf"(?<![A-Za-z0-9])({HEX}{{32}})-us\d{{1,2}}{TAIL}", ("-us",)),
    "twilio_key": _Kind(rf"(?<![A-Za-z0-9])SK({HEX}{{32}}){TAIL}", ("SK",)),
    "facebook_token": _Kind(rf"(?<![A-Za-z0-9])EAA[A-Za-z0-9]{{2,9}}B([A-Za-z0-9]{{80,250}}){TAIL}", ("EAA",)),
    "dropbox_token": _Kind(r"(?<![A-Za-z0-9])sl\.(?:u\.)?([A-Za-z0-9_-]{120,1200})", ("sl.",)),
    "age_key": _Kind(r"AGE-SECRET-KEY-1([A-Z0-9]{58})", ("AGE-SECRET-KEY-1",)),
    "jwt": _Kind(r"(?<![A-Za-z0-9])(eyJ[A-Za-z0-9_-]{12,}\.eyJ[A-Za-z0-9_-]{12,}\.[A-Za-z0-9_-]{20,})", ("eyJ",)),
    "private_key": _Kind(
        r"-----BEGIN (?:[A-Z0-9]{2,12} ){0,2}PRIVATE KEY(?: BLOCK)?-----(?:\\+[nr]|\s)*"
        r"(?:[A-Za-z-]{3,20}: [^\n\\]{0,100}(?:\\+[nr]|\n)+)*\s*"
        r"([A-Za-z0-9+/=]{40,}(?:(?:\\+[nr]|\s)+[A-Za-z0-9+/=]{4,})*)",
        ("PRIVATE KEY",),
    ),
    "putty_key": _Kind(r"PuTTY-User-Key-File-\d[\s\S]{0,2000}?Private-Lines: \d+\s+([A-Za-z0-9+/=]{40,})", ("PuTTY",)),
    # a password in an address: of a database, a queue, a repository
    "url_password": _Kind(
        r"(?i:(?:postgres(?:ql)?|mysql|mariadb|mongodb|rediss?|amqps?|mssql|sqlserver|oracle|clickhouse|cockroachdb|"
        r"snowflake|ldaps?|smtps?|imaps?|s?ftp|ssh|mqtts?|nats|kafka|elasticsearch|https?)"
        r"(?:\+[a-z0-9_]{1,20})?)://[^\s:@/\"'<>`{}$]{0,60}:([^\s:@/\"'<>`{}$\[\]()|]{6,120})@[A-Za-z0-9\[]",
        ("://",),
        least_bits=2.5,
    ),
    # no form of their own: a random value behind a name that says what it is
    "aws_secret_key": _Kind(
        rf"(?i:aws[\w .-]{{0,20}}secret[\w .-]{{0,20}}|secret_?access_?key)[\w ]{{0,10}}{IS}([A-Za-z0-9+/]{{40}})"
        r"(?![A-Za-z0-9+/=])",
        ("secret", "Secret", "SECRET"),
        least_bits=3.8,
    ),
    "named_key": _Kind(
        r"(?i:(?<![a-z])(?:[a-z][\w.-]{0,40}?)?(?:key|token|secret|password|passwd|pwd|credential)s?)"
        rf"{IS}([A-Za-z0-9_+/.~-]{{24,200}}={{0,2}})(?![A-Za-z0-9_+/=-])",
        (
            *("key", "Key", "KEY", "oken", "OKEN", "ecret", "ECRET", "assw", "ASSW", "pwd", "PWD"),
            *("redential", "REDENTIAL"),
        ),
        least_bits=3.2,
    ),
    "bearer_token": _Kind(
        r"(?i:authorization)[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?i:bearer|token|basic)\s{1,3}([A-Za-z0-9_+/.~-]{30,1200}={0,2})",
        ("uthorization", "UTHORIZATION"),
        least_bits=3.4,
    ),
    "connection_password": _Kind(
        r"(?i:(?:server|host|data source|endpoint)\s?=[^;\n\"']{1,120};[^\n\"']{0,200}?"
        r"(?:password|pwd)\s?=\s?)([^;\s\"'{}<>$]{6,120})",
        ("assword", "ASSWORD", "pwd", "Pwd", "PWD"),
        least_bits=2.5,
    ),
}

SAMPLE = re.compile(
    r"example|sample|dummy|placeholder|your|changeme|redacted|secret|insert|fake|(.)\1{4}|0123456|1234567|abcdefg|"
    r"x{4}|\*{3}|deadbeef",
    re.IGNORECASE,
)
# What stands for a password in an address that only shows where one goes.
SAMPLE_PASSWORD = re.compile(
    r"pass(?:word|wd|w)?\d{0,4}!?|pwd\d*|my_?pass\w*|user\w*|admin\w*|root\w*|guest|test\w*|db_?pass\w*|hunter2|"
    r"postgres\w*|mysql\w*|mongo\w*|letmein|qwerty\w*|[x*.]+|\d{1,6}|[a-z]{1,9}",
    re.IGNORECASE,
)
# Kinds of which only the random part is the secret: what stands before it says where it is.
NAMED = frozenset(("aws_secret_key", "named_key", "bearer_token", "url_password", "connection_password"))
# Kinds that are no match for another one that covers the same place.
LAST = ("jwt", "url_password", "aws_secret_key", "connection_password", "bearer_token", "named_key")
LONG_RUN = re.compile(r"[\w+/=~%-]{20}")
# In the language of RE2 too, with which Arrow searches a whole column: what every text that holds a key has.
HINT = r"[\w+/=~%-]{20}|://[^\s/]{0,60}:|(?i:assword|pwd) ?="


def find_secrets(text: str) -> Iterator[tuple[str, str, int, int]]:
    """Kind, id, start and end of every key in a text that looks real, in the order of the text.

    >>> [kind for kind, *_ in find_secrets("token = hf_" + "aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3x")]
    ['hf_token']
    >>> list(find_secrets("token = hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"))
    []
    """
    if not (LONG_RUN.search(text) or ("://" in text and "@" in text) or "assw" in text or "wd" in text.lower()):
        return
    taken: list[tuple[int, int]] = []
    found = []
    for kind, form in _in_order():
        if not any(hint in text for hint in form.hints):
            continue
        for match in _pattern(kind).finditer(text):
            random_part = match.group(match.lastindex or 0)
            start, end = match.span(match.lastindex or 0) if kind in NAMED else match.span()
            if any(start < other_end and other_start < end for other_start, other_end in taken):
                continue
            if _looks_real(kind, form, random_part):
                taken.append((start, end))
                found.append((start, end, kind, text[start:end]))
    for start, end, kind, whole in sorted(found):
        yield kind, f"{kind}-{sha256(whole.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}", start, end


@lru_cache(maxsize=1)
def _in_order() -> tuple[tuple[str, _Kind], ...]:
    first = [(kind, form) for kind, form in KINDS.items() if kind not in LAST]
    return (*first, *((kind, KINDS[kind]) for kind in LAST))


@cache
def _pattern(kind: str) -> re.Pattern[str]:
    return re.compile(KINDS[kind].pattern)


def _looks_real(kind: str, form: _Kind, random_part: str) -> bool:
    if kind in ("url_password", "connection_password"):
        if SAMPLE_PASSWORD.fullmatch(random_part) or SAMPLE.search(random_part):
            return False
    elif kind == "jwt":
        if _is_sample_jwt(random_part):
            return False
    elif SAMPLE.search(random_part if kind not in ("private_key", "putty_key") else random_part[:40]):
        return False
    has_digit = any(map(str.isdigit, random_part))
    if kind in ("named_key", "bearer_token") and not _is_one_random_run(random_part):
        return False
    classes = has_digit + any(map(str.islower, random_part)) + any(map(str.isupper, random_part))
    counts = Counter(random_part)
    bits = -sum(n / len(random_part) * log2(n / len(random_part)) for n in counts.values())
    return (classes >= 2 or form.one_class) and bits >= form.least_bits


def _is_one_random_run(text: str) -> bool:
    """Whether letters and digits are mixed as chance mixes them, and not in a name made of words and a number."""
    runs = [run for run in re.split(r"[_.~/-]", text) if len(run) >= 16]
    mixed = any(any(map(str.isdigit, run)) and any(map(str.isalpha, run)) for run in runs)
    return mixed or re.fullmatch(UUID, text) is not None


def _is_sample_jwt(token: str) -> bool:
    """Whether a token speaks of the people that documentation speaks of."""
    payload = token.split(".")[1]
    try:
        claims = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return True
    return re.search(r"1234567890|John Doe|Jane Doe|example|\"(?:test|user|admin)\"", claims) is not None
