"""Import and export of users: our own lossless file, and Hanko's."""

from app.transfer.checking import Problem
from app.transfer.errors import EntryInvalid, EntryTaken, FileRefused
from app.transfer.exporting import Exporter
from app.transfer.firebase import Conversion, HashParameters, LeftOut
from app.transfer.generating import made_up
from app.transfer.importing import Importer, OnConflict, Outcome, Wishes, collect_seldom
from app.transfer.reading import Format
from app.transfer.schemas import schema_of
from app.transfer.updating import Updating

__all__ = [
    "Conversion",
    "EntryInvalid",
    "EntryTaken",
    "Exporter",
    "FileRefused",
    "Format",
    "HashParameters",
    "Importer",
    "LeftOut",
    "OnConflict",
    "Outcome",
    "Problem",
    "Updating",
    "Wishes",
    "collect_seldom",
    "made_up",
    "schema_of",
]
