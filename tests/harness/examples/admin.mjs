// The cases of the examples of the admin API.
import assert from "node:assert/strict";
import { conversation, listed, newSite, newTenant, same, sharedTenant } from "./checks.mjs";

/** Every record of every page as one line of JSON. */
const records = (output, { bodies, variables }) => {
  const lines = output.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(lines, bodies.flatMap(({ data }) => data));
  assert.ok(lines.some(({ object, id }) => object === "tenant" && id === variables.TENANT_ID));
};

export const ADMIN = {
  getAdminHealth: { shows: ({ status, problems }) => [same(status, "ok"), JSON.stringify(same(problems, []))] },
  listTenants: { prepare: sharedTenant, shows: listed("id", "name", "tier") },
  createTenant: {
    shows: async ({ id }, { world }) => {
      const { name, system_prompt: prompt } = await world.admin("GET", `/tenants/${id}`);
      assert.deepEqual([name, prompt], ["Example", "Be brief."]);
      return [id];
    },
  },
  getTenant: { prepare: sharedTenant, shows: ({ name, version }) => [name, version, `"${version}"`] },
  replaceTenant: {
    prepare: newTenant,
    shows: async (_last, { world, variables }) => {
      const { name, version, system_prompt: prompt } = await world.admin("GET", `/tenants/${variables.TENANT_ID}`);
      assert.deepEqual([name, prompt], ["Example", "Be brief."]);
      return [name, version];
    },
  },
  updateTenant: {
    prepare: newTenant,
    shows: async (_last, { world, variables }) => {
      const { limits, version } = await world.admin("GET", `/tenants/${variables.TENANT_ID}`);
      return [same(limits.requests_per_minute, 120), version];
    },
  },
  deleteTenant: {
    prepare: newTenant,
    shows: async (_last, { world, variables }) => {
      await world.admin("GET", `/tenants/${variables.TENANT_ID}`, undefined, { status: 404 });
      return [variables.TENANT_ID, true];
    },
  },
  getTenantUsage: { prepare: sharedTenant, shows: listed("day", "model", "key_id", "tokens") },
  listTenantSessions: { prepare: sharedTenant, shows: listed("id", "token_total") },
  getTenantSession: { prepare: sharedTenant, shows: ({ id, token_total: tokens }, { variables }) => [same(id, variables.SESSION_ID), tokens] },
  listTenantMessages: { prepare: sharedTenant, shows: conversation },
  exportTenant: { prepare: sharedTenant, prints: records },
  eraseTenant: {
    prepare: newTenant,
    // The first request erases the session and continues; curl sends one request.
    shows: async (last, { world, variables, extension }) => {
      const { data } = await world.admin("GET", `/tenants/${variables.TENANT_ID}/sessions`);
      assert.deepEqual(data, []);
      assert.equal(last.erased, extension !== "sh");
      return [variables.TENANT_ID, true];
    },
  },
  listUsage: { prepare: sharedTenant, shows: listed("tenant_id", "tokens", "micro_dollars") },
  listKeys: { prepare: sharedTenant, shows: listed("id", "name") },
  createKey: {
    prepare: sharedTenant,
    shows: async ({ id, key }, { world }) => {
      await world.call("GET", "/v1/models", { key });
      return [id, key];
    },
  },
  getKey: { prepare: sharedTenant, shows: ({ name, scopes: [scope] }) => [same(name, "server"), same(scope, "chat")] },
  updateKey: {
    prepare: newTenant,
    shows: async ({ id }, { world, variables }) => {
      const { limits } = await world.admin("GET", `/tenants/${variables.TENANT_ID}/keys/${variables.KEY_ID}`);
      assert.deepEqual([limits.requests_per_minute, limits.burst], [60, 10]);
      return [id, "requests_per_minute", 60, "burst", 10];
    },
  },
  rotateKey: {
    prepare: newTenant,
    shows: async ({ id, key }, { world, variables }) => {
      for (const works of [key, variables.key]) await world.call("GET", "/v1/models", { key: works });
      return [id, key];
    },
  },
  revokeKey: {
    prepare: newTenant,
    shows: async ({ id, revoked_at: at }, { world, variables }) => {
      await world.call("GET", "/v1/models", { key: variables.key, status: 401 });
      return [id, at];
    },
  },
  getWidget: { prepare: newSite, shows: ({ title }) => [same(title, "Shop")] },
  updateWidget: {
    prepare: newSite,
    shows: async ({ key_id: id, title }, { world, variables }) => {
      const { settings } = await world.openWidget(variables);
      assert.deepEqual(settings, { title: "Acme", colours: { accent: "#5746e0" }, languages: ["en", "de"] });
      return [id, title];
    },
  },
  setWidgetLogo: {
    prepare: newSite,
    shows: async ({ logo }, { world, variables }) => {
      const { settings } = await world.openWidget(variables);
      // A small logo comes with the settings.
      assert.match(settings.logo_url, /^data:image\/png;base64,[A-Za-z0-9+/]+=*$/);
      return [logo];
    },
  },
  deleteWidgetLogo: {
    prepare: newSite,
    shows: ({ key_id: id, logo }) => {
      assert.equal(logo, null);
      return [id];
    },
  },
  openWidgetSession: {
    prepare: newSite,
    shows: ({ session_id: id, expires_in: seconds, token }) => {
      assert.match(token, /^cl_vt_/);
      return [id, seconds];
    },
  },
  listTokens: { shows: listed("id", "name", "revoked_at") },
  createToken: {
    shows: async ({ id, token: text }, { world }) => {
      await world.admin("GET", "/health", undefined, { token: text });
      return [id, text];
    },
  },
  updateToken: {
    prepare: (world) => world.token(),
    shows: async ({ id, role }, { world, variables }) => {
      await world.admin("POST", "/tenants", { name: "x" }, { token: variables.token, status: 403 });
      return [id, same(role, "viewer")];
    },
  },
  revokeToken: {
    prepare: (world) => world.token(),
    shows: async ({ id, revoked_at: at }, { world, variables }) => {
      await world.admin("GET", "/health", undefined, { token: variables.token, status: 401 });
      return [id, at];
    },
  },
  listAudit: { prepare: sharedTenant, shows: listed("at", "actor", "action", "target") },
};
