"""What a body of each format means, in the neutral terms of the corpus. Written from the providers' documents, and
without the proxy's help.

Every module has `request(body)` and `answer(body)`, which give the meaning without what is not said; `history(body)`,
a request that brings this answer back as its client's SDK does; and `state(body)`, the opaque state in a request.
"""

from __future__ import annotations

from types import ModuleType

from tests.corpus.readers import chat, gemini, messages, responses

READERS: dict[str, ModuleType] = {
    "openai": chat,
    "openai-responses": responses,
    "anthropic": messages,
    "gemini": gemini,
}
