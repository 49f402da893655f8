"""Asking whether the server is ready; it runs every few seconds, and so loads little."""

import http.client
import sys
from urllib.parse import urlsplit

import click

from app.cli.session import Refused, State, json_option, show
from app.config import parse_listener

_TIMEOUT = 5


@click.command()
@click.argument("which", type=click.Choice(["public", "admin"]), default="public")
@json_option
@click.pass_obj
def isready(state: State, which: str, as_json: bool) -> None:
    """Ask a running server whether it is ready.

    The exit status is the answer: 0 if it is, 1 if it is not or does not answer.
    """
    try:
        _ask(state, which)
    except Refused as refused:
        if not as_json:
            raise
        told = {"ready": False, "listener": which, "reason": str(refused)}
        show(told, as_json=True, text="")
        sys.exit(1)
    show({"ready": True, "listener": which}, as_json=as_json, text="ready")


def _ask(state: State, which: str) -> None:
    """Ask for readiness.

    Raises:
        Refused: It is not ready, or does not answer.
    """
    server = state.config().server
    listener = server.public if which == "public" else server.admin
    host, port = parse_listener(listener.address)
    connection = http.client.HTTPConnection(host or "127.0.0.1", port, timeout=_TIMEOUT)
    try:
        known = urlsplit(server.public.url).netloc
        connection.request("GET", "/health/ready", headers={"Host": known})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise Refused(f"the {which} listener does not answer on port {port}") from error
    finally:
        connection.close()
    if status != http.client.OK:
        raise Refused(f"the {which} listener is not ready")
