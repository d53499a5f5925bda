-- The time zone of a session's prompts: UTC or an offset such as +05:30. NULL: that of its tenant.
ALTER TABLE sessions ADD COLUMN time_zone TEXT;
