"""Keys of every known form, made at random and put together here, so that no scanner finds one in these files."""

from __future__ import annotations

import base64
import json
import random
import string

WORDS = string.ascii_letters + string.digits
URL_SAFE = WORDS + "-_"
BASE64 = WORDS + "+/"
HEX = "0123456789abcdef"
DIGITS = "123456789"
CAPITALS = string.ascii_uppercase + "234567"


def made(start: str, length: int, letters: str = WORDS, seed: int = 3) -> str:
    """A key as its maker makes them."""
    source = random.Random(f"{start}{length}{seed}")
    return start + "".join(source.choice(letters) for _ in range(length))


def _token() -> str:
    claims = [{"alg": "HS256", "typ": "JWT"}, {"sub": made("", 12), "iat": 1718239022, "org": made("", 6)}]
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in claims]
    return ".".join([*parts, made("", 43, URL_SAFE)])


def _uuid(seed: int) -> str:
    return "-".join(made("", n, HEX, seed + n * k) for k, n in enumerate((8, 4, 4, 4, 12)))


BLOCK = "".join(made("", 64, BASE64, seed=k) + "\n" for k in range(4))
KEYS = {
    "hf_token": made("hf" + "_", 34),
    "hf_oauth_token": made("hf" + "_oauth_", 20) + "." + made("", 40, URL_SAFE),
    "anthropic_key": made("sk" + "-ant-api03-", 90, URL_SAFE),
    "openai_key": made("sk" + "-proj-", 60),
    "openai_session": made("se" + "ss-", 40),
    "xai_key": made("xa" + "i-", 80),
    "nvidia_key": made("nv" + "api-", 64, URL_SAFE),
    "replicate_token": made("r8" + "_", 37),
    "perplexity_key": made("pp" + "lx-", 48),
    "groq_key": made("gs" + "k_", 52),
    "together_key": made("tg" + "p_v1_", 43, URL_SAFE),
    "fireworks_key": made("f" + "w_", 24),
    "cerebras_key": made("cs" + "k-", 48, string.ascii_lowercase + string.digits),
    "tavily_key": made("tv" + "ly-dev-", 32),
    "jina_key": made("ji" + "na_", 60),
    "pinecone_key": made("pc" + "sk_", 70),
    "langsmith_key": made("ls" + "v2_pt_", 32, HEX) + "_" + made("", 10, HEX),
    "elevenlabs_key": made("sk" + "_", 48, HEX),
    "wandb_key": made("wan" + "db_v1_", 75),
    "aws_key": made("AK" + "IA", 16, CAPITALS),
    "google_key": made("AI" + "za", 35, URL_SAFE),
    "google_oauth": made("ya" + "29.", 120, URL_SAFE),
    "google_refresh_token": made("1/" + "/0", 60, URL_SAFE),
    "azure_storage_key": made("Account" + "Key=", 86, BASE64) + "==",
    "azure_access_key": made("SharedAccess" + "Key=", 43, BASE64) + "=",
    "azure_sas": "https://x.blob.core.windows.net/c?sv=2023&" + made("si" + "g=", 43, BASE64) + "%3D",
    "azure_client_secret": made("", 3) + "8Q" + made("~", 34),
    "digitalocean_token": made("do" + "p_v1_", 64, HEX),
    "databricks_token": made("da" + "pi", 32, HEX),
    "vault_token": made("hv" + "s.", 90, URL_SAFE),
    "terraform_token": made("", 14) + ".atlas" + made("v1.", 67),
    "docker_token": made("dc" + "kr_pat_", 27),
    "heroku_key": made("HR" + "KU-", 40),
    "supabase_key": made("sb" + "p_", 40, HEX),
    "planetscale_key": made("ps" + "cale_tkn_", 43),
    "netlify_token": made("nf" + "p_", 36),
    "cloudflare_key": made("v1" + ".0-", 24, HEX) + "-" + made("", 146, HEX),
    "alibaba_key": made("LT" + "AI", 20),
    "github_token": made("gh" + "p_", 36),
    "github_pat": made("git" + "hub_pat_", 22) + "_" + made("", 59),
    "gitlab_token": made("gl" + "pat-", 20),
    "bitbucket_token": made("AT" + "BB", 32),
    "atlassian_token": made("AT" + "ATT3xFf", 180, URL_SAFE),
    "npm_token": made("np" + "m_", 36),
    "pypi_token": made("py" + "pi-AgEIcHlwaS5vcmc", 100, URL_SAFE),
    "rubygems_key": made("ruby" + "gems_", 48, HEX),
    "postman_key": made("PM" + "AK-", 24, HEX) + "-" + made("", 34, HEX),
    "linear_key": made("li" + "n_api_", 40),
    "notion_token": made("nt" + "n_", 46),
    "airtable_token": made("pa" + "t", 14) + "." + made("", 64, HEX),
    "figma_token": made("fi" + "gd_", 44, URL_SAFE),
    "grafana_token": made("gl" + "sa_", 32) + "_" + made("", 8, HEX),
    "sentry_token": made("sn" + "tryu_", 64, HEX),
    "newrelic_key": made("NR" + "AK-", 27, CAPITALS),
    "doppler_token": made("d" + "p.pt.", 43),
    "slack_token": made("xo" + "xb-", 12, DIGITS) + "-" + made("", 12, DIGITS) + "-" + made("", 24),
    "slack_webhook": "hooks.slack"
    + ".com/services/"
    + made("T", 9, CAPITALS)
    + "/"
    + made("B", 10, CAPITALS)
    + "/"
    + made("", 24),
    "discord_token": made("M", 25) + "." + made("", 6) + "." + made("", 38, URL_SAFE) + "Z",
    "discord_webhook": "discord" + ".com/api/webhooks/" + made("", 18, DIGITS) + "/" + made("", 68, URL_SAFE),
    "teams_webhook": "webhook.office"
    + f".com/webhookb2/{_uuid(1)}@{_uuid(2)}/IncomingWebhook/"
    + made("", 32, HEX)
    + f"/{_uuid(3)}",
    "telegram_token": made("", 10, DIGITS) + ":" + made("AA", 33, URL_SAFE),
    "stripe_key": made("sk" + "_live_", 24),
    "square_token": made("sq" + "0atp-", 22),
    "shopify_token": made("sh" + "pat_", 32, HEX),
    "sendgrid_key": made("S" + "G.", 22) + "." + made("", 43),
    "mailgun_key": made("ke" + "y-", 32, HEX),
    "mailchimp_key": made("", 32, HEX) + "-u" + "s14",
    "twilio_key": made("S" + "K", 32, HEX),
    "facebook_token": made("EA" + "ACEdB", 160),
    "dropbox_token": made("s" + "l.", 140, URL_SAFE),
    "age_key": made("AGE-SECRET" + "-KEY-1", 58, CAPITALS),
    "jwt": _token(),
    "private_key": "-----BEGIN RSA PRIV" + "ATE KEY-----\n" + BLOCK + "-----END",
    "putty_key": "PuT" + "TY-User-Key-File-3: ssh-ed25519\nPrivate-Lines: 1\n" + made("", 48, BASE64),
    "url_password": "postgresql" + "://app:" + made("", 14) + "@db.internal:5432/prod",
    "aws_secret_key": "aws_secret" + "_access_key = " + made("", 40, BASE64),
    "named_key": "MISTRAL_API" + "_KEY=" + made("", 32),
    "bearer_token": "Authorization: " + "Bearer " + made("", 40),
    "connection_password": "Server=tcp:db.corp.net,1433;User ID=app;"
    + "Password=Qw7!"
    + made("", 10)
    + ";Encrypt=true",
    "cohere_key": "cohere.Cli" + made("ent('", 40),
    "kaggle_key": '{"username":"max","ke' + made('y":"', 32, HEX),
    "runpod_key": made("rp" + "a_", 44, CAPITALS),
    "posthog_key": made("ph" + "x_", 43),
    "aws_session_token": made("IQoJb3" + "JpZ2lu", 300, BASE64),
    "aws_bedrock_key": made("AB" + "SK", 120, BASE64) + "=",
    "fcm_key": made("AA" + "AA", 7, URL_SAFE) + ":" + made("APA" + "91b", 134, URL_SAFE),
    "azure_key": made("", 52) + made("JQQ" + "J9", 27),
    "fly_token": made("fm" + "2_", 200, BASE64),
    "tailscale_key": made("tsk" + "ey-auth-", 12) + "CNTRL-" + made("", 32),
    "pulumi_token": made("pu" + "l-", 40, HEX),
    "sourcegraph_token": made("sg" + "p_", 16, HEX) + "_" + made("", 40, HEX),
    "contentful_token": made("CF" + "PAT-", 43, URL_SAFE),
    "dynatrace_token": made("dt0" + "c01.", 24, CAPITALS) + "." + made("", 64, CAPITALS),
    "onepassword_token": made("op" + "s_eyJ", 400, URL_SAFE),
    "brevo_key": made("xkey" + "sib-", 64, HEX) + "-" + made("", 16),
    "resend_key": made("r" + "e_", 8) + "_" + made("", 24),
    "encoded_private_key": base64.b64encode(("-----BEGIN RSA PRIV" + "ATE KEY-----\n" + BLOCK).encode()).decode(),
    "command_key": "ENV ACME_API_" + "KEY " + made("", 40),
    "secret_key": "SECRET_" + "KEY = '" + made("", 50, "abcdefghijklmnopqrstuvwxyz0123456789!@#$%^&*-_=+") + "'",
    "basic_auth": "Authorization: " + "Basic " + base64.b64encode(("svc:" + made("", 18)).encode()).decode(),
    "command_password": "curl -u deploy:" + "Qw7!" + made("", 10) + " https://ci.corp.net/api",
}
