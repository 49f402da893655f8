"""Keys whose private half never leaves AWS KMS: asked for their public half, and for signatures.

A call takes a thread, never the event loop. Credentials and the endpoint are found as AWS's own
tools find them. What AWS says of a refusal is for the log; a caller is told that it failed.
"""

import asyncio
import hashlib
import importlib.util
import logging
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key

from app.keys import pairs
from app.keys.errors import KmsKeyUnfit, KmsPackageMissing, SignerUnavailable
from app.keys.pairs import Algorithm, Public
from app.telemetry import span

_ALGORITHMS: dict[str, Algorithm] = {
    "ECC_NIST_P256": "ES256",
    "RSA_2048": "RS256",
    "RSA_3072": "RS256",
    "RSA_4096": "RS256",
}
_SCHEMES = {"ES256": "ECDSA_SHA_256", "RS256": "RSASSA_PKCS1_V1_5_SHA_256"}
_ARN = re.compile(r"arn:[\w-]+:kms:(?P<region>[\w-]+):\d+:key/(?P<id>[\w-]+)")
_AT_ONCE = 16
_CONNECT_SECONDS, _READ_SECONDS, _ATTEMPTS = 5, 10, 2
_P256_BYTES = 32
_log = logging.getLogger("sekisho.keys")
T = TypeVar("T")


@dataclass(slots=True)
class Kms:
    """AWS KMS, as this process reaches it: one client for each region."""

    _clients: dict[str, Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(_AT_ONCE, "aws-kms")
    )

    async def find(self, kid: str, key_id: str, region: str) -> "KmsKey":
        """Give the key that an ARN, an id or an alias names; it will be known by its ARN.

        Raises:
            KmsKeyUnfit: It is not one that signs tokens.
            SignerUnavailable: AWS KMS does not answer, or does not let us in.
        """
        return await self._run(lambda: self._found(kid, key_id, region))

    async def sign(self, key: "KmsKey", data: bytes) -> bytes:
        """Give a signature that has been seen to verify.

        The digest is what is sent: a whole token may be longer than AWS KMS takes.

        Raises:
            SignerUnavailable: AWS KMS does not answer, or answers what is no signature.
        """
        with span("KMS Sign", kind="client"):
            return await self._run(lambda: self._signed(key, data))

    def _found(self, kid: str, key_id: str, region: str) -> "KmsKey":
        said = self._client(region).get_public_key(KeyId=key_id)
        spec, arn = said["KeySpec"], said["KeyId"]
        if spec not in _ALGORITHMS or said["KeyUsage"] != "SIGN_VERIFY":
            raise KmsKeyUnfit
        algorithm = _ALGORITHMS[spec]
        _region_of(arn)
        return KmsKey(kid, algorithm, _public(said["PublicKey"], algorithm), arn, self)

    def _signed(self, key: "KmsKey", data: bytes) -> bytes:
        said = self._client(_region_of(key.arn)).sign(
            KeyId=key.arn,
            Message=hashlib.sha256(data).digest(),
            MessageType="DIGEST",
            SigningAlgorithm=_SCHEMES[key.algorithm],
        )
        signature: bytes = said["Signature"]
        if key.algorithm == "ES256":
            signature = _raw(signature)
        if not pairs.verifies(key, data, signature):
            raise ValueError(key.algorithm)
        return signature

    def _client(self, region: str) -> Any:  # noqa: ANN401  # boto3 makes its classes at run time
        with self._lock:
            if region not in self._clients:
                self._clients[region] = _new_client(region)
            return self._clients[region]

    async def _run(self, work: Callable[[], T]) -> T:
        require_package()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: _translated(work))


@dataclass(frozen=True, slots=True)
class KmsKey:
    """A key whose private half is in AWS KMS."""

    kid: str
    algorithm: Algorithm
    public: Public
    arn: str
    kms: Kms

    async def sign(self, data: bytes) -> bytes:
        """Have *data* signed.

        Raises:
            SignerUnavailable: AWS KMS does not answer.
        """
        return await self.kms.sign(self, data)


def require_package() -> None:
    """See that boto3 is there, without importing it.

    Raises:
        KmsPackageMissing: It is not.
    """
    if importlib.util.find_spec("boto3") is None:
        raise KmsPackageMissing


def names(key_id: str, arn: str) -> bool:
    """Say whether a configured id or ARN means the key; of an alias only AWS could say."""
    return ":alias/" in f":{key_id}" or key_id in (arn, arn.rpartition("/")[2])


def _new_client(region: str) -> Any:  # noqa: ANN401  # see above
    import boto3  # noqa: PLC0415  # an extra, and slow to import
    from botocore.config import Config  # noqa: PLC0415

    config = Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
        max_pool_connections=_AT_ONCE,
    )
    return boto3.session.Session().client("kms", region_name=region, config=config)


def _translated(work: Callable[[], T]) -> T:
    """Do *work*; whatever AWS and its library make of it becomes an error of ours."""
    from botocore.exceptions import ClientError  # noqa: PLC0415  # an extra

    try:
        return work()
    except KmsKeyUnfit:
        raise
    except ClientError as error:
        raise _unavailable(error.response["Error"]["Code"]) from error
    except Exception as error:  # the library raises anything where an answer is nonsense
        raise _unavailable(type(error).__name__) from error


def _unavailable(reason: str) -> SignerUnavailable:
    """Say why in the log, by name alone: AWS's sentences name accounts and people."""
    _log.error("AWS KMS failed", extra={"reason": reason})
    return SignerUnavailable()


def _public(der: bytes, algorithm: Algorithm) -> Public:
    match load_der_public_key(der):
        case ec.EllipticCurvePublicKey(curve=ec.SECP256R1()) as public if algorithm == "ES256":
            return public
        case rsa.RSAPublicKey() as public if algorithm == "RS256":
            return public
    raise ValueError(algorithm)


def _region_of(arn: str) -> str:
    found = _ARN.fullmatch(arn)
    if found is None:
        raise ValueError(arn)
    return found["region"]


def _raw(der: bytes) -> bytes:
    """Write an ECDSA signature as JWS does (RFC 7518 §3.4): both numbers, at full length."""
    r, s = decode_dss_signature(der)
    return r.to_bytes(_P256_BYTES) + s.to_bytes(_P256_BYTES)
