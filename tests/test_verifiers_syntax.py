"""Code that its language refuses is found, with its line; fragments, templates and other versions are not."""

from __future__ import annotations

import sys

import pytest
from extras import needs

from hfclean import verify
from hfclean.schema import Pair
from hfclean.verifiers import VERIFIERS, Finding
from hfclean.verifiers.grammars import LONGEST_CODE
from hfclean.verifiers.parsers import LONGEST, LONGEST_REGEX, LONGEST_SQL, LONGEST_TOML, LONGEST_YAML, xml_fault


def found(text: str, instruction: str = "Do it.") -> list[Finding]:
    return verify(Pair(instruction, "", text), only=["syntax_error"])


def fenced(language: str, code: str) -> str:
    return f"Here it is:\n\n```{language}\n{code}\n```\nThat is all."


def lines(language: str, code: str) -> list[int]:
    """The lines of the findings, 0-based in the code."""
    return [finding.line - 3 for finding in found(fenced(language, code))]


# ------------------------------------------------------------------------------------------ lines

FAULTS = [
    ("python", "def f(x):\nreturn x", 1),
    ("python", "total = (1 + 2\nprint(total)", 0),
    ("py", "x = 1\nif x = 1:\n    print(x)", 1),
    ("Python", "for i in range(3)\n    print(i)", 0),
    ("python3", "names = ['a', 'b'\nfor name in names:\n    print(name)", 0),
    ("python", "print('hello)", 0),
    ("python", "x = 5\n    y = 6\nz = 7", 1),
    ("python", "def f():\n    if True:\n        a = 1\n      b = 2", 3),
    ("python", "import os\nprint(os.getcwd()))", 1),
    ("python", "class A:\n    def f(self)\n        pass", 1),
    ("python", "while True:\n    x = x +\n    print(x)", 1),
    ("python", "def f():\n    return 1\nelse:\n    return 2", 2),
    ("python", "d = {'a': 1, 'b' 2}", 0),
    ("python", "1. Import the library\nimport nltk", 0),
    ("python", "x = 'é'\ny = (1", 1),
    ("python", "x = 1\n@d\n\n\n", 1),
    ("xml", "<a/>\n<!-- b", 1),
    ("json", '\n{"a" 1}', 1),
    ("json", '{"a" 1,\n"b": 2,\n"c": 3}', 0),
    ("json", '{"a": 1 "b": 2}', 0),
    ("json", '{"a": [1, 2}', 0),
    ("json", '{\n  "a": 1,\n  "b": 2\n', 2),
    ("json", '{"a": 1}}', 0),
    ("json", '{"a": None}', 0),
    ("json", "[1, 2,]", 0),
    ("json", '{"a" 1}', 0),
    ("json", '{"a": "b}', 0),
    ("json", '{"a": True, "b": "c"}', 0),
    ("yaml", "a: 1\n b: 2", 1),
    ("yml", "a: [1, 2\nb: 3", 1),
    ("yaml", "key: value: other", 0),
    ("yaml", 'name: "open\nother: 1', 1),
    ("yaml", "a:\n\t- b", 1),
    ("toml", "a = ", 0),
    ("toml", '[x]\nname = "a\nb = 1', 1),
    ("toml", "a = 1\na = 2", 1),
    ("toml", "[table\na = 1", 0),
    ("toml", "a = 1\nb = -\n", 1),
    ("toml", "port = -80\nb = 'x", 1),
    ("toml", "a = true\nb = [1", 1),
    ("toml", 'name = "a"\nversion = 1.2.\n', 1),
    ("python", "print(1)\n\nx = (1\n", 2),
    ("python", "x = = 1\n\n3 apples", 0),
    ("python", "print(1)\n3 apples", 1),
    ("toml", 'a = "1', 0),
    ("toml", "a = 1\nb = [1,", 1),
    ("xml", "<a><b></a></b>", 0),
    ("xml", "<a>\n<b>1 < 2</b>\n</a>", 1),
    ("xml", "<a>\n<b>Tom & Jerry</b>\n</a>", 1),
    ("xml", '<?xml version="1.0"?>\n<a>\n<b>\n</a>', 3),
    ("xml", '<?xml version="1.0"?>\n<a>\n<b></b>', 2),
    ("xml", "<a b=1></a>", 0),
    ("xml", "<a><!-- c -->\n<b></a>", 1),
    ("xml", "<a><![CDATA[c]]>\n<b></a>", 1),
    ("xml", "\n<a><b></a></b>", 1),
    ("xml", '\n<?xml version="1.0"?>\n<a>\n<b></a>\n<c/>', 3),
    ("html", "<div><p>a</p></div></div>", 0),
    ("html", "<ul>\n<li><b>a</li>\n</ul>", 1),
    ("html", "<!DOCTYPE html>\n<html>\n<body>\n<div>\n</body>\n</html>", 3),
    ("html", "<html>\n<body>\n<p>a", 1),
    ("html", "<h1>a</h2>", 0),
    ("html", '<p class="a>b</p></div>', 0),
    ("python", "def f(x):\n    # doubles\n    return 2 * (x", 2),
    ("json", '{"a": yes}', 0),
    ("html", "\n<p>a</p></div>\n<p>b</p>", 1),
    ("html", "\n<ul><b></ul>\n<p>", 1),
    ("html", "\n<!DOCTYPE html>\n<html>\n<body>\n<div>\n<p>", 4),
    ("regex", r"(\d+", 0),
    ("regex", r"\d+)", 0),
    ("regexp", r"[a-z", 0),
    ("regex", r"[z-a]", 0),
    ("regex", r"*abc", 0),
    ("regex", r"/a{3,1}/g", 0),
    ("regex", "/*abc/", 0),
    ("regex", "\n(a|b", 1),
]


