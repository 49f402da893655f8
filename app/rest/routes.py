"""Which endpoints a listener has."""

from litestar.handlers import HTTPRouteHandler

from app.http import Listener
from app.rest import (
    account,
    backend,
    flows,
    mailbox,
    metrics,
    quickstart,
    saml,
    thirdparty,
    webauthn,
    wellknown,
)

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
    flows.login,
    flows.registration,
    flows.profile,
    flows.token_exchange,
    thirdparty.begin,
    thirdparty.finish,
    thirdparty.finish_form,
    thirdparty.redeem,
    thirdparty.give_nonce,
    thirdparty.accept_id_token,
    saml.begin,
    saml.form,
    saml.finish,
    saml.metadata,
    webauthn.related_origins,
    webauthn.begin_registration,
    webauthn.finish_registration,
    webauthn.begin_login,
    webauthn.finish_login,
    webauthn.credentials,
    webauthn.rename,
    webauthn.delete_credential,
]
_ADMIN = [
    metrics.metrics,
    backend.get_metadata,
    backend.patch_metadata,
    mailbox.page,
    mailbox.mail_alone,
]


def routes(listener: Listener) -> list[HTTPRouteHandler]:
    """List the endpoints; the reference's admin endpoints are on the admin listener alone."""
    shown = [quickstart.page] if listener.is_public and not listener.config.is_production else []
    return [*_EVERYWHERE, *(_PUBLIC if listener.is_public else _ADMIN), *shown]
