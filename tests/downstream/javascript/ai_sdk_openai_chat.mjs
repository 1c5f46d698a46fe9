import { createOpenAI } from "@ai-sdk/openai";

import { tellOf } from "./ai_sdk.mjs";
import { asked } from "./scenario.mjs";

const provider = createOpenAI({ baseURL: `${asked.origin}/v1`, apiKey: asked.apiKey });

await tellOf(provider.chat(asked.model), { openai: { forceReasoning: true, reasoningEffort: "low" } });
