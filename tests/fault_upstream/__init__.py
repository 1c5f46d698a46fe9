"""A scripted provider on raw sockets; each request chooses its behaviour by model name, see `story.py`."""

from tests.fault_upstream.http1 import response
from tests.fault_upstream.log import Exchange, Log
from tests.fault_upstream.oddities import ODDITIES
from tests.fault_upstream.reply import SIGNATURE, THOUGHT
from tests.fault_upstream.server import FaultUpstream, upstream_in_thread
from tests.fault_upstream.stories import ARGUMENTS, GREETING
from tests.fault_upstream.story import SHORTHANDS, Story, story

__all__ = [
    "ARGUMENTS",
    "GREETING",
    "ODDITIES",
    "SHORTHANDS",
    "SIGNATURE",
    "THOUGHT",
    "Exchange",
    "FaultUpstream",
    "Log",
    "Story",
    "response",
    "story",
    "upstream_in_thread",
]
