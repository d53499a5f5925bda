// Empty D1 databases on workerd, without any of the project's Workers.
import { Miniflare, convertV4MiniflareOptions } from "miniflare";

/** Opens `count` empty databases in memory; the caller must call `stop()`. */
export async function openDatabases(count) {
  const names = Array.from({ length: count }, (_, index) => `DB${index}`);
  const runtime = new Miniflare(
    convertV4MiniflareOptions({
      host: "127.0.0.1",
      port: 0,
      cf: false,
      modules: true,
      script: "export default { fetch: () => new Response() };",
      compatibilityDate: "2026-11-01",
      d1Databases: Object.fromEntries(names.map((name) => [name, { id: name }])),
    }),
  );
  await runtime.ready;
  const databases = [];
  for (const name of names) databases.push(await runtime.getD1Database(name));
  return { databases, stop: () => runtime.dispose() };
}

/** Everything that the migrations define in a database, in a fixed order. */
export async function schemaOf(database) {
  const { results } = await database.prepare(SCHEMA).all();
  return results;
}

/** Tables, indexes and triggers, without those of the platform and its tools. */
export const SCHEMA = `SELECT type, name, tbl_name, sql FROM sqlite_master
  WHERE tbl_name NOT LIKE 'sqlite_%' AND tbl_name NOT LIKE '_cf_%' AND tbl_name <> 'd1_migrations' ORDER BY type, name`;
