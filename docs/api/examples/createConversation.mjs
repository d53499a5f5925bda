// POST /v1/conversations
import OpenAI from "openai";

const { CLAWLESS_URL, CLAWLESS_API_KEY } = process.env;
const client = new OpenAI({ baseURL: `${CLAWLESS_URL}/v1`, apiKey: CLAWLESS_API_KEY });

const conversation = await client.conversations.create({ metadata: { user: "42" } });
console.log(conversation.id);
