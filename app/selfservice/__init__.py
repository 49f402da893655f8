"""Self-service: what signed-in users change of their own account, whichever face they use."""

from app.selfservice.errors import (
    AccountDeletionDisabled,
    LastWayIn,
    SecondFactorRequired,
    StepUpRequired,
)
from app.selfservice.holdings import Holdings
from app.selfservice.notices import Notices
from app.selfservice.service import Oneself, SelfService

__all__ = [
    "AccountDeletionDisabled",
    "Holdings",
    "LastWayIn",
    "Notices",
    "Oneself",
    "SecondFactorRequired",
    "SelfService",
    "StepUpRequired",
]
