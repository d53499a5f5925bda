// GET /v1/models/{id…}
import OpenAI from "openai";

const { CLAWLESS_URL, CLAWLESS_API_KEY } = process.env;
const client = new OpenAI({ baseURL: `${CLAWLESS_URL}/v1`, apiKey: CLAWLESS_API_KEY });

const { id, owned_by } = await client.models.retrieve(process.env.MODEL);
console.log(id, owned_by);
