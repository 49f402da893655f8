"""Whether a browser is spared the second factor for a while (§3.7)."""

from typing import ClassVar

from app.flows.definition import SubFlow
from app.flows.outcomes import Move, Outcome
from app.flows.states import DeviceTrust
from app.flows.step import Action, GoBack, Step


class TrustDevice(Action, frozen=True):
    """Trust this device."""

    name: ClassVar[str] = "trust_device"

    async def run(self, step: Step) -> Outcome:
        """Remember it; the token is made with the session (SEC-059)."""
        step.stash.device_trust_granted = True
        return Move(no_back=True)


class SkipDeviceTrust(Action, frozen=True):
    """Do not trust this device."""

    name: ClassVar[str] = "skip"

    async def run(self, step: Step) -> Outcome:  # noqa: ARG002  # nothing to remember
        """Go on."""
        return Move()


DEVICE_TRUST = SubFlow("device_trust", {DeviceTrust: (TrustDevice, SkipDeviceTrust, GoBack)})
