/** The CORS headers of a response to `request`, as `http::cors::expose` of the gateway adds them. */
export function corsHeaders(request, { CORS_ORIGINS: origins = "*" }) {
  if (!new URL(request.url).pathname.startsWith("/v1/")) return {};
  const allow = (origin) => ({ "access-control-allow-origin": origin, "access-control-expose-headers": "x-request-id" });
  if (origins === "*") return allow("*");
  const origin = request.headers.get("origin");
  const isListed = origins.split(",").some((listed) => listed.trim() === origin);
  return { vary: "Origin", ...(isListed ? allow(origin) : {}) };
}
