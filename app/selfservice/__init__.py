"""Self-service: what signed-in users change of their own account, whichever face they use."""

from app.selfservice.errors import (
    AccountDeletionDisabled,
    LastWayIn,
    SecondFactorRequired,
    StepUpRequired,
)
from app.selfservice.holdings import Holdings
from app.selfservice.notices import Addressee, Notice, Notices
from app.selfservice.service import Oneself, SelfService

__all__ = [
    "AccountDeletionDisabled",
    "Addressee",
    "Holdings",
    "LastWayIn",
    "Notice",
    "Notices",
    "Oneself",
    "SecondFactorRequired",
    "SelfService",
    "StepUpRequired",
]
