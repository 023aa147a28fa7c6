"""Beyond one machine: shards of a dataset that add up, and rows as other engines hand them over. Public names are in
`__init__.pyi`; each is loaded when it is first used."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
