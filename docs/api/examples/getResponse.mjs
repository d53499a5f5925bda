// GET /v1/responses/{id}
import OpenAI from "openai";

const { CLAWLESS_URL, CLAWLESS_API_KEY, RESPONSE_ID } = process.env;
const client = new OpenAI({ baseURL: `${CLAWLESS_URL}/v1`, apiKey: CLAWLESS_API_KEY });

const response = await client.responses.retrieve(RESPONSE_ID);
console.log(response.id, response.status, response.output_text);
