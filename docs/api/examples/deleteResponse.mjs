// DELETE /v1/responses/{id}
import OpenAI from "openai";

const { CLAWLESS_URL, CLAWLESS_API_KEY, RESPONSE_ID } = process.env;
const client = new OpenAI({ baseURL: `${CLAWLESS_URL}/v1`, apiKey: CLAWLESS_API_KEY });

await client.responses.delete(RESPONSE_ID);
console.log("deleted", RESPONSE_ID);
