"""Rate limits: how often an account or a network may try something."""

from app.ratelimit.rules import Operation
from app.ratelimit.service import Limited, RateLimits

__all__ = ["Limited", "Operation", "RateLimits"]
