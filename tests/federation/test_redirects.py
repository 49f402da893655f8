"""Redirect targets: what the list allows, and nothing that only looks like it (SEC-082)."""

import time
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.redirects import LONGEST, OURS, Redirects, joined

TABLE = [  # the page's, with the safer answer where OAuth and SAML differ there
    ("https://*.example.com", "https://foo.example.com", True),
    ("https://*.example.com", "https://a.b.example.com", False),
    ("https://*.example.com", "https://example.com", False),
    ("https://*.example.com", "https://foo.example.com/x", False),
    ("https://*.example.com", "https://x@foo.example.com", False),
    ("https://foo.example.com/*", "https://foo.example.com/page1", True),
    ("https://foo.example.com/*", "https://foo.example.com/a/b", False),
    ("https://foo.example.com/*", "https://foo.example.com/a.b", False),
    ("https://foo.example.com/*", "https://foo.example.com/", False),
    ("https://foo.example.com/**", "https://foo.example.com/a/b.c?x=1", True),
    ("https://foo.example.com**", "https://foo.example.com/a", True),
    ("https://foo.example.com**", "https://foo.example.com.evil.com", False),
    ("https://foo.example.com", "https://foo.example.com/", True),
    ("https://foo.example.com", "https://foo.example.com?x=1", False),
    ("https://foo.example.com", "https://FOO.example.com", False),
    ("http://127.0.0.1**", "http://127.0.0.1:9/x", True),
    ("http://127.0.0.1**", "http://127.0.0.1.evil.com", False),
    ("http://localhost:8888**", "http://localhost:8888/foo", True),
    ("http://localhost:8888**", "http://localhost:88889/foo", False),
    ("https://**.example.com/**", "https://a.b.example.com/x/y", True),
    ("https://{a,b}.example.com", "https://a.example.com", False),
    ("myapp://callback", "myapp://callback", True),
    ("**", "https://evil.com", False),
]
MORE = [
    ("https://foo.example.com", "http://foo.example.com", False),
    ("https://foo.example.com", "https://foo.example.com:444", False),
    ("https://foo.example.com:444", "https://foo.example.com:444", True),
    ("https://foo.example.com:444", "https://foo.example.com", False),
    ("https://foo.example.com/**", "https://foo.example.com:444/a", False),
    ("https://foo.example.com/app/**", "https://foo.example.com/app/x", True),
    ("https://foo.example.com/{in,out}/[a-c]?", "https://foo.example.com/out/bz", True),
    ("https://foo.example.com/{in,out}/[a-c]?", "https://foo.example.com/on/bz", False),
    ("https://foo.example.com/{in,out}/[!a-c]?", "https://foo.example.com/in/bz", False),
    ("https://foo.example.com/{a,b{c,d}}", "https://foo.example.com/bd", True),
    (r"https://foo.example.com/\*", "https://foo.example.com/*", True),
    (r"https://foo.example.com/\*", "https://foo.example.com/x", False),
    ("https://foo.example.com/[ab", "https://foo.example.com/[ab", True),
    ("https://foo-*.example.com", "https://foo-1.example.com", True),
    ("https://foo.*", "https://foo.evil", False),
    ("https://*", "https://evil", False),
    ("https://**", "https://evil.com", False),
    ("https://*example.com", "https://evilexample.com", False),
    ("https://**.a*.example.com/**", "https://x.ab.example.com/y", True),
    ("https://**.com*/**", "https://x.com/y", False),
    ("https://*.example.com**", "https://foo.example.com/y", True),
    ("https://**.example.com", "https://.example.com", False),
    ("https://**.example.com", "https://a..example.com", False),
    ("http://[::1]:8888**", "http://[::1]:8888/x", True),
    ("http://[::1]:8888**", "http://[::2]:8888/x", False),
    ("myapp://*", "myapp://callback", False),
    ("myapp://callback", "myapp://callback/x", False),
    ("myapp://callback", "MyApp://callback", False),
    ("javascript://callback", "javascript://callback", False),
    ("data://x", "data://x", False),
]


@pytest.mark.parametrize(("pattern", "target", "allowed"), [*TABLE, *MORE])
def test_the_pages_table_and_more_sec_082(pattern, target, allowed):
    assert Redirects([pattern]).allow(target) is allowed
    assert Redirects(["https://other.example", pattern]).allow(target) is allowed


