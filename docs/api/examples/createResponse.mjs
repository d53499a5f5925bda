// POST /v1/responses
import OpenAI from "openai";

const { CLAWLESS_URL, CLAWLESS_API_KEY } = process.env;
const client = new OpenAI({ baseURL: `${CLAWLESS_URL}/v1`, apiKey: CLAWLESS_API_KEY });

const response = await client.responses.create({
  model: "auto",
  instructions: "Be brief.",
  input: "Hello!",
});
console.log(response.id, response.output_text);
