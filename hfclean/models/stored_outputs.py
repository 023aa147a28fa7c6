"""Outputs of models that are read off, in the file of answers: after a kill, a run need not compute them again.

The key is the content: the hash and dtype of the weights, which value was read off, and the input tokens. Order,
batches and devices do not matter. Failures are not kept, and may pass the next time.
"""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hfclean.models.protocol import Answer
from hfclean.models.store import Record, Setting, Store
from hfclean.models.tokenizing import Tokens

VERSION = "heads-1"  # raised when values change: all are computed again
PENDING = 64  # outputs written together: the most that a crash can lose


class Keeper:
    """The stored outputs of one model, read off in one way.

    Args:
        store: the file.
        source: the model that they come from.
        what: which value is read off, as JSON: everything it depends on besides weights and tokens.
        identity: the commit or the hash of the model.
    """

    def __init__(self, store: Store, source: str, what: str, identity: str) -> None:
        self.store = store
        self.identity = identity
        self.setting = Setting.of(source, VERSION, what)
        self._waiting: list[Record] = []

    def known(self, inputs: Sequence[Tokens]) -> dict[Tokens, Any]:
        """The stored values, as float32 arrays."""
        keys = {self.setting.key(_messages(each)): each for each in inputs}
        found = self.store.get(list(keys))
        return {keys[key]: _decode(answer.text) for key, answer in found.items()}

    def share(self, inputs: Sequence[Tokens], compute: Callable[[Sequence[Tokens]], None]) -> dict[Tokens, Any]:
        """Have missing values computed and kept, except those that another process is computing.

        Args:
            inputs: the inputs without values.
            compute: computes the values of some of them, and adds them.

        Returns:
            the values that another process computed.
        """
        keys = {self.setting.key(_messages(each)): each for each in inputs}
        found: dict[Tokens, Any] = {}

        def compute_here(mine: Sequence[bytes]) -> None:
            try:
                compute([keys[key] for key in mine])
            finally:
                self.flush()

        def hear(answers: Mapping[bytes, Answer]) -> None:
            found.update((keys[key], _decode(answer.text)) for key, answer in answers.items())

        self.store.leases.share(list(keys), compute_here, hear)
        return found

    def add(self, tokens: Tokens, values: Any) -> None:
        """Keep a value; on disk after a while, or when `flush` returns."""
        messages = _messages(tokens)
        answer = Answer(_encode(values), model=self.identity)
        self._waiting.append(Record(self.setting.key(messages), self.setting, messages, answer, 0, 0.0))
        if len(self._waiting) >= PENDING:
            self.flush()

    def flush(self) -> None:
        """Write pending values."""
        records, self._waiting = self._waiting, []
        if records:
            self.store.put(records)


def _messages(tokens: Tokens) -> bytes:
    turns = [{"role": "tokens", "content": " ".join(map(str, tokens.ids))}]
    if any(tokens.types):
        turns.append({"role": "types", "content": " ".join(map(str, tokens.types))})
    return json.dumps(turns, separators=(",", ":")).encode()


def _encode(values: Any) -> str:
    import numpy as np

    array = np.asarray(values, "<f4")
    return json.dumps({"shape": array.shape, "float32": base64.b64encode(array.tobytes()).decode()})


def _decode(text: str) -> Any:
    import numpy as np

    data = json.loads(text)
    return np.frombuffer(base64.b64decode(data["float32"]), "<f4").reshape(data["shape"])
