// The API's descriptions, which are made from the routes tables: all operations of the gateway and of the admin API.
import { readFileSync } from "node:fs";
import path from "node:path";
import { ROOT } from "./bundle.mjs";

const METHODS = ["get", "post", "put", "patch", "delete"];

/** The description of a surface, and all its operations. */
function readDescription(file) {
  const description = JSON.parse(readFileSync(path.join(ROOT, "docs/api", file), "utf8"));
  const operations = Object.entries(description.paths).flatMap(([name, methods]) =>
    METHODS.filter((method) => methods[method]).map((method) => ({ method: method.toUpperCase(), path: name, ...patternOf(name, methods[method]), operation: methods[method], description })),
  );
  return { description, operations };
}

/** The pattern in the routes table, and the paths that it matches. */
function patternOf(name, { parameters = [] }) {
  const isLong = (parameter) => parameters.find(({ name: other }) => `{${other}}` === parameter)?.["x-multi-segment"];
  const pattern = name.replace(/\{[^}]+\}/g, (parameter) => (isLong(parameter) ? parameter.replace("}", "…}") : parameter));
  const paths = name.replace(/\{[^}]+\}/g, (parameter) => (isLong(parameter) ? ".+" : "[^/]+"));
  return { pattern, matches: new RegExp(`^${paths}$`) };
}

/** The operations of the gateway and of the admin API. */
export const GATEWAY = readDescription("openapi.json");
export const ADMIN = readDescription("admin-openapi.json");

/** The operation that a request is for; undefined for unknown paths and methods. */
export function operationOf(method, pathname) {
  const wanted = method === "HEAD" ? "GET" : method;
  return [...GATEWAY.operations, ...ADMIN.operations].find((operation) => operation.method === wanted && operation.matches.test(pathname));
}
