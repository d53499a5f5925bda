// POST /v1/chat/completions
import OpenAI from "openai";

const { CLAWLESS_URL, CLAWLESS_API_KEY } = process.env;
const client = new OpenAI({ baseURL: `${CLAWLESS_URL}/v1`, apiKey: CLAWLESS_API_KEY });

async function ask(content) {
  const completion = await client.chat.completions.create(
    { model: "auto", messages: [{ role: "user", content }] },
    { headers: { "x-session-id": process.env.SESSION_ID } },
  );
  return completion.choices[0].message.content;
}

console.log(await ask("My name is Ada."));
console.log(await ask("What is my name?"));
