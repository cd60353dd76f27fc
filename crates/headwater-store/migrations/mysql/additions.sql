-- What Headwater adds beside MLMD's tables. MySQL knows no CREATE INDEX IF NOT EXISTS; whoever runs
-- this passes over what is there already.

-- MLMD scans the whole table to find the contexts of an execution or an artifact.
CREATE INDEX hw_association_execution_id ON Association (execution_id);
CREATE INDEX hw_attribution_artifact_id ON Attribution (artifact_id);

-- A list of one type by id goes through this index in order, where MLMD reads all of the type.
CREATE INDEX hw_artifact_type_id ON Artifact (type_id);
CREATE INDEX hw_execution_type_id ON Execution (type_id);
CREATE INDEX hw_context_type_id ON Context (type_id);

-- A type is made once, however many make it at the same time: whoever makes it takes its name here
-- first. MLMD's table has no such key.
CREATE TABLE IF NOT EXISTS hw_type_key (
  type_kind TINYINT NOT NULL,
  name VARCHAR(255) NOT NULL,
  version VARCHAR(255) NOT NULL,
  PRIMARY KEY (type_kind, name, version)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {collation};

-- The points of metrics, which no graph can hold: many to a row, in chunks numbered from 1.
CREATE TABLE IF NOT EXISTS hw_metric (
  id BIGINT PRIMARY KEY AUTO_INCREMENT,
  execution_id BIGINT NOT NULL,
  name VARCHAR(255) NOT NULL,
  chunks BIGINT NOT NULL,
  last_chunk_points BIGINT NOT NULL,
  UNIQUE (execution_id, name)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {collation};
CREATE TABLE IF NOT EXISTS hw_metric_chunk (
  metric_id BIGINT NOT NULL,
  number BIGINT NOT NULL,
  points LONGBLOB NOT NULL,
  PRIMARY KEY (metric_id, number)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {collation};
-- The last request of each process that logs, so that one that is sent again is known.
CREATE TABLE IF NOT EXISTS hw_metric_writer (
  execution_id BIGINT NOT NULL,
  writer VARCHAR(255) NOT NULL,
  sequence BIGINT NOT NULL,
  PRIMARY KEY (execution_id, writer)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {collation};

-- Patches, lock files, profiles: bytes that are kept as they are, by their digest, in chunks numbered
-- from 1.
CREATE TABLE IF NOT EXISTS hw_content_chunk (
  digest VARCHAR(255) NOT NULL,
  number BIGINT NOT NULL,
  content LONGBLOB NOT NULL,
  PRIMARY KEY (digest, number)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {collation};
CREATE TABLE IF NOT EXISTS hw_content (
  digest VARCHAR(255) NOT NULL PRIMARY KEY,
  size_bytes BIGINT NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {collation};

-- Steps that may be skipped: the execution that was complete, or who runs the step, and until when it
-- is theirs.
CREATE TABLE IF NOT EXISTS hw_step (
  fingerprint VARCHAR(255) NOT NULL PRIMARY KEY,
  name VARCHAR(255) NOT NULL,
  execution_id BIGINT,
  finished_ms BIGINT NOT NULL,
  claimant VARCHAR(255) NOT NULL,
  claimed_until_ms BIGINT NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {collation};
CREATE INDEX hw_step_name ON hw_step (name);
