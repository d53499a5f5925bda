// POST /v1/chat/completions
import { readFile } from "node:fs/promises";
import OpenAI from "openai";

const { CLAWLESS_URL, CLAWLESS_API_KEY } = process.env;
const client = new OpenAI({ baseURL: `${CLAWLESS_URL}/v1`, apiKey: CLAWLESS_API_KEY });

const image = (await readFile(process.env.IMAGE)).toString("base64");
const completion = await client.chat.completions.create({
  model: "auto",
  messages: [
    {
      role: "user",
      content: [
        { type: "text", text: "What is in this picture?" },
        { type: "image_url", image_url: { url: `data:image/png;base64,${image}` } },
      ],
    },
  ],
});
console.log(completion.choices[0].message.content);
