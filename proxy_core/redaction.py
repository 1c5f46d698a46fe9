"""What is secret in a configuration, and how to keep it out of what people and logs see."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, SecretBytes, SecretStr

_CONFIDENTIAL = r"key|(?<!max_)token(?!iz)|secret|passw|passphrase|authorization|credential|cookie|bearer"
_SECRETS_IN_TEXT = [
    r"(?P<before>://)[^/?#\s]+(?=@)",
    r"^(?P<before>(?:bearer|basic)\s+)\S+$",
    rf"(?P<before>[?&][^=&#]*(?:{_CONFIDENTIAL})[^=&#]*=)[^&#]+",
]


def is_secret_name(name: str) -> bool:
    return re.search(_CONFIDENTIAL, name, re.IGNORECASE) is not None


def masked_value(value: Any, secret: bool, tail: int = 4) -> Any:
    """`value` with every secret in it masked; all that is below a secret's name is secret."""
    if isinstance(value, dict):
        return {key: masked_value(item, secret or is_secret_name(str(key)), tail) for key, item in value.items()}
    if isinstance(value, list):
        return [masked_value(item, secret, tail) for item in value]
    if isinstance(value, SecretStr | SecretBytes):
        return _mask(value.get_secret_value(), tail)
    if secret and isinstance(value, str | bytes | int | float) and not isinstance(value, bool):
        return _mask(value, tail)
    return _without_secrets(value) if isinstance(value, str) else value


def _without_secrets(text: str) -> str:
    """A URL without its password and keys; `Bearer` without its token."""
    for pattern in _SECRETS_IN_TEXT:
        text = re.sub(pattern, r"\g<before>****", text, flags=re.IGNORECASE)
    return text


def declared_secrets(model: type[BaseModel] | None) -> frozenset[str]:
    """The fields of a connector's options model that are secret by their type."""
    fields = model.model_fields if model else {}
    return frozenset(name for name, field in fields.items() if "Secret" in repr(field.annotation))


def secrets_in(options: Mapping[str, Any], declared: Collection[str] = ()) -> list[str]:
    """Every word of the secrets among a backend's options, longest first; short words are not secret. `declared` are
    options that are secret whatever they are called."""
    secrets = [
        secret
        for name, value in options.items()
        for secret in _secrets_below(value, name in declared or is_secret_name(name))
    ]
    found = {word for secret in secrets for word in secret.split()}
    return sorted((word for word in found if len(word) >= 8), key=len, reverse=True)


def redacted(text: str, secrets: Iterable[str]) -> str:
    """The text without the secrets: some providers quote the key that they refuse."""
    for secret in secrets:
        text = text.replace(secret, "****")
    return text


def _secrets_below(value: Any, secret: bool) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _secrets_below(item, secret or is_secret_name(str(key)))
    elif isinstance(value, list):
        for item in value:
            yield from _secrets_below(item, secret)
    elif secret and isinstance(value, str):
        yield value


def _mask(secret: object, tail: int) -> str:
    text = str(secret)
    return "****" + (text[-tail:] if tail and len(text) >= 12 else "")
