"""The forms of keys and tokens: by the marks that their issuers gave them, and by what comes before them."""

from __future__ import annotations

from typing import NamedTuple


class Form(NamedTuple):
    """The form of one kind of key.

    Args:
        pattern: the key; group 1, where there is one, is the part that is random.
        hints: literal strings of which every such key has one.
        least_bits: least entropy of the random part, in bits per character.
        one_class: whether the random part may be of digits, small letters or capitals alone.
        needs: a fast pattern that every text with such a key matches.
    """

    pattern: str
    hints: tuple[str, ...]
    least_bits: float = 2.8
    one_class: bool = False
    needs: str = ""


TAIL = r"(?![A-Za-z0-9])"
HEX = r"[0-9a-f]"
UUID = rf"{HEX}{{8}}-(?:{HEX}{{4}}-){{3}}{HEX}{{12}}"
# What may stand between a name and its value in code, JSON, YAML, XML, shell, tables and prose.
OPEN = r"\\{0,3}[\"'`]?"
TYPE = r"(?:\s?:\s?&?(?:'static )?(?:[A-Za-z]{2,9}\.)?[A-Za-z]{3,9}\??\s?(?==))?"
IS = (
    rf"(?:{OPEN}\]?(?:\s?\[[^\]\n]{{0,40}}\])?{TYPE}\s{{0,3}}(?::=|=>|[:=：]|</?b>)\s{{0,3}}|\s{{1,3}}(?:is|ist|est|es|è|é)\s{{1,3}}"
    r"|\s{0,2}[是为は]\s{0,2}|[\"']\s?,\s?(?=[\"'])|[\"']\s{1,3}value\s?=\s?|[\"']?\s{0,3}\n\s{0,20}value:\s{1,3}"
    rf"|>|\s{{0,9}}\|\s{{0,9}}){OPEN}"
)
# Names of secrets, in the languages of most rows.
NAMES = (
    r"(?:api_?)?key|token|secret|password|passwd|passphrase|pwd|credential|pat(?<=[_-]pat)|passwort|kennwort|"
    r"schl(?:ü|ue)ssel|contraseña|clave|senha|mot de passe|cl(?:é|ef)|chiave|ключ|пароль|токен|密钥|密鑰|密码|"
    r"密碼|令牌|口令|パスワード|トークン|キー|비밀번호|토큰|키"
)
SUFFIX = r"(?:s|_?(?:base|b64|base64|value|string|prod|dev|live|staging|raw|data|\d{1,2}))?"
SEAM = r"(?:\\{1,4}[nr]|[\s\"'>|#*+,.;]|//)"
PASSES = r"[^\s\"'`<>{}]{6,120}"

