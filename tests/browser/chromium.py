"""The browser that the tests drive, the pages it is shown, and what it is watched for."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from processes.servers import ROOT

ARGUMENTS = [
    "--no-sandbox",  # whoever runs the tests as root has no other choice
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
RECORD_VIOLATIONS = """
window.violations = [];
addEventListener("securitypolicyviolation", (e) =>
  window.violations.push(`${e.violatedDirective} ${e.blockedURI}`));
"""


def chromium() -> str:
    """Find the browser; without one these tests fail, since nothing else can stand in for it."""
    named = os.environ.get("SEKISHO_BROWSER")  # noqa: TID251  # no setting of the server
    found = named or shutil.which("chromium") or shutil.which("chromium-browser")
    if not found or not Path(found).is_file():
        pytest.fail("No Chromium was found: install it, or name one in SEKISHO_BROWSER.")
    return found


def built(name):
    """Build a page from what stands in the repository."""
    build = [sys.executable, str(ROOT / "bundling" / "build.py"), name]
    done = subprocess.run(build, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


class Watch:
    """What a page says and asks for while it is looked at."""

    def __init__(self, page):
        self.console, self.hosts = [], set()
        page.on("console", lambda message: self.console.append(f"{message.type} {message.text}"))
        page.on("pageerror", lambda error: self.console.append(f"error {error}"))
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))

    @property
    def complaints(self):
        return [line for line in self.console if line.startswith(("error", "warning"))]
