import { createOpenAICompatible } from "@ai-sdk/openai-compatible";

import { tellOf } from "./ai_sdk.mjs";
import { asked } from "./scenario.mjs";

const provider = createOpenAICompatible({
  name: "llm-proxy",
  baseURL: `${asked.origin}/v1`,
  apiKey: asked.apiKey,
  includeUsage: true,
});

await tellOf(provider(asked.model), { "llm-proxy": { reasoningEffort: "low" } });