def test_what_is_found_differently_than_before_has_another_version() -> None:
    expected = {"syntax_error": (1, "high")}
    assert {each.id: (each.version, each.severity) for each in VERIFIERS if each.id in expected} == expected


@pytest.mark.parametrize(("language", "code", "line"), FAULTS)
def test_a_fault_is_found_in_its_line(language: str, code: str, line: int) -> None:
    assert lines(language, code) == [line]


SQL_FAULTS = [
    ("SELECT name FROM users WHERE (age > 3", 0),
    ("SELECT name FROM\nWHERE a = 1 GROUP", 1),
    ("SELECT a FROM t WHERE AND b = 1", 0),
    ("INSERT INTO t (a, b) VALUES (1, 2", 0),
    ("UPDATE t SET a = WHERE b = 1", 0),
    ("CREATE TABLE t (\n  id INT PRIMARY KEY,\n  name VARCHAR(20", 2),
    ("SELECT a FROM t\nWHERE a IN (1, 2;", 1),
    ("SELECT * FROM a JOIN b ON a.x = = b.x", 0),
    ("SELECT CASE WHEN a > 1 THEN 2 FROM t", 0),
    ("WITH x AS (SELECT 1 SELECT * FROM x", 0),
    ("SELECT a FROM t WHERE\nb = ) 1\nAND c = 2\nAND d = 3", 1),
]


@pytest.mark.parametrize(("code", "line"), SQL_FAULTS)
def test_what_every_dialect_of_sql_refuses_is_found(code: str, line: int) -> None:
    needs("verify", "sqlglot")
    assert lines("sql", code) == [line]


GRAMMAR_FAULTS = [
    ("javascript", "function f() {\n  return 1;\n", 0),
    ("js", "const a = [1, 2;\nconsole.log(a);", 0),
    ("javascript", "if (a > 1 {\n  b();\n}", 0),
    ("javascript", "f(1));\nif (a) {", 0),
    ("javascript", "let x = ;\nlet y = 1;", 0),
    ("typescript", "const a: number = ;\n", 0),
    ("ts", "interface A {\n  b: string;\n", 0),
    ("jsx", "const A = () => <div><p>a</div>;", 0),
    ("tsx", "const A = () => {\n  return <p>a</p>;\n", 0),
    ("java", "public class A {\n  void f() {\n    int x = 1;\n  }\n", 0),
    ("java", "class A {\n  void f() {\n    int x = 1\n    f();\n  }\n}", 2),
    ("c", "int main() {\n  if (a) {\n    return 0;\n}\n", 0),
    ("c", 'int main() {\n  printf("a";\n}', 1),
    ("cpp", "int main() {\n  std::vector<int> v(3;\n}", 1),
    ("c++", "int f() {\n  return 1;\n}}\n", 2),
    ("csharp", "class A {\n  void F() {\n    int x = 1;\n  }\n", 0),
    ("c#", "int x = 1\nint y = 2;", 0),
    ("go", "func f() {\n\treturn 1\n", 0),
    ("golang", "func f() int {\n\treturn g(1\n}", 1),
    ("rust", "fn f() -> i32 {\n    g(1\n}", 1),
    ("rs", "fn f() {\n    let x = ;\n}", 1),
    ("ruby", "def f\n  if a\n    b\nend\n", 0),
    ("rb", "puts [1, 2\nputs 3)", 1),
    ("php", "<?php\nfunction f() {\n  echo 'a';\n", 1),
    ("php", "$a = [1, 2;\necho $a;", 0),
    ("bash", "if [ -f a ]; then\n  echo a\n", 1),
    ("sh", "for i in 1 2; do\n  echo $i\n", 1),
    ("css", "a {\n  color: red;\n", 0),
    ("css", "a { color: red; }\n}", 1),
]


@pytest.mark.parametrize(("language", "code", "line"), GRAMMAR_FAULTS)
def test_a_fault_of_another_language_is_found(language: str, code: str, line: int) -> None:
    needs("verify", "tree_sitter_language_pack")
    assert lines(language, code) == [line]


# ------------------------------------------------------------------------------------------ faults

