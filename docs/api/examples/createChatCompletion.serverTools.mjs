// POST /v1/chat/completions
import OpenAI from "openai";

const { CLAWLESS_URL, CLAWLESS_API_KEY } = process.env;
const client = new OpenAI({ baseURL: `${CLAWLESS_URL}/v1`, apiKey: CLAWLESS_API_KEY });

const completion = await client.chat.completions.create({
  model: "auto",
  messages: [{ role: "user", content: "What time is it?" }],
});
console.log(completion.choices[0].message.content);
for (const { tool, status } of completion.clawless.tool_executions) console.log(tool, status);
