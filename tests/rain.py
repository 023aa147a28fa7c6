"""Messages about rain with a call and its result, for the tests of chat templates and of what they wrote."""

SYSTEM = {"role": "system", "content": "Be brief."}
ASKED = {"role": "user", "content": "Rain in Oslo?"}
SAID = {"role": "assistant", "content": "Yes, a little."}
CALL = {"type": "function", "function": {"name": "rain", "arguments": {"city": "Oslo"}}}
CALLING = {"role": "assistant", "content": None, "tool_calls": [CALL]}
WET = {"role": "tool", "content": "wet"}
TOOL = {
    "type": "function",
    "function": {"name": "rain", "description": "Is it wet?", "parameters": {"type": "object"}},
}
