"""The three bags of JSON kept with a user: public, private and unsafe."""

from app.metadata.changes import UNSET, Bag, BagChanges, Mode, Unset
from app.metadata.errors import (
    MetadataInvalid,
    MetadataNotAnObject,
    MetadataOverflowsClaims,
    MetadataRefused,
    MetadataTooLarge,
    MetadataVersionConflict,
)
from app.metadata.patch import merge_patch
from app.metadata.service import Bags, Metadata

__all__ = [
    "UNSET",
    "Bag",
    "BagChanges",
    "Bags",
    "Metadata",
    "MetadataInvalid",
    "MetadataNotAnObject",
    "MetadataOverflowsClaims",
    "MetadataRefused",
    "MetadataTooLarge",
    "MetadataVersionConflict",
    "Mode",
    "Unset",
    "merge_patch",
]
