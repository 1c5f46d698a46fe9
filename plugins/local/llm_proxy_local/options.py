"""What can be set under `backends: {local: …}` in `llm-proxy.yaml`."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["LocalOptions"]


class LocalOptions(BaseModel):
    """The options of the connector `local`. Everything may be left out."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    model_path: Path | None = Field(
        None,
        description="A GGUF file; `~` is the home directory. The weights that `llm-proxy local install` "
        "fetches when not given.",
    )
    model_name: str | None = Field(
        None, min_length=1, description="What clients call the model; made from the file's name when not given."
    )
    context_size: int = Field(
        4096,
        ge=0,
        description="How many tokens prompt and answer may have together; 0 takes as many as the model was trained "
        "for. More takes more memory: 23 MB per 1,024 tokens with the small model.",
    )
    default_max_tokens: int = Field(
        1024, ge=1, description="The length in tokens at which an answer is cut when the request does not say."
    )
    threads: int | None = Field(
        None,
        ge=1,
        description="CPU threads that compute; one less than there are cores when not given. With a thread on every "
        "core, any other load makes the model many times slower.",
    )
    parallel: int = Field(
        1,
        ge=1,
        description="How many requests are answered at once; each has a context of its own.",
    )
    queue_size: int = Field(
        16, ge=0, description="How many requests may wait for their turn; the next one is refused with a 503."
    )
    batch_size: int = Field(
        64,
        ge=32,
        description="How many tokens of a prompt are read in one go. A request that is given up while its prompt is "
        "read goes on to the end of the batch.",
    )
    preload: bool = Field(
        False, description="Load the model in the background when the server starts, not with the first request."
    )
