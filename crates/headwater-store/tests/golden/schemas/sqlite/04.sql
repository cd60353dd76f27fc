CREATE TABLE MLMDEnv (
  schema_version INTEGER PRIMARY KEY
);
CREATE TABLE Type (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name VARCHAR(255) NOT NULL,
  type_kind TINYINT(1) NOT NULL,
  input_type TEXT,
  output_type TEXT
);
CREATE TABLE TypeProperty (
  type_id INT NOT NULL,
  name VARCHAR(255) NOT NULL,
  data_type INT,
  PRIMARY KEY (type_id, name)
);
CREATE TABLE Artifact (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  type_id INT NOT NULL,
  uri TEXT
);
CREATE TABLE ArtifactProperty (
  artifact_id INT NOT NULL,
  name VARCHAR(255) NOT NULL,
  is_custom_property TINYINT(1) NOT NULL,
  int_value INT,
  double_value DOUBLE,
  string_value TEXT,
  PRIMARY KEY (artifact_id, name, is_custom_property)
);
CREATE TABLE Execution (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  type_id INT NOT NULL
);
CREATE TABLE ExecutionProperty (
  execution_id INT NOT NULL,
  name VARCHAR(255) NOT NULL,
  is_custom_property TINYINT(1) NOT NULL,
  int_value INT,
  double_value DOUBLE,
  string_value TEXT,
  PRIMARY KEY (execution_id, name, is_custom_property)
);
CREATE TABLE Context (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  type_id INT NOT NULL,
  name VARCHAR(255) NOT NULL,
  UNIQUE (type_id, name)
);
CREATE TABLE ContextProperty (
  context_id INT NOT NULL,
  name VARCHAR(255) NOT NULL,
  is_custom_property TINYINT(1) NOT NULL,
  int_value INT,
  double_value DOUBLE,
  string_value TEXT,
  PRIMARY KEY (context_id, name, is_custom_property)
);
CREATE TABLE Event (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  artifact_id INT NOT NULL,
  execution_id INT NOT NULL,
  type INT NOT NULL,
  milliseconds_since_epoch INT
);
CREATE TABLE EventPath (
  event_id INT NOT NULL,
  is_index_step TINYINT(1) NOT NULL,
  step_index INT,
  step_key TEXT
);
CREATE TABLE Association (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  context_id INT NOT NULL,
  execution_id INT NOT NULL,
  UNIQUE (context_id, execution_id)
);
CREATE TABLE Attribution (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  context_id INT NOT NULL,
  artifact_id INT NOT NULL,
  UNIQUE (context_id, artifact_id)
);
INSERT INTO MLMDEnv (schema_version) VALUES
  (4);
INSERT INTO Type (id, name, type_kind, input_type, output_type) VALUES
  (1, 'mlmd.Dataset', 1, NULL, NULL),
  (2, 'mlmd.Model', 1, NULL, NULL),
  (3, 'mlmd.Metrics', 1, NULL, NULL),
  (4, 'mlmd.Statistics', 1, NULL, NULL),
  (5, 'mlmd.Train', 0, NULL, NULL),
  (6, 'mlmd.Transform', 0, NULL, NULL),
  (7, 'mlmd.Process', 0, NULL, NULL),
  (8, 'mlmd.Evaluate', 0, NULL, NULL),
  (9, 'mlmd.Deploy', 0, NULL, NULL),
  (10, 'Examples', 1, NULL, NULL),
  (11, 'Model', 1, NULL, NULL),
  (12, 'Model', 1, NULL, NULL),
  (13, 'Trainer', 0, '{"dict":{"properties":{"data":{"simple":{"name":"Examples"}}}}}', '{"unionType":{"candidates":[{"simple":{"name":"Model"}},{"none":{}}]}}'),
  (14, 'Examples', 0, NULL, NULL),
  (15, 'Pipeline', 2, NULL, NULL),
  (16, 'Run', 2, NULL, NULL);
INSERT INTO TypeProperty (type_id, name, data_type) VALUES
  (10, 'b', 6),
  (10, 'd', 2),
  (10, 'i', 1),
  (10, 'o', 4),
  (10, 'p', 5),
  (10, 's', 3),
  (11, 's', 3),
  (12, 's', 3),
  (13, 'b', 6),
  (13, 'd', 2),
  (13, 'i', 1),
  (13, 'o', 4),
  (13, 'p', 5),
  (13, 's', 3),
  (15, 'b', 6),
  (15, 'd', 2),
  (15, 'i', 1),
  (15, 'o', 4),
  (15, 'p', 5),
  (15, 's', 3);
INSERT INTO Artifact (id, type_id, uri) VALUES
  (1, 10, '/data/it''s "é" \ \n'),
  (2, 10, ''),
  (3, 11, ''),
  (4, 12, 'm2');
