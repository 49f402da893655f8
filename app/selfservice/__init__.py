"""Self-service: what signed-in users change of their own account, whichever face they use.

What a backend changes of their credentials, addresses and names stands beside it, made of the same
parts.
"""

from app.selfservice.errors import (
    AccountDeletionDisabled,
    LastWayIn,
    SecondFactorRequired,
    StepUpRequired,
)
from app.selfservice.holdings import Holdings
from app.selfservice.managed import ManagedCredentials
from app.selfservice.managed_names import ManagedNames
from app.selfservice.notices import Addressee, Notices
from app.selfservice.own_credentials import OwnCredentials
from app.selfservice.service import Oneself, SelfService

__all__ = [
    "AccountDeletionDisabled",
    "Addressee",
    "Holdings",
    "LastWayIn",
    "ManagedCredentials",
    "ManagedNames",
    "Notices",
    "Oneself",
    "OwnCredentials",
    "SecondFactorRequired",
    "SelfService",
    "StepUpRequired",
]
