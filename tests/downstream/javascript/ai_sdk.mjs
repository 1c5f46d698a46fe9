/** Vercel's AI SDK, whose providers differ in little but a model's making. */

import { generateText, isStepCount, jsonSchema, streamText, tool } from "ai";

import { asked, tell, weather } from "./scenario.mjs";

globalThis.AI_SDK_LOG_WARNINGS = false;

const tools = {
  [weather.name]: tool({
    description: weather.description,
    inputSchema: jsonSchema(weather.parameters),
    execute: weather.run,
  }),
};

/** Ask `model`; `thinking` are the provider's options that switch it on. */
export function tellOf(model, thinking) {
  const options = {
    model,
    prompt: asked.prompt,
    maxRetries: 0,
    stopWhen: isStepCount(3),
    ...(asked.offersTool && { tools }),
    ...(asked.thinks && { providerOptions: thinking }),
  };
  return tell(() => (asked.streams ? streamed(options) : whole(options)));
}

async function whole(options) {
  const { steps, text, usage } = await generateText(options);
  return answer(text, steps.map((step) => step.reasoningText ?? "").join(""), usage);
}

async function streamed(options) {
  const heard = { "text-delta": "", "reasoning-delta": "" };
  const result = streamText({ ...options, onError: () => {} });
  for await (const part of result.stream) {
    if (part.type === "error") throw part.error;
    if (part.type in heard) heard[part.type] += part.text;
  }
  return answer(heard["text-delta"], heard["reasoning-delta"], await result.usage);
}

const answer = (text, thinking, { inputTokens: input, outputTokens: output }) => ({ text, thinking, input, output });
