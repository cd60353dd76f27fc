-- External ids are lost. SQLite cannot drop a unique column, so the tables are made anew.
CREATE TABLE TypeNew (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name VARCHAR(255) NOT NULL,
  version VARCHAR(255),
  type_kind TINYINT(1) NOT NULL,
  description TEXT,
  input_type TEXT,
  output_type TEXT
);
INSERT INTO TypeNew (id, name, version, type_kind, description, input_type, output_type)
  SELECT id, name, version, type_kind, description, input_type, output_type FROM Type;
DROP TABLE Type;
ALTER TABLE TypeNew RENAME TO Type;

CREATE TABLE ArtifactNew (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  type_id INT NOT NULL,
  uri TEXT,
  state INT,
  name VARCHAR(255),
  create_time_since_epoch INT NOT NULL DEFAULT 0,
  last_update_time_since_epoch INT NOT NULL DEFAULT 0,
  UNIQUE (type_id, name)
);
INSERT INTO ArtifactNew
    (id, type_id, uri, state, name, create_time_since_epoch, last_update_time_since_epoch)
  SELECT id, type_id, uri, state, name, create_time_since_epoch, last_update_time_since_epoch
  FROM Artifact;
DROP TABLE Artifact;
ALTER TABLE ArtifactNew RENAME TO Artifact;

CREATE TABLE ExecutionNew (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  type_id INT NOT NULL,
  last_known_state INT,
  name VARCHAR(255),
  create_time_since_epoch INT NOT NULL DEFAULT 0,
  last_update_time_since_epoch INT NOT NULL DEFAULT 0,
  UNIQUE (type_id, name)
);
INSERT INTO ExecutionNew
    (id, type_id, last_known_state, name, create_time_since_epoch, last_update_time_since_epoch)
  SELECT id, type_id, last_known_state, name, create_time_since_epoch, last_update_time_since_epoch
  FROM Execution;
DROP TABLE Execution;
ALTER TABLE ExecutionNew RENAME TO Execution;

CREATE TABLE ContextNew (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  type_id INT NOT NULL,
  name VARCHAR(255) NOT NULL,
  create_time_since_epoch INT NOT NULL DEFAULT 0,
  last_update_time_since_epoch INT NOT NULL DEFAULT 0,
  UNIQUE (type_id, name)
);
INSERT INTO ContextNew (id, type_id, name, create_time_since_epoch, last_update_time_since_epoch)
  SELECT id, type_id, name, create_time_since_epoch, last_update_time_since_epoch FROM Context;
DROP TABLE Context;
ALTER TABLE ContextNew RENAME TO Context;

CREATE INDEX idx_type_name ON Type (name);
CREATE INDEX idx_artifact_uri ON Artifact (uri);
CREATE INDEX idx_artifact_create_time_since_epoch ON Artifact (create_time_since_epoch);
CREATE INDEX idx_artifact_last_update_time_since_epoch ON Artifact (last_update_time_since_epoch);
CREATE INDEX idx_execution_create_time_since_epoch ON Execution (create_time_since_epoch);
CREATE INDEX idx_execution_last_update_time_since_epoch ON Execution (last_update_time_since_epoch);
CREATE INDEX idx_context_create_time_since_epoch ON Context (create_time_since_epoch);
CREATE INDEX idx_context_last_update_time_since_epoch ON Context (last_update_time_since_epoch);
