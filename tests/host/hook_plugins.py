"""Hook plugins as strangers write them."""

from pathlib import Path

from tests.support.wheels import wheel

GROUP = "llm_proxy_hooks"

WATCHER = """
import dataclasses
import json
import sys
from collections.abc import Mapping

from proxy_core.api import PermissionDeniedError, hookimpl

def plain(value):
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    return value.model_dump() if hasattr(value, "model_dump") else value

def tell(hook, context):
    print("SEEN " + json.dumps({"hook": hook, **plain(context)}, default=repr), file=sys.stderr, flush=True)

class Watcher:
    @hookimpl
    def before_request(self, context):
        tell("before_request", context)
        wish = context.headers.get("x-wish", "")
        if wish == "refuse":
            raise PermissionDeniedError("nobody talks to this model today", "closed_today")
        if wish == "crash":
            raise RuntimeError("a slip")
        if wish == "exit":
            sys.exit("a slip")
        if wish:
            request = context.request
            request.model = wish
            request.messages[0].content[0].text += ", said the hook"
            return request

    @hookimpl
    def after_response(self, context):
        tell("after_response", context)

    @hookimpl
    async def on_stream_end(self, context):
        tell("on_stream_end", context)

    @hookimpl
    async def on_error(self, context):
        tell("on_error", context)
"""

STUMBLER = """
import sys
from proxy_core.api import hookimpl

@hookimpl
def after_response(context):
    raise RuntimeError("stumbled")

@hookimpl
async def on_stream_end(context):
    raise RuntimeError("stumbled")

@hookimpl
def on_error(context):
    sys.exit("stumbled")
"""

UNKNOWN = """
from proxy_core.api import hookimpl

class Future:
    @hookimpl
    def on_full_moon(self, context):
        raise RuntimeError("never called")

    @hookimpl
    def after_response(self, context):
        raise RuntimeError("never called")
"""

GREEDY = """
from proxy_core.api import hookimpl

class Greedy:
    @hookimpl
    def after_response(self, context, everything):
        raise RuntimeError("never called")
"""

BROKEN = {
    "absent": ("import no_such_module_at_all", "ModuleNotFoundError: No module named 'no_such_module_at_all'"),
    "greedy": (GREEDY, "'everything'"),
    "unknown": (UNKNOWN, "unknown hook 'on_full_moon'"),
}


def hook_wheels(directory: Path) -> list[Path]:
    """Broken ones, one whose hooks fail, and one that works; in this order by name."""
    plugins = {
        **{f"a-{name}": source for name, (source, _) in BROKEN.items()},
        "stumbler": STUMBLER,
        "watcher": WATCHER,
    }
    targets = {"stumbler": "llm_hooks_stumbler", "watcher": "llm_hooks_watcher:Watcher"}
    classes = {"a-absent": "Absent", "a-greedy": "Greedy", "a-unknown": "Future"}
    return [
        wheel(
            directory,
            f"llm-hooks-{name}",
            source,
            {GROUP: {name: targets.get(name) or f"llm_hooks_{name.replace('-', '_')}:{classes[name]}"}},
        )
        for name, source in plugins.items()
    ]
