"""Somebody who walks a flow."""

from dataclasses import dataclass, field
from typing import Any

from drill.line import Answer, Line


@dataclass(slots=True)
class Visitor:
    """A flow over a connection; it goes on after the connection, or the replica, has gone."""

    line: Line
    step: dict[str, Any] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """Where the flow stands, or an empty text where that is not known."""
        return str(self.step.get("name", ""))

    async def begin(self, kind: str) -> Answer:
        """Begin a flow, on a device that knows no passkeys."""
        await self._note(await self.line.post(f"/{kind}", {}))
        return await self.act("register_client_capabilities", webauthn_available=False)

    async def to_passcode(self, address: str) -> Answer:
        """Go as far as a code is mailed."""
        await self.begin("login")
        await self.act("continue_with_login_identifier", email=address)
        return await self.act("continue_to_passcode_confirmation")

    async def to_password(self, address: str) -> Answer:
        """Go as far as a password is asked for."""
        await self.begin("login")
        await self.act("continue_with_login_identifier", email=address)
        return await self.act("continue_to_password_login")

    async def act(self, action: str, **inputs: Any) -> Answer:
        """Run an action."""
        return await self._note(await self.send(action, self.line, **inputs))

    async def send(self, action: str, line: Line, **inputs: Any) -> Answer:
        """Run an action over another connection, and stay where we are.

        Raises:
            LookupError: The state does not offer it.
        """
        offered = self.step.get("actions", {}).get(action)
        if offered is None:
            raise LookupError(f"{self.state or 'the flow'} offers no {action}")
        body = {"input_data": inputs, "csrf_token": self.step["csrf_token"]}
        return await line.post(offered["href"], body)

    async def _note(self, answer: Answer) -> Answer:
        if isinstance(answer.body, dict) and "actions" in answer.body:
            self.step = answer.body
        return answer