@pytest.mark.parametrize(
    "target",
    [
        "",
        "/",
        "//app.example.com/x",
        "///app.example.com/x",
        "/\\app.example.com/x",
        "https:app.example.com/x",
        "https:/app.example.com/x",
        "https:///app.example.com/x",
        "https:\\\\app.example.com/x",
        "https://app.example.com\\@evil.com/x",
        "https://app.example.com@evil.com/x",
        "https://evil.com\\.app.example.com/x",
        "https://user:password@app.example.com/x",
        "https://app.example.com:443@evil.com/x",
        "https://app.example.com%2f@evil.com/x",
        "https://app%2eexample.com/x",
        "https://app.example.com:/x",
        "https://app.example.com:99999999/x",
        "https://app.example.com./x",
        "https://app.example.com /x",
        "https://app.example.com/x\r\nSet-Cookie: a=b",
        "https://app.example.com/x\n",
        "https://app.example.com/\x00",
        "https://app.example.com/\t/evil.com",
        "\thttps://app.example.com/x",
        " https://app.example.com/x",
        "https://app。example。com/x",
        "https://ápp.example.com/x",
        "https://app.example.com/é",
        "https://app.example.com/x/../../y",
        "https://app.example.com/x/%2e%2E/y",
        "https://app.example.com/.",
        "https://app.example.com//evil.com",
        "https://evil.com/https://app.example.com/x",
        "https://evil.com?https://app.example.com/x",
        "https://evil.com#https://app.example.com/x",
        "javascript:alert(1)//https://app.example.com/x",
        "javascript://app.example.com/%0aalert(1)",
        "data:text/html,x",
        "https://app.example.com/" + "a" * LONGEST,
        "https://app.example.com/\ud800",
    ],
)
def test_what_a_browser_reads_another_way_is_refused_sec_082(target):
    assert not Redirects(["https://app.example.com/**", "https://app.example.com"]).allow(target)


HOSTS = st.from_regex(r"\A[a-z.@:\\/?#%-]{0,30}\Z")


@given(HOSTS, st.text(max_size=20))
@example("app.example.com", "/x")
@example("app.example.com@evil.com", "/x")
@example("app.example.com.evil.com", "")
def test_no_target_has_another_host_than_the_pattern_allows_sec_082(middle, rest):
    target = f"https://{middle}{rest}"
    if not Redirects(["https://app.example.com**"]).allow(target):
        return
    parts = urlsplit(target)
    assert (parts.scheme, parts.hostname) == ("https", "app.example.com")
    assert parts.username is None
    assert "\\" not in target


@given(st.text(max_size=60))
@example("app://example.com")
def test_any_text_is_judged_without_an_error(target):
    allowed = Redirects(["https://*.example.com/**", "app://x"]).allow(target)
    assert allowed is (target == "app://x") or urlsplit(target).hostname.endswith(".example.com")


@given(st.text(alphabet="ab*?[]{},!\\/.:-", max_size=30), st.text(alphabet="ab/.-", max_size=30))
def test_any_pattern_is_read_without_an_error(pattern, rest):
    Redirects([pattern, f"https://x.example{pattern}", f"https://{pattern}.example"]).allow(
        f"https://x.example/{rest}"
    )


def test_a_pattern_of_many_stars_takes_no_time_sec_124():
    greedy = Redirects(["https://a.example/" + "**a" * 40 + "/end"])
    began = time.monotonic()
    assert not greedy.allow("https://a.example/" + "a" * (LONGEST - 30))
    assert time.monotonic() - began < 5


def test_too_many_alternatives_allow_nothing():
    doubling = "https://a.example/" + "{a,b}" * 20
    assert not Redirects([doubling]).allow("https://a.example/" + "a" * 20)


class TestJoining:
    def test_a_query_is_added(self):
        assert joined("https://a.example/x", {"error": "e"}) == "https://a.example/x?error=e"

    def test_a_query_that_is_there_goes_on(self):
        found = joined("https://a.example/x?y=1", {"error": "e"})
        assert found == "https://a.example/x?y=1&error=e"

    def test_the_fragment_stays_behind(self):
        found = joined("https://a.example/#/in?z=1", {"hanko_token": "t"})
        assert found == "https://a.example/?hanko_token=t#/in?z=1"

    def test_text_of_a_provider_is_encoded_sec_082(self):
        found = joined("https://a.example", {"error_description": "a&b=c#d\r\n<é\ud800>"})
        assert parse_qs(urlsplit(found).query) == {"error_description": ["a&b=c#d\r\n<é?>"]}
        assert found.isascii()
        assert found.isprintable()

    @pytest.mark.parametrize("name", [*OURS, "hanko%5Ftoken", "%68anko_token"])
    def test_a_token_that_somebody_has_put_there_is_gone(self, name):
        found = joined(f"https://a.example/?{name}=evil&x=1", {"hanko_token": "t"})
        assert found == "https://a.example/?x=1&hanko_token=t"
