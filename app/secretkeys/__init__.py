"""Secret keys: how backends prove who they are."""

from app.secretkeys.service import (
    NewSecretKey,
    ScopesInvalid,
    SecretKey,
    SecretKeyNotFound,
    SecretKeys,
)

__all__ = ["NewSecretKey", "ScopesInvalid", "SecretKey", "SecretKeyNotFound", "SecretKeys"]
