"""Countlast: why METRC cannot find a package that is on the shelf. The count is the last thing to touch."""

__version__ = "0.1.0"
