"""Which endpoints a listener has."""

from litestar import Router
from litestar.handlers import HTTPRouteHandler
from litestar.types import ExceptionHandlersMap

from app.errors import IdentityError
from app.http import Listener
from app.rest import (
    account,
    admin_audit,
    admin_credentials,
    admin_emails,
    admin_metadata,
    admin_sessions,
    admin_users,
    admin_webhooks,
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
from app.rest.wording import in_its_words

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
    thirdparty.finish_at,
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
    mailbox.page,
    mailbox.mail_alone,
]
_ADMIN_API = [
    admin_users.users,
    admin_users.create,
    admin_users.user,
    admin_users.update,
    admin_users.remove,
    admin_users.identities,
    admin_users.remove_identity,
    admin_metadata.get_metadata,
    admin_metadata.patch_metadata,
    admin_emails.emails,
    admin_emails.add,
    admin_emails.email,
    admin_emails.remove,
    admin_emails.set_primary,
    admin_credentials.get_password,
    admin_credentials.create_password,
    admin_credentials.update_password,
    admin_credentials.delete_password,
    admin_credentials.get_otp,
    admin_credentials.delete_otp,
    admin_credentials.list_credentials,
    admin_credentials.get_credential,
    admin_credentials.delete_credential,
    admin_sessions.create_session,
    admin_sessions.list_sessions,
    admin_sessions.delete_session,
    admin_webhooks.list_webhooks,
    admin_webhooks.create_webhook,
    admin_webhooks.get_webhook,
    admin_webhooks.update_webhook,
    admin_webhooks.delete_webhook,
    admin_audit.list_audit_logs,
]
"""What the reference has there, for secret keys."""


def routes(listener: Listener) -> list[HTTPRouteHandler | Router]:
    """List the endpoints; the reference's admin endpoints are on the admin listener alone."""
    shown = [quickstart.page] if listener.is_public and not listener.config.is_production else []
    if listener.is_public:
        return [*_EVERYWHERE, *_PUBLIC, *shown]
    words: ExceptionHandlersMap = {IdentityError: in_its_words}
    admin_api = Router("/", route_handlers=_ADMIN_API, exception_handlers=words)
    return [*_EVERYWHERE, *_ADMIN, admin_api]
