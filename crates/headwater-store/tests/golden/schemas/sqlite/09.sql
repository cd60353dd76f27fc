CREATE TABLE MLMDEnv (
  schema_version INTEGER PRIMARY KEY
);
CREATE TABLE Type (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name VARCHAR(255) NOT NULL,
  version VARCHAR(255),
  type_kind TINYINT(1) NOT NULL,
  description TEXT,
  input_type TEXT,
  output_type TEXT,
  external_id VARCHAR(255),
  UNIQUE (external_id)
);
CREATE INDEX idx_type_external_id ON Type (external_id);
CREATE INDEX idx_type_name ON Type (name);
CREATE TABLE TypeProperty (
  type_id INT NOT NULL,
  name VARCHAR(255) NOT NULL,
  data_type INT,
  PRIMARY KEY (type_id, name)
);
CREATE TABLE ParentType (
  type_id INT NOT NULL,
  parent_type_id INT NOT NULL,
  PRIMARY KEY (type_id, parent_type_id)
);
CREATE TABLE Artifact (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  type_id INT NOT NULL,
  uri TEXT,
  state INT,
  name VARCHAR(255),
  external_id VARCHAR(255),
  create_time_since_epoch INT NOT NULL DEFAULT 0,
  last_update_time_since_epoch INT NOT NULL DEFAULT 0,
  UNIQUE (external_id),
  UNIQUE (type_id, name)
);
CREATE INDEX idx_artifact_create_time_since_epoch ON Artifact (create_time_since_epoch);
CREATE INDEX idx_artifact_external_id ON Artifact (external_id);
CREATE INDEX idx_artifact_last_update_time_since_epoch ON Artifact (last_update_time_since_epoch);
CREATE INDEX idx_artifact_uri ON Artifact (uri);
CREATE TABLE ArtifactProperty (
  artifact_id INT NOT NULL,
  name VARCHAR(255) NOT NULL,
  is_custom_property TINYINT(1) NOT NULL,
  int_value INT,
  double_value DOUBLE,
  string_value TEXT,
  byte_value BLOB,
  PRIMARY KEY (artifact_id, name, is_custom_property)
);
CREATE INDEX idx_artifact_property_double ON ArtifactProperty (name, is_custom_property, double_value) WHERE double_value IS NOT NULL;
CREATE INDEX idx_artifact_property_int ON ArtifactProperty (name, is_custom_property, int_value) WHERE int_value IS NOT NULL;
CREATE INDEX idx_artifact_property_string ON ArtifactProperty (name, is_custom_property, string_value) WHERE string_value IS NOT NULL;
CREATE TABLE Execution (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  type_id INT NOT NULL,
  last_known_state INT,
  name VARCHAR(255),
  external_id VARCHAR(255),
  create_time_since_epoch INT NOT NULL DEFAULT 0,
  last_update_time_since_epoch INT NOT NULL DEFAULT 0,
  UNIQUE (external_id),
  UNIQUE (type_id, name)
);
CREATE INDEX idx_execution_create_time_since_epoch ON Execution (create_time_since_epoch);
CREATE INDEX idx_execution_external_id ON Execution (external_id);
CREATE INDEX idx_execution_last_update_time_since_epoch ON Execution (last_update_time_since_epoch);
CREATE TABLE ExecutionProperty (
  execution_id INT NOT NULL,
  name VARCHAR(255) NOT NULL,
  is_custom_property TINYINT(1) NOT NULL,
  int_value INT,
  double_value DOUBLE,
  string_value TEXT,
  byte_value BLOB,
  PRIMARY KEY (execution_id, name, is_custom_property)
);
CREATE INDEX idx_execution_property_double ON ExecutionProperty (name, is_custom_property, double_value) WHERE double_value IS NOT NULL;
CREATE INDEX idx_execution_property_int ON ExecutionProperty (name, is_custom_property, int_value) WHERE int_value IS NOT NULL;
CREATE INDEX idx_execution_property_string ON ExecutionProperty (name, is_custom_property, string_value) WHERE string_value IS NOT NULL;
CREATE TABLE Context (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  type_id INT NOT NULL,
  name VARCHAR(255) NOT NULL,
  external_id VARCHAR(255),
  create_time_since_epoch INT NOT NULL DEFAULT 0,
  last_update_time_since_epoch INT NOT NULL DEFAULT 0,
  UNIQUE (external_id),
  UNIQUE (type_id, name)
);
CREATE INDEX idx_context_create_time_since_epoch ON Context (create_time_since_epoch);
CREATE INDEX idx_context_external_id ON Context (external_id);
CREATE INDEX idx_context_last_update_time_since_epoch ON Context (last_update_time_since_epoch);
CREATE TABLE ContextProperty (
  context_id INT NOT NULL,
  name VARCHAR(255) NOT NULL,
  is_custom_property TINYINT(1) NOT NULL,
  int_value INT,
  double_value DOUBLE,
  string_value TEXT,
  byte_value BLOB,
  PRIMARY KEY (context_id, name, is_custom_property)
);
CREATE INDEX idx_context_property_double ON ContextProperty (name, is_custom_property, double_value) WHERE double_value IS NOT NULL;
CREATE INDEX idx_context_property_int ON ContextProperty (name, is_custom_property, int_value) WHERE int_value IS NOT NULL;
CREATE INDEX idx_context_property_string ON ContextProperty (name, is_custom_property, string_value) WHERE string_value IS NOT NULL;
CREATE TABLE ParentContext (
  context_id INT NOT NULL,
  parent_context_id INT NOT NULL,
  PRIMARY KEY (context_id, parent_context_id)
);
CREATE INDEX idx_parentcontext_parent_context_id ON ParentContext (parent_context_id);
CREATE TABLE Event (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  artifact_id INT NOT NULL,
  execution_id INT NOT NULL,
  type INT NOT NULL,
  milliseconds_since_epoch INT,
  UNIQUE (artifact_id, execution_id, type)
);
CREATE INDEX idx_event_execution_id ON Event (execution_id);
CREATE TABLE EventPath (
  event_id INT NOT NULL,
  is_index_step TINYINT(1) NOT NULL,
  step_index INT,
  step_key TEXT
);
CREATE INDEX idx_eventpath_event_id ON EventPath (event_id);
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
  (9);
