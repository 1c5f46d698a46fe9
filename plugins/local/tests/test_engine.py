import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from llm_proxy_local.generation import Generation, ModelFailedError, Piece, PromptTooLongError, QueueFullError

ENDLESS = {"ignore_eos": True, "max_tokens": 1500}


def chat(text: str, **parameters: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], "max_tokens": 24, **parameters}


async def read(generation: Generation) -> tuple[str, Piece]:
    """The text of an answer, and its last piece."""
    pieces = [piece async for piece in generation]
    return "".join(piece.text for piece in pieces), pieces[-1]


async def until_first_piece(generation: Generation) -> Piece:
    return await anext(generation)


async def test_an_answer_comes_token_by_token(engine):
    generation = engine.submit(chat("Tell me a story.", **{**ENDLESS, "max_tokens": 40}))
    arrivals = [time.perf_counter() async for piece in generation if piece.text]
    assert len(arrivals) > 20
    assert arrivals[-1] - arrivals[0] > 0.1


async def test_tokens_are_counted_as_they_come(engine):
    generation = engine.submit(chat("Tell me a story.", ignore_eos=True, max_tokens=12))
    pieces = [piece async for piece in generation]
    assert pieces[0].tokens.completion == 1
    assert pieces[-1].tokens.completion == 12
    assert {piece.tokens.prompt for piece in pieces} == {35}


async def test_the_length_limit_ends_an_answer(engine):
    _, last = await read(engine.submit(chat("Tell me a story.", ignore_eos=True, max_tokens=5)))
    assert (last.finish, last.tokens.completion) == ("length", 5)


async def test_the_model_ends_an_answer_itself(engine):
    text, last = await read(engine.submit(chat("Say just: hi", temperature=0, max_tokens=300)))
    assert last.finish == "stop"
    assert last.stop_sequence is None
    assert last.tokens.completion < 300
    assert text


async def test_a_full_context_ends_an_answer(make_engine):
    engine = make_engine(context_size=256)
    _, last = await read(engine.submit(chat("word " * 180, ignore_eos=True, max_tokens=5000)))
    assert last.finish == "length"
    assert last.tokens.prompt + last.tokens.completion == 256


async def test_a_stop_sequence_ends_an_answer_and_is_named(engine):
    free, _ = await read(engine.submit(chat("Count from one to ten.", temperature=0)))
    stop = free[10:14]
    text, last = await read(engine.submit(chat("Count from one to ten.", temperature=0), stop=["never said", stop]))
    assert text == free[: free.index(stop)]
    assert (last.finish, last.stop_sequence) == ("stop", stop)
    assert 0 < last.tokens.completion < 24


async def test_a_seed_repeats_an_answer(engine):
    def ask(seed: int) -> Generation:
        return engine.submit(chat("Tell me a story.", seed=seed, temperature=1.0, cache_prompt=False))

    first, again, other = [(await read(ask(seed)))[0] for seed in (7, 7, 8)]
    assert first == again != other


async def test_a_prompt_beyond_the_context_is_refused_with_both_numbers(engine):
    with pytest.raises(PromptTooLongError) as caught:
        await read(engine.submit(chat("word " * 3000)))
    assert caught.value.tokens > 3000
    assert caught.value.limit == 2048


async def test_a_cancelled_answer_stops_the_computation(engine, until_idle):
    generation = engine.submit(chat("Tell me a story.", **ENDLESS))
    await until_first_piece(generation)
    generation.cancel()
    assert await until_idle(engine.pid) < 1.0
    assert engine.running == 0
    assert [piece async for piece in generation if piece.finish] == []


async def test_a_prompt_given_up_stops_the_computation(engine, until_idle):
    generation = engine.submit(chat("word " * 1800))
    await asyncio.sleep(1.5)  # loaded, and reading the prompt, which takes ten seconds
    generation.cancel()
    assert await until_idle(engine.pid) < 2.5


async def test_a_process_that_does_not_stop_is_replaced(make_engine):
    engine = make_engine(patience=0.2, batch_size=2048)
    await read(engine.submit(chat("Hello")))
    pid = engine.pid
    generation = engine.submit(chat("word " * 1900))
    await asyncio.sleep(0.2)
    generation.cancel()
    text, _ = await read(engine.submit(chat("Hello")))
    assert text
    assert engine.pid != pid


async def test_cancelling_wakes_whoever_waits_for_a_piece(engine):
    generation = engine.submit(chat("word " * 1000))
    reader = asyncio.create_task(anext(generation, None))
    await asyncio.sleep(0.05)
    generation.cancel()
    generation.cancel()
    assert await asyncio.wait_for(reader, 1) is None