SILENT = [
    # whole and right
    ("python", "def f(x):\n    return x"),
    ("python", "  def f(x):\n      return x\n  f(1)"),
    ("python", "async def f():\n    await g()\nawait f()"),
    ("python", "s = '\\d'\nx = 1 is 1"),
    ("json", '{"a": [1, 2.5e3, null, true, "\\u00e9"]}'),
    ("json", "1" * 5_000),
    ("json", "[1]\n[2]"),
    ("json", '{"a": %d}'),
    ("yaml", "a:\n  - b\n  - c: {d: [1, 2]}\n---\nx: *y"),
    ("toml", "[a.b]\nc = [1, 2]\nd = 1979-05-27"),
    ("xml", '<?xml version="1.0" encoding="UTF-8"?>\n<a b="1"><!-- c --><d/>&amp;&#10;</a>'),
    (
        "html",
        "<!DOCTYPE html><html><head><title>a</title></head><body><p>a<br><img src=a><ul><li>b</ul></body></html>",
    ),
    ("html", "<div title='a/>b'></div>"),
    ("html", '<div title="a/>b"></div>'),
    ("html", "<script>if (a < b) { '</div>' }</script><!-- </div> --><p></p></p><svg/>"),
    ("html", "<!DOCTYPE html><html><body><svg/></body></html>"),
    ("regex", r"^(?:\d{3}-)?[a-z]+$"),
    # what a program prints, below it
    ("python", "print(1 + 2)\n\n3 apples are left"),
    ("python", "def f():\n    return 1\n\nprint(f())\n \nHello World 1\n\nBye now, World\n"),
    # INI
    ("toml", "[server]\nhost = localhost\nport = 80"),
    ("toml", "; comment\n[a]\nx = 3"),
    ("toml", "[mysqld]\nskip-networking\nuser = 1"),
    ("toml", "[a]\npath = /usr/bin"),
    ("toml", "[a]\npath = C:\\bin"),
    ("toml", "[a]\nhome = ~/x"),
    ("toml", "[a]\nbind = 127.0.0.1"),
    ("toml", "[a]\ntimeout = 30s"),
    ("toml", "[a]\nsize = 64M"),
    ("toml", "[a]\nflags = -O2 -g"),
    ("toml", "[a]\nuser: root"),
    ("toml", "[a/b]\nx = 1"),
    ("toml", "[flake8:local]\nx = 1"),
    ("toml", "[a]\nx = %(y)s"),
    ("toml", "[a]\nx = *.py"),
    ("toml", "[tool]\nenable = yes"),
    # fragments
    ("python", "return x"),
    ("python", "elif x > 1:\n    print(x)"),
    ("python", "    return x\n"),
    ("python", "def f(x):"),
    ("python", "try:\n    f()\n"),
    ("python", "x = 1\ntry:\n f()\n"),
    ("python", "\nx = 1\n    y = 2\n    z = 3"),
    ("python", "x = 1\n    y = 2\n    z = 3\n"),
    ("python", ".filter(a=1)\n.all()"),
    ("json", '"a": 1,\n"b": 2'),
    ("json", '{"a": 1}\n{"a": 2}'),
    ("xml", "<a>1</a>\n<b>2</b>"),
    ("xml", "<manifest>\n<application>"),
    ("xml", "android:name=1"),
    ("html", "<div>\n<p>a"),
    ("html", "<div class=a>"),
    # something left out, or to be filled in
    ("python", "def f(...):\n    x = [1, ...\n"),
    ("python", "x = <your name>\n"),
    ("python", "x = {{ name }\n"),
    ("python", "def f(a, …):\n    pass"),
    ("json", '{"a": 1, ...}'),
    ("json", '{"a": <value>}'),
    ("json", '{"a": ${value}}'),
    ("json", '{"a": {{value}}}'),
    ("yaml", "a: {{ b }}: c"),
    ("yaml", "a: ${b: c: d"),
    ("yaml", "a: b: c\n..."),
    ("toml", "a = <value>"),
    ("toml", "a = ..."),
    ("xml", "<a>\n<...>\n</a>"),
    ("xml", "<a>{{ b < c }}</a>"),
    ("xml", "<a>\n<b>\n...\n</a>"),
    ("html", "<div>...</div></div>"),
    ("html", "<div>{% if a %}</div>{% else %}</div>{% endif %}"),
    ("regex", "(a|b|..."),
    ("python", "def f(x):\n    # your code here\n\nclass A:\n    # and here"),
    ("python", "def f(self):\n        pass\n    def g(self):\n        pass"),
    ("python", "x = 1\nprint(x)\nOutput:\n1 2"),
    ("python", "x = 3\n=> 3"),
    ("json", '{"a": number, "b": string}'),
    ("json", '{"a": "b", "c": [int]}'),
    ("json", '{"a": [Your Age]}'),
    ("json", '{"a": 123 (optional)}'),
    ("json", '{"a": 1 # one\n}'),
    ("json", '{"a": undefined}'),
    ("json", '{"a": ObjectId("b")}'),
    ("html", "</body>\n</html>"),
    ("html", '<div v-if="a < b">c</div>'),
    ("html", "<b onclick=\"f('</div>')\">c</b>"),
    # sessions, notebooks, shells, patches, output
    ("python", ">>> x = 1\n>>> x\n1 2"),
    ("python", "%matplotlib inline\nimport a"),
    ("python", "!pip install a\nimport a"),
    ("python", "$ python a.py\nx = 1"),
    ("python", "pip install numpy\nimport numpy"),
    ("python", "-x = 1\n+ x = (2\n y = 3"),
    ("python", "In [1]: x = 1"),
    ("python", "f?\nx = 1"),
    ("python", "Counting the words of it"),
    # other versions and dialects
    ("python", "print 'hello'\nx = 1"),
    ("python", "try:\n    x = 1\nexcept ValueError, e:\n    pass"),
    ("python", "x = 0777\n"),
    ("python", "x = 10L\n"),
    ("python", "if a <> b:\n    c()"),
    ("python", "type A[T] = list[T]\nx = 1"),
    ("python", "def f[T](x: T): return x"),
    ("python", 'x = f"{a["b"]}"'),
    ("python", 'x = t"{a}"'),
    ("python", 'x = f"""\n{a b}\n"""'),
    ("python", "y = 1\nx = (f'{y}']"),
    ("python", "y = 1\nx = f'{y['a']} {'"),
    ("json", "{'a': 1}"),
    ("json", "{a: 1}"),
    ("json", '{"a": 1, // one\n"b": 2}'),
    ("json", '{\n# one\n"b": 2,}'),
    ("json", '{"a": /* one */ 1}'),
    ("json", '{"a": "b" + "c"}'),
    ("yaml", "---\ntitle: a\n---\n# Heading: a: b\n- [x"),
    ("yaml", "a: \x01"),
    ("toml", "a = {\n  b = 1,\n}"),
    ("toml", "a = " + "1" * 5_000),
    ("xml", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a></a>'),
    ("xml", "<a>&nbsp;</b>"),
    ("regex", r"(?<name>a)("),
    ("regex", r"\p{L}("),
    ("regex", r"[[:alpha:]"),
    ("regex", r"(?<=a+)b"),
    ("regex", r"[]a)"),
    ("regex", r"a**"),
    ("regex", r"s/(a/b/"),
    ("regex", "(a\n(b)"),
    ("regex", r"\((a"),
    # no language, or none known here
    ("", "def f(x):\nreturn x"),
    ("text", "{"),
    ("markdown", "("),
    ("python", ""),
    ("python", "x = \0("),
    ("python", "x = '\udc80"),
]


@pytest.mark.parametrize(("language", "code"), SILENT)
def test_nothing_is_said_where_a_program_cannot_tell(language: str, code: str) -> None:
    assert found(fenced(language, code)) == []


OTHER_SILENT = [
    ("sql", "SELECT a, COUNT(*) FROM t WHERE b LIKE '%x%' GROUP BY a HAVING COUNT(*) > 1 ORDER BY 2 LIMIT 5;"),
    ("sql", "SELECT TOP 5 * FROM t"),
    ("sql", "SELECT * FROM t LIMIT 5, 10"),
    ("sql", "WHERE a = (1"),
    ("sql", "SELECT ... FROM (t"),
    ("sql", "SELECT <column> FROM (t"),
    ("sql", "SELECT * FROM {{ ref('a') }} ("),
    ("sql", "DELIMITER //\nCREATE PROCEDURE f() BEGIN SELECT (1; END //"),
    ("sql", "/* a */ -- b\nSELECT 1"),
    ("sql", "mysql> SELECT (1"),
    ("sql", "SELECT (1\n+---+\n| 1 |"),
    ("javascript", "const f = async (x) => ({ ...x, a: 1 });"),
    ("javascript", ".attr('a', function (d) { return d; })"),
    ("javascript", '{ "a": 1, "b": [2] }'),
    ("javascript", 'import a from "./a.json" assert { type: "json" };\nf(a);'),
    ("typescript", 'import a from "./a.json" assert { type: "json" };'),
    ("javascript", 'import a from "./a.json" with { type: "json" };'),
    ("javascript", 'let a = "b" |> f |> g;'),
    ("javascript", "return a;"),
    ("javascript", "get() { return 1; }"),
    ("javascript", "else { a(); }"),
    ("javascript", "f(a, ...);\n"),
    ("javascript", "const key = <your key>;"),
    ("javascript", "> 1 +\n1"),
    ("typescript", "type A<T> = { [K in keyof T]: string };"),
    ("tsx", "<p>a</p>\n<p>b</p>"),
    ("java", "void f() { int x = 1; }"),
    ("java", "int x = 1;\nSystem.out.println(x);"),
    ("java", "List<String> a = new ArrayList<>();"),
    ("c", "#define A(x) {\nint main() { A(1) }}"),
    ("c", "UCLASS()\nint x FOO = 1;"),
    ("cpp", "template <typename T> T f(T a) { return a; }"),
    ("cpp", "public:\n  int f();"),
    ("csharp", "public int A { get; set; } = 1;"),
    ("go", "x := 1\nfmt.Println(x)"),
    ("rust", "let x: Vec<i32> = vec![1, 2];"),
    ("ruby", "[1, 2].each do |x|\n  puts x\nend"),
    ("php", "<?php echo 1; ?>\n<p>a</p>"),
    ("php", "$a = 1;\necho $a;"),
    ("php", "public function f() { return 1; }"),
    ("bash", 'for i in $(ls); do echo "$i"; done'),
    ("bash", "$ if [ a"),
    ("bash", "git clone <repository url> (a"),
    ("css", "a:hover > b { *zoom: 1; color: red }"),
    ("css", "color: red;"),
    ("css", "a::before { content: '{'; }"),
    ("javascript", '"a": 1'),
    ("java", "public class A {"),
    ("java", "f(1) ? a : b"),
    ("csharp", "from a in b where a > 1 select a"),
    ("csharp", "@page\n<h1>@Model.A</h1>"),
    ("php", "fn($a) => $a"),
    ("go", "go run main.go"),
    ("rust", "cargo build"),
    ("rust", '[dependencies]\nserde = "1"'),
    ("bash", "C:\\> dir (a"),
]


@pytest.mark.parametrize(("language", "code"), OTHER_SILENT)
def test_nothing_is_said_of_right_code_and_of_fragments_in_other_languages(language: str, code: str) -> None:
    needs("verify", "sqlglot", "tree_sitter_language_pack")
    assert found(fenced(language, code)) == []


# Each of these in the place of * makes a block something that is not looked at; the last word does not.
LET_BE = [
    (
        "json",
        '{"a": *}',
        "number|string|str|int|integer|float|double|decimal|bool|boolean|object|array|list|any|date|text|value|"
        "undefined|ISODate(1)|A b]|<a>|$a|%a|#a|(a)",
        "other",
    ),
    (
        "python",
        "x = (1\n*\ny = 2",
        ">>> a|In [1]: a|In[1]: a|Out[1]: a|Out [1]: a|$ ls|%run|!ls|?a|@@ -1|- a b|+ a b|-a|+a|"
        "sudo pip install a|pip install a|pip3 install a|conda install a|apt install a|apt-get install a|"
        "brew install a|uv add a|python a.py|python3 a.py|cd a|Traceback (most|Output|Outputs|Result: 1|"
        "Results|=> a|> a|#include <a>|<div>|is it so?",
        "z",
    ),
    (
        "python",
        "*\n    f()\ny = (2",
        "elif a:|else:|except A:|finally:|case 1:|)|]|}|,|.a()|= 1|+ 1|* 1|/ 1|& 1|: 1",
        "if a:",
    ),
    (
        "python",
        "x = 1\n*\ny = (2",
        "print a|print >>f, a|exec 'a'|except A, a|raise A, 'a'|if a <> b: c()|a = 012|a = 1L|a = 2l|a = ur'b'|"
        "a = UR'b'|`a`|lambda (a, b): a|def f((a, b)): pass",
        "z",
    ),
    (
        "python",
        "x = (1\n*\ny = 2",
        "type A = b|type A[T] = b|lazy import a|def f[T](a): pass|async def f[T](a): pass|class A[T]: pass|"
        "except A, b:|except* A, b:|a = f'''|a = t'''|a = Rf'''|a = fr'''",
        "z",
    ),
    (
        "toml",
        "a = 'b\n*\nc = 1",
        "; a|[a:b]|[a/b]|key|key: b|a = b|a = /b|a = ~/b|a = *|a = %b|a = $b|a = @b|a = \\b|a = :b|"
        "a = <b|a = -b|a = 1.2.3|a = 5s|a = 5m|a = 5h|a = 5d|a = 5K|a = 5M|a = 5G|a = 5%",
        "",
    ),
    (
        "xml",
        "<a>*</b>",
        "<!DOCTYPE a>|&nbsp;|{{ a }}|{% a %}|${a}|<...>|< …>|<% a %>|...",
        "x",
    ),
    (
        "regex",
        "(a*",
        "\\p{L}|\\P{L}|\\X|\\K|\\h|\\H|\\R|\\G|\\Q|\\E|\\z|\\Z|\\x|\\u|\\U|\\k|\\g|\\c|\\o|\\N|(?<a>b)|"
        "(?P<a>b)|(?i)|(?>a)|[[a]|[:a|[]|[^]|(*a)|&&|--|{,2}|a++|a*+|a}*|\\<|\\>|\\(|\\)|\\{|\\}",
        "b",
    ),
]
OTHER_LET_BE = [
    (
        "sql",
        "SELECT a * FROM (1",
        "DELIMITER|BEGIN|DECLARE|PROCEDURE|FUNCTION|TRIGGER|EXEC|EXECUTE|PIVOT|MODEL|MATCH_RECOGNIZE|COPY|"
        "GRANT|LOAD|PARTITION BY RANGE|PARTITION BY LIST|PARTITION BY HASH|ENGINE|\nGO\n|\nUSE a\n|\n\\d a\n|"
        "\n+--\n|mysql>|<a|[a|{a|$a|:a|#a|??",
        "",
    ),
    (
        "js",
        "* f(1;",
        "else {|} else {|elif a {|elsif a {|catch (a) {|finally {|case 1: {|default: {|when a {|rescue {|"
        'ensure {|end {|endif {|fi {|done {|) {|] {|, {|= {|& {|? {|.then({|"a": {|@page {|@model {|@inject {|'
        "@using {",
        "if (a) {",
    ),
    (
        "js",
        "f(1;\n*",
        "$ a|> a|>>> a|+ a|- a|@@ a|PS a|C:\\a>|irb a|Output|#=> 1|go run a|go get a|go build a|go mod a|"
        "go test a|go install a|cargo run|npm i|npx i|yarn i|composer i|dotnet i|java a|javac a",
        "a",
    ),
]


@pytest.mark.parametrize(("language", "template", "words", "other"), LET_BE)
def test_each_of_these_makes_a_block_something_else(language: str, template: str, words: str, other: str) -> None:
    assert lines(language, template.replace("*", other)) != []
    assert [word for word in words.split("|") if lines(language, template.replace("*", word))] == []


@pytest.mark.parametrize(("language", "template", "words", "other"), OTHER_LET_BE)
def test_each_of_these_makes_a_block_of_another_language_something_else(
    language: str, template: str, words: str, other: str
) -> None:
    needs("verify", "sqlglot", "tree_sitter_language_pack")
    assert lines(language, template.replace("*", other)) != []
    assert [word for word in words.split("|") if lines(language, template.replace("*", word))] == []


# And of these none does.
READ = [
    (
        "toml",
        "*",
        "a = true x|a = false x|a = inf x|a = nan x|a = 'b|a = [1",
    ),
    (
        "xml",
        "<a>*</b>",
        "&amp;|&lt;|&gt;|&quot;|&apos;|&#65;|&#x4F;",
    ),
]
OTHER_READ = [
    ("sql", "*SELECT (1", "|\n|-- a\n|/* a */ "),
    (
        "sql",
        "*",
        "SELECT (1|INSERT INTO t VALUES (1|UPDATE t SET a = (1|DELETE FROM t WHERE a = (1|"
        "CREATE TABLE t (a INT|WITH a AS (SELECT 1",
    ),
]


@pytest.mark.parametrize(("language", "template", "words"), READ)
def test_each_of_these_is_looked_at(language: str, template: str, words: str) -> None:
    assert [word for word in words.split("|") if not lines(language, template.replace("*", word))] == []


@pytest.mark.parametrize(("language", "template", "words"), OTHER_READ)
def test_each_of_these_of_other_languages_is_looked_at(language: str, template: str, words: str) -> None:
    needs("verify", "sqlglot")
    assert [word for word in words.split("|") if not lines(language, template.replace("*", word))] == []


@pytest.mark.parametrize(
    ("language", "code", "package"),
    [("sql", "SELECT (1", "sqlglot"), ("go", "func f() {", "tree_sitter_language_pack")],
)
def test_without_the_extra_nothing_is_said(
    language: str, code: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hfclean.verifiers.grammars import grammar
    from hfclean.verifiers.parsers import sql_parser

    for cached in (sql_parser, grammar):
        cached.cache_clear()
    monkeypatch.setitem(sys.modules, package, None)  # type: ignore[arg-type]
    assert found(fenced(language, code)) == []
    for cached in (sql_parser, grammar):
        cached.cache_clear()


# ------------------------------------------------------------------------------------------ fences

BROKEN = "def f(x):\nreturn x"
# Words right above a block, below it, and in the task.
ABOVE = (
    "syntax error|syntax errors|syntaxerror|invalid|malformed|broken|incorrect|wrong|erroneous|faulty|"
    "buggy|a typo|typos|a mistake|mistakes|pseudocode|pseudo-code|does not work|doesn't compile|"
    "does not parse|doesn't run|before|the original|instead of|bad|a bug|what fails|not valid|"
    "what won't do|what will not do|don't do it|to avoid|a problem|problematic|your code|your own|"
    "your current one|your version|missing|a fragment|an excerpt|partial|abbreviated|syntax|a schema|"
    "a skeleton|the output:|the outputs|what results|the result|what it prints|the print:"
)
BELOW = (
    "a syntax error|invalid|SyntaxError|missed|misses|missing|forgot|forgets|unclosed|unbalanced|"
    "unterminated|should be|should have been"
)
TASK = "invalid|malformed|broken|incorrect|wrong|erroneous|faulty|buggy|pseudocode|pseudo-code"
ASKS_FOR_JSON = (
    "in json|as json|into json|to json|return json|output json|generate json|create json|valid json|"
    "only json|in a json|as the json|in valid json|as an only json|in the following json|json object|"
    "json format|json array|json string|json file|json only|json response|json output|json structure|"
    "json data|json code"
)


@pytest.mark.parametrize(
    ("text", "instruction", "words"),
    [
        (f"This is *\n```python\n{BROKEN}\n```", "Do it.", ABOVE),
        (f"```python\n{BROKEN}\n```\nHere: *", "Do it.", BELOW),
        (f"```python\n{BROKEN}\n```", "Write * now.", TASK),
    ],
)
def test_each_of_these_words_speaks_of_faulty_code(text: str, instruction: str, words: str) -> None:
    assert found(text.replace("*", "code"), instruction.replace("*", "code")) != []
    spoken = [word for word in words.split("|") if found(text.replace("*", word), instruction.replace("*", word))]
    assert spoken == []


def test_each_of_these_asks_for_json() -> None:
    assert found('{"a" 1}', "Give it such as json.") == []
    assert [words for words in ASKS_FOR_JSON.split("|") if not found('{"a" 1}', f"Give it {words}.")] == []


def test_a_finding_says_what_stands_where() -> None:
    (finding,) = found(f"First.\n\n```python\n{BROKEN}\n```")
    assert finding == Finding(
        check="syntax_error",
        field="response",
        turn=0,
        line=4,
        found="return x",
        expected="",
        sentence="the Python in line 5 does not parse: expected an indented block after function definition",
    )


@pytest.mark.parametrize(
    ("language", "code", "words"),
    [
        ("json", '{"a": 1 "b": 2}', "the JSON in line 4 does not parse: Expecting ',' delimiter"),
        ("yaml", "a: b: c", "the YAML in line 4 does not parse: mapping values are not allowed in this context"),
        ("toml", "a = ", "the TOML in line 4 does not parse: Invalid value"),
        ("toml", "a = 1\nb = [1,", "the TOML in line 5 does not parse: Invalid value"),
        ("xml", "<a><b></a></b>", "the XML in line 4 does not parse: mismatched tag"),
        ("html", "</div>", "the HTML in line 4 does not parse: </div> closes nothing"),
        ("html", "<b><i></b></i>", "the HTML in line 4 does not parse: <i> is closed nowhere before </b>"),
        ("html", "<html>", "the HTML in line 4 does not parse: <html> is closed nowhere"),
        ("regex", "(a", "the regular expression in line 4 does not parse: missing ), unterminated subpattern"),
    ],
)
def test_the_sentence_says_what_is_wrong(language: str, code: str, words: str) -> None:
    assert [finding.sentence for finding in found(fenced(language, code))] == [words]


def test_a_fault_in_the_last_line_is_not_an_element_that_is_left_open() -> None:
    assert xml_fault("<a><b></a>") == (0, "mismatched tag")
    assert xml_fault("<a><b>") is None


@pytest.mark.parametrize(
    ("language", "code", "words"),
    [
        ("js", "let x = ;\nlet y = 1;", "the JavaScript in line 4 does not parse: invalid syntax"),
        ("js", "f(1;", "the JavaScript in line 4 does not parse: '(' is closed nowhere"),
        ("sql", "SELECT 'abc", "the SQL in line 4 does not parse: invalid SQL"),
        ("css", "a { }\n}", "the CSS in line 5 does not parse: '}' closes nothing"),
        ("c", "int f() {\n  g(1;\n}", "the C in line 5 does not parse: '(' is closed nowhere"),
        ("bash", "echo $(ls)\nfor x in a (b; do", "the Bash in line 5 does not parse: '(' is closed nowhere"),
        ("bash", "echo $(ls)\nx=$((1 + 2", "the Bash in line 5 does not parse: '((' is closed nowhere"),
    ],
)
def test_the_sentence_of_other_languages_too(language: str, code: str, words: str) -> None:
    needs("verify", "sqlglot", "tree_sitter_language_pack")
    assert [finding.sentence for finding in found(fenced(language, code))] == [words]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (f"```python\n{BROKEN}\n```\n\n```python\nx = (1\n```\n", [2, 6]),
        (f"a\n\n```python\n{BROKEN}\n```\n\n```python\nx = (1\n```\n", [4, 8]),
        (f"~~~ python title=a\n{BROKEN}\n~~~", [2]),
        (f"````python\n{BROKEN}\n````", [2]),
        ("1. a\n   ```python\n   def f(x):\n   return x\n   ```", [3]),
        ("<think>Hm.</think>\n```python\nx = (1\n```", [2]),
        ("```PYTHON\nx = (1\n```  ", [1]),
        ("```\ntext\n```\n```python\nx = (1\n```", [4]),
        ("Here's a code snippet:\n```python\nx = (1\n```", [2]),
        ("```python\nx = (1\n```\nIt adds.\n\nNothing is missing.", [1]),
        ("```python\nx = (1\n```\n```python\ny = 'wrong'\n```", [1]),
        ("This was wrong.\n\nNow:\n```python\nx = (1\n```", [4]),
    ],
)
def test_closed_fences_are_read(text: str, where: list[int]) -> None:
    assert [finding.line for finding in found(text)] == where


