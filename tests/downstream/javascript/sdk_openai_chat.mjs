import OpenAI from "openai";

import { asked, tell, weather } from "./scenario.mjs";

const client = new OpenAI({ baseURL: `${asked.origin}/v1`, apiKey: asked.apiKey, maxRetries: 0 });

const { run, ...declared } = weather;
const tool = { type: "function", function: { ...declared, parse: JSON.parse, function: run } };
const question = {
  model: asked.model,
  messages: [{ role: "user", content: asked.prompt }],
  ...(asked.offersTool && { tools: [tool] }),
  ...(asked.thinks && { reasoning_effort: "low" }),
  ...(asked.streams && { stream: true, stream_options: { include_usage: true } }),
};

function completion() {
  const { completions } = client.chat;
  if (asked.offersTool) return completions.runTools(question).finalChatCompletion();
  return asked.streams ? completions.stream(question).finalChatCompletion() : completions.create(question);
}

await tell(async () => {
  const { choices, usage } = await completion();
  return { text: choices[0].message.content, input: usage.prompt_tokens, output: usage.completion_tokens };
});
