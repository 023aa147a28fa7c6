"""The markers of chat templates and tokenizers, as data: the purpose of each and the templates that write it.

`turn` opens or closes the turn of a role, `end` begins or ends a sequence: these are cut where they leak at the edge
of a text. `content` is part of the content (a thought, a call, a picture, a gap to fill) and always stays. A
marker that is in no list is unknown: it is reported, never cut.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

_Kind = Literal["turn", "end", "content"]


class Marker(NamedTuple):
    """A marker as written, its purpose, and the template or model family that writes it."""

    text: str
    kind: _Kind
    source: str


def _markers(kind: _Kind, source: str, texts: str) -> list[Marker]:
    return [Marker(text, kind, source) for text in texts.split()]


MARKERS: tuple[Marker, ...] = (
    *_markers("turn", "ChatML, Qwen, Yi, InternLM, OLMo", "<|im_start|> <|im_end|> <|im_sep|>"),
    *_markers("turn", "Kimi", "<|im_user|> <|im_assistant|> <|im_system|> <|im_middle|>"),
    *_markers("turn", "Llama 3", "<|start_header_id|> <|end_header_id|> <|eot_id|>"),
    *_markers("end", "Llama 3", "<|begin_of_text|> <|end_of_text|>"),
    *_markers("turn", "Llama 4", "<|header_start|> <|header_end|> <|eot|>"),
    *_markers("turn", "Llama 2, Mistral", "[INST] [/INST] <<SYS>> <</SYS>> [SYSTEM_PROMPT] [/SYSTEM_PROMPT]"),
    *_markers("turn", "Gemma", "<start_of_turn> <end_of_turn>"),
    *_markers("end", "Gemma", "<bos> <eos>"),
    *_markers("turn", "Zephyr, Phi, GLM, Falcon, OLMo", "<|user|> <|assistant|> <|system|> <|human|> <|bot|>"),
    *_markers("turn", "GLM, Phi, Granite", "<|observation|> <|developer|> <|prompter|> <|model|>"),
    *_markers("turn", "Phi, Harmony, OpenChat", "<|end|> <|start|> <|return|> <|end_of_turn|> <|start_of_turn|>"),
    *_markers("turn", "Granite", "<|start_of_role|> <|end_of_role|>"),
    *_markers(
        "turn",
        "Command R",
        "<|START_OF_TURN_TOKEN|> <|END_OF_TURN_TOKEN|> <|USER_TOKEN|> <|CHATBOT_TOKEN|> <|SYSTEM_TOKEN|>",
    ),
    *_markers("turn", "DeepSeek", "<｜User｜> <｜Assistant｜> <｜System｜> <|User|> <|Assistant|> <|System|>"),
    *_markers(
        "end",
        "DeepSeek",
        "<｜begin▁of▁sentence｜> <｜end▁of▁sentence｜> <|begin▁of▁sentence|> <|end▁of▁sentence|> <|EOT|>",
    ),
    *_markers("end", "GPT-2, Qwen, Falcon, Granite, GLM, OLMo", "<|endoftext|> <|startoftext|> <|begin_of_sentence|>"),
    *_markers("end", "Yi, MiniCPM, Hunyuan, Reka", "<|end_of_sentence|> <|startoftext|> <|eos|> <|bos|> <|sep|>"),
    *_markers("end", "Harmony, Exaone", "<|startoftext|> [|endofturn|]"),
    *_markers("turn", "Exaone", "[|system|] [|user|] [|assistant|]"),
    *_markers("end", "GLM", "[gMASK] [sMASK] <sop> <eop>"),
    *_markers("end", "older tokenizers", "<eot> <eod> <eom> <endoftext> <end_of_text>"),
    # ------------------------------------------------------------------------------------------------------- content
    *_markers("content", "Harmony", "<|channel|> <|message|> <|constrain|> <|call|>"),
    *_markers("content", "Sky-T1, OpenThoughts", "<|begin_of_thought|> <|end_of_thought|>"),
    *_markers("content", "Sky-T1, OpenThoughts", "<|begin_of_solution|> <|end_of_solution|>"),
    *_markers(
        "content", "thoughts as text", "<|think|> <|thinking|> <|thought|> <|reasoning|> <|solution|> <|answer|>"
    ),
    *_markers("content", "Command R", "<|START_THINKING|> <|END_THINKING|> <|START_ACTION|> <|END_ACTION|>"),
    *_markers("content", "Command R", "<|START_RESPONSE|> <|END_RESPONSE|> <|START_TOOL_RESULT|> <|END_TOOL_RESULT|>"),
    *_markers("content", "Llama 3", "<|python_tag|> <|python_start|> <|python_end|> <|eom_id|> <|eom|>"),
    *_markers("content", "Mistral", "[TOOL_CALLS] [AVAILABLE_TOOLS] [/AVAILABLE_TOOLS] [TOOL_RESULTS]"),
    *_markers("content", "Mistral", "[/TOOL_RESULTS] [THINK] [/THINK] [IMG] [IMG_BREAK] [IMG_END] [ARGS] [CALL_ID]"),
    *_markers("content", "DeepSeek", "<｜tool▁calls▁begin｜> <｜tool▁calls▁end｜> <｜tool▁call▁begin｜>"),
    *_markers("content", "DeepSeek", "<｜tool▁call▁end｜> <｜tool▁sep｜> <｜tool▁outputs▁begin｜>"),
    *_markers("content", "DeepSeek", "<｜tool▁outputs▁end｜> <｜tool▁output▁begin｜> <｜tool▁output▁end｜>"),
    *_markers("content", "Kimi", "<|tool_calls_section_begin|> <|tool_calls_section_end|> <|tool_call_begin|>"),
    *_markers("content", "Kimi", "<|tool_call_end|> <|tool_call_argument_begin|>"),
    *_markers("content", "Granite, Phi, GLM", "<|tool_call|> <|/tool_call|> <|tool|> <|/tool|> <|tool_response|>"),
    *_markers("content", "Qwen-VL", "<|vision_start|> <|vision_end|> <|vision_pad|> <|image_pad|> <|video_pad|>"),
    *_markers("content", "Qwen-VL", "<|object_ref_start|> <|object_ref_end|> <|box_start|> <|box_end|>"),
    *_markers("content", "Qwen-VL", "<|quad_start|> <|quad_end|>"),
    *_markers("content", "Llama 3, Phi, GLM", "<|image|> <|video|> <|audio|> <|begin_of_image|> <|end_of_image|>"),
    *_markers("content", "Qwen-Audio", "<|audio_bos|> <|audio_eos|> <|AUDIO|> <|audio_start|> <|audio_end|>"),
    *_markers("content", "DeepSeek-VL", "<|ref|> <|/ref|> <|det|> <|/det|> <|grounding|>"),
    *_markers("content", "fill in the middle", "<|fim_prefix|> <|fim_middle|> <|fim_suffix|> <|fim_pad|>"),
    *_markers("content", "fill in the middle", "<|repo_name|> <|file_sep|> <|code_prefix|> <|code_middle|>"),
    *_markers("content", "fill in the middle", "<|code_suffix|> <｜fim▁begin｜> <｜fim▁hole｜> <｜fim▁end｜>"),
    *_markers("content", "fill in the middle", "<fim_prefix> <fim_middle> <fim_suffix> <PRE> <SUF> <MID> <EOT>"),
    *_markers("content", "speech", "<|laugh|> <|laughter|> <|sigh|> <|cough|> <|breath|> <|gasp|> <|chuckle|>"),
    *_markers("content", "speech", "<|pause|> <|silence|> <|music|> <|noise|> <|applause|> <|cry|> <|whisper|>"),
    *_markers("content", "Whisper", "<|startoftranscript|> <|transcribe|> <|translate|> <|notimestamps|>"),
    *_markers("content", "Whisper, SenseVoice", "<|nospeech|> <|Speech|> <|BGM|> <|HAPPY|> <|SAD|> <|ANGRY|>"),
    *_markers("content", "SenseVoice", "<|NEUTRAL|> <|woitn|> <|withitn|> <|EMO_UNKNOWN|>"),
)

_KINDS: dict[str, _Kind] = {}
for _marker in MARKERS:
    _KINDS.setdefault(_marker.text.lower(), _marker.kind)
# "<EOT>" ends the gap of a fill-in-the-middle prompt, "<eot>" a sequence: by itself the first is taken for the second.
_KINDS["<eot>"] = "end"
REMOVABLE: tuple[str, ...] = tuple(
    sorted((t for t, kind in _KINDS.items() if kind != "content"), key=len, reverse=True)
)
CONTENT: frozenset[str] = frozenset(text for text, kind in _KINDS.items() if kind == "content")

# Content by its form, whatever it is called: numbered placeholders, languages, and both halves of a named stretch.
BY_FORM = re.compile(
    r"<[|｜](?:[a-z_]{1,30}_?\d+(?:\.\d+)?|[a-z]{2,3}|/[\w▁-]{1,40}"
    r"|(?:begin|start|end)(?:[_▁]of)?[_▁][\w▁]{1,40}|\w{1,40}_(?:begin|start|end|bos|eos|pad|token)"
    r"|[\w▁]{1,40}▁(?:begin|end|sep))[|｜]>",
    re.IGNORECASE,
)


def kind_of(marker: str) -> _Kind | None:
    """The purpose of a marker; None for an unknown one."""
    known = _KINDS.get(marker.lower())
    if known is None and BY_FORM.fullmatch(marker) and "reserved" not in marker.lower():
        return "content"
    return known