INSERT INTO ArtifactProperty (artifact_id, name, is_custom_property, int_value, double_value, string_value) VALUES
  (1, 'd', 0, NULL, 0.375, NULL),
  (1, 'i', 0, -2147483648, NULL, NULL),
  (1, 'my d', 1, NULL, 0.375, NULL),
  (1, 'my i', 1, -2147483648, NULL, NULL),
  (1, 'my o', 1, NULL, NULL, 'mlmd-struct::ChMKAsOpEg0yCwoJEQAAAAAAAABA'),
  (1, 'my s', 1, NULL, NULL, 'it''s "é" \ \n'),
  (1, 'o', 0, NULL, NULL, 'mlmd-struct::ChMKAsOpEg0yCwoJEQAAAAAAAABA'),
  (1, 's', 0, NULL, NULL, 'it''s "é" \ \n'),
  (2, 'any', 1, NULL, NULL, NULL),
  (2, 'b', 0, NULL, NULL, NULL),
  (2, 'empty', 1, NULL, NULL, ''),
  (2, 'i', 0, 0, NULL, NULL),
  (2, 'no', 1, NULL, NULL, NULL),
  (2, 'yes', 1, NULL, NULL, NULL);
INSERT INTO Execution (id, type_id) VALUES
  (1, 13),
  (2, 14);
INSERT INTO ExecutionProperty (execution_id, name, is_custom_property, int_value, double_value, string_value) VALUES
  (1, 'd', 0, NULL, 0.375, NULL),
  (1, 'i', 0, -2147483648, NULL, NULL),
  (1, 'my d', 1, NULL, 0.375, NULL),
  (1, 'my i', 1, -2147483648, NULL, NULL),
  (1, 'my o', 1, NULL, NULL, 'mlmd-struct::ChMKAsOpEg0yCwoJEQAAAAAAAABA'),
  (1, 'my s', 1, NULL, NULL, 'it''s "é" \ \n'),
  (1, 'o', 0, NULL, NULL, 'mlmd-struct::ChMKAsOpEg0yCwoJEQAAAAAAAABA'),
  (1, 's', 0, NULL, NULL, 'it''s "é" \ \n'),
  (2, 'any', 1, NULL, NULL, NULL),
  (2, 'no', 1, NULL, NULL, NULL),
  (2, 'yes', 1, NULL, NULL, NULL);
INSERT INTO Context (id, type_id, name) VALUES
  (1, 15, 'it''s "é" \ \n'),
  (2, 16, 'run'),
  (3, 16, 'run 2');
INSERT INTO ContextProperty (context_id, name, is_custom_property, int_value, double_value, string_value) VALUES
  (1, 'd', 0, NULL, 0.375, NULL),
  (1, 'i', 0, -2147483648, NULL, NULL),
  (1, 'my d', 1, NULL, 0.375, NULL),
  (1, 'my i', 1, -2147483648, NULL, NULL),
  (1, 'my o', 1, NULL, NULL, 'mlmd-struct::ChMKAsOpEg0yCwoJEQAAAAAAAABA'),
  (1, 'my s', 1, NULL, NULL, 'it''s "é" \ \n'),
  (1, 'o', 0, NULL, NULL, 'mlmd-struct::ChMKAsOpEg0yCwoJEQAAAAAAAABA'),
  (1, 's', 0, NULL, NULL, 'it''s "é" \ \n'),
  (2, 'any', 1, NULL, NULL, NULL),
  (2, 'no', 1, NULL, NULL, NULL),
  (2, 'yes', 1, NULL, NULL, NULL);
INSERT INTO Event (id, artifact_id, execution_id, type, milliseconds_since_epoch) VALUES
  (1, 1, 1, 3, 1700000000000),
  (2, 2, 1, 4, 1700000000007),
  (3, 2, 2, 3, 1700000000014),
  (4, 4, 2, 1, 1700000000021),
  (11, 1, 1, 3, 1700000000100),
  (12, 1, 1, 3, 1700000000200),
  (13, 2, 2, 3, 1700000000300),
  (14, 3, 2, 4, 1700000000400);
INSERT INTO EventPath (event_id, is_index_step, step_index, step_key) VALUES
  (1, 0, NULL, 'it''s slot 0'),
  (1, 1, 0, NULL),
  (1, 0, NULL, 'é'),
  (2, 0, NULL, 'it''s slot 1'),
  (2, 1, 1, NULL),
  (2, 0, NULL, 'é'),
  (3, 0, NULL, 'it''s slot 2'),
  (3, 1, 2, NULL),
  (3, 0, NULL, 'é'),
  (11, 0, NULL, 'later 11'),
  (11, 1, 11, NULL),
  (12, 0, NULL, 'later 12'),
  (12, 1, 12, NULL);
INSERT INTO Association (id, context_id, execution_id) VALUES
  (1, 2, 1),
  (2, 2, 2);
INSERT INTO Attribution (id, context_id, artifact_id) VALUES
  (1, 1, 1),
  (2, 1, 4),
  (3, 2, 1);
