"""What the drivers share: how a way finds its method, and all that SDKs from the same generator have in common."""

import abc
import asyncio
from typing import Any

import openai
from openai.types import Model
from openai.types.shared import ErrorObject
from pydantic import TypeAdapter

from tests.e2e.answers import KEY, Answer, Question, Way

TOOLS = ("get_weather", "get_time")
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


class SDKClient(abc.ABC):
    """One SDK, sync and async: a way's method is named for its shape, `_events`, or `_events_async`."""

    turns: str
    limit_field = "max_tokens"
    default_limit: int | None = None

    def __init__(self, runner: asyncio.Runner, sync: Any, asynchronous: Any) -> None:
        self._runner, self.sync, self.asynchronous = runner, sync, asynchronous

    def question(
        self,
        text: str = "Hi",
        system: str | None = None,
        tools: int = 0,
        media: tuple[Any, ...] = (),
        limit: int | None = None,
        **fields: Any,
    ) -> Question:
        if limit := limit or self.default_limit:
            fields[self.limit_field] = limit
        if tools:
            fields["tools"] = self._tools(TOOLS[:tools])
        return self._question(self._content(text, media), system, fields)

    @abc.abstractmethod
    def _question(self, content: Any, system: str | None, fields: Question) -> Question:
        """A question whose only turn has this content."""

    def _content(self, text: str, media: tuple[Any, ...]) -> Any:
        return [{"type": "text", "text": text}, *media] if media else text

    def _tools(self, names: tuple[str, ...]) -> list[Any]:
        return [self._tool(name) for name in names]

    @abc.abstractmethod
    def _tool(self, name: str) -> Any:
        """One tool on offer, with `PARAMETERS`."""

    def ask(self, way: Way, model: str, question: Question) -> Answer:
        if way.is_async:
            return self._runner.run(self.ask_async(way, model, question))
        answer: Answer = getattr(self, f"_{way.shape}")(self._asked(way, model, question))
        return answer

    async def ask_async(self, way: Way, model: str, question: Question) -> Answer:
        answer: Answer = await getattr(self, f"_{way.shape}_async")(self._asked(way, model, question))
        return answer

    def _asked(self, way: Way, model: str, question: Question) -> Question:
        return {"model": model, **question}

    def going_on(self, question: Question, *said: tuple[str, str]) -> Question:
        turns = [self._turn(role, text) for role, text in said]
        return {**question, self.turns: [*question[self.turns], *turns]}

    def _turn(self, role: str, text: str) -> Any:
        return {"role": role, "content": text}


class GeneratedClient(SDKClient):
    """The SDKs of OpenAI and Anthropic come from one generator, and agree in all that is not a provider's own."""

    sdk: Any
    kinds: tuple[type[Any], type[Any]]
    """The SDK's own clients, sync and async."""
    root: str
    """What the SDK takes for the start of every path."""
    described: TypeAdapter[Any]
    """An entry in the list of models."""
    minted = ("id", "created", "service_tier", "system_fingerprint")

    def __init__(self, address: str, runner: asyncio.Runner, retries: int = 0) -> None:
        options = {"base_url": f"{address}{self.root}", "api_key": KEY, "max_retries": retries}
        super().__init__(runner, *(kind(**options) for kind in self.kinds))

    def close(self) -> None:
        self.sync.close()
        self._runner.run(self.asynchronous.close())

    def keyed(self, key: str | None) -> Question:
        return {"extra_headers": {"Authorization": self.sdk.Omit() if key is None else f"Bearer {key}"}}

    def essence(self, answer: Answer) -> Any:
        native = answer.native.to_dict(mode="json")
        return {key: value for key, value in native.items() if key not in self.minted}

    def models(self) -> list[str]:
        return [self.described.validate_python(model.to_dict()).id for model in self.sync.models.list()]

    def model(self, name: str) -> str:
        described = self.described.validate_python(self.sync.models.retrieve(name).to_dict())
        return str(described.id)

    def post(self, path: str) -> Any:
        return self.sync.post(path, cast_to=object)


class OpenAIClient(GeneratedClient):
    """The OpenAI SDK, whichever of its formats is spoken."""

    sdk = openai
    kinds = (openai.OpenAI, openai.AsyncOpenAI)
    root = "/v1"
    described = TypeAdapter(Model)

    def error_of(self, error: Any) -> Any:
        return _ERROR.validate_python(error.body)


_ERROR: TypeAdapter[ErrorObject] = TypeAdapter(ErrorObject)
