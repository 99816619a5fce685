# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the wsbridge authors
"""Static files on the wire: validators, ranges, precompressed twins, types, and that nothing outside the root, behind a
link or behind a dot is reached by any spelling."""

import gzip
import os
import socket
import time

import pytest
from harness import MiB, Pattern, needs_root, scale

SECRET = b"the secret of the house"


@pytest.fixture
def root(tmp_path):
    """www/ is served; secret.txt beside it is not."""
    www = tmp_path / "www"
    (www / "sub" / "deep").mkdir(parents=True)
    (tmp_path / "secret.txt").write_bytes(SECRET)
    (www / "index.html").write_text("<p>top</p>")
    (www / "sub" / "index.html").write_text("<p>sub</p>")
    (www / "sub" / "deep" / "x.js").write_text("let x;")
    (www / "a.txt").write_text("0123456789")
    (www / "empty").write_bytes(b"")
    (www / "with space.txt").write_text("space")
    (www / "ünïcode.txt").write_text("unicode")
    (www / "100%.txt").write_text("percent")
    (www / ".hidden").write_bytes(SECRET)
    (www / ".git").mkdir()
    (www / ".git" / "config").write_bytes(SECRET)
    (www / "link-out").symlink_to("../secret.txt")
    (www / "link-abs").symlink_to(tmp_path / "secret.txt")
    (www / "link-dir").symlink_to("..")
    (www / "link-in").symlink_to("a.txt")
    (www / "nolist").mkdir()
    (www / "nolist" / "file").write_text("f")
    return www


@pytest.fixture
def site(bridge, root):
    return bridge(to="builtin:echo", files=str(root))


def test_index_and_directories(site):
    assert site.get("/").body == b"<p>top</p>"
    assert site.get("/sub/").body == b"<p>sub</p>"
    r = site.get("/sub?x=1")
    assert r.status in (301, 308) and r.get("location") == "/sub/?x=1"
    assert site.get("/nolist/").status in (403, 404)
    assert b"file" not in site.get("/nolist/").body.replace(b"file cannot", b"")


def test_names(site):
    assert site.get("/with%20space.txt").body == b"space"
    assert site.get("/%C3%BCn%C3%AFcode.txt").body == b"unicode"
    assert site.get("/100%25.txt").body == b"percent"
    assert site.get("/a.txt?query=1#").status in (200, 400)
    assert site.get("/a.txt?query=%zz").body == b"0123456789"
    assert site.get("//a.txt").body == b"0123456789"
    assert site.get("/a.txt/").status == 404
    assert site.get("/link-in").status in (200, 404)
    assert site.get("/empty").body == b"" and site.get("/empty").status == 200


def test_types(site, root):
    types = {
        "p.html": "text/html; charset=utf-8",
        "p.css": "text/css; charset=utf-8",
        "p.svg": "image/svg+xml",
        "p.png": "image/png",
        "p.json": "application/json",
        "p.wasm": "application/wasm",
        "p.woff2": "font/woff2",
        "p.unknownext": "application/octet-stream",
    }
    for name, wanted in types.items():
        (root / name).write_text("x")
        r = site.get("/" + name)
        assert r.get("content-type").replace(" ", "") == wanted.replace(" ", "") or r.get("content-type").split(";")[0] == wanted.split(";")[0]
        assert r.get("x-content-type-options") == "nosniff"
    assert "javascript" in site.get("/sub/deep/x.js").get("content-type")


