// POST /v1/chat/completions
import OpenAI from "openai";

const { CLAWLESS_URL, CLAWLESS_API_KEY } = process.env;
const client = new OpenAI({ baseURL: `${CLAWLESS_URL}/v1`, apiKey: CLAWLESS_API_KEY });

const stream = await client.chat.completions.create({
  model: "auto",
  messages: [{ role: "user", content: "Hello!" }],
  stream: true,
  stream_options: { include_usage: true },
});
for await (const chunk of stream) {
  for (const { delta } of chunk.choices) process.stdout.write(delta.content ?? "");
  if (chunk.usage) console.log(`\n${chunk.usage.total_tokens} tokens`);
}
