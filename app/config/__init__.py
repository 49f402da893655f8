"""The settings: typed, read once, secrets hidden."""

from app.config.load import ConfigurationRefused, Reading, load, read, schema, show
from app.config.sections import BagLimit, BagLimits, Config
from app.config.settings import Setting, settings
from app.config.values import Secret, parse_listener

__all__ = [
    "BagLimit",
    "BagLimits",
    "Config",
    "ConfigurationRefused",
    "Reading",
    "Secret",
    "Setting",
    "load",
    "parse_listener",
    "read",
    "schema",
    "settings",
    "show",
]
