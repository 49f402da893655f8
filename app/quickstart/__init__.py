"""The quickstart: the published components of the reference, signing people in here."""

from app.quickstart.page import BUNDLE, Quickstart, policy

__all__ = ["BUNDLE", "Quickstart", "policy"]
