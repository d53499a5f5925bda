// Writes the ledger's rows. A statement that fails leaves what ran before it in the object's implicit
// transaction, so two statements need one of their own.
export function write(storage, put, rows, remove, keys) {
  const puts = () => rows !== undefined && storage.sql.exec(put, rows);
  const removes = () => keys !== undefined && storage.sql.exec(remove, keys);
  if (rows === undefined || keys === undefined) return void (puts() || removes());
  storage.transactionSync(() => {
    puts();
    removes();
  });
}

// Resolves when everything written is durable.
export function sync(storage) {
  return storage.sync();
}
