// POST /v1/chat/completions
import OpenAI from "openai";

const { CLAWLESS_URL, CLAWLESS_API_KEY } = process.env;
const client = new OpenAI({ baseURL: `${CLAWLESS_URL}/v1`, apiKey: CLAWLESS_API_KEY });

try {
  await client.chat.completions.create({
    model: "no-such-model",
    messages: [{ role: "user", content: "Hello!" }],
  });
} catch (error) {
  if (!(error instanceof OpenAI.NotFoundError)) throw error;
  console.log(error.status, error.code, error.param, error.requestID);
}
