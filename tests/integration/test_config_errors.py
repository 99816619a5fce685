# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""Every mistake is met with its place, its line, a caret and a hint; all of one run are shown; what libyaml would let
through (duplicate keys, alias loops, depth, bad UTF-8, nothing at all) is refused here, at once."""

import json
import re
import time

import pytest
from harness import program

OK = "listen: 127.0.0.1:6080\nto: builtin:echo\n"
LONG = """\
listeners: [{address: "127.0.0.1:6080"}]
services:
  desktop: {to: "127.0.0.1:5901"}
routes:
  - {path: /, service: desktop}
"""


@pytest.fixture
def check(tmp_path):
    """check(text, **other files) runs -t beside wsbridge.yaml; gives (status, what it said)."""

    def run(text, **others):
        data = text if isinstance(text, bytes) else text.encode()
        (tmp_path / "wsbridge.yaml").write_bytes(data)
        for name, content in others.items():
            (tmp_path / f"{name}.yaml").write_text(content)
        r = program("-t", "-c", "wsbridge.yaml", cwd=str(tmp_path), timeout=10)
        return r.returncode, r.stderr + r.stdout

    return run


def errors(said):
    return re.findall(r"^([\w./-]+):(\d+):(\d+): error: (.*)$", said, re.M)


def test_the_shape(check):
    """The example of the interface, to the letter."""
    status, said = check('listeners:\n  - adress: ":8080"\n')
    assert status == 78
    want = '''\
wsbridge.yaml:2:5: error: unknown key "adress" in listeners[]
     2 |   - adress: ":8080"
       |     ^~~~~~
       = help: did you mean "address"?
'''
    assert want in said, said


def test_good_files(check):
    assert check(OK)[0] == 0
    assert check(LONG)[0] == 0
    assert check("\ufeff" + OK)[0] == 0, "a byte order mark is no mistake"
    assert check(OK.replace("\n", "\r\n"))[0] == 0
    assert check("--- # a marker\n" + OK + "...\n")[0] == 0
    assert check(json.dumps({"listen": "127.0.0.1:6080", "to": "builtin:echo"}))[0] == 0


# (text, line, column, pattern in the message, pattern in the help or None)
MISTAKES = [
    # keys
    (OK + "limts: {}\n", 3, 1, r'unknown key "limts"', "limits"),
    (LONG + "limits: {conections: 5}\n", 6, 10, r'unknown key "conections" in limits', "connections"),
    (LONG + "timeouts: {idel: 5s}\n", 6, 12, r'unknown key "idel" in timeouts', "idle"),
    (LONG.replace("{to:", "{too:"), 3, 13, r'unknown key "too"', '"to"'),
    (LONG.replace("path: /,", "pth: /,"), 5, 6, r'unknown key "pth"', "path"),
    (OK + "zzzzqqq: 1\n", 3, 1, r'unknown key "zzzzqqq"', None),
    # a section that is not built yet is not taken silently
    (OK + "metrics: {address: '127.0.0.1:9464'}\n", 3, 1, r'unknown key "metrics"', None),
    # names
    (LONG.replace("service: desktop", "service: desktp"), 5, 24, r'"desktp" is not defined', "desktop"),
    (LONG.replace("service: desktop", 'service: "localhost:23"'), 5, 24, r'"localhost:23" is not defined', 'under "services"'),
    # values and units
    (LONG + "timeouts: {idle: 5}\n", 6, 18, r'"idle" needs a unit', "5s"),
    (LONG + "timeouts: {idle: 5parsec}\n", 6, 18, r'"idle"', None),
    (LONG + "timeouts: {idle: -5s}\n", 6, 18, r'"idle"', None),
    (LONG + "limits: {buffer: 65536}\n", 6, 18, r'"buffer" needs a unit', "64KiB|65536B"),
    (LONG + "limits: {buffer: big}\n", 6, 18, r'"buffer"', None),
    (LONG + "limits: {connections: many}\n", 6, 23, r'"connections"', None),
    (LONG + "log: {level: inf}\n", 6, 14, r'"level" cannot be "inf"', "info"),
    (LONG + "log: {format: xml}\n", 6, 15, r'"format" cannot be "xml"', "text.*json"),
    (LONG + "log: {access: maybe}\n", 6, 15, r'"access" must be true or false', None),
    (LONG + "log:\n  level:\n", 7, 3, r'"level" has no value', None),
    (LONG + "process: {workers: -1}\n", 6, 20, r'workers', None),
    (LONG + "process: [1]\n", 6, 10, r"map", None),
    ("listen: 127.0.0.1:6080\nto: localhost\n", 2, 5, r"port", None),
    ("listen: 127.0.0.1:6080\nto: localhost:99999\n", 2, 5, r"port", None),
    ("listen: 127.0.0.1:6080\nto: builtin:eco\n", 2, 5, r"builtin:echo", None),
    ("listen: 300.0.0.1:6080\nto: builtin:echo\n", 1, 9, r"", None),
    ("listen: 127.0.0.1:70000\nto: builtin:echo\n", 1, 9, r"(?i)port", None),
    (LONG.replace("path: /,", "path: ws,"), 5, 12, r"/", None),
    (LONG.replace("service: desktop", "service: desktop, origins: 'ftp://x'"), 5, None, r"origin|ftp", None),
    # shapes
    (LONG.replace('{to: "127.0.0.1:5901"}', "[1, 2]"), 3, None, r"", None),
    ("- a\n- b\n", 1, 1, r"map", None),
    ("just words\n", 1, 1, r"map", None),
    # what is missing
    ("listen: 127.0.0.1:6080\n", None, None, r"", None),
    (LONG.replace(', service: desktop', ''), 5, None, r"service|files", None),
    ("services: {a: {to: 'builtin:echo'}}\nroutes: [{path: /, service: a}]\n", None, None, r"listen", None),
    # both forms
    (OK + "listeners: [{address: '127.0.0.1:1'}]\n", None, None, r"listen", None),
    (OK + "routes: [{path: /, service: a}]\n", None, None, r"", None),
    # twice
    (OK + "to: builtin:discard\n", 3, 1, r'"to" stands twice', "remove"),
    (LONG + "  - {path: /, service: desktop}\n", 6, None, r"", None),
    (LONG.replace("routes:", "  desktop: {to: 'builtin:echo'}\nroutes:"), 4, 3, r'"desktop" stands twice', None),
    # YAML itself
    ("listen: [6080\nto: x\n", None, None, r"", None),
    ("listen: 6080\n\tto: x\n", 2, 1, r"tab", "spaces"),
    ('listen: "6080\n', None, None, r"", None),
    ("a: &x [*x]\n", None, None, r"", None),
    ("listen: *nowhere\nto: builtin:echo\n", 1, 9, r"", "quote|\\*"),
    ("listen: [::]:6080\nto: builtin:echo\n", 1, 9, r"quote", None),
    ("listen: *:6080\nto: builtin:echo\n", 1, 9, r"quote", None),
    ("listen: @x\nto: builtin:echo\n", 1, 9, r"quote", None),
    (OK + "---\n" + OK, 3, None, r"", None),
    ("!!python/object:os.system {}\n", None, None, r"", None),
]


@pytest.mark.parametrize("text, line, column, message, help_", MISTAKES, ids=lambda v: repr(v)[:40] if isinstance(v, str) else "")
def test_mistake(check, text, line, column, message, help_):
    status, said = check(text)
    assert status == 78, said
    found = errors(said)
    assert found, said
    f, l, c, m = found[0]
    assert f == "wsbridge.yaml"
    whole = said
    if line is not None:
        assert any(int(e[1]) == line and (column is None or int(e[2]) == column) for e in found), said
    assert re.search(message, whole), said
    if help_:
        assert re.search(rf"= help: .*({help_})", said), said
    assert "^" in said


def test_every_mistake_of_a_run(check):
    text = LONG + "limits: {conections: 1, buffer: 5}\ntimeouts: {idle: x}\nlog: {level: loud}\nbogus: 1\n"
    _, said = check(text)
    assert len(errors(said)) >= 5, said
    assert [int(e[1]) for e in errors(said)] == sorted(int(e[1]) for e in errors(said)), "in order of the file"


def test_at_most_twenty(check):
    status, said = check(OK + "".join(f"unknown{i}: 1\n" for i in range(50)))
    assert status == 78
    assert len(errors(said)) == 20
    assert "30" in said.splitlines()[-1] or "more" in said, said.splitlines()[-3:]


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "~\n", "null\n", "{}\n"])
def test_nothing(check, text):
    status, said = check(text)
    assert status == 78 and said.strip(), said


@pytest.mark.parametrize(
    "data",
    [b"listen: \xff\xfe\n", b"listen: 6080\nto: caf\xe9:1\n", b"\xc0\x80: 1\n", b"listen: 6080\nto: a\x00b:1\n", b"\x80"],
    ids=repr,
)
def test_bad_utf8(check, data):
    status, said = check(data)
    assert status == 78
    assert errors(said), said
    assert "\\x" not in said or True
    said.encode("utf-8")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100000,
        "{a: " * 100000,
        "- " * 100000 + "x",
        "".join(" " * i + "a:\n" for i in range(1000)),
        "a: " + "[" * 5000 + "]" * 5000,
    ],
    ids=["brackets", "braces", "dashes", "indents", "balanced"],
)
def test_depth_is_refused_at_once(check, text):
    began = time.monotonic()
    status, said = check(text)
    assert status == 78
    assert time.monotonic() - began < 3
    assert len(said) < 10000, "the answer is no copy of the file"


def test_billion_laughs(check):
    text = "a: &a [x,x,x,x,x,x,x,x,x]\n"
    for i in range(1, 12):
        text += f"{'abcdefghijklm'[i]}: &{'abcdefghijklm'[i]} [{','.join(['*' + 'abcdefghijklm'[i - 1]] * 9)}]\n"
    began = time.monotonic()
    status, said = check(text)
    assert status == 78 and time.monotonic() - began < 3


def test_alias_loop(check):
    status, said = check("listen: 6080\nto: &a {b: *a}\n")
    assert status == 78 and errors(said)


def test_aliases_work(check):
    text = LONG.replace('{to: "127.0.0.1:5901"}', '{to: "127.0.0.1:5901", timeouts: &t {idle: 5s}}').replace(
        "service: desktop}", "service: desktop, timeouts: *t}"
    )
    status, said = check(text)
    assert status in (0, 78)
    if status:
        assert "alias" in said or "anchor" in said, said


def test_long_lines_are_shown_in_part(check):
    status, said = check(OK + "limits: {" + "x" * 50000 + ": 1}\n")
    assert status == 78
    assert max(map(len, said.splitlines())) < 500


# --- include ------------------------------------------------------------------------------------------------------------


def test_include(check):
    assert check("include: [part.yaml]\nlisteners: [{address: '127.0.0.1:1'}]\n",
                 part="services: {a: {to: 'builtin:echo'}}\nroutes: [{path: /, service: a}]\n")[0] == 0


def test_pattern_that_matches_nothing(check):
    assert check("include: ['none.d/*.yaml']\n" + LONG)[0] == 0


def test_included_file_that_is_missing(check):
    status, said = check("include: [gone.yaml]\n" + LONG)
    assert status == 78
    assert 'gone.yaml' in said and errors(said)[0][:2] == ("wsbridge.yaml", "1")


def test_mistake_in_an_included_file_names_it(check):
    status, said = check("include: [part.yaml]\n" + LONG, part="limits:\n  bufer: 1KiB\n")
    assert status == 78
    (e,) = errors(said)
    assert e[0].endswith("part.yaml") and e[1:3] == ("2", "3")
    assert "  bufer: 1KiB" in said


def test_clash_between_files_names_both(check):
    status, said = check("include: [part.yaml]\n" + LONG, part="services: {desktop: {to: 'builtin:echo'}}\n")
    assert status == 78
    assert "wsbridge.yaml" in said and "part.yaml" in said and '"desktop" is already set' in said


def test_include_of_itself(check):
    status, said = check("include: [wsbridge.yaml]\n" + LONG)
    assert status == 78 and "include" in said


def test_include_in_a_circle(check):
    status, said = check("include: [a.yaml]\n" + LONG, a="include: [b.yaml]\n", b="include: [a.yaml]\n")
    assert status == 78


def test_files_that_are_none(check, tmp_path):
    (tmp_path / "folder.yaml").mkdir()
    assert check("include: [folder.yaml]\n" + LONG)[0] in (0, 78)
    assert check("include: [/dev/zero]\n" + LONG)[0] == 78


def test_tls_without_a_certificate_in_the_short_form(check):
    """It would be clear text where somebody meant TLS."""
    status, said = check(OK + "tls: {}\n")
    assert status == 78 and "3:1: error: TLS needs a certificate" in said and "option of a service" in said, said


@pytest.mark.parametrize(
    "key, places",
    [
        ("cert: x", ['"tls.NAME"']),
        ("redirect: on", ['"tls.NAME"']),
        ("proxy_protocol: v1", ['"listeners[]"', '"services.NAME"']),
        ('mode: "0660"', ['"listeners[]"', '"admin"']),
        ("subprotocols: [mqtt]", ['"services.NAME"']),
        ("ping: 5s", ['"timeouts"']),
    ],
)
def test_a_key_one_level_too_high(check, key, places):
    status, said = check(OK + key + "\n")
    assert status == 78 and "help: it belongs under " + " or ".join(places) in said, said


def test_a_misspelt_option_of_the_only_tls(check):
    status, said = check(OK + "tls: {certificat: x}\n")
    assert status == 78 and 'unknown key "certificat" in tls' in said and "did you mean" in said, said


def test_mistakes_of_both_stages_at_once(check):
    """A name that is not known hides nothing of what is wrong elsewhere."""
    status, said = check("listen: 6080\nto: 127.0.0.1\nfiles: /nonexistent\norgins: any\n")
    assert status == 78 and len(errors(said)) == 3, said


def test_log_file_without_its_directory(check, tmp_path):
    status, said = check(OK + f"log: {{to: file:{tmp_path}/none/x.log}}\n")
    assert status == 78 and "the directory of the log file" in said and "does not exist" in said, said
    assert check(OK + "log: {to: file:x.log}\n")[0] == 0
