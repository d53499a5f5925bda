// The floor that the gateway is measured against: it only forwards.
export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    const answer = await fetch(env.UPSTREAM + pathname, {
      method: request.method,
      headers: { "content-type": "application/json" },
      body: request.body,
    });
    return new Response(answer.body, {
      status: answer.status,
      headers: { "content-type": answer.headers.get("content-type") },
    });
  },
};
