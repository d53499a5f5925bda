// POST /v1/responses/{id}/cancel
import OpenAI from "openai";

const { CLAWLESS_URL, CLAWLESS_API_KEY, RESPONSE_ID } = process.env;
const client = new OpenAI({ baseURL: `${CLAWLESS_URL}/v1`, apiKey: CLAWLESS_API_KEY });

try {
  await client.responses.cancel(RESPONSE_ID);
} catch (error) {
  if (!(error instanceof OpenAI.BadRequestError)) throw error;
  console.log(error.code);
}
