"""The answers of `GET /v1/models`: those of Chat Completions."""

from __future__ import annotations

from proxy_core.formats.openai.models import encode_model, encode_models

__all__ = ["encode_model", "encode_models"]
