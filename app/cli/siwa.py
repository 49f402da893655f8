"""The client secret of "Sign in with Apple", made by hand."""

from datetime import timedelta
from pathlib import Path

import click
import jwt

from app.cli.session import Refused, json_option, show
from app.clock import utc_now
from app.federation.apple import AUDIENCE

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
LIFETIME = timedelta(days=180)
"""As long as Apple takes one for."""


@click.command()
@click.option(
    "-p", "--private-key", "--private_key", type=_FILE, required=True, help="The .p8 file."
)
@click.option("-t", "--team-id", "--team_id", required=True, help="The team's id.")
@click.option("-s", "--services-id", "--services_id", required=True, help="The client id.")
@click.option("-k", "--key-id", "--key_id", required=True, help="The id of the private key.")
@json_option
def siwa(private_key: Path, team_id: str, services_id: str, key_id: str, as_json: bool) -> None:
    """Make the client secret that Apple takes for 180 days.

    A server that is given the private key itself (third_party.providers.apple.private_key) makes
    one whenever it needs it.
    """
    now = utc_now()
    ends = now + LIFETIME
    claims = {
        "iss": team_id,
        "iat": int(now.timestamp()),
        "exp": int(ends.timestamp()),
        "aud": AUDIENCE,
        "sub": services_id,
    }
    try:
        secret = jwt.encode(claims, private_key.read_bytes(), "ES256", headers={"kid": key_id})
    except (ValueError, TypeError, jwt.PyJWTError):
        raise Refused("the private key is no PKCS#8 key of the curve P-256") from None
    show({"secret": secret, "expires_at": ends}, as_json=as_json, text=secret)
