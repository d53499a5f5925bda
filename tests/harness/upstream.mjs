// A model server with scripted behaviours that records its requests.
//
// It serves OpenAI's API on a free loopback port. A test sets behaviours (see
// behaviours.mjs): `next` for one request, `always` for all other requests.
import http from "node:http";
import { once } from "node:events";
import { completionOrStream } from "./behaviours.mjs";

/** Starts an upstream; the test that starts it calls `close()`. */
export async function startUpstream({ models = ["scripted-model"] } = {}) {
  const upstream = new Upstream(models);
  await upstream.listen();
  return upstream;
}

class Upstream {
  #server;
  #queue = [];
  #default = completionOrStream();
  #sockets = new Set();
  /** Every chat request received, oldest first: `{ method, path, headers, text, body }`. */
  requests = [];
  /** Errors inside behaviours; `close()` throws the first, so that the test fails. */
  failures = [];

  constructor(models) {
    this.models = models;
    this.#server = http.createServer((request, response) => {
      this.#serve(request, response).catch((error) => {
        this.failures.push(error);
        response.destroy();
      });
    });
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
      // A client that disconnects early is not an error here.
      socket.on("error", () => {});
    });
  }

  async listen() {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
  }

  get port() {
    return this.#server.address().port;
  }

  get baseUrl() {
    return `http://127.0.0.1:${this.port}/v1`;
  }

  /** The provider configuration for this upstream. */
  provider(overrides = {}) {
    return {
      name: "local",
      kind: "openai",
      base_url: this.baseUrl,
      key: null,
      models: this.models.map((id) => ({ id, context: 32768, max_output: 4096 })),
      ...overrides,
    };
  }

  /** The next requests get these behaviours, one each. */
  next(...behaviours) {
    this.#queue.push(...behaviours);
  }

  /** Sets the behaviour of all requests without one from `next`. */
  always(behaviour) {
    this.#default = behaviour;
  }

  /** Clears requests and behaviours before a test. */
  reset() {
    this.requests = [];
    this.#queue = [];
    this.#default = completionOrStream();
  }

  /** The body of the newest chat request. */
  get lastBody() {
    return this.requests.at(-1)?.body;
  }

  async close() {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
    if (this.failures.length > 0) throw this.failures[0];
  }

  async #serve(request, response) {
    const text = await readAll(request);
    if (request.method === "GET" && request.url === "/v1/models") {
      const data = this.models.map((id) => ({ id, object: "model", created: 1, owned_by: "scripted" }));
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ object: "list", data }));
      return;
    }
    const received = { method: request.method, path: request.url, headers: request.headers, text, body: JSON.parse(text) };
    this.requests.push(received);
    const behaviour = this.#queue.shift() ?? this.#default;
    await behaviour(received, response);
  }
}

async function readAll(stream) {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts).toString("utf8");
}
