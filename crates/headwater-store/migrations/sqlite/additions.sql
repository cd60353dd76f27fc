-- What Headwater adds beside MLMD's tables. Safe to run again on every start.

-- MLMD scans the whole table to find the contexts of an execution or an artifact.
CREATE INDEX IF NOT EXISTS hw_association_execution_id ON Association (execution_id);
CREATE INDEX IF NOT EXISTS hw_attribution_artifact_id ON Attribution (artifact_id);

-- A list of one type by id goes through this index in order, where MLMD reads all of the type.
CREATE INDEX IF NOT EXISTS hw_artifact_type_id ON Artifact (type_id);
CREATE INDEX IF NOT EXISTS hw_execution_type_id ON Execution (type_id);
CREATE INDEX IF NOT EXISTS hw_context_type_id ON Context (type_id);

-- A type is made once, however many make it at the same time: whoever makes it takes its name here
-- first. MLMD's table has no such key.
CREATE TABLE IF NOT EXISTS hw_type_key (
  type_kind INTEGER NOT NULL,
  name TEXT NOT NULL,
  version TEXT NOT NULL,
  PRIMARY KEY (type_kind, name, version)
) WITHOUT ROWID;

-- The points of metrics, which no graph can hold: many to a row, in chunks numbered from 1.
CREATE TABLE IF NOT EXISTS hw_metric (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  execution_id INTEGER NOT NULL,
  name TEXT NOT NULL,
  chunks INTEGER NOT NULL,
  last_chunk_points INTEGER NOT NULL,
  UNIQUE (execution_id, name)
);
CREATE TABLE IF NOT EXISTS hw_metric_chunk (
  metric_id INTEGER NOT NULL,
  number INTEGER NOT NULL,
  points BLOB NOT NULL,
  PRIMARY KEY (metric_id, number)
);
-- The last request of each process that logs, so that one that is sent again is known.
CREATE TABLE IF NOT EXISTS hw_metric_writer (
  execution_id INTEGER NOT NULL,
  writer TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  PRIMARY KEY (execution_id, writer)
) WITHOUT ROWID;

-- Patches, lock files, profiles: bytes that are kept as they are, by their digest, in chunks numbered
-- from 1.
CREATE TABLE IF NOT EXISTS hw_content_chunk (
  digest TEXT NOT NULL,
  number INTEGER NOT NULL,
  content BLOB NOT NULL,
  PRIMARY KEY (digest, number)
);
CREATE TABLE IF NOT EXISTS hw_content (
  digest TEXT NOT NULL PRIMARY KEY,
  size_bytes INTEGER NOT NULL
) WITHOUT ROWID;

-- Steps that may be skipped: the execution that was complete, or who runs the step, and until when it
-- is theirs.
CREATE TABLE IF NOT EXISTS hw_step (
  fingerprint TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  execution_id INTEGER,
  finished_ms INTEGER NOT NULL,
  claimant TEXT NOT NULL,
  claimed_until_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS hw_step_name ON hw_step (name);
