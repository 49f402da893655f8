"""Claim templates: where they live, and what they make of a user."""

from app.templates.caps import caps_of
from app.templates.errors import ClaimsNotAnObject, ClaimsTooLong
from app.templates.service import ClaimTemplates, Excess, Template, fault_of_size
from app.templates.subject import (
    SUBJECT_COLUMNS,
    SUBJECT_JOINS,
    PrimaryEmail,
    Subject,
    subject_of,
)

__all__ = [
    "SUBJECT_COLUMNS",
    "SUBJECT_JOINS",
    "ClaimTemplates",
    "ClaimsNotAnObject",
    "ClaimsTooLong",
    "Excess",
    "PrimaryEmail",
    "Subject",
    "Template",
    "caps_of",
    "fault_of_size",
    "subject_of",
]
