"""The object graph: every service, built once from the configuration."""

from app.assembly.building import assemble
from app.assembly.services import Services

__all__ = ["Services", "assemble"]
