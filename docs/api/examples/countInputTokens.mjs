// POST /v1/responses/input_tokens
import OpenAI from "openai";

const { CLAWLESS_URL, CLAWLESS_API_KEY } = process.env;
const client = new OpenAI({ baseURL: `${CLAWLESS_URL}/v1`, apiKey: CLAWLESS_API_KEY });

const count = await client.responses.inputTokens.count({ model: "auto", input: "Hello!" });
console.log(count.input_tokens);
