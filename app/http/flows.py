"""What a flow takes from a request beside the action, and hands over beside the step."""

from app.access import Actor
from app.config.sections import Config
from app.flows.result import StepResult
from app.flows.step import FlowRequest
from app.http.asked import Asked
from app.http.browsers import secrets_of
from app.http.cookies import SessionCookie


def flow_request(asked: Asked, actor: Actor, config: Config, language: str = "") -> FlowRequest:
    """Gather what a request brings to a flow.

    Args:
        asked: The request.
        actor: Who asks.
        config: The configuration; it names the cookie of trusted devices.
        language: The language that the body names.
    """
    cookie = SessionCookie(config.session)
    name = config.mfa.device_trust_cookie_name
    device_trust = cookie.read(asked.header(b"cookie"), name) or ""
    return FlowRequest(actor, language, device_trust, secrets_of(asked, cookie))


def handed_over(result: StepResult, cookie: SessionCookie) -> list[tuple[bytes, bytes]]:
    """Write the headers that hand a session to the browser, or take it away."""
    headers = [cookie.beside(one.name, one.value, one.max_age) for one in result.cookies]
    if result.issued is not None:
        headers += cookie.delivery(result.issued)
    if result.forgets_session:
        headers += cookie.deletion()
    return headers