# A form given by the issuer: found anywhere, also right after a letter or an underscore.
KINDS: dict[str, Form] = {
    # models and what is around them
    "hf_token": Form(rf"(?:hf|api_org|hf_oauth)_([A-Za-z0-9]{{30,}}){TAIL}", ("hf_", "api_org_")),
    "hf_oauth_token": Form(r"hf_oauth_([A-Za-z0-9_.-]{30,})", ("hf_oauth_",)),
    "anthropic_key": Form(r"sk-ant-([A-Za-z0-9_-]{32,200})", ("sk-ant-",)),
    "openai_key": Form(
        r"(?:sk-(?:proj|svcacct|admin|None|or-v1|lf)-|(?<![A-Za-z0-9-])sk-(?!ant-))([A-Za-z0-9_-]{32,250})"
        r"|sk-([A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20})",
        ("sk-",),
    ),
    "openai_session": Form(rf"(?<![A-Za-z0-9])sess-([A-Za-z0-9]{{40}}){TAIL}", ("sess-",)),
    "xai_key": Form(rf"xai-([A-Za-z0-9]{{60,100}}){TAIL}", ("xai-",)),
    "nvidia_key": Form(r"nvapi-([A-Za-z0-9_-]{50,90})", ("nvapi-",)),
    "replicate_token": Form(rf"r8_([A-Za-z0-9]{{37,40}}){TAIL}", ("r8_",)),
    "perplexity_key": Form(rf"pplx-([A-Za-z0-9]{{40,64}}){TAIL}", ("pplx-",)),
    "groq_key": Form(rf"gsk_([A-Za-z0-9]{{48,56}}){TAIL}", ("gsk_",)),
    "together_key": Form(r"tgp_v1_([A-Za-z0-9_-]{40,50})", ("tgp_v1_",)),
    "fireworks_key": Form(rf"(?<![A-Za-z0-9])fw_([A-Za-z0-9]{{22,32}}){TAIL}", ("fw_",)),
    "cerebras_key": Form(rf"csk-([a-z0-9]{{44,56}}){TAIL}", ("csk-",)),
    "tavily_key": Form(r"tvly-(?:dev-|prod-)?([A-Za-z0-9]{28,48})", ("tvly-",)),
    "jina_key": Form(rf"jina_([A-Za-z0-9_-]{{50,70}}){TAIL}", ("jina_",)),
    "pinecone_key": Form(r"pcsk_([A-Za-z0-9_]{60,80})", ("pcsk_",)),
    "langsmith_key": Form(rf"lsv2_(?:pt|sk)_({HEX}{{32}}_{HEX}{{10}})|ls__({HEX}{{32}})", ("lsv2_", "ls__")),
    "elevenlabs_key": Form(rf"(?<![A-Za-z0-9])sk_({HEX}{{48}}){TAIL}", ("sk_",)),
    "wandb_key": Form(
        r"wandb_v1_([A-Za-z0-9_]{60,90})"
        rf"|wandb(?:\.login\([^)\n]{{0,60}}?key=[\"']| login (?:--relogin )?)({HEX}{{40}}){TAIL}",
        ("wandb_v1_", "wandb.login(", "wandb login "),
    ),
    "cohere_key": Form(rf"cohere\.(?:Async)?Client(?:V2)?\(\s?[\"']([A-Za-z0-9]{{40}}){TAIL}", ("cohere.",)),
    "kaggle_key": Form(
        rf"\\?[\"']username\\?[\"']\s?:\s?\\?[\"'][^\"'\n]{{1,60}}[\"']\s?,\s?\\?[\"']key\\?[\"']\s?:\s?\\?[\"']({HEX}{{32}}){TAIL}",
        ("username",),
    ),
    "runpod_key": Form(rf"rpa_([A-Z0-9]{{38,50}}[a-z0-9]{{0,8}}){TAIL}", ("rpa_",)),
    "posthog_key": Form(rf"phx_([A-Za-z0-9]{{40,60}}){TAIL}", ("phx_",)),
    # clouds
    "aws_key": Form(rf"(?:AKIA|ASIA)([A-Z2-7]{{16}}){TAIL}", ("AKIA", "ASIA"), one_class=True),
    "aws_session_token": Form(
        r"(?:IQoJb3JpZ2lu|F[Qw]oGZXIvYXdz)([A-Za-z0-9+/%]{80,2000}={0,2})", ("IQoJb3JpZ2lu", "oGZXIvYXdz")
    ),
    "aws_bedrock_key": Form(r"ABSK([A-Za-z0-9+/]{100,280}={0,2})", ("ABSK",)),
    "google_key": Form(r"AIza([A-Za-z0-9_-]{35})|AQ\.Ab8([A-Za-z0-9_-]{40,60})", ("AIza", "AQ.Ab8")),
    "fcm_key": Form(r"AAAA[A-Za-z0-9_-]{7}:(APA91b[A-Za-z0-9_-]{120,200})", (":APA91b",)),
    "google_oauth": Form(r"ya29\.([A-Za-z0-9_-]{40,})|GOCSPX-([A-Za-z0-9_-]{28})", ("ya29.", "GOCSPX-")),
    "google_refresh_token": Form(r"(?<![\w:/])1//0([A-Za-z0-9_-]{40,120})", ("1//0",)),
    "azure_storage_key": Form(r"AccountKey=([A-Za-z0-9+/]{86}==)", ("AccountKey=",)),
    "azure_access_key": Form(r"SharedAccessKey=([A-Za-z0-9+/]{40,88}={0,2})", ("SharedAccessKey=",)),
    "azure_sas": Form(r"[?&;]sig=([A-Za-z0-9%+/]{40,90}(?:%3[dD]|=)?)", ("sig=",)),
    "azure_key": Form(
        rf"[A-Za-z0-9]{{42}}(?:AzSe|AzFu|AzCa)[A-Za-z0-9]{{6,10}}={{0,2}}{TAIL}|([A-Za-z0-9]{{52}}JQQJ9[A-Za-z0-9]{{20,32}}){TAIL}"
        rf"|([A-Za-z0-9]{{76}}AZDO[A-Za-z0-9]{{4}}){TAIL}|([A-Za-z0-9+/]{{76}}(?:\+ASt|\+ABa|ACDb)[A-Za-z0-9+/]{{6}}==)",
        ("AzSe", "AzFu", "AzCa", "JQQJ9", "AZDO", "+ASt", "+ABa", "ACDb"),
    ),
    "azure_client_secret": Form(r"(?<![A-Za-z0-9~._-])([A-Za-z0-9_~.-]{3}8Q~[A-Za-z0-9_~.-]{31,34})", ("8Q~",)),
    "digitalocean_token": Form(rf"do[opr]_v1_({HEX}{{64}})", ("doo_v1_", "dop_v1_", "dor_v1_")),
    "databricks_token": Form(rf"dapi({HEX}{{32}}(?:-\d)?){TAIL}", ("dapi",)),
    "vault_token": Form(r"hv[sbr]\.([A-Za-z0-9_-]{24,220})", ("hvs.", "hvb.", "hvr.")),
    "terraform_token": Form(r"([A-Za-z0-9]{14})\.atlasv1\.[A-Za-z0-9_-]{60,70}", (".atlasv1.",)),
    "docker_token": Form(r"dckr_[po]at_([A-Za-z0-9_-]{27,40})", ("dckr_",)),
    "fly_token": Form(
        r"fm[12]r?_([A-Za-z0-9+/=_]{60,2000})|fo1_([A-Za-z0-9_-]{43})", ("fm1_", "fm2_", "fm1r_", "fm2r_", "fo1_")
    ),
    "tailscale_key": Form(r"tskey-[a-z]{2,12}-([A-Za-z0-9]{10,24}-[A-Za-z0-9]{20,48})", ("tskey-",)),
    "pulumi_token": Form(rf"(?<![A-Za-z0-9])pul-({HEX}{{40}}){TAIL}", ("pul-",)),
    "heroku_key": Form(rf"HRKU-([A-Za-z0-9_-]{{30,70}}){TAIL}", ("HRKU-",)),
    "supabase_key": Form(rf"sbp_({HEX}{{40}})|sb_secret_([A-Za-z0-9_-]{{20,50}})", ("sbp_", "sb_secret_")),
    "planetscale_key": Form(r"pscale_(?:tkn|pw|oauth)_([A-Za-z0-9_.-]{32,64})", ("pscale_",)),
    "netlify_token": Form(rf"nfp_([A-Za-z0-9]{{36,40}}){TAIL}", ("nfp_",)),
    "cloudflare_key": Form(rf"v1\.0-({HEX}{{24}}-{HEX}{{100,150}})", ("v1.0-",)),
    "alibaba_key": Form(rf"(?<![A-Za-z0-9])LTAI([A-Za-z0-9]{{16,24}}){TAIL}", ("LTAI",)),
    # code and packages
    "github_token": Form(rf"gh[pousr]_([A-Za-z0-9]{{36,255}}){TAIL}", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_")),
    "github_pat": Form(rf"github_pat_([A-Za-z0-9_]{{36,255}}){TAIL}", ("github_pat_",)),
    "gitlab_token": Form(
        r"gl(?:pat|dt|ptt|rt|cbt|soat|ft|imt|agent|oas)-([A-Za-z0-9_.-]{20,80})",
        ("glpat-", "gldt-", "glptt-", "glrt-", "glcbt-", "glsoat-", "glft-", "glimt-", "glagent-", "gloas-"),
    ),
    "bitbucket_token": Form(rf"ATBB([A-Za-z0-9_=.-]{{28,40}}){TAIL}", ("ATBB",)),
    "atlassian_token": Form(r"ATATT3xFf([A-Za-z0-9_=-]{80,250})", ("ATATT3xFf",)),
    "npm_token": Form(rf"npm_([A-Za-z0-9]{{36}}){TAIL}", ("npm_",)),
    "pypi_token": Form(r"pypi-AgE[A-Za-z0-9_-]{13,17}([A-Za-z0-9_-]{50,250})", ("pypi-AgE",)),
    "rubygems_key": Form(rf"rubygems_({HEX}{{48}})", ("rubygems_",)),
    "postman_key": Form(rf"PMAK-({HEX}{{24}}-{HEX}{{34}})", ("PMAK-",)),
    "linear_key": Form(rf"lin_api_([A-Za-z0-9]{{40}}){TAIL}", ("lin_api_",)),
    "notion_token": Form(rf"ntn_([A-Za-z0-9]{{40,50}}){TAIL}|secret_([A-Za-z0-9]{{43}}){TAIL}", ("ntn_", "secret_")),
    "airtable_token": Form(rf"(?<![A-Za-z0-9])pat[A-Za-z0-9]{{14}}\.({HEX}{{64}})", ("pat",)),
    "figma_token": Form(r"fig[dou]r?_([A-Za-z0-9_-]{40,60})", ("figd_", "figo_", "figu_", "figdr_", "figor_")),
    "grafana_token": Form(r"glsa_([A-Za-z0-9]{32}_[0-9a-f]{8})|glc_(eyJ[A-Za-z0-9+/=]{60,})", ("glsa_", "glc_eyJ")),
    "sourcegraph_token": Form(rf"sgp_((?:[a-z0-9]{{5,16}}_)?{HEX}{{40}}){TAIL}", ("sgp_",)),
    "contentful_token": Form(r"CFPAT-([A-Za-z0-9_-]{43})", ("CFPAT-",)),
    "dynatrace_token": Form(rf"dt0[a-z]\d{{2}}\.[A-Z0-9]{{24}}\.([A-Z0-9]{{64}}){TAIL}", ("dt0",)),
    "onepassword_token": Form(r"ops_(eyJ[A-Za-z0-9+/=_-]{200,2000})", ("ops_eyJ",)),
    "sentry_token": Form(r"sntr(?:ys|yu)_([A-Za-z0-9+/=_]{40,250})", ("sntrys_", "sntryu_")),
    "newrelic_key": Form(rf"NRAK-([A-Z0-9]{{27}}){TAIL}", ("NRAK-",)),
    "doppler_token": Form(r"dp\.(?:pt|st|ct|sa)\.(?:[a-z0-9_-]{2,35}\.)?([A-Za-z0-9]{40,44})", ("dp.",)),
    # people, money, mail
    "slack_token": Form(
        r"xox[abeoprsc][-.](?:xox[bp]-)?([A-Za-z0-9-]{24,250})|xapp-\d-([A-Za-z0-9-]{40,160})",
        ("xoxa", "xoxb", "xoxe", "xoxo", "xoxp", "xoxr", "xoxs", "xoxc", "xapp-"),
    ),
    "slack_webhook": Form(
        r"hooks\.slack\.com/(?:services|workflows|triggers)/(T[A-Z0-9]{6,}/[A-Z0-9]{6,}/[A-Za-z0-9]{20,})",
        ("hooks.slack.com/",),
    ),
    "discord_token": Form(
        rf"(?<![\w.-])(?:mfa\.[A-Za-z0-9_-]{{80,}}|([A-Z][A-Za-z0-9_-]{{23,27}}\.[A-Za-z0-9_-]{{6}}\."
        rf"[A-Za-z0-9_-]{{27,40}})){TAIL}",
        (".",),
        needs=r"\.[\w-]{6}\.[\w-]{27}|\bmfa\.",
    ),
    "discord_webhook": Form(
        r"discord(?:app)?\.com/api/webhooks/\d{17,20}/([A-Za-z0-9_-]{60,80})", ("/api/webhooks/",)
    ),
    "teams_webhook": Form(
        rf"webhook\.office\.com/webhookb2/({UUID}@{UUID}/IncomingWebhook/{HEX}{{32}}/{UUID})", ("webhook.office.com/",)
    ),
    "telegram_token": Form(r"(?<!\d)\d{8,10}:(AA[A-Za-z0-9_-]{32,35})(?![A-Za-z0-9_-])", (":AA",)),
    "stripe_key": Form(
        rf"[sr]k_live_([A-Za-z0-9]{{24,247}}){TAIL}|whsec_([A-Za-z0-9]{{32,64}}){TAIL}", ("k_live_", "whsec_")
    ),
    "square_token": Form(rf"sq0(?:atp|csp)-([A-Za-z0-9_-]{{22,43}}){TAIL}", ("sq0atp-", "sq0csp-")),
    "shopify_token": Form(rf"shp(?:at|ca|pa|ss)_({HEX}{{32}})", ("shpat_", "shpca_", "shppa_", "shpss_")),
    "sendgrid_key": Form(r"SG\.([A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43})", ("SG.",)),
    "mailgun_key": Form(rf"(?<![A-Za-z0-9])key-({HEX}{{32}}){TAIL}", ("key-",)),
    "brevo_key": Form(rf"xkeysib-({HEX}{{64}}-[A-Za-z0-9]{{16}}){TAIL}", ("xkeysib-",)),
    "resend_key": Form(rf"(?<![A-Za-z0-9])re_([A-Za-z0-9]{{6,10}}_[A-Za-z0-9]{{20,28}}){TAIL}", ("re_",)),
    "mailchimp_key": Form(rf"(?<![A-Za-z0-9])({HEX}{{32}})-us\d{{1,2}}{TAIL}", ("-us",)),
    "twilio_key": Form(
        rf"(?<![A-Za-z0-9])SK({HEX}{{32}}){TAIL}|(?<![A-Za-z0-9])AC{HEX}{{32}}(?:[\"']\s?,\s?[\"']|:)({HEX}{{32}}){TAIL}",
        ("SK", "AC"),
    ),
    "facebook_token": Form(rf"(?<![A-Za-z0-9])EAA[A-Za-z0-9]{{2,9}}B([A-Za-z0-9]{{80,250}}){TAIL}", ("EAA",)),
    "dropbox_token": Form(r"(?<![A-Za-z0-9])sl\.(?:u\.)?([A-Za-z0-9_-]{120,1200})", ("sl.",)),
    "age_key": Form(r"AGE-SECRET-KEY-1([A-Z0-9]{58})", ("AGE-SECRET-KEY-1",)),
    "jwt": Form(r"(?<![A-Za-z0-9])(eyJ[A-Za-z0-9_-]{12,}\.eyJ[A-Za-z0-9_-]{12,}\.[A-Za-z0-9_-]{20,})", ("eyJ",)),
    "private_key": Form(
        # what may stand between its lines: breaks in every spelling, and the marks of quotes, lists, tables and code
        rf"----[- ]BEGIN (?:[A-Z0-9]{{2,12}} ){{0,2}}PRIVATE KEY(?: BLOCK)? ?-----?{SEAM}{{0,40}}"
        r"(?:[A-Za-z-]{3,20}: [^\n\\]{0,100}(?:\\+[nr]|\n)+){0,8}[\s>|#*]{0,20}"
        rf"((?:[A-Za-z0-9+=]|\\{{0,4}}/){{40,}}(?:{SEAM}{{1,40}}(?:[A-Za-z0-9+=]|\\{{0,4}}/){{16,}})*"
        rf"(?:{SEAM}{{0,40}}[A-Za-z0-9+/=]{{1,15}}(?={SEAM}{{0,40}}---))?)",
        ("PRIVATE KEY",),
    ),
    "encoded_private_key": Form(r"LS0tLS1CRUdJTi([A-Za-z0-9+/]{60,12000}={0,2})", ("LS0tLS1CRUdJTi",)),
    "putty_key": Form(r"PuTTY-User-Key-File-\d[\s\S]{0,2000}?Private-Lines: \d+\s+([A-Za-z0-9+/=]{40,})", ("PuTTY",)),
    # a password in an address: of a database, a queue, a repository
    "url_password": Form(
        r"(?i:(?:postgres(?:ql)?|mysql|mariadb|mongodb|rediss?|amqps?|mssql|sqlserver|oracle|clickhouse|cockroachdb|"
        r"snowflake|ldaps?|smtps?|imaps?|s?ftp|ssh|mqtts?|nats|kafka|elasticsearch|https?)"
        r"(?:\+[a-z0-9_]{1,20})?)://[^\s:@/\"'<>`{}$]{0,60}:"
        r"((?:[^\s@/\"'<>`{}\[\]|]|@(?=[^\s/\"'<>`{}]{0,120}@[A-Za-z0-9\[])){6,120})@[A-Za-z0-9\[]",
        ("://",),
        least_bits=2.5,
    ),
    # without a form: a random value after a name that says what it is
    "aws_secret_key": Form(
        rf"(?:(?i:aws[\w .-]{{0,20}}secret[\w .-]{{0,20}}|secret_?access_?key)[\w ]{{0,10}}{IS}"
        r"|(?:AKIA|ASIA)[A-Z2-7]{16}\\?[\"']?\s?[,:;|\n]\s{0,4}\\?[\"']?)([A-Za-z0-9+/]{40})(?![A-Za-z0-9+/=])",
        ("secret", "Secret", "SECRET", "AKIA", "ASIA"),
        least_bits=3.8,
    ),
    "named_key": Form(
        rf"(?i:(?P<name>{NAMES}){SUFFIX})(?:{IS})([A-Za-z0-9_+/.~-]{{24,4000}}={{0,2}})(?![A-Za-z0-9_+/=-])",
        (
            *("key", "Key", "KEY", "oken", "OKEN", "ecret", "ECRET", "assw", "ASSW", "pwd", "PWD", "passp", "PASSP"),
            *("redential", "REDENTIAL", "_PAT", "_pat", "-pat", "chlü", "chlue", "CHLÜ", "ntraseñ", "NTRASEÑ"),
            *(
                "clave",
                "Clave",
                "senha",
                "Senha",
                "ot de passe",
                "clé",
                "Clé",
                "clef",
                "Clef",
                "hiave",
                "люч",
                "ЛЮЧ",
                "арол",
                "АРОЛ",
                "окен",
                "ОКЕН",
                "密",
                "令牌",
                "口令",
            ),
            *("パスワード", "トークン", "キー", "비밀", "토큰", "키"),
        ),
        least_bits=3.2,
    ),
    # a name in a command, with a blank between it and the value
    "command_key": Form(
        r"(?:--?(?i:[a-z-]{0,30}(?:key|token|secret|password))|(?<![A-Za-z0-9_])[A-Z][A-Z0-9_]{0,60}_"
        r"(?:KEY|TOKEN|SECRET|PASSWORD)|(?i:auth-?token|[a-z]{2,20} login))[ \t]{1,3}[\"']?"
        r"([A-Za-z0-9_+/.~-]{24,400}={0,2})(?![A-Za-z0-9_+/=-])",
        ("key", "KEY", "oken", "TOKEN", "ecret", "SECRET", "assword", "PASSWORD", " login "),
        least_bits=3.2,
    ),
    "secret_key": Form(
        r"(?i:secret_?key|signing_?key|encryption_?key|passwo?r?d|passphrase)"
        rf"{TYPE}[\"']?\]?\s{{0,3}}(?:=>|[:=])\s{{0,3}}[br]?(?:\"([^\s\"\\]{{24,120}})\"|'([^\s'\\]{{24,120}})')",
        ("ecret", "ECRET", "igning", "IGNING", "ncryption", "NCRYPTION", "assw", "ASSW", "assphrase"),
        least_bits=3.8,
    ),
    "bearer_token": Form(
        r"(?i:authorization)[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?i:bearer|token|basic)\s{1,3}([A-Za-z0-9_+/.~-]{30,1200}={0,2})",
        ("uthorization", "UTHORIZATION"),
        least_bits=3.4,
    ),
    "basic_auth": Form(
        r"(?i:authorization)[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?i:basic)\s{1,3}([A-Za-z0-9+/]{12,400}={0,2})"
        r"|\\?\"_?auth\\?\"\s?:\s?\\?\"([A-Za-z0-9+/]{16,400}={0,2})\\?\"",
        ("asic ", "ASIC ", 'auth"', "auth\\"),
        least_bits=2.5,
    ),
    # passwords as people choose them: only where nothing else can stand
    "connection_password": Form(
        r"(?:(?i:(?:server|host|data source|endpoint|driver)\s?=[^;\n\"']{1,120};[^\n\"']{0,200}?"
        r"(?:password|pwd)\s?=\s?)([^;\s\"'{}<>$]{6,120})"
        r"|jdbc:[a-z0-9:]{3,40}[^\s\"'<>`]{0,200}?[?&;](?i:password|pwd)=([^&;\s\"'<>`{}]{6,120})"
        r"|jdbc:oracle:thin:\w{1,40}/([^\s/\"'<>`{}]{6,120})@"
        r"|(?:host|dbname|user)=[^\n\"'<>`]{1,160}?\bpassword=([^\s\"'<>`{}]{6,120})"
        r"|\w{1,40}:([^\s:@/\"'<>`{}]{6,120})@(?:tcp|unix)\()",
        ("assword", "ASSWORD", "pwd", "Pwd", "PWD", "jdbc:oracle", "@tcp(", "@unix("),
        least_bits=2.5,
    ),
    "command_password": Form(
        rf"curl\b[^\n]{{0,300}}?\s(?:-u|--user)[ =]{{0,2}}[\"']?[^\s:\"'<>$]{{1,80}}:({PASSES})"
        rf"|sshpass\s+-p\s{{0,2}}[\"']?({PASSES})"
        rf"|(?:mysql(?:dump|admin|import)?|mariadb)\b[^\n]{{0,200}}?\s-p[\"']?({PASSES})"
        r"|(?:docker|podman|helm registry|az acr) login\b[^\n]{0,200}?"
        rf"\s(?:-p|--password)[ =]{{1,2}}[\"']?({PASSES})"
        rf"|(?:PGPASSWORD|MYSQL_PWD|SSHPASS|REDISCLI_AUTH)=[\"']?({PASSES})"
        rf"|machine\s+\S{{1,120}}\s+login\s+\S{{1,120}}\s+password\s+({PASSES})"
        r"|:(?:5432|5433|6432):[\w*.-]{1,60}:[\w.-]{1,60}:([^\s\"'`<>{}:]{6,120})(?![^\s\"'`])",
        (
            "curl",
            "sshpass",
            "mysql",
            "mariadb",
            " login ",
            "PGPASSWORD",
            "MYSQL_PWD",
            "SSHPASS",
            "REDISCLI_AUTH",
            "machine",
            ":5432:",
            ":5433:",
            ":6432:",
        ),
        least_bits=2.5,
    ),
}

# Kinds of which only the random part is secret: what comes before says where it is.
NAMED = frozenset(
    (
        *("aws_secret_key", "named_key", "command_key", "secret_key", "bearer_token", "basic_auth", "url_password"),
        *("connection_password", "command_password", "kaggle_key", "cohere_key"),
    )
)
# Kinds that yield to others at the same place.
LAST = (
    *(
        "jwt",
        "url_password",
        "aws_secret_key",
        "connection_password",
        "command_password",
        "basic_auth",
        "bearer_token",
    ),
    *("named_key", "command_key", "secret_key"),
)
# What a text without a long run must have one of to hold a key.
MARKS = (
    *(
        "://",
        "assw",
        "ASSW",
        "wd",
        "WD",
        "jdbc:oracle",
        "@tcp(",
        "@unix(",
        "curl",
        "sshpass",
        "SSHPASS",
        "mysql",
        "mariadb",
    ),
    *(" login ", "REDISCLI_AUTH", "asic ", "ASIC ", 'auth"', "auth\\", ":5432:", ":5433:", ":6432:"),
    *("ecret", "ECRET", "igning", "IGNING", "ncryption", "NCRYPTION", "assphrase", "ASSPHRASE"),
)
# In the language of RE2 too, with which Arrow searches a whole column: what every text that holds a key has.
HINT = (
    r"[\w+/=~%-]{20}|://[^\s/]{0,60}:|(?i:assword|pwd)[ =]|jdbc:oracle|@(?:tcp|unix)\(|curl|sshpass|SSHPASS|mysql|"
    r"mariadb| login |(?i:(?:secret|signing|encryption)_?key|passwo?r?d|passphrase)|REDISCLI_AUTH|(?i:asic) |"
    r"auth[\"\\\\]|:(?:5432|5433|6432):"
)
