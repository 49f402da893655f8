"""Our own SAML certificates from the command line, whose operator is trusted."""

from typing import TYPE_CHECKING

import click

from app.access import SYSTEM
from app.assembly import Services
from app.cli.session import State, json_option, show, with_services
from app.federation.saml.errors import SamlOff

if TYPE_CHECKING:  # it brings the packages of an extra
    from app.federation.saml.certificates import Certificates, OwnCertificate


@click.group()
def saml() -> None:
    """List and renew the certificates of SAML.

    They sign our requests, and assertions are encrypted for them.
    """


@saml.command(name="list")
@json_option
@click.pass_obj
def list_(state: State, as_json: bool) -> None:
    """List the certificates that have not ended, oldest first."""

    async def work(services: Services) -> "list[OwnCertificate]":
        return await _certificates(services).all()

    found = with_services(state, work)
    text = "\n".join(f"{one.id}  signs from {one.active_from}  [{one.expires_at}]" for one in found)
    show([_plain(one) for one in found], as_json=as_json, text=text)


@saml.command()
@click.option("--now", is_flag=True, help="Sign with it at once: for emergencies.")
@json_option
@click.pass_obj
def renew(state: State, now: bool, as_json: bool) -> None:
    """Make the next certificate and publish it.

    Requests are signed with it in thirty days.
    """

    async def work(services: Services) -> "OwnCertificate":
        return await _certificates(services).renew(SYSTEM, at_once=now)

    made = with_services(state, work)
    text = f"{made.id} signs from {made.active_from} on\n{made.pem.strip()}"
    show(_plain(made), as_json=as_json, text=text)


def _certificates(services: Services) -> "Certificates":
    if services.saml is None:
        raise SamlOff
    return services.saml.certificates


def _plain(found: "OwnCertificate") -> dict[str, object]:
    return {
        "id": found.id,
        "active_from": found.active_from,
        "expires_at": found.expires_at,
        "certificate": found.pem,
    }
