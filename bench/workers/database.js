// Benchmark stub of D1: SQLite in a Durable Object behind the runtime's own D1 binding.
// wrangler simulates D1 in the same way.
import { DurableObject } from "cloudflare:workers";

export class Database extends DurableObject {
  async fetch(request) {
    const queries = await request.json();
    try {
      const results = this.ctx.storage.transactionSync(() => [queries].flat().map((query) => this.#run(query)));
      return Response.json(results);
    } catch (error) {
      return Response.json({ success: false, error: String(error.message) }, { status: 500 });
    }
  }

  #run({ sql, params }) {
    const cursor = this.ctx.storage.sql.exec(sql, ...(params ?? []));
    const rows = [...cursor.raw()];
    const meta = { duration: 0, changes: cursor.rowsWritten, last_row_id: 0, changed_db: cursor.rowsWritten > 0, size_after: 0, rows_read: cursor.rowsRead, rows_written: cursor.rowsWritten };
    return { success: true, results: { columns: cursor.columnNames, rows }, meta };
  }
}

export default {
  fetch(request, env) {
    return env.DATABASE.get(env.DATABASE.idFromName("bench")).fetch(request);
  },
};
