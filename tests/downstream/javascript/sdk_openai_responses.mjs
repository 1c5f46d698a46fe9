import OpenAI from "openai";
import { ResponsesToolRunner } from "openai/helpers/responses-tool-runner";

import { asked, tell, weather } from "./scenario.mjs";

const client = new OpenAI({ baseURL: `${asked.origin}/v1`, apiKey: asked.apiKey, maxRetries: 0 });

const { run, ...declared } = weather;
const runner = new ResponsesToolRunner({
  functions: [{ tool: { type: "function", strict: false, ...declared }, execute: run }],
});
const question = {
  model: asked.model,
  input: [{ role: "user", content: asked.prompt }],
  ...(asked.thinks && { reasoning: { effort: "low", summary: "auto" } }),
};

async function* responses() {
  if (!asked.offersTool) return yield await response();
  for await (const turn of runner.iterate(client, question, { stream: asked.streams })) yield turn.response;
}

const response = () =>
  asked.streams ? client.responses.stream(question).finalResponse() : client.responses.create(question);

const thoughtsOf = ({ output }) => output.flatMap((item) => (item.type === "reasoning" ? item.summary : []));

await tell(async () => {
  const heard = await Array.fromAsync(responses());
  const { output_text: text, usage } = heard.at(-1);
  const thinking = heard.flatMap(thoughtsOf).map((thought) => thought.text).join("");
  return { text, thinking, input: usage.input_tokens, output: usage.output_tokens };
});
