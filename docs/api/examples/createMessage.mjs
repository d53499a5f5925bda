// POST /v1/messages
import Anthropic from "@anthropic-ai/sdk";

const { CLAWLESS_URL, CLAWLESS_API_KEY } = process.env;
const client = new Anthropic({ baseURL: CLAWLESS_URL, apiKey: CLAWLESS_API_KEY });

const message = await client.messages.create({
  model: "auto",
  max_tokens: 1024,
  messages: [{ role: "user", content: "Hello!" }],
});
console.log(message.content[0].text);
