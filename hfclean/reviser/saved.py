"""The record of a reviser that asks a model: written beside the weights or alone, read from a folder or the Hub."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

from hfclean.errors import FolderError, HfcleanError
from hfclean.models import ModelTransform
from hfclean.models.weights import fetch_ahead
from hfclean.records import reviser as saved
from hfclean.records.trust import settings_of
from hfclean.reviser.codec import CODEC_VERSION
from hfclean.reviser.untried import note_evaluation


class SavedReviser(ModelTransform):
    """A transform that asks a model and can be saved. A subclass has a prompt, and maybe texts beside its settings."""

    # settings that may hold the user's own code, which no file can
    own_code: ClassVar[tuple[str, ...]] = ()

    def prompt_version(self) -> str:
        """Of the prompt and the form of the answers; part of the key under which answers are kept."""
        raise HfcleanError(f"{type(self).__name__} defines no prompt_version()")

    def words(self) -> dict[str, Any]:
        """Texts that a folder holds besides the settings, which have only their digest."""
        return {}

    @classmethod
    def read_words(cls, about: Mapping[str, Any]) -> dict[str, Any]:
        """The settings behind `words`."""
        return {}

    @classmethod
    def read_own_words(cls, words: Mapping[str, Any]) -> dict[str, Any]:
        """The settings behind `own_words`, of a record that was written here."""
        return dict(words)

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write the record of this reviser, beside a model's weights or alone, as `hfclean.json`.

        Model, prompt, form and gate; never a key, nor anything of this machine but the model's name.

        Raises:
            FolderError: the reviser holds your own code.
        """
        return saved.write_reviser(self.about(), folder)

    def about(self, training: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The record of this reviser, as JSON can hold it.

        Args:
            training: how its model was trained; by default as the record beside its weights says.

        Raises:
            FolderError: the reviser holds your own code.
        """
        settings, words, spec = self.settings(), self.words(), self.spec()
        code = [name for name in self.own_code if name in settings and not isinstance(getattr(self, name), str)]
        if code:
            raise FolderError(
                f"{code[0]}= holds your own code or a judge, which no file can hold; save the reviser without it, "
                "and say it when you load"
            )
        if spec.kind == "function":
            raise FolderError(
                f"{settings['model']} is your own function, which no file can hold; name a model instead"
            )
        if training is None and spec.kind == "local" and isinstance(spec.model, str):
            training = saved.training_beside(spec.model)
        in_words = self.read_words(words)
        return {
            "reviser": type(self).__name__,
            "version": self.version,
            "codec": CODEC_VERSION,
            "prompt_version": self.prompt_version(),
            **words,
            # how far it is trusted, and whether code of rows is run, is for each user to say
            "settings": {name: value for name, value in settings.items() if name not in (*in_words, "trust", "tests")},
            **({"training": dict(training)} if training else {}),
        }

    @classmethod
    def from_pretrained(
        cls, folder: str | Path, *, revision: str | None = None, token: str | None = None, **settings: Any
    ) -> Self:
        """The reviser of a folder or of a repo of the Hub: its weights, with the prompt and settings of its record.

        From the Hub, `hfclean.json` is fetched at once and the weights when needed, both at the same commit,
        which is the reviser's `revision`. With `token`, all files of the model that it asks are fetched at once.

        Args:
            folder: with a model's weights and `hfclean.json`, or with `hfclean.json` alone, which then names the
                model; or a Hub id, `NAMESPACE/NAME`.
            revision: branch, tag or commit of the repo.
            token: of the Hub, for a private or gated repo; by default that of `hf auth login` or HF_TOKEN. It is used
                now and not kept, neither in the reviser nor in anything that is written.
            settings: used instead of those in the file. Where rows are sent (`base_url`, `api_key_env`) is
                never taken from a file of the Hub.

        Raises:
            FolderError: there is no reviser, or one that this version cannot read or does not trust.
            ModelError: the Hub gives no such repo.
        """
        recorded = saved.find_record(folder, revision, token)
        saved.check_kind(recorded, cls.__name__)
        words = saved.read_words(recorded, CODEC_VERSION, cls.read_words)
        saved.check_version(recorded, cls.version)
        stated = saved.stated_settings(recorded, settings_of(cls), settings, words)
        stated, given = saved.model_settings(recorded, stated, settings, revision)
        with saved.building(recorded):
            reviser = cls(**{**stated, **words})
        if any(recorded.about.get(name) != text for name, text in reviser.words().items()):
            raise FolderError(
                f"{recorded.where}: made for other prompts than those of this version of hfclean (prompt "
                f"{recorded.about.get('prompt_version')!r:.40}, here {reviser.prompt_version()}); install the version "
                "that the reviser's card names"
            )
        reviser = replace(reviser, **given)
        spec = reviser.spec()
        if not recorded.repo_id:
            note_evaluation(spec, recorded.folder)
        if token and spec.kind == "local":
            fetch_ahead(spec.name, spec.revision, token)
        return reviser
