import Anthropic from "@anthropic-ai/sdk";
import { betaTool } from "@anthropic-ai/sdk/helpers/beta/json-schema";

import { asked, tell, weather } from "./scenario.mjs";

const client = new Anthropic({ baseURL: asked.origin, apiKey: asked.apiKey, maxRetries: 0 });

const { parameters: inputSchema, ...rest } = weather;
const tool = betaTool({ ...rest, inputSchema });
const question = {
  model: asked.model,
  max_tokens: 4096,
  messages: [{ role: "user", content: asked.prompt }],
  ...(asked.thinks && { thinking: { type: "enabled", budget_tokens: 1024 } }),
};
const withTool = { ...question, tools: [tool], stream: asked.streams, ...(!asked.stateful && { thread: false }) };

async function* messages() {
  if (!asked.offersTool) return yield await message();
  for await (const turn of client.beta.messages.toolRunner(withTool)) yield asked.streams ? turn.finalMessage() : turn;
}

const message = () =>
  asked.streams ? client.messages.stream(question).finalMessage() : client.messages.create(question);

const said = ({ content }, type) => content.map((block) => (block.type === type ? block[type] : "")).join("");

await tell(async () => {
  const heard = await Array.fromAsync(messages());
  const { usage } = heard.at(-1);
  const thinking = heard.map((each) => said(each, "thinking")).join("");
  return { text: said(heard.at(-1), "text"), thinking, input: usage.input_tokens, output: usage.output_tokens };
});
