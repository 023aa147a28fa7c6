"""The check of addresses: the URLs and mail addresses that the question gives."""

import re

from hfclean.checks.check import Case, Check

URL = re.compile(r"\b(?:https?://|ftp://|www\.)[^\s<>\"'“”‘’()\[\]{}，。]+", re.IGNORECASE)
MAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}+@[\w-]{1,64}\.[\w.-]{2,64}")


def _urls_in(text: str) -> set[str]:
    """The web and mail addresses of a text, in lower case and without what closes a sentence."""
    found: set[str] = set()
    if "://" in text or "www." in text or "WWW." in text:
        found.update(url.rstrip(".,;:!?*_`").rstrip("/").lower() for url in URL.findall(text))
    if "@" in text:
        found.update(address.rstrip(".-").lower() for address in MAIL.findall(text))
    return found


def _url_changed(case: Case) -> bool:
    given = _urls_in(case.asked.text)
    if not given:
        return False
    if not case.same_task and given - _urls_in(case.asks.text):
        return True
    new = _urls_in(case.new.text)
    return bool((given & _urls_in(case.old.text)) - new) and bool(new - given)


url_changed = Check("url_changed", "an address that the question gives, lost or replaced by another", _url_changed)