def test_validators(site, root):
    r = site.get("/a.txt")
    etag, modified = r.get("etag"), r.get("last-modified")
    assert etag.startswith('"') or etag.startswith('W/"')
    assert modified.endswith(" GMT")
    for fields in (
        {"If-None-Match": etag},
        {"If-None-Match": f'"other", {etag}'},
        {"If-None-Match": "*"},
        {"If-Modified-Since": modified},
        {"If-None-Match": etag, "If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"},
    ):
        r = site.get("/a.txt", headers=fields)
        assert r.status == 304 and r.get("etag") == etag, fields
        assert r.get("content-length") in (None, "10")
    for fields in (
        {"If-None-Match": '"other"'},
        {"If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"},
        {"If-Modified-Since": "not a date"},
        {"If-None-Match": '"other"', "If-Modified-Since": modified},
    ):
        assert site.get("/a.txt", headers=fields).status == 200, fields
    (root / "a.txt").write_text("changed now")
    os.utime(root / "a.txt", (time.time() - 5, time.time() - 5))
    assert site.get("/a.txt", headers={"If-None-Match": etag}).body == b"changed now"


def test_not_modified_has_no_body_on_the_wire(site):
    etag = site.get("/a.txt").get("etag")
    w = site.wire()
    assert w.request("/a.txt", headers={"If-None-Match": etag}).status == 304
    assert w.request("/a.txt").body == b"0123456789"


# --- ranges -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked, got, content_range",
    [
        ("bytes=0-0", b"0", "bytes 0-0/10"),
        ("bytes=2-5", b"2345", "bytes 2-5/10"),
        ("bytes=5-", b"56789", "bytes 5-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=-30", b"0123456789", "bytes 0-9/10"),
        ("bytes=8-100", b"89", "bytes 8-9/10"),
        ("bytes=9-9", b"9", "bytes 9-9/10"),
    ],
)
def test_range(site, asked, got, content_range):
    r = site.get("/a.txt", headers={"Range": asked})
    assert r.status == 206 and r.body == got and r.get("content-range") == content_range


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99999999999999999999-"])
def test_range_unsatisfiable(site, asked):
    r = site.get("/a.txt", headers={"Range": asked})
    assert r.status in (416, 200)
    if r.status == 416:
        assert r.get("content-range") == "bytes */10"


@pytest.mark.parametrize("asked", ["bytes=5-2", "bytes=a-b", "lines=0-1", "bytes=", "bytes 0-1", "bytes=1--2"])
def test_range_that_is_none(site, asked):
    r = site.get("/a.txt", headers={"Range": asked})
    assert r.status in (200, 416)
    if r.status == 200:
        assert r.body == b"0123456789"


def test_several_ranges(site):
    r = site.get("/a.txt", headers={"Range": "bytes=0-1, 4-5,-1"})
    assert r.status == 206
    kind = r.get("content-type")
    assert kind.startswith("multipart/byteranges; boundary=")
    boundary = kind.split("boundary=")[1].strip('"').encode()
    parts = r.body.split(b"--" + boundary)
    assert parts[-1].strip() == b"--"
    got = []
    for part in parts[1:-1]:
        head, _, body = part.partition(b"\r\n\r\n")
        assert b"content-range: bytes" in head.lower() and b"content-type" in head.lower()
        got.append(body[:-2])
    assert got == [b"01", b"45", b"9"]


def test_a_flood_of_ranges_is_no_amplifier(site, root):
    (root / "big").write_bytes(b"x" * 100000)
    r = site.get("/big", headers={"Range": "bytes=" + ",".join(["0-"] * 500)})
    assert len(r.body) <= 200000


def test_if_range(site):
    etag = site.get("/a.txt").get("etag")
    assert site.get("/a.txt", headers={"Range": "bytes=0-1", "If-Range": etag}).status == 206
    r = site.get("/a.txt", headers={"Range": "bytes=0-1", "If-Range": '"other"'})
    assert r.status == 200 and r.body == b"0123456789"


def test_head_with_range(site):
    r = site.get("/a.txt", method="HEAD", headers={"Range": "bytes=0-1"})
    assert r.status in (200, 206) and r.body == b""


# --- precompressed ------------------------------------------------------------------------------------------------------


