// docs/decisions/009-responses-after-a-panic.md
import { corsHeaders } from "./cors.js";
import { newRequestId } from "./request-id.js";

/** The property with the id that our Rust gave a request: `clawless_edge::http::serve`. */
const REQUEST_ID = "clawlessRequestId";

/** The same text as `ApiError::internal`. */
const BODY = JSON.stringify({
  error: {
    message: "Something failed on our side. Report the x-request-id of this answer if it persists.",
    type: "server_error",
    param: null,
    code: "internal_error",
  },
});

/** Logs `error` and returns the response 500 for its request. */
export function errorResponse(request, env, error) {
  const id = request[REQUEST_ID] ?? newRequestId();
  console.error(JSON.stringify({ time: Date.now(), level: "ERROR", message: "serve request failed", request_id: id, internal: String(error) }));
  const headers = { "x-request-id": id, "cache-control": "no-store", "content-type": "application/json", ...corsHeaders(request, env) };
  return new Response(request.method === "HEAD" ? null : BODY, { status: 500, headers });
}
