// POST /v1/chat/completions
import OpenAI from "openai";

const { CLAWLESS_URL, CLAWLESS_API_KEY } = process.env;
const client = new OpenAI({ baseURL: `${CLAWLESS_URL}/v1`, apiKey: CLAWLESS_API_KEY });

const weather = ({ city }) => `21 degrees and sunny in ${city}`;

const runner = client.chat.completions.runTools({
  model: "auto",
  messages: [{ role: "user", content: "What is the weather in Bern?" }],
  tools: [
    {
      type: "function",
      function: {
        name: "weather",
        description: "The current weather of a city.",
        parameters: {
          type: "object",
          properties: { city: { type: "string" } },
          required: ["city"],
        },
        parse: JSON.parse,
        function: weather,
      },
    },
  ],
});
console.log(await runner.finalContent());
