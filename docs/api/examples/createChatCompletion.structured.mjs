// POST /v1/chat/completions
import OpenAI from "openai";

const { CLAWLESS_URL, CLAWLESS_API_KEY } = process.env;
const client = new OpenAI({ baseURL: `${CLAWLESS_URL}/v1`, apiKey: CLAWLESS_API_KEY });

const schema = {
  type: "object",
  properties: { name: { type: "string" }, population: { type: "integer" } },
  required: ["name", "population"],
  additionalProperties: false,
};
const completion = await client.chat.completions.create({
  model: "auto",
  messages: [{ role: "user", content: "Describe the capital of Switzerland." }],
  response_format: { type: "json_schema", json_schema: { name: "city", strict: true, schema } },
});
const city = JSON.parse(completion.choices[0].message.content);
console.log(city.name, city.population);
