import assert from "node:assert/strict";
import { test } from "node:test";
import { corsHeaders } from "../../workers/entry/cors.js";

const from = (origin, path = "/v1/models") => new Request(`https://gateway.example${path}`, { headers: origin ? { origin } : {} });
const exposed = { "access-control-expose-headers": "x-request-id" };

test("every_origin_is_allowed_by_default_on_the_api_alone", () => {
  assert.deepEqual(corsHeaders(from("https://a.example"), {}), { "access-control-allow-origin": "*", ...exposed });
  for (const path of ["/health", "/admin/tenants", "/v1", "/x/v1/"]) assert.deepEqual(corsHeaders(from("https://a.example", path), {}), {});
});

test("a_list_allows_its_origins_and_names_the_one_that_asked", () => {
  const env = { CORS_ORIGINS: "https://a.example, https://b.example" };
  assert.deepEqual(corsHeaders(from("https://b.example"), env), { vary: "Origin", "access-control-allow-origin": "https://b.example", ...exposed });
  for (const other of ["https://c.example", "https://a.example.evil", null]) assert.deepEqual(corsHeaders(from(other), env), { vary: "Origin" });
});