INSERT INTO Type (id, name, version, type_kind, description, input_type, output_type, external_id) VALUES
  (1, 'mlmd.Dataset', NULL, 1, NULL, NULL, NULL, NULL),
  (2, 'mlmd.Model', NULL, 1, NULL, NULL, NULL, NULL),
  (3, 'mlmd.Metrics', NULL, 1, NULL, NULL, NULL, NULL),
  (4, 'mlmd.Statistics', NULL, 1, NULL, NULL, NULL, NULL),
  (5, 'mlmd.Train', NULL, 0, NULL, NULL, NULL, NULL),
  (6, 'mlmd.Transform', NULL, 0, NULL, NULL, NULL, NULL),
  (7, 'mlmd.Process', NULL, 0, NULL, NULL, NULL, NULL),
  (8, 'mlmd.Evaluate', NULL, 0, NULL, NULL, NULL, NULL),
  (9, 'mlmd.Deploy', NULL, 0, NULL, NULL, NULL, NULL),
  (10, 'Examples', NULL, 1, 'it''s é', NULL, NULL, 'type-1'),
  (11, 'Model', '1', 1, NULL, NULL, NULL, NULL),
  (12, 'Model', '2', 1, NULL, NULL, NULL, NULL),
  (13, 'Trainer', '7', 0, 'trains', '{"dict":{"properties":{"data":{"simple":{"name":"Examples"}}}}}', '{"unionType":{"candidates":[{"simple":{"name":"Model"}},{"none":{}}]}}', 'type-2'),
  (14, 'Examples', NULL, 0, NULL, NULL, NULL, NULL),
  (15, 'Pipeline', NULL, 2, NULL, NULL, NULL, 'type-3'),
  (16, 'Run', '1', 2, 'one of many', NULL, NULL, NULL);
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
INSERT INTO ParentType (type_id, parent_type_id) VALUES
  (10, 1),
  (13, 5);
INSERT INTO Artifact (id, type_id, uri, state, name, external_id, create_time_since_epoch, last_update_time_since_epoch) VALUES
  (1, 10, '/data/it''s "é" \ \n', NULL, 'it''s "é" \ \n', 'artifact-1', 1700000001000, 1700000001001),
  (2, 10, '', 2, NULL, NULL, 1700000002000, 1700000002001),
  (3, 11, '', 3, 'm', NULL, 1700000003000, 1700000003001),
  (4, 12, 'm2', NULL, 'm', 'artifact-4', 1700000004000, 1700000004001);
INSERT INTO ArtifactProperty (artifact_id, name, is_custom_property, int_value, double_value, string_value, byte_value) VALUES
  (1, 'd', 0, NULL, 0.375, NULL, NULL),
  (1, 'i', 0, -2147483648, NULL, NULL, NULL),
  (1, 'my d', 1, NULL, 0.375, NULL, NULL),
  (1, 'my i', 1, -2147483648, NULL, NULL, NULL),
  (1, 'my o', 1, NULL, NULL, 'mlmd-struct::ChMKAsOpEg0yCwoJEQAAAAAAAABA', NULL),
  (1, 'my s', 1, NULL, NULL, 'it''s "é" \ \n', NULL),
  (1, 'o', 0, NULL, NULL, 'mlmd-struct::ChMKAsOpEg0yCwoJEQAAAAAAAABA', NULL),
  (1, 's', 0, NULL, NULL, 'it''s "é" \ \n', NULL),
  (2, 'any', 1, NULL, NULL, NULL, NULL),
  (2, 'b', 0, NULL, NULL, NULL, NULL),
  (2, 'empty', 1, NULL, NULL, '', NULL),
  (2, 'i', 0, 0, NULL, NULL, NULL),
  (2, 'no', 1, NULL, NULL, NULL, NULL),
  (2, 'yes', 1, NULL, NULL, NULL, NULL);
