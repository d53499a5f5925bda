// Reference Worker: forwards requests and responses unchanged.
export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    const response = await fetch(env.UPSTREAM + pathname, {
      method: request.method,
      headers: { "content-type": "application/json" },
      body: request.body,
    });
    return new Response(response.body, {
      status: response.status,
      headers: { "content-type": response.headers.get("content-type") },
    });
  },
};
