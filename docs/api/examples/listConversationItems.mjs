// GET /v1/conversations/{id}/items
import OpenAI from "openai";

const { CLAWLESS_URL, CLAWLESS_API_KEY, CONVERSATION_ID } = process.env;
const client = new OpenAI({ baseURL: `${CLAWLESS_URL}/v1`, apiKey: CLAWLESS_API_KEY });

const items = await client.conversations.items.list(CONVERSATION_ID, { order: "asc", limit: 10 });
for (const { role, content } of items.data) console.log(role, content[0].text);
