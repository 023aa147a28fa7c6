"""Where an answer runs on into a turn of the user that the model made up, as it does past the end of its own turn."""

from __future__ import annotations

import re

ENDS = (
    r"<\|(?:im_end|eot_id|eot|end|end_of_turn|end_of_text|endoftext|END_OF_TURN_TOKEN)\|>|<end_of_turn>|"
    r"<｜end▁of▁sentence｜>|</s>"
)
ASKS = (
    r"<\|im_start\|>user\b|<\|start_header_id\|>user<\|end_header_id\|>|<\|header_start\|>user<\|header_end\|>|"
    r"<start_of_turn>user\b|<\|start_of_role\|>user<\|end_of_role\|>|<\|START_OF_TURN_TOKEN\|><\|USER_TOKEN\|>|"
    r"<\|(?:user|im_user|prompter)\|>|<｜User｜>|\[INST\]"
)
FOLLOWING = re.compile(rf"(?:{ENDS})\s{{0,9}}(?:(?:<s>|<\|begin_of_text\|>|<bos>)\s{{0,9}})?(?:{ASKS})")
# Who asks for something that has turns, or for a template, may get them.
MAY_WANT = re.compile(
    r"\b(?:dialog\w*|conversa\w*|chat\w*|transcri\w*|scripts?|interview\w*|role-?play\w*|multi-?turn|turns?|prompts?|"
    r"fine-?tun\w*|training data|dataset\w*|jsonl|examples?|samples?|format\w*|templat\w*|simulat\w*|messages?|"
    r"q ?& ?a|diálogo\w*|gespräch\w*|unterhaltung\w*|beispiel\w*|exemple\w*|ejemplo\w*|exemplo\w*|esemp\w*)\b|"
    r"диалог|разговор|бесед|пример|对话|對話|聊天|会话|例子|示例|会話|対話|例を|대화|채팅|예시|حوار|محادثة|مثال",
    re.IGNORECASE,
)
# What no repair takes away: thoughts and calls.
CARRIES = re.compile(r"</?(?:think|thought|reasoning|tool|function)|<\|tool|<｜tool|\[TOOL|\[/?THINK", re.IGNORECASE)


def following_turn(text: str, instruction: str) -> int:
    """Where the marker begins that ends the answer before a turn of the user which nobody asked for; -1 if nowhere."""
    found = FOLLOWING.search(text)
    if found is None or not text[: found.start()].strip() or MAY_WANT.search(instruction):
        return -1
    if text.count("```", 0, found.start()) % 2 or CARRIES.search(text, found.end()):
        return -1
    return found.start()
