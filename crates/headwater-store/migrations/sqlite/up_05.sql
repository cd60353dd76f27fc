-- SQLite cannot add a unique key to a table, so the table is made anew.
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
INSERT INTO ArtifactNew (id, type_id, uri) SELECT id, type_id, uri FROM Artifact;
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
INSERT INTO ExecutionNew (id, type_id) SELECT id, type_id FROM Execution;
DROP TABLE Execution;
ALTER TABLE ExecutionNew RENAME TO Execution;

ALTER TABLE Context ADD COLUMN create_time_since_epoch INT NOT NULL DEFAULT 0;
ALTER TABLE Context ADD COLUMN last_update_time_since_epoch INT NOT NULL DEFAULT 0;
