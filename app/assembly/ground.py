"""What everything stands on: configuration, clock, secrets, audit, events, mail, rate limits."""

from dataclasses import dataclass

from app.audit import AuditLog
from app.clock import Clock
from app.config.sections import Config
from app.keys import Sealer, encryption_secrets
from app.mail import Mail
from app.metrics import Metrics
from app.ratelimit import RateLimits
from app.webhooks import Events


@dataclass(frozen=True, slots=True, repr=False)
class Ground:
    """What everything stands on."""

    config: Config
    clock: Clock
    secrets: list[str]
    metrics: Metrics
    sealer: Sealer
    audit: AuditLog
    events: Events
    mail: Mail
    rate_limits: RateLimits


def ground_of(config: Config, clock: Clock) -> Ground:
    """Build what everything stands on."""
    metrics, secrets = Metrics(), encryption_secrets(config)
    sealer = Sealer(secrets)
    audit, events = AuditLog(config.audit_log, clock, metrics), Events(sealer, clock)
    return Ground(
        config=config,
        clock=clock,
        secrets=secrets,
        metrics=metrics,
        sealer=sealer,
        audit=audit,
        events=events,
        mail=Mail.of(config, sealer, events, clock),
        rate_limits=RateLimits.of(config.rate_limiter, secrets, clock, audit),
    )
