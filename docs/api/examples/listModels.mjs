// GET /v1/models
import OpenAI from "openai";

const { CLAWLESS_URL, CLAWLESS_API_KEY } = process.env;
const client = new OpenAI({ baseURL: `${CLAWLESS_URL}/v1`, apiKey: CLAWLESS_API_KEY });

for await (const { id, owned_by } of client.models.list()) console.log(id, owned_by);
