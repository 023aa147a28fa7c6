"""The version of hfclean, for `setup.cfg` and for everything that records it."""

__version__ = "0.1.0"
