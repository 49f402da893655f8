"""A double of AWS KMS on loopback: two calls of its JSON protocol, with real keys behind."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

REGION = "eu-central-1"
SPECS = {
    "ECC_NIST_P256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ECC_NIST_P384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ECC_SECG_P256K1": lambda: ec.generate_private_key(ec.SECP256K1()),
    "RSA_2048": lambda: rsa.generate_private_key(65537, 2048),
}
SCHEMES = {"E": "ECDSA_SHA_256", "R": "RSASSA_PKCS1_V1_5_SHA_256"}


@dataclass
class HeldKey:
    """A key that the double holds."""

    arn: str
    spec: str
    usage: str
    private: Any

    @property
    def public(self) -> bytes:
        return self.private.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )

    def sign(self, digest: bytes) -> bytes:
        prehashed = Prehashed(SHA256())
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            return self.private.sign(digest, ec.ECDSA(prehashed))
        return self.private.sign(digest, padding.PKCS1v15(), prehashed)


@dataclass
class KmsDouble:
    """What it holds, what it was asked, and what it answers instead of the truth."""

    url: str = ""
    keys: dict[str, HeldKey] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    refusal: tuple[int, str] | None = None
    altered: dict[str, Any] = field(default_factory=dict)
    raw: bytes | None = None
    silence: threading.Event | None = None

    def make(self, name: str, spec: str = "ECC_NIST_P256", usage: str = "SIGN_VERIFY") -> str:
        """Make a key under an id or an alias and give its ARN."""
        number = f"00000000-0000-4000-8000-{len(self.keys):012}"
        arn = f"arn:aws:kms:{REGION}:111122223333:key/{number}"
        held = HeldKey(arn, spec, usage, SPECS[spec]())
        self.keys |= {name: held, arn: held, number: held}
        return arn

    def answer(self, call: str, given: dict[str, Any]) -> tuple[int, bytes]:
        """Answer one call."""
        self.asked.append((call, given))
        if self.silence is not None:
            self.silence.wait(30)
        if self.refusal is not None:
            status, code = self.refusal
            said = {"__type": code, "message": "User arn:aws:iam::111122223333:user/x may not"}
            return status, json.dumps(said).encode()
        if self.raw is not None:
            return 200, self.raw
        held = self.keys.get(given["KeyId"])
        if held is None:
            return 400, json.dumps({"__type": "NotFoundException", "message": "none"}).encode()
        said = getattr(self, f"_{call}")(held, given) | self.altered
        return 200, json.dumps({k: v for k, v in said.items() if v is not None}).encode()

    def _GetPublicKey(self, held: HeldKey, _: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {
            "KeyId": held.arn,
            "KeySpec": held.spec,
            "KeyUsage": held.usage,
            "PublicKey": base64.b64encode(held.public).decode(),
        }

    def _Sign(self, held: HeldKey, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        assert given["MessageType"] == "DIGEST"
        assert given["SigningAlgorithm"] == SCHEMES[held.spec[0]]
        signature = held.sign(base64.b64decode(given["Message"]))
        return {"KeyId": held.arn, "Signature": base64.b64encode(signature).decode()}


@contextmanager
def running() -> Iterator[KmsDouble]:
    """Keep a double on a port of its own."""
    double = KmsDouble()
    handler = type("Handler", (_Handler,), {"double": double})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    double.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield double
    finally:
        if double.silence is not None:
            double.silence.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    """Reads a call and writes its answer."""

    double: ClassVar[KmsDouble]
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        service, _, call = self.headers["x-amz-target"].partition(".")
        assert service == "TrentService"
        assert self.headers["authorization"].startswith("AWS4-HMAC-SHA256 ")
        status, answer = self.double.answer(call, json.loads(body))
        self.send_response(status)
        self.send_header("content-type", "application/x-amz-json-1.1")
        self.send_header("content-length", str(len(answer)))
        self.send_header("connection", "close")
        self.end_headers()
        try:
            self.wfile.write(answer)
        except ConnectionError:
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
