"""Secret keys: how backends prove who they are."""

from app.secretkeys.refusals import KeyRefusals
from app.secretkeys.service import (
    NewSecretKey,
    ScopesInvalid,
    SecretKey,
    SecretKeyNotFound,
    SecretKeys,
)

__all__ = [
    "KeyRefusals",
    "NewSecretKey",
    "ScopesInvalid",
    "SecretKey",
    "SecretKeyNotFound",
    "SecretKeys",
]