def test_precompressed(site, root):
    plain = b"body { color: red }" * 50
    (root / "s.css").write_bytes(plain)
    (root / "s.css.gz").write_bytes(gzip.compress(plain))
    (root / "s.css.br").write_bytes(b"pretend brotli")

    def encoding(accept):
        r = site.get("/s.css", headers={"Accept-Encoding": accept} if accept is not None else {})
        assert r.status == 200
        assert "accept-encoding" in r.get("vary", "").lower()
        assert r.get("content-type").startswith("text/css")
        return r.get("content-encoding"), r.body, r.get("etag")

    assert encoding(None)[:2] == (None, plain)
    assert encoding("identity")[:2] == (None, plain)
    assert gzip.decompress(encoding("gzip")[1]) == plain
    assert encoding("gzip, deflate, br")[:2] == ("br", b"pretend brotli")
    assert encoding("br;q=0, gzip")[0] == "gzip"
    assert encoding("gzip;q=0")[0] is None
    assert encoding("gzip")[2] != encoding("identity")[2], "each coding has its own entity tag"


def test_a_twin_that_is_left_over(site, root):
    """The file was written again, its compressed twins were not: they are what it was, and not served."""
    now = time.time()
    for name, age in (("n.js", 0), ("n.js.gz", 100), ("n.js.br", 3)):
        (root / name).write_bytes(name.encode())
        os.utime(root / name, (now - age, now - age))
    r = site.get("/n.js", headers={"Accept-Encoding": "gzip, br"})
    assert (r.get("content-encoding"), r.body) == (None, b"n.js")
    os.utime(root / "n.js.gz", (now, now))
    assert site.get("/n.js", headers={"Accept-Encoding": "gzip, br"}).body == b"n.js.gz"


def test_a_twin_without_its_original(site, root):
    (root / "only.txt.gz").write_bytes(gzip.compress(b"x"))
    assert site.get("/only.txt", headers={"Accept-Encoding": "gzip"}).status == 404


# --- nothing else -------------------------------------------------------------------------------------------------------

SPELLINGS = [
    "/../secret.txt",
    "/sub/../../secret.txt",
    "/sub/../a.txt/../../secret.txt",
    "/..",
    "/../",
    "/./../secret.txt",
    "/%2e%2e/secret.txt",
    "/%2E%2E/secret.txt",
    "/.%2e/secret.txt",
    "/%2e./secret.txt",
    "/..%2fsecret.txt",
    "/%2e%2e%2fsecret.txt",
    "/sub%2f..%2f..%2fsecret.txt",
    "/%252e%252e/secret.txt",
    "/%252e%252e%252fsecret.txt",
    "/..\\secret.txt",
    "/..%5csecret.txt",
    "/sub\\..\\..\\secret.txt",
    "/%c0%ae%c0%ae/secret.txt",
    "/%e0%80%ae%e0%80%ae/secret.txt",
    "/..%00/secret.txt",
    "/a.txt%00.html",
    "/..;/secret.txt",
    "/....//secret.txt",
    "//../secret.txt",
    "/link-out",
    "/link-abs",
    "/link-dir/secret.txt",
    "/link-dir/www/a.txt",
    "/.hidden",
    "/%2ehidden",
    "/.git/config",
    "/sub/../.hidden",
    "/%2egit/config",
    "/.git%2fconfig",
    "/.",
    "/./",
]


@pytest.mark.parametrize("target", SPELLINGS)
def test_outside(site, target):
    r = site.get(target)
    assert SECRET not in r.body
    assert r.status in (400, 403, 404), r


@pytest.mark.parametrize("target", ["http://localhost/../secret.txt", "http://localhost/%2e%2e/secret.txt"])
def test_outside_in_absolute_form(site, target):
    r = site.get(target)
    assert SECRET not in r.body and r.status in (400, 403, 404)


def test_root_that_is_a_link(bridge, root, tmp_path):
    (tmp_path / "entry").symlink_to(root)
    br = bridge(to="builtin:echo", files=str(tmp_path / "entry"))
    assert br.get("/a.txt").body == b"0123456789"
    assert SECRET not in br.get("/link-out").body


