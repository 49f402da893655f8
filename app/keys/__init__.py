"""Keys: those that seal what is stored, and those that sign what is handed out."""

from app.keys.errors import KeysUnreadable, SignerUnavailable, TokenInvalid
from app.keys.sealing import Sealer
from app.keys.secrets import encryption_secrets
from app.keys.service import SigningKey, SigningKeys

__all__ = [
    "KeysUnreadable",
    "Sealer",
    "SignerUnavailable",
    "SigningKey",
    "SigningKeys",
    "TokenInvalid",
    "encryption_secrets",
]
