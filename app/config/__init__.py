"""The settings: typed, read once, secrets hidden."""

from app.config.load import ConfigurationRefused, Setting, load, schema, settings, show
from app.config.sections import BagLimit, BagLimits, Config
from app.config.values import Secret, parse_listener

__all__ = [
    "BagLimit",
    "BagLimits",
    "Config",
    "ConfigurationRefused",
    "Secret",
    "Setting",
    "load",
    "parse_listener",
    "schema",
    "settings",
    "show",
]
