"""Quality control: what people's decisions say of the people, the proposals and the time that both take."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
