"""Which endpoints a listener has."""

from litestar.handlers import HTTPRouteHandler

from app.http import Listener
from app.rest import account, backend, wellknown

_EVERYWHERE = [
    wellknown.alive,
    wellknown.ready,
    backend.create_user,
    backend.get_user,
    backend.patch_user_metadata,
]
_PUBLIC = [
    wellknown.jwks,
    account.me,
    account.own_user,
    account.logout,
    account.validate,
    account.validate_token,
    account.refresh,
    account.end_refreshed,
]
_ADMIN = [backend.get_metadata, backend.patch_metadata]


def routes(listener: Listener) -> list[HTTPRouteHandler]:
    """List the endpoints; the reference's admin endpoints are on the admin listener alone."""
    return [*_EVERYWHERE, *(_PUBLIC if listener.is_public else _ADMIN)]
