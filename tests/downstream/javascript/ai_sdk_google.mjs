import { createGoogle } from "@ai-sdk/google";

import { tellOf } from "./ai_sdk.mjs";
import { asked } from "./scenario.mjs";

const provider = createGoogle({ baseURL: `${asked.origin}/v1beta`, apiKey: asked.apiKey });

await tellOf(provider(asked.model), { google: { thinkingConfig: { includeThoughts: true, thinkingBudget: 1024 } } });
