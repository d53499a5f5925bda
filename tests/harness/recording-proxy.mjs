// A proxy in front of a gateway that records the calls of each client, so that a test knows which routes
// a program has called and what it was answered.
import http from "node:http";
import { once } from "node:events";

/** Starts a proxy to `origin`; the test that starts it calls `close()`. */
export async function startRecordingProxy(origin) {
  const clients = new Map();
  const server = http.createServer((request, response) => forward(origin, clients, request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    /**
     * The origin for one client, and the list of its calls, oldest first:
     * `{ method, path, status, headers, text }`; `text` is the body of the response.
     */
    client() {
      const name = `client-${clients.size + 1}`;
      const calls = [];
      clients.set(name, calls);
      return { url: `http://127.0.0.1:${server.address().port}/${name}`, calls };
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function forward(origin, clients, request, response) {
  const [, name, target] = request.url.match(/^\/([^/]+)(\/.*)$/) ?? [];
  const call = { method: request.method, path: target };
  clients.get(name).push(call);
  const { "accept-encoding": _encodings, ...headers } = request.headers;
  const options = { method: request.method, headers: { ...headers, host: new URL(origin).host } };
  const outgoing = http.request(new URL(target, origin), options, (incoming) => {
    Object.assign(call, { status: incoming.statusCode, headers: incoming.headers, text: "" });
    response.writeHead(incoming.statusCode, incoming.headers);
    incoming.setEncoding("utf8");
    incoming.on("data", (part) => {
      call.text += part;
      response.write(part);
    });
    incoming.on("end", () => response.end());
    incoming.on("error", () => response.destroy());
  });
  // A gateway that closes the connection closes the client's.
  outgoing.on("error", () => response.destroy());
  request.pipe(outgoing);
}
