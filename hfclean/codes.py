"""Codes: what the words in `edit_reason` mean, beside the ids of rules and checks, which their rooms declare."""

from collections.abc import Mapping

# what `Answer.error` can be; a custom backend may use other snake_case words
ERRORS: Mapping[str, str] = {
    "timeout": "no answer within timeout_s, as often as was tried",
    "rate_limited": "turned away for asking too fast, as often as was tried",
    "server_error": "the server failed (5xx), as often as was tried",
    "connection": "the connection broke before the answer was whole, as often as was tried",
    "bad_answer": "the server reported success, but did not send a chat completion",
    "context_overflow": "the conversation does not fit the model; nothing was cut to make it fit",
    "refused_request": "the server does not take this request (4xx), and would not the next time",
    "out_of_memory": "the conversation alone does not fit the memory of the device",
}
NO_ANSWER = "no_answer"
# what a step says beside those, ids of rules and ids of checks
REASONS: Mapping[str, str] = {
    "reviser": "the model's revision was taken",
    "reflection": "the model's revision was taken",
    "asked_again": "the revision was refused, and the model was told why and asked once more",
    "salvaged": "the revision was refused, and taken without the part for which it was; what follows is why",
    "unparsed": "the model's answer is not in the requested form",
    "unwritable": "the revision changes something that this row has no place for",
    "not_graded": "no grade came for any of the revisions",
    "nothing_to_revise": "the row has no text that a model could revise",
    "trained_on": "the model was trained on this row, and has seen the expert's answer",
    "instruction_refused": "the model's revision of the instruction was refused",
    "response_refused": "the model's revision of the response was refused",
    "placeholder": "the model left a placeholder where text was expected",
    "instruction_selected": "of the variants, the one with a new instruction was taken",
    "response_selected": "of the variants, the one with a new response was taken",
    "both_selected": "of the variants, the one with a new instruction and a new response was taken",
    "original_selected": "of the variants, the original was taken",
    "not_selected": "no variant meets the selection rule",
    "unscored": "a score that the selection needs is missing",
    "pii_key": "a key or token was masked",
    "pii_email": "an e-mail address was masked",
    "pii_card": "a card number was masked",
    "pii_ip": "an IP address was masked",
    "pii_phone": "a phone number was masked",
    "restored": "the original was put back",
    "accepted": "a person found the text right",
    "edited": "a person wrote the text",
    "rejected": "a person found the revision wrong: the original was put back, or stayed",
    "returned": "a person found that the text needs another revision",
    "excluded": "a person took the row out of the data",
    "overruled": "the checks refuse the text, and a person found it right",
    "not_kept": "only kept answers were asked for, and there is none",
    "rule_error": "a rule raised an error on this row and was left out",
    "too_long_to_read": "the text is longer than is read, and was left as it is",
    NO_ANSWER: "the row has a question and no answer, and so no number that needs one",
    "unreadable": "the row cannot be read as a conversation, and was left as it is",
    "turns_changed": "answers, tool calls or their results that are not as many as before, or not the same",
    "check_error": "a check raised an error on the revision, which was therefore not taken",
    "canonical_arguments": "the arguments of tool calls were written in one way, on request",
    "unrecorded": "the text changed and no step says why",
    "no_reason_recorded": "the step that left the row as it was says no reason",
}
