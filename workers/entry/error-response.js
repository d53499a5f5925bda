// docs/decisions/009-responses-after-a-panic.md
import { corsHeaders } from "./cors.js";
import { newRequestId } from "./request-id.js";

/** The property with the id that our Rust gave a request: `clawless_edge::http::serve`. */
const REQUEST_ID = "clawlessRequestId";

/** The same text as `ApiError::internal`. */
const MESSAGE = "Something failed on our side. Report the x-request-id of this answer if it persists.";

const BODY = JSON.stringify({ error: { message: MESSAGE, type: "server_error", param: null, code: "internal_error" } });

/** The paths of Anthropic's API, as `Surface::of_path` of clawless-api knows them. */
const ANTHROPIC_PATH = /^\/v1\/messages(\/|$)/;

/** The envelope that the clients of the request's path read, and the headers that only they have. */
function envelope(request, id) {
  if (!ANTHROPIC_PATH.test(new URL(request.url).pathname)) return [BODY, {}];
  const body = { type: "error", error: { type: "api_error", message: MESSAGE }, request_id: id };
  return [JSON.stringify(body), { "request-id": id }];
}

/** Logs `error` and returns the response 500 for its request. */
export function errorResponse(request, env, error) {
  const id = request[REQUEST_ID] ?? newRequestId();
  console.error(JSON.stringify({ time: Date.now(), level: "ERROR", message: "serve request failed", request_id: id, internal: String(error) }));
  const [body, own] = envelope(request, id);
  const headers = { "x-request-id": id, ...own, "cache-control": "no-store", "content-type": "application/json", ...corsHeaders(request, env) };
  return new Response(request.method === "HEAD" ? null : body, { status: 500, headers });
}
