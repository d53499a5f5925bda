// POST /v1/chat/completions
import OpenAI from "openai";

const { CLAWLESS_URL, CLAWLESS_API_KEY } = process.env;
const client = new OpenAI({ baseURL: `${CLAWLESS_URL}/v1`, apiKey: CLAWLESS_API_KEY });

const { response } = await client.chat.completions
  .create({ model: "auto", messages: [{ role: "user", content: "Hello!" }] })
  .withResponse();
console.log(response.headers.get("x-clawless-model"));
console.log(response.headers.get("x-clawless-route"));
console.log(response.headers.get("x-ratelimit-remaining-requests"));
console.log(response.headers.get("x-request-id"));
