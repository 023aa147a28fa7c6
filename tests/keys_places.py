"""Where keys stand in rows, and what looks like one and is none; all made at random, as in `keys_made`."""

from __future__ import annotations

import base64
import json
import string

from keys_made import BASE64, BLOCK, CAPITALS, DIGITS, HEX, URL_SAFE, made

FORTY, HEX32, HEX40 = made("", 40, seed=9), made("", 32, HEX, seed=9), made("", 40, HEX, seed=9)
AWS_ID, AWS = made("AK" + "IA", 16, CAPITALS, seed=9), made("", 40, BASE64, seed=9)
HF, GH, OPENAI = made("hf" + "_", 34, seed=9), made("gh" + "p_", 36, seed=9), made("sk" + "-proj-", 60, seed=9)
PEM = "-----BEGIN RSA PRIV" + "ATE KEY-----\n" + BLOCK + "-----END RSA PRIV" + "ATE KEY-----"
BODY = BLOCK.split("\n")[1]
WORD = "Xk9p" + made("", 9, seed=9)  # a password
LOWER = string.ascii_lowercase + string.digits


def _basic(seed: int) -> str:
    return base64.b64encode(("acme:" + made("", 16, seed=seed)).encode()).decode()


# what has to be gone, and the text around it
PLACES: dict[str, tuple[str, str]] = {
    # code
    "Python": (FORTY, f'API_KEY = "{FORTY}"'),
    "Python, os.environ": (FORTY, f'os.environ["API_KEY"] = "{FORTY}"'),
    "JavaScript": (FORTY, f"const client = new Client({{ apiKey: '{FORTY}' }});"),
    "TypeScript": (FORTY, f'const API_KEY: string = "{FORTY}"'),
    "Rust": (FORTY, f'let api_key: &str = "{FORTY}";'),
    "Rust, static": (FORTY, f'const API_KEY: &\'static str = "{FORTY}";'),
    "Swift": (FORTY, f'let apiKey: String = "{FORTY}"'),
    "Kotlin": (FORTY, f'val apiKey = "{FORTY}"'),
    "Java": (FORTY, f'private static final String API_KEY = "{FORTY}";'),
    "Go": (FORTY, f'os.Setenv("API_KEY", "{FORTY}")'),
    "Go, short": (FORTY, f'token := "{FORTY}"'),
    "Ruby": (FORTY, f":api_secret => '{FORTY}'"),
    "PHP": (FORTY, f"define('API_KEY', '{FORTY}');"),
    "C#": (FORTY, f'services.Configure<Opt>(o => o.ApiKey = "{FORTY}");'),
    "PowerShell": (FORTY, f'$env:API_KEY = "{FORTY}"'),
    "Dockerfile": (FORTY, f"ENV API_KEY {FORTY}"),
    "fish": (FORTY, f"set -x API_KEY {FORTY}"),
    "an option": (FORTY, f"mytool --api-key {FORTY} run"),
    "an option with =": (FORTY, f"mytool --token={FORTY} run"),
    "XML": (FORTY, f"<apiKey>{FORTY}</apiKey>"),
    "XML, value": (FORTY, f'<add key="ApiSecret" value="{FORTY}" />'),
    "Kubernetes": (FORTY, f'- name: API_TOKEN\n  value: "{FORTY}"'),
    "TOML": (FORTY, f'[auth]\ntoken = "{FORTY}"'),
    "a table": (FORTY, f"| api_key | {FORTY} |"),
    "an address": (FORTY, f"https://api.corp.net/v1/x?api_key={FORTY}&q=1"),
    "Rails": (made("", 128, HEX), f"SECRET_KEY_BASE={made('', 128, HEX)}"),
    "Django": ("django-insecure-", "SECRET_KEY = 'django-insecure-" + made("", 50, LOWER + "!@#$%^&*(-_=+)", 2) + "'"),
    # prose, in several languages
    "English": (FORTY, f"my api key is {FORTY}, please do not share it"),
    "German": (FORTY, f"Mein API-Schlüssel: {FORTY}"),
    "French": (FORTY, f"La clé est {FORTY}."),
    "Spanish": (FORTY, f"La contraseña es {FORTY}."),
    "Portuguese": (FORTY, f"senha: {FORTY}"),
    "Russian": (FORTY, f"Ключ: {FORTY}"),
    "Chinese": (FORTY, f"我的密钥是 {FORTY}"),
    "Japanese": (FORTY, f"トークンは {FORTY} です"),
    "Korean": (FORTY, f"토큰: {FORTY}"),
    "bold": (HF, f"**{HF}**"),
    "a link": (HF, f"[token]({HF})"),
    "HTML": (HF, f"<input value=&quot;{HF}&quot;>"),
    "percent codes": (HF, f"https://x.io/cb?token%3D{HF}%26a=1"),
    "a traceback": (
        HF,
        f"Traceback (most recent call last):\n  File 'a.py', line 3\n    login('{HF}')\nHTTPError: 401",
    ),
    "JSON thrice": (HF, json.dumps({"a": json.dumps({"b": json.dumps({"token": HF})})})),
    # over the end of a line or of a literal
    "a shell's next line": (GH[:20], f"TOKEN={GH[:20]}\\\n{GH[20:]}"),
    "a Python literal's next line": (GH[:20], f't = ("{GH[:20]}"\n     "{GH[20:]}")'),
    "two literals": (GH[20:], f"t = '{GH[:20]}' + '{GH[20:]}'"),
    "a header's next line": (OPENAI[-20:], f'curl -H "Authorization: Bearer \\\n{OPENAI}"'),
    # clouds
    "aws configure": (AWS, f"AWS Access Key ID [None]: {AWS_ID}\nAWS Secret Access Key [None]: {AWS}\nDefault region"),
    "AWS, ini": (AWS, f"[prod]\naws_access_key_id = {AWS_ID}\naws_secret_access_key = {AWS}"),
    "AWS, beside its id": (AWS, f'new BasicAWSCredentials("{AWS_ID}", "{AWS}")'),
    "AWS, a table": (AWS, f"Access key ID,Secret access key\n{AWS_ID},{AWS}"),
    "AWS, session": ("Jlbl", "AWS_SESSION_TOKEN=" + made("IQoJb3" + "JpZ2lu", 300, BASE64) + "Jlbl"),
    "Azure, header": (HEX32, f"-H 'Ocp-Apim-Subscription-Key: {HEX32}'"),
    "Azure DevOps": ("q3", "AZURE_DEVOPS_EXT_PAT=" + made("", 50, LOWER) + "q3"),
    "Twilio": (HEX32, f'Client("AC{made("", 32, HEX, 5)}", "{HEX32}")'),
    "wandb": (HEX40, f"wandb login {HEX40}"),
    "wandb, Python": (HEX40, f"wandb.login(key='{HEX40}')"),
    "Kaggle": (HEX32, json.dumps({"username": "max", "key": HEX32})),
    "Cohere": (FORTY, f"co = cohere.Client('{FORTY}')"),
    "ngrok": (FORTY, f"ngrok config add-authtoken {FORTY}"),
    "Sentry, old": (HEX32, f"https://{made('', 32, HEX, 4)}:{HEX32}@o1.ingest.sentry.io/4"),
    # private keys
    "PEM in YAML": (BODY, "tls.key: |\n" + "\n".join(f"    {line}" for line in PEM.split("\n"))),
    "PEM in a quote": (BODY, "\n".join(f"> {line}" for line in PEM.split("\n"))),
    "PEM in literals": (BODY, "\n".join(f'    "{line}\\n"' for line in PEM.split("\n"))),
    "PEM in JSON in JSON": (BODY[:20], json.dumps({"a": json.dumps({"key": PEM})})),
    "PEM in PHP's JSON": (BODY[:20].split("/")[0], json.dumps({"key": PEM}).replace("/", "\\/")),
    "PEM on one line": (BODY, PEM.replace("\n", " ")),
    "SSH2": (BODY, "---- BEGIN SSH2 ENCRYPTED PRIV" + f'ATE KEY ----\nComment: "x"\n{BLOCK}---- END'),
    # passwords
    "percent codes in a password": ("Xk9p%40ss", "postgres://svc:Xk9p%40ss%21x@db-1.corp:5432/orders"),
    "an @ in a password": (f"{WORD}@9a", f"postgresql://svc:{WORD}@9a@db.corp:5432/app"),
    "a colon in a password": (f"{WORD}:9a", f"amqp://svc:{WORD}:9a@mq.corp:5672//"),
    "JDBC": (WORD, f"jdbc:postgresql://db.corp:5432/app?user=svc&password={WORD}&ssl=true"),
    "JDBC of Oracle": (WORD, f"jdbc:oracle:thin:svc/{WORD}@//ora.corp:1521/ORCL"),
    "libpq": (WORD, f'connect("host=db.corp dbname=app user=svc password={WORD}")'),
    "Go's MySQL": (WORD, f'sql.Open("mysql", "app:{WORD}@tcp(10.0.0.5:3306)/orders")'),
    "ODBC": (WORD, f"DRIVER={{ODBC Driver 18}};SERVER=sql.corp;DATABASE=x;UID=svc;PWD={WORD}"),
    "netrc": (WORD, f"machine api.corp.net\n  login max\n  password {WORD}"),
    "pgpass": (WORD, f"db.corp:5432:app:svc:{WORD}"),
    "curl": (WORD, f"curl -s -u admin:{WORD} https://ci.corp.net/api/json"),
    "mysql": (WORD, f"mysql -h db.corp -u root -p{WORD} app"),
    "sshpass": (WORD, f"sshpass -p '{WORD}' ssh root@10.0.0.4"),
    "docker login": (WORD, f"docker login -u acme -p {WORD} registry.corp.net"),
    "PGPASSWORD": (WORD, f"PGPASSWORD={WORD} psql -h db.corp"),
    "Docker's config": (_basic(1), json.dumps({"auths": {"https://index.docker.io/v1/": {"auth": _basic(1)}}})),
    "Basic": (_basic(2), f"Authorization: Basic {_basic(2)}"),
}