async def test_a_full_queue_refuses_and_a_cancelled_place_is_free_again(make_engine):
    engine = make_engine(queue_size=2)
    running = engine.submit(chat("Tell me a story.", **ENDLESS))
    first, second = (engine.submit(chat(text)) for text in ("One?", "Two?"))
    with pytest.raises(QueueFullError) as caught:
        engine.submit(chat("Three?"))
    assert caught.value.waiting == 2
    first.cancel()
    third = engine.submit(chat("Three?"))
    running.cancel()
    for generation in (second, third):
        assert (await read(generation))[0]
    assert engine.waiting == 0


async def test_two_are_answered_at_once_where_allowed(make_engine):
    engine = make_engine(parallel=2)
    generations = [engine.submit(chat("Tell me a story.", **ENDLESS)) for _ in range(2)]
    async with asyncio.timeout(30):
        await asyncio.gather(*map(until_first_piece, generations))
    assert (engine.running, engine.waiting) == (2, 0)


async def test_the_loop_runs_on_while_the_model_loads_answers_and_ends(engine, loop_watch):
    async with loop_watch.watching():
        await read(engine.submit(chat("Tell me a story.", ignore_eos=True, max_tokens=60)))
        unfinished = engine.submit(chat("Tell me a story.", **ENDLESS))
        await until_first_piece(unfinished)
        unfinished.cancel()
        await engine.close()
    assert loop_watch.longest < 0.25  # 8 ms on a quiet machine; loading inside this process would take 400


async def test_a_crash_of_the_process_fails_its_answer_and_no_other(engine):
    broken = engine.submit(chat("Tell me a story.", **ENDLESS))
    waiting = engine.submit(chat("Hello"))
    await until_first_piece(broken)
    os.kill(engine.pid, signal.SIGKILL)
    with pytest.raises(ModelFailedError, match="the model process has ended"):
        await read(broken)
    assert (await read(waiting))[0]


async def test_a_file_that_is_no_model_is_refused_with_the_reason(make_engine, tmp_path):
    path = tmp_path / "odd.gguf"
    path.write_bytes(b"GGUF" + bytes(64))
    engine = make_engine(model_path=path)
    for generation in [engine.submit(chat("Hello")) for _ in range(2)]:
        with pytest.raises(ModelFailedError, match=re.escape(str(path))):
            await read(generation)


async def test_closing_fails_who_is_answered_and_who_waits(engine):
    generations = [engine.submit(chat("Tell me a story.", **ENDLESS)) for _ in range(2)]
    await until_first_piece(generations[0])
    started = time.perf_counter()
    await engine.close()
    assert time.perf_counter() - started < 1.5
    assert engine.pid is None
    for generation in generations:
        with pytest.raises(ModelFailedError, match="shutting down"):
            await read(generation)
    with pytest.raises(ModelFailedError, match="shutting down"):
        engine.submit(chat("Hello"))


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads /proc")
async def test_the_model_process_listens_on_no_port(engine):
    await read(engine.submit(chat("Hello")))
    assert not sockets_of(engine.pid) & sockets_on_network()


def sockets_of(pid: int) -> set[str]:
    return {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}


def sockets_on_network() -> set[str]:
    tables = [Path("/proc/net", name).read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    return {f"socket:[{line.split()[9]}]" for table in tables for line in table}


SCRIPT = """
import asyncio, os, sys
from pathlib import Path
from llm_proxy_local.engine import Engine
from llm_proxy_local.process import ModelSettings

async def main():
    engine = Engine(ModelSettings(Path(sys.argv[1])))
    hello = [{"role": "user", "content": "Hello"}]
    generation = engine.submit({"messages": hello, "ignore_eos": True, "max_tokens": 3000})
    await anext(generation)
    print(engine.pid, flush=True)
    {end}

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("end", "status"),
    [("return", 0), ("os._exit(3)", 3), ("os.kill(os.getpid(), 9)", -9), ("raise KeyboardInterrupt", -signal.SIGINT)],
)
def test_no_model_process_outlives_its_owner(weights, end, status):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT.replace("{end}", end), str(weights)],
        capture_output=True,
        timeout=40,
    )
    assert done.returncode == status, done.stderr.decode()
    assert end == "raise KeyboardInterrupt" or done.stderr == b""
    deadline = time.monotonic() + 5
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            os.kill(int(done.stdout), 0)
            time.sleep(0.05)
        pytest.fail("the model process is still there")
