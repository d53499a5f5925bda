// GET /v1/sessions
const { CLAWLESS_URL, CLAWLESS_API_KEY } = process.env;

const query = new URLSearchParams({ limit: 100, title: "rome", "metadata[user]": "42" });
for (let page = { has_more: true }; page.has_more; query.set("cursor", page.next_cursor)) {
  const response = await fetch(`${CLAWLESS_URL}/v1/sessions?${query}`, {
    headers: { authorization: `Bearer ${CLAWLESS_API_KEY}` },
  });
  if (!response.ok) throw new Error(await response.text());
  page = await response.json();
  for (const { id, title } of page.data) console.log(id, title);
}
