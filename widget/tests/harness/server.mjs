// A server that speaks docs/widget/protocol.md, with scripted answers. Stands in for the gateway and widget-server.
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import path from "node:path";

const MIME = { ".js": "text/javascript; charset=utf-8", ".json": "application/json; charset=utf-8" };
const HEADERS = "authorization, content-type, idempotency-key, x-session-id, accept";
const EXPOSED = "retry-after, x-request-id, x-original-request-id, x-should-retry";

/** The keys that the server knows. */
export const KEY = "cl_pk_test";
export const OTHER_KEY = "cl_pk_other";

/** An answer in pieces. `gap` is the time between them; `before` delays the first one. */
export const reply = (pieces, { gap = 0, before = 0, ...rest } = {}) => ({
  pieces: [pieces].flat(),
  gap,
  before,
  ...rest,
});

/** A refusal before the first byte. */
export const refusal = (status, code, headers = {}) => ({ status, code, headers });

const sleep = (time) => new Promise((resolve) => setTimeout(resolve, time));

/** Starts a server that delivers the files of `folder`. */
export async function startServer({ folder, version }) {
  const state = {
    /** Requests as `METHOD path`, preflights left out. */
    requests: [],
    origins: new Set(),
    settings: {},
    /** Answers of the next chats; then `fallback` answers. */
    script: [],
    fallback: reply(["Hello! ", "How can I ", "help?"]),
    /** Refusals of the next session requests. */
    sessionScript: [],
    expiresIn: 600,
    sessions: new Map(),
    tokens: new Map(),
    bodies: [],
    /** Model calls: repeats of an idempotency key do not count. */
    calls: 0,
    isDown: false,
  };

  const error = (response, status, code, headers = {}) => {
    response.writeHead(status, { ...response.cors, "content-type": "application/json", ...headers });
    response.end(JSON.stringify({ error: { message: `refused: ${code}`, type: "test", param: null, code } }));
  };
  const json = (response, value, headers = {}) => {
    response.writeHead(200, { ...response.cors, "content-type": "application/json", ...headers });
    response.end(JSON.stringify(value));
  };

  async function bodyOf(request) {
    let text = "";
    for await (const piece of request) text += piece;
    return text ? JSON.parse(text) : {};
  }

  /** Runs a turn to its end, whether or not the client stays, and stores it. */
  async function run(turn, script) {
    if (script.before) await sleep(script.before);
    for (const piece of script.pieces) {
      turn.text += piece;
      turn.emit({ choices: [{ index: 0, delta: { content: piece } }] });
      if (script.gap) await sleep(script.gap);
      if (turn.session.isDeleted) return;
    }
    if (script.error)
      turn.emit({ error: { message: "broken", type: "upstream_error", param: null, code: script.error } });
    const stored = (role, content) => ({
      id: `msg_${randomUUID()}`,
      role,
      request_id: turn.id,
      message: { role, content },
      status: script.error ? "incomplete" : "complete",
    });
    turn.session.messages.push(stored("user", turn.question), stored("assistant", turn.text));
    turn.isDone = true;
    turn.isBroken = !!script.error;
    turn.finish();
  }

  function startTurn(session, question, script) {
    const listeners = new Set();
    const events = [];
    let finish;
    const finished = new Promise((resolve) => {
      finish = resolve;
    });
    const turn = {
      id: `req_${randomUUID()}`,
      session,
      question,
      text: "",
      isDone: false,
      events,
      listeners,
      finished,
      finish: () => {
        finish();
        for (const listener of listeners) listener(undefined);
      },
      emit(event) {
        events.push(event);
        for (const listener of listeners) listener(event);
      },
    };
    session.turns.set(turn.id, turn);
    state.calls++;
    run(turn, script);
    return turn;
  }

  /** Streams a turn: what it has, then what it gets. `cutAfter` closes the connection after that many events. */
  function stream(response, turn, { cutAfter = Number.POSITIVE_INFINITY } = {}, isRepeat = false) {
    response.writeHead(200, {
      ...response.cors,
      "content-type": "text/event-stream",
      "x-request-id": isRepeat ? `req_${randomUUID()}` : turn.id,
      ...(isRepeat && { "x-original-request-id": turn.id }),
    });
    response.write(": started\n\n");
    let count = 0;
    const send = (event) => {
      if (event === undefined) {
        if (!turn.isBroken) response.write("data: [DONE]\n\n");
        response.end();
        turn.listeners.delete(send);
        return;
      }
      response.write(`data: ${JSON.stringify(event)}\n\n`);
      if (++count >= cutAfter) {
        turn.listeners.delete(send);
        response.destroy();
      }
    };
    turn.listeners.add(send);
    for (const event of [...turn.events]) send(event);
    if (turn.isDone) send(undefined);
  }

  async function handle(request, response) {
    const url = new URL(request.url, "http://server");
    const { origin } = request.headers;
    const isAllowed = origin !== undefined && state.origins.has(origin);
    response.cors = isAllowed
      ? { "access-control-allow-origin": origin, "access-control-expose-headers": EXPOSED, vary: "origin" }
      : {};
    if (request.method === "OPTIONS") {
      response.writeHead(204, {
        ...response.cors,
        "access-control-allow-methods": "GET, POST, DELETE",
        "access-control-allow-headers": HEADERS,
        "access-control-max-age": "600",
      });
      response.end();
      return;
    }
    state.requests.push(`${request.method} ${url.pathname}`);
    if (state.isDown) {
      request.socket.destroy();
      return;
    }
    // Requests that get no answer.
    if (state.hang?.(`${request.method} ${url.pathname}`)) return;
    const refused = state.refuse?.(`${request.method} ${url.pathname}`);
    if (refused) return error(response, refused.status, refused.code, refused.headers);
    if (url.pathname.startsWith("/widget/")) {
      const name = url.pathname.slice("/widget/".length).replace(/^v1\//, `v${version}/`);
      const file = await readFile(path.join(folder, "..", name)).catch(() => undefined);
      if (!file) return error(response, 404, "route_not_found");
      response.writeHead(200, {
        "content-type": MIME[path.extname(name)] ?? "application/octet-stream",
        "access-control-allow-origin": "*",
        "cache-control": url.pathname.startsWith("/widget/v1/") ? "max-age=60" : "public, max-age=31536000, immutable",
        "x-content-type-options": "nosniff",
      });
      response.end((await state.tamper?.(name, file)) ?? file);
      return;
    }
    const bearer = (request.headers.authorization ?? "").replace(/^Bearer /, "");
    if (url.pathname === "/v1/widget/session" && request.method === "POST")
      return openSession(request, response, bearer, isAllowed);
    const token = state.tokens.get(bearer);
    if (!token || token.expires < Date.now()) return error(response, 401, "invalid_api_key");
    if (token.origin !== origin) return error(response, 403, "permission_denied");
    const { session } = token;
    if (url.pathname === "/v1/chat/completions") return chat(request, response, session);
    const [, , kind, id, part, name] = url.pathname.split("/");
    if (kind !== "sessions" || id !== session.id) return error(response, 404, "resource_not_found");
    if (part === "messages" && request.method === "GET") {
      return json(response, { object: "list", data: session.messages.toReversed().slice(0, 100), has_more: false });
    }
    if (part === "messages" && request.method === "DELETE") {
      session.messages = session.messages.filter((message) => message.id !== name);
      return json(response, { deleted: true });
    }
    if (part === "turns") {
      const turn = session.turns.get(name);
      if (!turn) return error(response, 404, "resource_not_found");
      await turn.finished;
      return stream(response, turn);
    }
    if (part === undefined && request.method === "DELETE") {
      session.isDeleted = true;
      state.sessions.delete(session.id);
      return json(response, { deleted: true });
    }
    error(response, 404, "route_not_found");
  }

  async function openSession(request, response, bearer, isAllowed) {
    const body = await bodyOf(request);
    state.bodies.push(body);
    if (bearer !== KEY && bearer !== OTHER_KEY) return error(response, 401, "invalid_api_key");
    if (!isAllowed) return error(response, 403, "permission_denied");
    if (state.rubbish) {
      response.writeHead(200, { ...response.cors, "content-type": "text/html" });
      return response.end("<html>Welcome to the hotel's network");
    }
    const refused = state.sessionScript.shift();
    if (refused) return error(response, refused.status, refused.code, refused.headers);
    const user = body.user_token && JSON.parse(Buffer.from(body.user_token.split(".")[1], "base64url")).sub;
    let session = state.sessions.get(body.conversation);
    if (session?.secret !== body.visitor_secret || session?.user !== user) session = undefined;
    const isNew = !session;
    if (isNew) {
      session = {
        id: `ses_${randomUUID()}`,
        secret: randomUUID(),
        user,
        messages: [],
        turns: new Map(),
        keys: new Map(),
      };
      state.sessions.set(session.id, session);
    }
    const token = randomUUID();
    state.tokens.set(token, { session, origin: request.headers.origin, expires: Date.now() + state.expiresIn * 1000 });
    const strings = await readFile(path.join(folder, "locales", `${body.language}.json`), "utf8").catch(
      () => undefined,
    );
    const translated = state.translate ? await state.translate(body.language, strings) : strings;
    const running = [...session.turns.values()].find((turn) => !turn.isDone);
    json(response, {
      token,
      expires_in: state.expiresIn,
      session_id: session.id,
      ...(isNew && { visitor_secret: session.secret }),
      settings: state.settings,
      ...(translated && { strings: JSON.parse(translated) }),
      resumable: running?.id ?? null,
    });
  }

  async function chat(request, response, session) {
    const body = await bodyOf(request);
    const key = request.headers["idempotency-key"];
    const known = session.keys.get(key);
    if (known) {
      await known.finished;
      return stream(response, known, {}, true);
    }
    const script = state.script.shift() ?? state.fallback;
    if (script.status) return error(response, script.status, script.code, script.headers);
    if (script.destroy) return request.socket.destroy();
    const turn = startTurn(session, body.messages[0].content, script);
    session.keys.set(key, turn);
    stream(response, turn, script);
  }

  const server = createServer((request, response) => {
    handle(request, response).catch((problem) => {
      console.error(problem);
      response.destroy();
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();

  return {
    state,
    url: `http://127.0.0.1:${port}`,
    /** Requests of a kind, such as `POST /v1/chat/completions`. */
    count: (prefix) => state.requests.filter((request) => request.startsWith(prefix)).length,
    reset() {
      state.sessions.clear();
      state.tokens.clear();
      Object.assign(state, {
        requests: [],
        settings: {},
        script: [],
        sessionScript: [],
        fallback: reply(["Hello! ", "How can I ", "help?"]),
        bodies: [],
        calls: 0,
        isDown: false,
        hang: undefined,
        refuse: undefined,
        rubbish: false,
        tamper: undefined,
        translate: undefined,
        expiresIn: 600,
      });
    },
    stop() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
