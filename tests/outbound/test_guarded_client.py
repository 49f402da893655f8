"""The client for the server's own requests: what it will not call, and how far it listens."""

import asyncio
import gzip
import ipaddress
import logging
import socket
import threading

import httpx2
import pytest
from federation.connectors.loopback import Reply, serving
from hypothesis import given
from hypothesis import strategies as st

from app.config.sections import Config
from app.outbound import ANYWHERE, AddressRefused, Limits, Outbound, Reach, Unanswered
from app.outbound.addresses import LOOPBACK

LOCAL = Reach.of(LOOPBACK)
SMALL = Limits(seconds=5, size=1000)
PRIVATE = [
    *("127.0.0.1", "127.255.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
    *("0.0.0.0", "0.0.0.1", "100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1"),  # noqa: S104
    *("255.255.255.255", "::1", "::", "fe80::1%eth0", "fd00::1", "ff02::1", "2001:db8::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1"),
    *("64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::a00:1"),
    *("2002:7f00:1::", "2002:a00:1::1", "2001:0:7f00:1::1", "fec0::1", "not an address", ""),
]

SPECIAL = [
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
    *("192.0.0.0/24", "192.0.0.0/29", "192.0.0.8/32", "192.0.0.170/32", "192.0.0.171/32"),
    *("192.0.2.0/24", "192.88.99.0/24", "192.88.99.2/32", "192.168.0.0/16", "198.18.0.0/15"),
    *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32"),
    *("::1/128", "::/128", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23"),
    *("2001::/32", "2001:2::/48", "2001:10::/28", "2001:db8::/32", "2002::/16", "3fff::/20"),
    *("5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8"),
]
"""IANA's registries of special-purpose and multicast addresses: what is not globally reachable."""


@pytest.fixture
async def calling():
    """Opens clients with a reach and limits, and closes them."""
    opened = []

    def make(reach: Reach, limits: Limits = SMALL, *answers: list[str]) -> httpx2.AsyncClient:
        left = list(answers)

        async def resolve(host: str, port: int) -> list[str]:
            return left.pop(0)

        outbound = Outbound.within(reach, limits, resolve if answers else None)
        opened.append(outbound)
        return outbound.client

    yield make
    for outbound in opened:
        await outbound.close()


def page(body: bytes = b"a page", **kwargs):
    return lambda asked: Reply(body, **kwargs)


class TestAddresses:
    @pytest.mark.parametrize("address", PRIVATE)
    def test_what_is_not_of_the_public_internet_is_refused_sec_083(self, address):
        assert not Reach().permits(address)
        assert Reach().choose([address]) is None

    @pytest.mark.parametrize("network", SPECIAL)
    def test_no_special_purpose_range_is_called_from_end_to_end_sec_083(self, network):
        found = ipaddress.ip_network(network)
        for address in (found[0], found[found.num_addresses // 2], found[-1]):
            assert not Reach().permits(str(address))
        assert Reach.of([network]).permits(str(found[-1]))

    @pytest.mark.parametrize(
        "network",
        [
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.88.99.0/24"),
            *("192.168.0.0/16", "198.18.0.0/15", "2001::/23", "2001:db8::/32", "2002::/16"),
        ],
    )
    def test_what_comes_after_a_special_purpose_range_is_public(self, network):
        assert Reach().permits(str(ipaddress.ip_network(network)[-1] + 1))

    @pytest.mark.parametrize("address", ["4000::1", "1fff::1", "::ffff:0:101:101", "101::1"])
    def test_what_iana_has_given_to_nobody_is_not_called_sec_083(self, address):
        assert not Reach().permits(address)

    @pytest.mark.parametrize(
        "address", ["1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
    )
    def test_what_is_public_is_called_but_never_in_the_clear_sec_083(self, address):
        assert Reach().permits(address)
        assert not Reach().permits(address, plain=True)

    @pytest.mark.parametrize(
        "addresses", [[], ["1.1.1.1", "10.0.0.1"], ["::1", "1.1.1.1"], ["1.1.1.1", "::ffff:a00:1"]]
    )
    def test_one_private_address_among_others_is_enough_to_refuse_sec_083(self, addresses):
        assert Reach().choose(addresses) is None

    def test_the_first_of_good_addresses_is_taken(self):
        assert Reach().choose(["1.1.1.1", "2606:4700::1111"]) == "1.1.1.1"

    def test_an_allowed_network_may_be_called_and_its_neighbours_may_not(self):
        reach = Reach.of(["10.1.0.0/16", "fd00:1::/32"])
        for address in ("10.1.2.3", "::ffff:10.1.2.3", "fd00:1::5"):
            assert reach.permits(address)
            assert reach.permits(address, plain=True)
        for address in ("10.2.0.1", "127.0.0.1", "fd00:2::1", "::ffff:10.2.0.1"):
            assert not reach.permits(address)

    @given(st.ip_addresses(v=4))
    def test_a_mapped_address_is_judged_as_what_it_stands_for_sec_083(self, address):
        allowed = Reach.of(["10.0.0.0/8"])
        for reach in (Reach(), allowed):
            verdict = reach.permits(str(address))
            assert reach.permits(f"::ffff:{address}") == verdict
            assert reach.permits(f"64:ff9b::{address}") == verdict

    def test_development_may_call_this_machine_and_production_may_not(self):
        config = Config()
        networks = config.outbound.allowed_networks
        assert Reach.of(networks, local=not config.is_production).permits("127.0.0.1")
        assert not Reach.of(networks).permits("127.0.0.1")


class TestRequests:
    async def test_what_may_be_called_answers(self, calling):
        async with serving(page=page()) as there:
            answer = await calling(LOCAL).get(f"{there.url}/page?x=1", headers={"X-Ours": "1"})
        assert (answer.status_code, answer.content) == (200, b"a page")
        (asked,) = there.asked
        assert asked.query == {"x": "1"}
        assert (asked.headers["x-ours"], asked.headers["user-agent"]) == ("1", "sekisho")
        assert asked.headers["accept-encoding"] == "identity"

    async def test_a_body_is_sent(self, calling):
        async with serving(page=page()) as there:
            await calling(LOCAL).post(f"{there.url}/page", data={"a": "1"})
        assert there.asked[0].form == {"a": "1"}

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433"])
    @pytest.mark.parametrize("scheme", ["http", "https"])
    async def test_this_machine_is_not_called_under_any_name_sec_083(self, calling, host, scheme):
        async with serving(page=page()) as there:
            port = there.url.rpartition(":")[2]
            with pytest.raises(Unanswered):
                await calling(Reach()).get(f"{scheme}://{host}:{port}/page")
        assert there.asked == []

    async def test_a_name_is_asked_for_once_and_the_judged_address_is_called_sec_083(self, calling):
        async with serving(page=page()) as there:
            url = there.url.replace("127.0.0.1", "idp.example.com")
            client = calling(LOCAL, SMALL, ["127.0.0.1"])  # a second look-up would fail
            assert (await client.get(f"{url}/page")).content == b"a page"
        assert there.asked[0].headers["host"].startswith("idp.example.com:")

    async def test_a_name_with_a_private_address_among_its_own_is_not_called_sec_083(self, calling):
        async with serving(page=page()) as there:
            url = there.url.replace("127.0.0.1", "idp.example.com").replace("http:", "https:")
            for addresses in (["1.1.1.1", "127.0.0.1"], ["127.0.0.1", "1.1.1.1"], []):
                with pytest.raises(AddressRefused):
                    await calling(Reach(), SMALL, addresses).get(f"{url}/page")
        assert there.asked == []

    async def test_plain_http_goes_to_allowed_networks_alone_sec_083(self, calling):
        client = calling(LOCAL, SMALL, ["1.1.1.1"])
        with pytest.raises(AddressRefused):
            await client.get("http://example.com/")

    @pytest.mark.parametrize(
        "url", ["file:///etc/passwd", "ftp://localhost/x", "gopher://localhost/", "//localhost/x"]
    )
    async def test_no_other_scheme_is_spoken_sec_083(self, calling, url):
        with pytest.raises((Unanswered, httpx2.UnsupportedProtocol)):
            await calling(ANYWHERE).get(url)

    async def test_no_user_stands_in_a_url_sec_083(self, calling):
        async with serving(page=page()) as there:
            with pytest.raises(AddressRefused):
                await calling(LOCAL).get(there.url.replace("//", "//me:word@") + "/page")
        assert there.asked == []

    async def test_a_resolver_that_hangs_holds_up_nothing_else_sec_083(self, calling, monkeypatch):
        answered = threading.Event()
        real = socket.getaddrinfo

        def look_up(host, *given, **named):
            if host == "idp.example.com":
                answered.wait()
            return real("127.0.0.1", *given, **named)

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        client = calling(ANYWHERE, Limits(seconds=0.05))
        try:
            tries = (client.get("https://idp.example.com/") for _ in range(40))
            found = await asyncio.gather(*tries, return_exceptions=True)
            assert {type(one) for one in found} == {Unanswered}
            assert await asyncio.wait_for(asyncio.to_thread(int), 20) == 0
        finally:
            answered.set()

    async def test_a_name_that_leads_nowhere_is_no_answer(self, calling):
        with pytest.raises(Unanswered):
            await calling(Reach()).get("https://nowhere.invalid/")

    async def test_nobody_there_is_no_answer(self, calling):
        with socket.create_server(("127.0.0.1", 0)) as gone:
            port = gone.getsockname()[1]
        with pytest.raises(Unanswered):
            await calling(LOCAL).get(f"http://127.0.0.1:{port}/")

    async def test_what_speaks_no_tls_is_no_answer(self, calling):
        async with serving(page=page()) as there:
            with pytest.raises(Unanswered):
                url = there.url.replace("http:", "https:") + "/page"
                await calling(LOCAL, Limits(seconds=0.3)).get(url)
        assert there.asked == []


class TestAnswers:
    async def test_no_redirect_is_followed_sec_083(self, calling):
        async with serving(page=page()) as other:
            moved = page(status=302, headers=(f"Location: {other.url}/page",))
            async with serving(page=moved) as there:
                answer = await calling(LOCAL).get(f"{there.url}/page")
        assert (answer.status_code, other.asked) == (302, [])

    async def test_who_does_not_answer_is_not_waited_for_sec_083(self, calling):
        async with serving(page=page(stalls=True)) as there:
            with pytest.raises(Unanswered):
                await calling(LOCAL, Limits(seconds=0.05)).get(f"{there.url}/page")

    async def test_an_answer_may_be_as_long_as_the_limit_and_no_longer_sec_083(self, calling):
        async with serving(page=page(b"x" * 1000), long=page(b"x" * 1001)) as there:
            client = calling(LOCAL)
            assert len((await client.get(f"{there.url}/page")).content) == 1000
            with pytest.raises(Unanswered, match="too long"):
                await client.get(f"{there.url}/long")

    def test_the_limits_are_the_promised_ones_sec_083(self):
        assert Limits() == Limits(seconds=5.0, size=1024 * 1024)

    async def test_a_compressed_answer_is_not_opened_sec_083(self, calling):
        packed = gzip.compress(b"x" * 100_000)
        answer = page(packed, headers=("Content-Encoding: gzip",))
        async with serving(page=answer) as there:
            with pytest.raises(Unanswered, match="compressed"):
                await calling(LOCAL).get(f"{there.url}/page")

    async def test_no_cookie_is_kept(self, calling):
        async with serving(page=page(headers=("Set-Cookie: a=b; Path=/",))) as there:
            client = calling(LOCAL)
            for _ in range(2):
                answer = await client.get(f"{there.url}/page")
                assert "set-cookie" not in answer.headers
        assert all("cookie" not in asked.headers for asked in there.asked)

    async def test_no_proxy_of_the_environment_is_asked(self, calling, monkeypatch):
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        async with serving(page=page()) as there:
            assert (await calling(LOCAL).get(f"{there.url}/page")).status_code == 200

    async def test_no_log_tells_what_was_sent_sec_116(self, calling, caplog):
        caplog.set_level(logging.DEBUG)
        headers = {"Authorization": "Bearer SECRETWORD"}
        async with serving(page=page()) as there:
            await calling(LOCAL).post(
                f"{there.url}/page", headers=headers, data={"k": "SECRETWORD"}
            )
        assert all("SECRETWORD" not in str(one.__dict__) for one in caplog.records)
