"""Providers written by others, from npm, in processes of their own on loopback.

They listen on 127.0.0.1 while the server under test is called localhost: to a browser these are two
sites, as a provider and an application are.
"""

import functools
import hashlib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from processes.servers import free_port

from bundling.build import find_node, install

FOLDER = Path(__file__).parent
SECRET = "the secret of the client at the provider"
CLIENT = "sekisho"
PLAIN_CLIENT = "sekisho-plain"
"""A client that need not use PKCE."""

DOMAIN = "acme.example"


@dataclass(frozen=True, slots=True)
class Peer:
    """A provider that runs, or will run once it is known who signs people in there."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"


def new_peer() -> Peer:
    """Choose where a provider is to be."""
    return Peer(free_port())


@contextmanager
def oidc(
    folder: Path, peer: Peer, redirect_uri: str, *, algorithm: str = "ES256"
) -> Iterator[None]:
    """Run the OpenID provider."""
    given = {
        "port": str(peer.port),
        "client": CLIENT,
        "secret": SECRET,
        "redirect-uri": redirect_uri,
        "algorithm": algorithm,
    }
    with _running(folder, "oidc.mjs", given):
        yield


@contextmanager
def saml(
    folder: Path, peer: Peer, *, binding: str = "redirect", encrypts: bool = False
) -> Iterator[Path]:
    """Run the SAML provider; give the file that it reads the service provider's metadata from."""
    key, certificate = _key_pair(folder)
    metadata = folder / "service-provider.xml"
    given = {
        "port": str(peer.port),
        "metadata": str(metadata),
        "key": str(key),
        "certificate": str(certificate),
        "binding": binding,
        "encrypts": "yes" if encrypts else "no",
    }
    with _running(folder, "saml.mjs", given):
        yield metadata


@contextmanager
def _running(folder: Path, program: str, given: dict[str, str]) -> Iterator[None]:
    arguments = [part for name, value in given.items() for part in (f"--{name}", value)]
    said = folder / f"{program}.{given['port']}"
    with said.open("w+") as errors:
        process = subprocess.Popen(
            [_node(), program, *arguments],
            cwd=FOLDER,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,  # so that a Ctrl-C for the tests is not for it
        )
        try:
            assert process.stdout
            assert process.stdout.readline() == "ready\n", said.read_text()
            yield
        finally:
            process.kill()  # it keeps nothing
            process.communicate()


@functools.cache
def _node() -> str:
    """Install the packages unless they are, and give the node that runs them."""
    node, npm = find_node()
    lock = (FOLDER / "package-lock.json").read_bytes()
    stamp, fingerprint = FOLDER / "node_modules" / ".locked", hashlib.sha256(lock).hexdigest()
    if not stamp.is_file() or stamp.read_text() != fingerprint:
        install(FOLDER, "the providers of the tests", npm)
        stamp.write_text(fingerprint)
    return node


def _key_pair(folder: Path) -> tuple[Path, Path]:
    """Make a key, and the certificate that the provider's metadata hold."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "The SAML provider")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    paths = folder / "saml-key.pem", folder / "saml-certificate.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    paths[0].write_bytes(private)
    paths[1].write_bytes(certificate.public_bytes(Encoding.PEM))
    return paths
