"""A real server delivers what another process has queued."""

import subprocess
import sys

import httpx
from processes.servers import ROOT, until

QUEUE = """
import asyncio
from pathlib import Path
from app.assembly import assemble
from app.config import load

async def queue():
    services = assemble(load(Path("/dev/null")))
    await services.open()
    await services.mail.send("passkey_create", "ada@example.com", "de")
    await services.close()

asyncio.run(queue())
"""


def test_serve_delivers_the_outbox_and_stops_at_once_sec_139(start_server):
    server = start_server()
    queued = subprocess.run(
        [sys.executable, "-c", QUEUE], cwd=ROOT, env=server.environment, check=False
    )
    assert queued.returncode == 0

    def mails():
        url = f"{server.admin_url}/mailbox"
        return httpx.get(url, headers={"accept": "application/json"}).json()

    until(mails)
    assert [(mail["to"], mail["subject"]) for mail in mails()] == [
        ("ada@example.com", "Ihrem Konto bei Sekisho wurde ein Passkey hinzugefügt")
    ]
    server.process.terminate()
    assert server.process.wait(20) == 0