@pytest.mark.parametrize(
    "text",
    [
        f"```python\n{BROKEN}",
        f"```python\n{BROKEN}\n~~~",
        f"```python\n{BROKEN}\n``",
        f"````python\n{BROKEN}\n```",
        f"```python\n{BROKEN}\n```json\n{{}}\n```",
        f"<think>\n```python\n{BROKEN}\n```\n</think>\nDone.",
        f"This is wrong:\n```python\n{BROKEN}\n```",
        f"This is wrong:\n\n```python\n{BROKEN}\n```",
        f"Instead of this\n```python\n{BROKEN}\n```",
        f"The output:\n```python\n{BROKEN}\n```",
        f"The following will not compile:\n```python\n{BROKEN}\n```",
        f"In your code\n\n```python\n{BROKEN}\n```",
        f"```python\n{BROKEN}\n```\nis invalid.",
        f"```python\n{BROKEN}\n```\n\nThis raises a SyntaxError.",
        f"```python\n{BROKEN}\n```\n\nThe indentation is missing. Right:\n\n```python\nx = 1\n```",
        f"```markdown\n```python\n{BROKEN}\n```",
        BROKEN,
        "",
    ],
)
def test_other_fences_are_not(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize("instruction", ["Show a syntax error.", "What is wrong here?", "This does not compile: f("])
def test_a_task_about_faults_may_show_them(instruction: str) -> None:
    assert found(f"```python\n{BROKEN}\n```", instruction) == []


@pytest.mark.parametrize(
    ("instruction", "text", "where"),
    [
        ("Give the answer as JSON.", '{"a": 1,\n"b" 2}', [1]),
        ("Return a JSON object.", '[{"a": 1]', [0]),
        ("Return a JSON object.", '{"a" 1,\n"b": 2}\n', [0]),
        ("Return a JSON object.", '{"a": 1}', []),
        ("Return a JSON object.", 'Sure: {"a" 1}', []),
        ("Return a JSON object.", '{"a" 1} is it.', []),
        ("Name two formats, such as json.", "[json, xml]", []),
        ("Write a set.", "{1; 2}", []),
        ("Return invalid JSON.", "{1; 2}", []),
    ],
)
def test_a_response_that_is_one_value_is_read_where_json_is_asked_for(
    instruction: str, text: str, where: list[int]
) -> None:
    assert [finding.line for finding in found(text, instruction)] == where


# ------------------------------------------------------------------------------------------ bounds


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("json", "[" * 10_000 + "]" * 10_000),
        ("json", "[" * 500_000),
        ("python", "(" * 100_000),
        ("python", "x = " + "(" * 300 + "1" + ")" * 300),
        ("python", "-" * 100_000 + "1"),
        ("python", "x" + ".a" * 100_000),
        ("yaml", "a: &a [b]\n" + "".join(f"a{n}: &a{n} [*a, *a, *a, *a]\n" for n in range(2_000))),
        ("yaml", "a: b: c #" + "[{" * 501),
        ("yaml", "[" * 90_000),
        ("toml", "a = " + "[" * 50_000),
        ("regex", "(" * 1_000 + "a" + ")" * 1_000),
        ("regex", "(a+)+" * 300 + "$"),
        ("regex", "a{99999999999999999999}"),
        ("xml", "<a>" * 100_000),
        ("html", "<div>" * 100_000),
    ],
)
def test_hostile_blocks_are_let_be(language: str, code: str) -> None:
    assert found(fenced(language, code)) == []


