// POST /v1/messages
import Anthropic from "@anthropic-ai/sdk";

const { CLAWLESS_URL, CLAWLESS_API_KEY } = process.env;
const client = new Anthropic({ baseURL: CLAWLESS_URL, apiKey: CLAWLESS_API_KEY });

const stream = client.messages.stream({
  model: "auto",
  max_tokens: 1024,
  messages: [{ role: "user", content: "Hello!" }],
});
stream.on("text", (text) => process.stdout.write(text));
const message = await stream.finalMessage();
console.log(`\n${message.usage.output_tokens} tokens`);
