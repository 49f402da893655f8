"""Mail from the command line."""

import click

from app.assembly import Services
from app.cli.session import Refused, State, json_option, show, with_services
from app.mail import Outcome

_REFUSALS = {
    "deferred": "the server refused the message for now; the worker tries again",
    "refused": "the server refused the message",
    "unreachable": "the server cannot be used",
    "expired": "the message came too late",
}


@click.group()
def mail() -> None:
    """See whether mail can be sent."""


@mail.command()
@click.argument("address")
@click.option("--language", default="en", show_default=True, help="Language of the message.")
@json_option
@click.pass_obj
def test(state: State, address: str, language: str, as_json: bool) -> None:
    """Send a test message and print what the SMTP server said."""

    async def work(services: Services) -> Outcome | None:
        return await services.mail.test(address, services.mail.language(language))

    outcome = with_services(state, work)
    if outcome is None:
        raise Refused("mail is switched off (email_delivery.enabled)")
    if outcome.kind != "sent":
        raise Refused(f"{_REFUSALS[outcome.kind]}: {_said(outcome)}")
    kept = " in the mailbox, at /mailbox of the admin listener" if outcome.answer == "kept" else ""
    value = {"sent": not kept, "kept": bool(kept), "answer": _said(outcome)}
    show(value, as_json=as_json, text=f"sent: {_said(outcome)}{kept}")


def _said(outcome: Outcome) -> str:
    return " ".join(filter(None, (outcome.answer, outcome.words.removeprefix(_enhanced(outcome)))))


def _enhanced(outcome: Outcome) -> str:
    """Give the enhanced code, which the server's words begin with where there is one."""
    _, _, enhanced = outcome.answer.partition(" ")
    return f"{enhanced} " if enhanced else ""
