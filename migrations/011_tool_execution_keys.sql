-- The API key whose request caused a tool execution. NULL in rows that an older version wrote.
ALTER TABLE tool_executions ADD COLUMN key_id TEXT;
