-- What a response repeats of its request (the Responses surface), and how many messages of the turn
-- are its input. NULL: the turn has another surface.
ALTER TABLE turns ADD COLUMN echo TEXT CHECK (echo IS NULL OR (json_valid(echo) AND json_type(echo) = 'object'));