# what a reader would not call a key
NO_KEYS = [
    *(
        f"sha256: {made('', 64, HEX)}",
        f"commit {HEX40}",
        f'ETag: "{HEX32}"',
        f"FROM python@sha256:{made('', 64, HEX)}",
    ),
    *(f'cache_key = "{HEX32}"', f"Cache key: v2-{made('', 64, HEX)}", f'"partition_key": "{HEX40}"'),
    *("Primary key: 7d793037-a076-4b54-9c8e-2f2f3b1b2c9d", "Idempotency-Key: 8e03978e-40d5-43e8-bc93-6894a57f9324"),
    *(f'"public_key": "{made("", 64, HEX)}"', f'publicKey: "{made("", 43, BASE64)}="', f"key: {made('', 64, HEX)}"),
    "ssh-rsa " + made("AAAAB3NzaC1yc2E", 340, BASE64) + " max@host",
    "key: ssh-ed25519 " + made("AAAAC3NzaC1lZDI1NTE5AAAAI", 43, BASE64) + " me",
    *(f"-----BEGIN {kind}-----\n{BLOCK}-----END {kind}-----" for kind in ("CERTIFICATE", "PUBLIC KEY", "PGP MESSAGE")),
    base64.b64encode(f"-----BEGIN CERTIFICATE-----\n{BLOCK}-----END CERTIFICATE-----".encode()).decode(),
    f"![x](data:image/png;base64,iVBORw0KGgoAAAANSUhEUg{made('', 400, BASE64)}==)",
    *(f'integrity="sha384-{made("", 64, BASE64)}"', f"github.com/x/y v1.2.3 h1:{made('', 43, BASE64)}="),
    "KeyId: arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "key: meta-llama/Llama-3.1-405B-Instruct-FP8-dynamic-2024",
    *("tokens: 101 2023 2003 1037 7099 102", "sk-learn-based-pipelines-and-transformers-in-python-2024"),
    *("FEN: rnbqkbnr/pp1ppppp/8/2p5/4P3/5N2/PPPP1PPP/RNBQKB1R b KQkq - 1 2", "IBAN: DE89370400440532013000"),
    *("sequence key: ACGTACGTTAGCTAGCTAGGATCGATCGATTAGCTAGCTAGC", "tracking: 1Z999AA10123456784"),
    "Schlüssel: Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz",
    *("Your license key: XK4TM-9RWQ2-LB7HY-3PDVC-G8NJF", "token: 0x" + made("", 40, HEX)),
    *(f"nonce: {HEX32}", f"salt = '{HEX32}'", f"password_hash: {made('', 64, HEX)}"),
    "password = '5f4dcc3b5aa765d61d8327deb882cf99'  # its md5",
    f"Key fingerprint: SHA256:{made('', 43, BASE64)}",
    *(f'"next_page_token": "{made("", 48)}"', f'"cursor": "{FORTY}"', f'data-sitekey="6Le{made("", 37, URL_SAFE)}"'),
    *(f"{{'key': '{HEX32}'}}", 'Key: "uploads/2024/05/17/3f2a9c1e8b7d4e6fa1b2c3d4e5f60718.jpg"'),
    *("Key='3f2a9c1e8b7d4e6fa1b2c3d4e5f60718.parquet'", "\\label{key:theorem2024section3subsection4}"),
    *("stripe.api_key = 'sk_" + "test_4eC39HqLyjWDarjtT1zdp7dc'", "pk_" + f"live_{made('', 24)}"),
    *("curl -u username:password https://api.corp.net", "curl -u admin:admin123 http://localhost:8080"),
    *(
        "mysql -u root -ppassword db",
        "sshpass -p 'password' ssh x@y",
        "host=localhost user=postgres password=postgres",
    ),
    *(
        "jdbc:postgresql://localhost/test?user=fred&password=secret&ssl=true",
        "docker run -p 127.0.0.1:8080:8080/tcp x",
    ),
    "mongodb+srv://<username>:<password>@cluster0.mongodb.net",
    'password: "^(?=.*[A-Z])(?=.*[0-9])(?=.*[!@#$]).{8,64}$"',
    "password: ${{ secrets.PROD_DB_PASSWORD_2024_EU_WEST }}",
    "key={`${item.id}-${index}-${item.createdAt.toISOString()}`}",
    *("re_compile_pattern_match_groups_and_names_2024", "figd_layout_engine_component_renderer_for_figma_2024x"),
    *(f"https://{HEX32}@o123.ingest.sentry.io/42", f"JSESSIONID={made('', 32, CAPITALS + DIGITS)}"),
    "assembly: PublicKeyToken=b03f5f7f11d50a3ab03f5f7f11d50a3a, Version=4.0.0.0",
    "http://p53lf57qovyuvwsc6xnrppyply3vtqm7l6pcobkmyqsiofyeznfu5uqd.onion",
]
