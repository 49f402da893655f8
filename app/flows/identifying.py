"""Who it is that somebody says they are, as far as the flow may look it up."""

from app.flows.inputs import is_email
from app.flows.stash import Has
from app.flows.step import Step
from app.flows.whose import NOBODY, look_up, remember_user


def takes_email(step: Step) -> bool:
    """Say whether an address says who signs in (`EA`)."""
    return step.config.email.enabled and step.config.email.use_as_login_identifier


def takes_username(step: Step) -> bool:
    """Say whether a user name says who signs in (`UA`)."""
    return step.config.username.enabled and step.config.username.use_as_login_identifier


def is_address(step: Step, typed: str) -> bool:
    """Say whether an identifier is taken for an address."""
    return takes_email(step) and (not takes_username(step) or is_email(typed))


async def identify(step: Step, typed: str) -> bool:
    """Put whoever has an identifier at this moment into the stash, and say whether anybody has.

    Nobody takes the same questions as somebody (SEC-067).
    """
    stash, users = step.stash, step.domains.users
    as_email = is_address(step, typed)
    stash.identification = typed
    stash.email, stash.username = (typed, "") if as_email else ("", typed)
    stash.user_id, stash.has, stash.locale = None, Has(), ""
    account = await (users.by_email(typed) if as_email else users.by_username(typed))
    if account is not None:
        await remember_user(step, account.id)
    else:
        await look_up(step.domains, NOBODY)
    stash.seems_to_have_mail = not stash.email and _seems_to_have_mail(step)
    return account is not None


def _seems_to_have_mail(step: Step) -> bool:
    """Say whether a user name is to look as if it went with an address, though none is known.

    Without hints every user name looks alike, whether nobody has it, or somebody with or without
    an address (SEC-066). Where the methods of an account show, nobody's name alone has to look so.
    """
    privacy, emails = step.config.privacy, step.config.email
    if privacy.show_account_existence_hints:
        return False
    if privacy.only_show_actual_login_methods:
        return step.stash.user_id is None and emails.enabled and not emails.optional
    return True
