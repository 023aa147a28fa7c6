"""How a model is reached: any OpenAI-compatible server, a model that runs here, or a custom function.

    spec = ModelSpec("Qwen/Qwen3-8B", base_url="http://localhost:8000/v1")
    answers = ask(spec, ["Name a fruit.", "Name a tree."])

One engine for all of them: every answer is on disk before anybody gets it, what is stored is not asked again, failures
are values, money has a limit. This room never guesses a key, follows a redirect, runs a model's own code or cuts a
text to make it fit.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
