/** What every script is told, and the one line that it prints: `NAME.mjs ORIGIN MODEL QUESTION WAY`. */

const [origin, model, question, way] = process.argv.slice(2);

export const asked = {
  origin,
  model,
  prompt: "Weather?",
  apiKey: process.env.LLM_PROXY_KEY,
  offersTool: question !== "plain",
  thinks: question === "thinking" || question === "stateful",
  stateful: question === "stateful",
  streams: way === "streamed",
};

const calls = [];

/** The one tool; `run` is what the model calls. */
export const weather = {
  name: "get_weather",
  description: "The weather of a city.",
  parameters: {
    type: "object",
    properties: { city: { type: "string" } },
    required: ["city"],
  },
  run: (given) => {
    calls.push(given);
    return `21 °C in ${given.city}`;
  },
};

/** Print the client's `{ text, thinking, input, output }`, or the error that it raised. */
export async function tell(ask) {
  let line;
  try {
    line = { thinking: "", ...(await ask()), calls };
  } catch (error) {
    const { constructor, status, statusCode, message } = error;
    line = { error: { kind: constructor.name, status: status ?? statusCode, says: message } };
  }
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
