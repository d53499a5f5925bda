// GET /v1/conversations/{id}
import OpenAI from "openai";

const { CLAWLESS_URL, CLAWLESS_API_KEY, CONVERSATION_ID } = process.env;
const client = new OpenAI({ baseURL: `${CLAWLESS_URL}/v1`, apiKey: CLAWLESS_API_KEY });

const conversation = await client.conversations.retrieve(CONVERSATION_ID);
console.log(conversation.id, conversation.created_at);
