"""Why a user may not change something of their own account."""

from app.errors import Conflict, Invalid


class LastWayIn(Conflict):
    """Without it nobody could sign in to the account any more, or the rules ask for it."""

    code = "last_way_in"
    message = "This cannot be removed: it is needed to sign in."


class SecondFactorRequired(Conflict):
    """Everybody has a second factor here, and this is the user's last."""

    code = "second_factor_required"
    message = "The last second factor cannot be removed."


class StepUpRequired(Conflict):
    """The sign-in is too long ago for this change.

    Args:
        max_age: Seconds since the sign-in that would do.
    """

    code = "step_up_required"
    message = "Sign in again first."

    def __init__(self, max_age: int) -> None:
        super().__init__()
        self.max_age = max_age


class AccountDeletionDisabled(Conflict):
    """Users do not delete their accounts here."""

    code = "account_deletion_disabled"
    message = "Accounts cannot be deleted by their users."


class EnrolmentInvalid(Invalid):
    """What should finish the set-up of an app was not given to this session."""

    code = "enrolment_invalid"
    message = "Begin the set-up of the app again."

    def __init__(self) -> None:
        super().__init__(path=("enrolment",))
