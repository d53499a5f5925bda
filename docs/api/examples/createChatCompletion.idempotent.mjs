// POST /v1/chat/completions
import OpenAI from "openai";

const { CLAWLESS_URL, CLAWLESS_API_KEY } = process.env;
const client = new OpenAI({ baseURL: `${CLAWLESS_URL}/v1`, apiKey: CLAWLESS_API_KEY });

const key = crypto.randomUUID(); // one for each request; every repeat of it has the same
for (let attempt = 0; attempt < 2; attempt += 1) {
  const { data, response } = await client.chat.completions
    .create(
      { model: "auto", messages: [{ role: "user", content: "Hello!" }] },
      { headers: { "idempotency-key": key } },
    )
    .withResponse();
  console.log(data.id, response.headers.get("idempotent-replayed"));
}
