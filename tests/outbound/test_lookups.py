"""Look-ups of names: one that hangs holds up nobody but who asks for that very name."""

import asyncio
import socket
import subprocess  # a process of its own shows how one ends
import sys
import threading

import pytest

from app.outbound import LookUps

HANGS = """
import asyncio, socket, threading
from app.outbound import LookUps

socket.getaddrinfo = lambda *_, **__: threading.Event().wait()

async def give_up():
    look_ups = LookUps()
    asked = [asyncio.create_task(look_ups.resolve(f"{n}.dead.test", 443)) for n in range(20)]
    await asyncio.sleep(0)
    for one in asked:
        one.cancel()
    await asyncio.wait(asked)

asyncio.run(give_up())
print("over")
"""


class Names:
    """The system's resolver: names of `dead.test` hang until they are let go."""

    def __init__(self):
        self.asked = []
        self.let_go = threading.Event()

    def look_up(self, host, *_, **__):
        self.asked.append(host)
        if host.endswith(".dead.test"):
            self.let_go.wait()
        if host.startswith("nowhere"):
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.7", 0))]


@pytest.fixture
def names(monkeypatch):
    made = Names()
    monkeypatch.setattr(socket, "getaddrinfo", made.look_up)
    yield made
    made.let_go.set()


async def begun(look_ups, *hosts):
    """Look-ups that are under way."""
    tasks = [asyncio.create_task(look_ups.resolve(host, 443)) for host in hosts]
    await asyncio.sleep(0)
    return tasks


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "fe80::1%eth0", "::ffff:10.0.0.1"])
async def test_an_address_stands_for_itself_and_asks_nobody(names, address):
    assert await LookUps().resolve(address, 443) == [address]
    assert names.asked == []


@pytest.mark.parametrize("odd", ["2130706433", "127.1", "0x7f000001", "256.0.0.1"])
async def test_what_the_system_alone_takes_for_an_address_is_its_to_tell_sec_083(names, odd):
    assert await LookUps().resolve(odd, 443) == ["192.0.2.7"]


async def test_names_that_hang_hold_up_no_other_sec_133(names):
    look_ups = LookUps()
    hanging = await begun(look_ups, *(f"{n}.dead.test" for n in range(40)))
    assert await look_ups.resolve("live.test", 443) == ["192.0.2.7"]
    names.let_go.set()
    assert await asyncio.gather(*hanging) == [["192.0.2.7"]] * 40


async def test_all_who_ask_for_a_name_share_one_look_up_sec_133(names):
    look_ups = LookUps()
    hanging = await begun(look_ups, *["a.dead.test"] * 40)
    hanging[0].cancel()  # who gives up leaves the others waiting
    names.let_go.set()
    found = await asyncio.gather(*hanging, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert found[1:] == [["192.0.2.7"]] * 39
    assert names.asked == ["a.dead.test"]


async def test_a_name_is_asked_for_anew_once_it_was_answered_sec_083(names):
    look_ups = LookUps()
    for _ in range(2):
        await look_ups.resolve("live.test", 443)
        with pytest.raises(socket.gaierror):
            await look_ups.resolve("nowhere.test", 443)
    assert names.asked == ["live.test", "nowhere.test"] * 2


async def test_beyond_so_many_names_none_is_looked_up_until_one_is_done_sec_126(names):
    look_ups = LookUps(most=2)
    hanging = await begun(look_ups, "a.dead.test", "b.dead.test")
    with pytest.raises(OSError, match="Too many"):
        await look_ups.resolve("live.test", 443)
    names.let_go.set()
    await asyncio.gather(*hanging)
    assert await look_ups.resolve("live.test", 443) == ["192.0.2.7"]


async def test_what_can_be_no_name_is_said_to_who_asks():
    with pytest.raises(ValueError, match="label"):
        await LookUps().resolve("a" * 64 + ".test", 443)


def test_a_look_up_that_hangs_does_not_hold_up_the_end_of_the_process():
    ended = subprocess.run(
        [sys.executable, "-c", HANGS], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.stdout, ended.stderr, ended.returncode) == ("over\n", "", 0)
