import { GoogleGenAI } from "@google/genai";

import { asked, tell, weather } from "./scenario.mjs";

const httpOptions = { baseUrl: asked.origin, retryOptions: { attempts: 1 } };
const client = new GoogleGenAI({ apiKey: asked.apiKey, httpOptions });

const { run, parameters: parametersJsonSchema, ...rest } = weather;
const respond = ({ id, name, args }) => ({ functionResponse: { id, name, response: { output: run(args) } } });
const tool = {
  tool: async () => ({ functionDeclarations: [{ ...rest, parametersJsonSchema }] }),
  callTool: async (calls) => calls.map(respond),
};
const question = {
  model: asked.model,
  contents: asked.prompt,
  config: {
    ...(asked.offersTool && { tools: [tool] }),
    ...(asked.thinks && { thinkingConfig: { includeThoughts: true, thinkingBudget: 1024 } }),
  },
};

async function* responses() {
  if (asked.streams) yield* await client.models.generateContentStream(question);
  else yield await client.models.generateContent(question);
}

/** What the model said; a whole response has the turns before it in its history. */
function partsOf({ candidates, automaticFunctionCallingHistory: history = [] }) {
  const turns = history.filter(({ role }) => role === "model");
  return [...turns, candidates?.[0]?.content].flatMap((content) => content?.parts ?? []);
}

const said = (parts, thought) => parts.map((part) => (!part.thought === !thought && part.text) || "").join("");

await tell(async () => {
  const heard = await Array.fromAsync(responses());
  const parts = heard.flatMap(partsOf);
  const { promptTokenCount: input, candidatesTokenCount: output } = heard.at(-1).usageMetadata;
  return { text: said(parts, false), thinking: said(parts, true), input, output };
});
