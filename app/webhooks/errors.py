"""What can be refused about webhooks."""

from app.errors import Conflict, Invalid, NotFound


class WebhookNotFound(NotFound):
    """No such hook."""

    message = "There is no such webhook."

    def __init__(self) -> None:
        super().__init__(path=("webhook_id",))


class DeliveryNotFound(NotFound):
    """No such delivery, or its event is kept no longer."""

    message = "There is no such delivery, or its event is kept no longer."

    def __init__(self) -> None:
        super().__init__(path=("delivery_id",))


class WebhookInvalid(Invalid):
    """A callback, an event or a span that cannot be."""

    code = "webhook_invalid"
    message = "The webhook cannot be like this."


class WebhookConfigured(Conflict):
    """A hook of the configuration, which the API does not change."""

    code = "webhook_configured"
    message = "This webhook stands in the configuration, and is changed there."

    def __init__(self) -> None:
        super().__init__(path=("webhook_id",))


class WebhookLimitReached(Conflict):
    """There are as many hooks as there may be."""

    code = "webhook_limit_reached"
    message = "There are as many webhooks as there may be."


class WebhookDisabled(Conflict):
    """Nothing is delivered to a hook that is disabled."""

    code = "webhook_disabled"
    message = "The webhook is disabled."

    def __init__(self) -> None:
        super().__init__(path=("webhook_id",))
