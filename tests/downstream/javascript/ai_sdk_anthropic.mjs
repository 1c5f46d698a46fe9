import { createAnthropic } from "@ai-sdk/anthropic";

import { tellOf } from "./ai_sdk.mjs";
import { asked } from "./scenario.mjs";

const provider = createAnthropic({ baseURL: `${asked.origin}/v1`, apiKey: asked.apiKey });

await tellOf(provider(asked.model), { anthropic: { thinking: { type: "enabled", budgetTokens: 1024 } } });