@pytest.mark.parametrize(
    ("language", "code", "longest"),
    [
        ("python", "x = (1 #", LONGEST),
        ("yaml", "a: b: c #", LONGEST_YAML),
        ("toml", "a = #", LONGEST_TOML),
        ("regex", "(", LONGEST_REGEX),
        ("sql", "SELECT (1 --", LONGEST_SQL),
        ("go", "func f() { //", LONGEST_CODE),
    ],
)
def test_the_longest_block_that_is_read(language: str, code: str, longest: int) -> None:
    needs("verify", "sqlglot", "tree_sitter_language_pack")
    code = code + "a" * (longest - len(code) - (language != "regex"))
    assert lines(language, code) == [0]
    assert lines(language, code + "aa") == []


def test_a_grammar_that_recovers_without_end_is_stopped() -> None:
    needs("verify", "tree_sitter_language_pack")
    assert lines("java", "<!--" * 5_000) == []


# Fences of each language, and code that it refuses.
NAMES = {
    "python py python3": "x = (1",
    "json": '{"a" 1}',
    "yaml yml": "a: b: c",
    "toml": "a = [1",
    "xml": "<a></b>",
    "html": "</div>",
    "regex regexp": "(a",
}
OTHER_NAMES = {
    "sql mysql postgresql postgres sqlite tsql plsql": "SELECT (1",
    "javascript js mjs node typescript ts java c cpp c++ cc csharp c# cs go golang rust rs php": "f(1;",
    "tsx jsx": "f({;",
    "ruby rb": "f(1",
    "bash sh shell": "echo $(ls",
    "css": "a { b: c; } }",
}
ELEMENTS = (
    "html head body title div span a b i u strong em small h1 h2 h3 h4 h5 h6 ul ol dl table form button select label "
    "section article header footer nav main aside figure iframe video audio canvas svg blockquote fieldset"
)
# Each is right in one place or dialect alone.
PARTS = [
    *(("java", code) for code in ("private A() { }", "{1, 2}", "a + b")),
    *(("csharp", code) for code in ("private A() { }", "{ 1, 2 }", "~A() { }")),
    *(("cpp", code) for code in ("virtual ~A();", "std::cout << 1;")),
    *(("php", code) for code in ("private $a = 1;", "['a' => 1]", "$a")),
    *((language, "constructor() { }") for language in ("javascript", "typescript")),
    *(("go", "for { }"), ("rust", "a + b"), ("css", "a: b"), ("tsx", "text {a} more")),
    *(("sql", code) for code in ("SELECT a FROM t WHERE a @> b", "SELECT '''a'b'''", "SELECT a // c\nFROM t")),
]


