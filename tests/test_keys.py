"""Keys that look real are found by their form or by the name before them; documented samples are not."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from conftest import REALDATA
from keys_made import BASE64, BLOCK, HEX, KEYS, URL_SAFE, made
from keys_places import NO_KEYS, PLACES

from hfclean.hub.secrets import mask_secrets
from hfclean.keys import HINT, KINDS, NAMED, find_secrets


def test_there_is_a_key_of_every_kind() -> None:
    assert sorted(KEYS) == sorted(KINDS)


@pytest.mark.parametrize("kind", list(KINDS))
def test_each_kind_is_found_and_masked(kind: str) -> None:
    text = f"Use this: {KEYS[kind]}\nand go on."
    ((found, name, start, end),) = find_secrets(text)
    assert (found, name.rpartition("-")[0]) == (kind, kind)
    assert text[start:end] in KEYS[kind]
    masked = mask_secrets(text)
    assert masked == f"{text[:start]}[{kind} removed]{text[end:]}"
    assert masked.startswith("Use this: ")
    assert list(find_secrets(masked)) == []
    # what stands before a key in an address or an assignment stays, so that it can be read what was there
    assert (kind in NAMED) == (not masked.startswith(f"Use this: [{kind}") and kind not in ("azure_sas",))


TOKEN = KEYS["hf_token"]
WRAPPED = {
    "after a name": f"my_{TOKEN}",
    "after a letter": f"key{TOKEN}",
    "in JSON": json.dumps({"headers": {"Authorization": f"Bearer {TOKEN}"}}),
    "in JSON in JSON": json.dumps({"arguments": json.dumps({"token": TOKEN})}),
    "in a shell": f"export HF_TOKEN={TOKEN}",
    "in Python": f"login(token='{TOKEN}')",
    "in an address": f"https://user:{TOKEN}@huggingface.co/datasets/a/b",
    "in YAML": f"token: {TOKEN}",
    "in brackets": f"({TOKEN})",
    "at the end of a sentence": f"It is {TOKEN}.",
    "beside Chinese": f"令牌{TOKEN}是",
}


@pytest.mark.parametrize("where", list(WRAPPED))
def test_a_key_is_found_whatever_stands_beside_it(where: str) -> None:
    assert [text for text in [WRAPPED[where]] if TOKEN not in mask_secrets(text)] == [WRAPPED[where]]
    assert "hf_token" in [kind for kind, *_ in find_secrets(WRAPPED[where])]


@pytest.mark.parametrize("where", list(PLACES))
def test_a_key_is_found_in_every_kind_of_place(where: str) -> None:
    hidden, text = PLACES[where]
    assert hidden in text
    assert hidden not in mask_secrets(text)


@pytest.mark.parametrize("text", NO_KEYS)
def test_what_looks_like_a_key_and_is_none_is_let_through(text: str) -> None:
    assert [(kind, text[start:end]) for kind, _, start, end in find_secrets(text)] == []


HIDDEN = made("", 40)
NAMED_KEYS = [
    f'"SecretAccessKey": "{made("", 40, BASE64)}"',
    f"AWS_SECRET_ACCESS_KEY={made('', 40, BASE64)}",
    f"secret_key: '{made('', 40, BASE64)}'",
    f"AZURE_OPENAI_API_KEY={made('', 32, HEX)}",
    f"WANDB_API_KEY={made('', 40, HEX)}",
    f'client_secret = "{HIDDEN}"',
    json.dumps({"args": json.dumps({"api_key": HIDDEN})}),
    f"VAULT_TOKEN=s.{made('', 24)}",
    f"password: {made('', 24)}",
    f"Authorization: Basic {made('', 44, BASE64)}",
    f"mongodb+srv://svc:{made('', 16)}@cluster0.ab1cd.mongodb.net/x",
    f"redis://:{made('', 20)}@10.0.0.4:6379/0",
    f"https://oauth2:{made('', 22)}@git.corp/x.git",
    "-----BEGIN PRIV" + "ATE KEY-----" + BLOCK.replace("\n", "") + "-----END",
    "-----BEGIN PRIV" + "ATE KEY-----" + BLOCK.replace("\n", "\\n") + "-----END",
    "-----BEGIN OPENSSH PRIV" + "ATE KEY-----\r\n" + BLOCK.replace("\n", "\r\n"),
    "-----BEGIN RSA PRIV" + "ATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00AF\n\n" + BLOCK,
    "-----BEGIN PGP PRIV" + "ATE KEY BLOCK-----\nVersion: GnuPG v2\n\n" + BLOCK,
    "-----BEGIN PRIV" + "ATE KEY-----\n" + made("MC4CAQAwBQYDK2Vw", 48, BASE64) + "\n-----END",
    made("sk" + "-", 20) + "T3Blbk" + "FJ" + made("", 20),
    made("sk" + "-or-v1-", 64, HEX),
    made("xap" + "p-1-A", 10) + "-" + made("", 80, HEX),
    made("GOC" + "SPX-", 28, URL_SAFE),
]


@pytest.mark.parametrize("text", NAMED_KEYS)
def test_a_random_value_behind_a_name_or_in_another_form_is_found(text: str) -> None:
    assert len(list(find_secrets(f"x\n{text}\ny"))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "hf" + "_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "hf" + "_your_token_here",
        "AK" + "IAIOSFODNN7EXAMPLE",
        "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY",
        "sk" + "-1234567890abcdef1234567890abcdef",
        "sk" + "-XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX",
        "sk" + "-" + "your-api-key-goes-in-this-place-of-the-file",
        "gh" + "p_" + "a" * 36,
        "hf" + "_thisisaplaceholderinlowercaseletters",
        "-----BEGIN PRIV" + "ATE KEY-----\n...\n-----END PRIV" + "ATE KEY-----",
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ."
        "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
        "postgresql://user:password@localhost:5432/mydatabase",
        "mongodb://admin:secret123@localhost:27017",
        "mysql://root:root@db/app",
        "redis://:${REDIS_PASSWORD}@cache:6379",
        "http://proxy.corp:8080/path@2x.png and https://medium.com/@writer/some-post-about-tokens-1a2b3c4d5e6f",
        "git clone https://github.com/huggingface/transformers.git",
        "api_key = os.environ['OPENAI_API_KEY_FOR_PRODUCTION_2024']",
        "The password is reset by calling users.password_reset_token_generator_v2",
        "sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "commit 4b825dc642cb6eb9a060e54bf8d69288fbee4904",
        "primary key: customer_identifier_for_the_2024_tables",
        "task-oriented dialogue systems-based approaches, ask-me-anything-style-questions-and-more",
        "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
        "Red.",
        "",
    ],
)
def test_samples_and_words_are_let_through(text: str) -> None:
    assert list(find_secrets(text)) == []


@pytest.mark.parametrize("kind", list(KINDS))
def test_arrow_looks_for_what_every_key_has(kind: str) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    assert pc.match_substring_regex(pa.array([f"Use {KEYS[kind]} now"]), HINT).to_pylist() == [True]


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "key_",
        "://a:",
        "-----BEGIN PRIVATE KEY-----\n",
        "eyJ.",
        "A1_-",
        "mysql -",
        "curl -u ",
        "host=a password=",
        "jdbc:mysql:",
        ":5432:a:b:",
        "secret_key key token | ",
        '"username":"a","key":"',
        "a' + 'b",
        "a\\\n",
    ],
)
def test_a_long_text_is_read_in_linear_time(piece: str, long_text: Callable[[str], str]) -> None:
    assert list(find_secrets(long_text(piece))) == []


@pytest.mark.realdata
def test_no_false_alarm_in_the_real_rows() -> None:
    alarms = [
        (file.name, kind)
        for file in sorted(REALDATA.rglob("*.jsonl"))
        for line in file.read_text(encoding="utf-8").split("\n")
        for kind, *_ in find_secrets(line)
    ]
    assert alarms == []