def test_what_is_no_file(site, root):
    os.mkfifo(root / "fifo")
    s = socket.socket(socket.AF_UNIX)
    s.bind(str(root / "sock"))
    assert site.get("/fifo", timeout=3).status in (403, 404)
    assert site.get("/sock").status in (403, 404)
    s.close()


@needs_root
def test_devices(site, root):
    os.mknod(root / "zero", 0o20666, os.makedev(1, 5))
    assert site.get("/zero", timeout=3).status in (403, 404)


def test_unreadable(bridge, root):
    # root reads everything, unless it gave that right away
    caps = "-dac_override,-dac_read_search"
    prefix = ["setpriv", "--inh-caps", caps, "--bounding-set", caps] if os.geteuid() == 0 else []
    os.chmod(root / "a.txt", 0)
    assert bridge(to="builtin:echo", files=str(root), prefix=prefix).get("/a.txt").status == 403


def test_missing_root_is_an_error_at_start(bridge, tmp_path):
    br = bridge(to="builtin:echo", files=str(tmp_path / "nowhere"), wait=False)
    assert br.wait(5) == 78
    assert "nowhere" in br.log()
    br.stopped = True


# --- content ------------------------------------------------------------------------------------------------------------


def test_large_file(site, root):
    size = scale(64 * MiB)
    p = Pattern(1)
    with open(root / "big", "wb") as f:
        left = size
        while left:
            n = min(left, MiB // 2)
            f.write(p.give(n))
            left -= n
    r = site.get("/big", timeout=30)
    assert len(r.body) == size
    Pattern(1).check(r.body)
    w = site.wire()
    r = w.request("/big", headers={"Range": f"bytes={size - 1000}-"})
    assert len(r.body) == 1000
    assert w.request("/a.txt").body == b"0123456789"


def test_file_that_shrinks_while_it_is_sent(site, root):
    """The length was announced and cannot be met: the connection ends, so that nobody takes the piece for the whole."""
    (root / "shrinks").write_bytes(b"x" * (16 * MiB))
    w = site.wire(rcvbuf=16384)
    w.send("GET /shrinks HTTP/1.1\r\nHost: a\r\n\r\n")
    w.take_until(b"\r\n\r\n")
    os.truncate(root / "shrinks", 100)
    got = len(w.buf)
    try:
        got += len(w.take_all())
    except ConnectionResetError:
        got = 0
    assert got < 16 * MiB
    assert site.get("/a.txt").status == 200


def test_cache_lifetime(bridge, root):
    br = bridge(
        services={"s": {"to": "builtin:echo"}},
        routes=[{"path": "/", "files": str(root), "cache": "1h"}, {"path": "/sub", "files": str(root), "index": "a.txt"}],
    )
    assert "max-age=3600" in br.get("/a.txt").get("cache-control")
    assert br.get("/sub/").body == b"0123456789"
    assert "no-cache" in br.get("/sub/a.txt").get("cache-control", "no-cache")


def test_route_prefix_is_cut(bridge, root):
    br = bridge(routes=[{"path": "/static", "files": str(root)}])
    assert br.get("/static/a.txt").body == b"0123456789"
    assert br.get("/static/").body == b"<p>top</p>"
    r = br.get("/static")
    assert r.status in (301, 308) and r.get("location") == "/static/"
    assert br.get("/a.txt").status == 404
    assert br.get("/staticx/a.txt").status == 404


def test_demo_page(bridge):
    br = bridge(
        services={"echo": {"to": "builtin:echo"}},
        routes=[{"path": "/", "files": "builtin:demo"}, {"path": "/echo", "service": "echo"}],
    )
    r = br.get("/")
    assert r.status == 200 and "text/html" in r.get("content-type")
    assert b"<html" in r.body.lower()
    assert "content-security-policy" in dict(r.fields)


def test_websocket_and_files_on_one_path(site):
    assert site.get("/").body == b"<p>top</p>"
    ws = site.ws("/")
    ws.text("both")
    assert ws.recv_message().payload == b"both"
