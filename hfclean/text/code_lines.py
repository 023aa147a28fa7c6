"""Lines of a text that look like code, in a fence or not."""

import re

# A line that is code in any context. It is matched line by line, from the first character that is not a space.
STATEMENT = re.compile(
    r"(?:async )?def \w+ ?\(|class \w+ ?(?:\(.{0,100}\) ?)?[:{]|(?:public|private|protected|"
    r"static) [\w<>\[\], ]{1,80}[({;=]|import \w[\w.]*(?: as \w+)?;?\Z|from [\w.]+ import \w|#include ?[<\"]|"
    r"using namespace |package \w[\w.]*;|(?:int|float|double|char|void|bool|string|String|auto|var|let|const|"
    r"val) \w[\w\[\]*<>, ]{0,60} ?(?:=|\(|;)|function ?\w* ?\(|return\b.{0,120};\Z|"
    r"return [\w.()\[\]+\-*/'\" ]{1,60}\Z|(?:for|while|if|elif|else if|\} ?else if|switch|"
    r"foreach) ?\(.{1,200}\) ?\{?\Z|\}? ?else ?[:{]\Z|(?:else|try|finally|do):?\Z|for \w+(?:, ?\w+)* in .{1,100}:\Z|"
    r"(?:while|if|elif|with|except) (?=.{0,100}[=()<>\[\]_]).{1,100}:\Z|(?:while|if) (?:not )?\w+:\Z|(?:console\.log|"
    r"print|println|printf|System\.out\.print\w*|puts|echo) ?\(?[\"'(\w]|cout ?<<|cin ?>>|SELECT .{1,300}|"
    r"select .{1,200}\bfrom \w+|(?:INSERT INTO|CREATE (?:TABLE|DATABASE|VIEW|INDEX)|ALTER TABLE|UPDATE \w+ SET|"
    r"DELETE FROM|DROP TABLE|WHERE \w+ ?[=<>]|FROM \w+(?:;|\Z)|GROUP BY|ORDER BY)\b|</?(?:html|head|body|div|span|p|"
    r"a|ul|ol|li|table|thead|tbody|tr|td|th|form|input|script|style|h[1-6]|img|br|title|meta|link|button|nav|section|"
    r"header|footer|label|select|option|svg|xml)\b[^>]{0,300}>|<!DOCTYPE|<\?(?:php|xml)|<!--|"
    r"(?:[.#]?[\w-]{1,40}+[ ,]?){1,3}+ ?\{\Z|[\w-]{1,40}: ?[^;]{1,80};\Z|[}\])]{1,4}[;,]?\Z|\{\Z|\$\w+ ?=|"
    r"@\w+(?:\(.{0,100}\))?\Z|git (?:add|commit|push|pull|clone|init|checkout|status|merge|branch)\b|(?:pip3?|npm|"
    r"apt-get|apt|brew|yarn) (?:install|run|i|update)\b|sudo \w|docker (?:run|build|compose|pull)\b|(?:curl|"
    r"wget) (?:-|http)|(?:mkdir|chmod|cd|grep|ls) [-./~\w]+\Z"
)
# A line that is code among such: an assignment, a call, a comment.
AMONG_CODE = re.compile(
    r"[A-Za-z_][\w.\[\]\"']{0,60} ?(?:[+\-*/:]|\*\*|//)?= ?\S.{0,300}\Z|[A-Za-z_][\w.]{0,60}\(.{0,200}\);?\Z|(?:#|//|"
    r"/\*|\*/|--) ?\S.{0,200}\Z|[\"']?\w+[\"']?: ?[\[{\"'].{0,200}\Z|.{1,200};\Z"
)
MOST_LINES = 1000


def _may_be_code(text: str) -> bool:
    # A chain of "in", not any(): this runs on every answer.
    return (
        "(" in text
        or "{" in text
        or "<" in text
        or ";" in text
        or "=" in text
        or "SELECT" in text
        or "select " in text
        or "git " in text
        or "import " in text
        or "sudo " in text
        or "install" in text
        or "print" in text
    )


def code_lines(text: str) -> int:
    """Number of lines that look like code; 0 when none of them does by itself."""
    if not _may_be_code(text):
        return 0
    sure = among = 0
    for line in text.split("\n", MOST_LINES)[:MOST_LINES]:
        line = line[:300].strip()
        if STATEMENT.match(line):
            sure += 1
        elif AMONG_CODE.match(line):
            among += 1
    return sure + among if sure else 0