INSERT INTO Execution (id, type_id, last_known_state, name, external_id, create_time_since_epoch, last_update_time_since_epoch) VALUES
  (1, 13, NULL, 'train', 'execution-1', 1700000001000, 1700000001001),
  (2, 14, 3, NULL, NULL, 1700000002000, 1700000002001);
INSERT INTO ExecutionProperty (execution_id, name, is_custom_property, int_value, double_value, string_value, byte_value) VALUES
  (1, 'd', 0, NULL, 0.375, NULL, NULL),
  (1, 'i', 0, -2147483648, NULL, NULL, NULL),
  (1, 'my d', 1, NULL, 0.375, NULL, NULL),
  (1, 'my i', 1, -2147483648, NULL, NULL, NULL),
  (1, 'my o', 1, NULL, NULL, 'mlmd-struct::ChMKAsOpEg0yCwoJEQAAAAAAAABA', NULL),
  (1, 'my s', 1, NULL, NULL, 'it''s "é" \ \n', NULL),
  (1, 'o', 0, NULL, NULL, 'mlmd-struct::ChMKAsOpEg0yCwoJEQAAAAAAAABA', NULL),
  (1, 's', 0, NULL, NULL, 'it''s "é" \ \n', NULL),
  (2, 'any', 1, NULL, NULL, NULL, NULL),
  (2, 'no', 1, NULL, NULL, NULL, NULL),
  (2, 'yes', 1, NULL, NULL, NULL, NULL);
INSERT INTO Context (id, type_id, name, external_id, create_time_since_epoch, last_update_time_since_epoch) VALUES
  (1, 15, 'it''s "é" \ \n', 'context-1', 1700000001000, 1700000001001),
  (2, 16, 'run', NULL, 1700000002000, 1700000002001),
  (3, 16, 'run 2', NULL, 1700000003000, 1700000003001);
INSERT INTO ContextProperty (context_id, name, is_custom_property, int_value, double_value, string_value, byte_value) VALUES
  (1, 'd', 0, NULL, 0.375, NULL, NULL),
  (1, 'i', 0, -2147483648, NULL, NULL, NULL),
  (1, 'my d', 1, NULL, 0.375, NULL, NULL),
  (1, 'my i', 1, -2147483648, NULL, NULL, NULL),
  (1, 'my o', 1, NULL, NULL, 'mlmd-struct::ChMKAsOpEg0yCwoJEQAAAAAAAABA', NULL),
  (1, 'my s', 1, NULL, NULL, 'it''s "é" \ \n', NULL),
  (1, 'o', 0, NULL, NULL, 'mlmd-struct::ChMKAsOpEg0yCwoJEQAAAAAAAABA', NULL),
  (1, 's', 0, NULL, NULL, 'it''s "é" \ \n', NULL),
  (2, 'any', 1, NULL, NULL, NULL, NULL),
  (2, 'no', 1, NULL, NULL, NULL, NULL),
  (2, 'yes', 1, NULL, NULL, NULL, NULL);
INSERT INTO ParentContext (context_id, parent_context_id) VALUES
  (2, 1),
  (3, 1);
INSERT INTO Event (id, artifact_id, execution_id, type, milliseconds_since_epoch) VALUES
  (1, 1, 1, 3, 1700000000000),
  (2, 2, 1, 4, 1700000000007),
  (3, 2, 2, 3, 1700000000014),
  (4, 4, 2, 1, 1700000000021);
INSERT INTO EventPath (event_id, is_index_step, step_index, step_key) VALUES
  (1, 0, NULL, 'it''s slot 0'),
  (1, 1, 0, NULL),
  (1, 0, NULL, 'é'),
  (2, 0, NULL, 'it''s slot 1'),
  (2, 1, 1, NULL),
  (2, 0, NULL, 'é'),
  (3, 0, NULL, 'it''s slot 2'),
  (3, 1, 2, NULL),
  (3, 0, NULL, 'é');
INSERT INTO Association (id, context_id, execution_id) VALUES
  (1, 2, 1),
  (2, 2, 2);
INSERT INTO Attribution (id, context_id, artifact_id) VALUES
  (1, 1, 1),
  (2, 1, 4),
  (3, 2, 1);
