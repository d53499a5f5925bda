// POST /v1/messages/count_tokens
import Anthropic from "@anthropic-ai/sdk";

const { CLAWLESS_URL, CLAWLESS_API_KEY } = process.env;
const client = new Anthropic({ baseURL: CLAWLESS_URL, apiKey: CLAWLESS_API_KEY });

const count = await client.messages.countTokens({
  model: "auto",
  messages: [{ role: "user", content: "Hello!" }],
});
console.log(count.input_tokens);