def test_each_of_these_fences_names_its_language() -> None:
    unread = [name for names, code in NAMES.items() for name in names.split() if not lines(name, code)]
    assert unread == []
    assert lines("pascal", "x = (1") == []


@pytest.mark.parametrize(("names", "code"), OTHER_NAMES.items())
def test_each_of_these_fences_of_other_languages_names_its_language(names: str, code: str) -> None:
    needs("verify", "sqlglot", "tree_sitter_language_pack")
    assert [name for name in names.split() if not lines(name, code)] == []


def test_what_is_right_in_one_place_is_right() -> None:
    needs("verify", "sqlglot", "tree_sitter_language_pack")
    assert [part for part in PARTS if lines(*part)] == []


def test_each_of_these_elements_has_to_be_closed() -> None:
    assert [
        name for name in ELEMENTS.split() if name not in ("html", "body") and not lines("html", f"</{name}>")
    ] == []
    assert [name for name in ELEMENTS.split() if not lines("html", f"<!doctype html>\n<{name}>")] == []
    assert [name for name in "p li tr td br img html body".split() if lines("html", f"<i></i></{name}>")] == []  # noqa: SIM905
    assert [lines("html", code) for code in ("<b>\n<i>\n</b>", "<b/><i>", "<i>", " <html>\n<b>")] == [[1], [], [], [1]]
