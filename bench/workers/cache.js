// Benchmark stub of KV: an in-memory map behind the runtime's own KV binding.
const entries = new Map();

export default {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    switch (request.method) {
      case "PUT":
        entries.set(pathname, await request.arrayBuffer());
        return new Response(null);
      case "DELETE":
        entries.delete(pathname);
        return new Response(null);
      default:
        return entries.has(pathname) ? new Response(entries.get(pathname)) : new Response(null, { status: 404 });
    }
  },
};
