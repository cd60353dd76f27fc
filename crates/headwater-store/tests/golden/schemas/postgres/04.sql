CREATE TABLE MLMDEnv (
  schema_version integer NOT NULL,
  CONSTRAINT mlmdenv_pkey PRIMARY KEY (schema_version)
);
CREATE TABLE Type (
  id serial,
  name character varying(255) NOT NULL,
  type_kind smallint NOT NULL,
  input_type text,
  output_type text,
  external_id character varying(255),
  CONSTRAINT type_pkey PRIMARY KEY (id),
  CONSTRAINT type_external_id_key UNIQUE (external_id)
);
CREATE INDEX idx_type_external_id ON type USING btree (external_id);
CREATE TABLE TypeProperty (
  type_id integer NOT NULL,
  name character varying(255) NOT NULL,
  data_type integer,
  CONSTRAINT typeproperty_pkey PRIMARY KEY (type_id, name)
);
CREATE TABLE Artifact (
  id serial,
  type_id integer NOT NULL,
  uri text,
  external_id character varying(255),
  CONSTRAINT artifact_pkey PRIMARY KEY (id),
  CONSTRAINT artifact_external_id_key UNIQUE (external_id)
);
CREATE INDEX idx_artifact_external_id ON artifact USING btree (external_id);
CREATE TABLE ArtifactProperty (
  artifact_id integer NOT NULL,
  name character varying(255) NOT NULL,
  is_custom_property boolean NOT NULL,
  int_value integer,
  double_value double precision,
  string_value text,
  CONSTRAINT artifactpropertytemp_pkey PRIMARY KEY (artifact_id, name, is_custom_property)
);
CREATE TABLE Execution (
  id serial,
  type_id integer NOT NULL,
  external_id character varying(255),
  CONSTRAINT execution_pkey PRIMARY KEY (id),
  CONSTRAINT execution_external_id_key UNIQUE (external_id)
);
CREATE INDEX idx_execution_external_id ON execution USING btree (external_id);
CREATE TABLE ExecutionProperty (
  execution_id integer NOT NULL,
  name character varying(255) NOT NULL,
  is_custom_property boolean NOT NULL,
  int_value integer,
  double_value double precision,
  string_value text,
  CONSTRAINT executionpropertytemp_pkey PRIMARY KEY (execution_id, name, is_custom_property)
);
CREATE TABLE Context (
  id serial,
  type_id integer NOT NULL,
  name character varying(255) NOT NULL,
  external_id character varying(255),
  CONSTRAINT context_pkey PRIMARY KEY (id),
  CONSTRAINT context_external_id_key UNIQUE (external_id),
  CONSTRAINT context_type_id_name_key UNIQUE (type_id, name)
);
CREATE INDEX idx_context_external_id ON context USING btree (external_id);
CREATE TABLE ContextProperty (
  context_id integer NOT NULL,
  name character varying(255) NOT NULL,
  is_custom_property boolean NOT NULL,
  int_value integer,
  double_value double precision,
  string_value text,
  CONSTRAINT contextpropertytemp_pkey PRIMARY KEY (context_id, name, is_custom_property)
);
CREATE TABLE Event (
  id serial,
  artifact_id integer NOT NULL,
  execution_id integer NOT NULL,
  type integer NOT NULL,
  milliseconds_since_epoch bigint,
  CONSTRAINT event_pkey PRIMARY KEY (id)
);
CREATE TABLE EventPath (
  event_id integer NOT NULL,
  is_index_step boolean NOT NULL,
  step_index integer,
  step_key text
);
CREATE TABLE Association (
  id serial,
  context_id integer NOT NULL,
  execution_id integer NOT NULL,
  CONSTRAINT association_pkey PRIMARY KEY (id),
  CONSTRAINT association_context_id_execution_id_key UNIQUE (context_id, execution_id)
);
CREATE TABLE Attribution (
  id serial,
  context_id integer NOT NULL,
  artifact_id integer NOT NULL,
  CONSTRAINT attribution_pkey PRIMARY KEY (id),
  CONSTRAINT attribution_context_id_artifact_id_key UNIQUE (context_id, artifact_id)
);
INSERT INTO MLMDEnv (schema_version) VALUES
  (4);
INSERT INTO Type (id, name, type_kind, input_type, output_type, external_id) VALUES
  (1, 'mlmd.Dataset', 1, NULL, NULL, NULL),
  (2, 'mlmd.Model', 1, NULL, NULL, NULL),
  (3, 'mlmd.Metrics', 1, NULL, NULL, NULL),
  (4, 'mlmd.Statistics', 1, NULL, NULL, NULL),
  (5, 'mlmd.Train', 0, NULL, NULL, NULL),
  (6, 'mlmd.Transform', 0, NULL, NULL, NULL),
  (7, 'mlmd.Process', 0, NULL, NULL, NULL),
  (8, 'mlmd.Evaluate', 0, NULL, NULL, NULL),
  (9, 'mlmd.Deploy', 0, NULL, NULL, NULL),
  (10, 'Examples', 1, NULL, NULL, 'type-1'),
  (11, 'Model', 1, NULL, NULL, NULL),
  (12, 'Model', 1, NULL, NULL, NULL),
  (13, 'Trainer', 0, '{"dict":{"properties":{"data":{"simple":{"name":"Examples"}}}}}', '{"unionType":{"candidates":[{"simple":{"name":"Model"}},{"none":{}}]}}', 'type-2'),
  (14, 'Examples', 0, NULL, NULL, NULL),
  (15, 'Pipeline', 2, NULL, NULL, 'type-3'),
  (16, 'Run', 2, NULL, NULL, NULL);
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
INSERT INTO Artifact (id, type_id, uri, external_id) VALUES
  (1, 10, '/data/it''s "é"', 'artifact-1'),
  (2, 10, '', NULL),
  (3, 11, '', NULL),
  (4, 12, 'm2', 'artifact-4');
INSERT INTO ArtifactProperty (artifact_id, name, is_custom_property, int_value, double_value, string_value) VALUES
  (1, 'd', FALSE, NULL, 0.375, NULL),
  (1, 'i', FALSE, -2147483648, NULL, NULL),
  (1, 'my d', TRUE, NULL, 0.375, NULL),
  (1, 'my i', TRUE, -2147483648, NULL, NULL),
  (1, 'my o', TRUE, NULL, NULL, 'mlmd-struct::ChMKAsOpEg0yCwoJEQAAAAAAAABA'),
  (1, 'my s', TRUE, NULL, NULL, 'it''s "é"'),
  (1, 'o', FALSE, NULL, NULL, 'mlmd-struct::ChMKAsOpEg0yCwoJEQAAAAAAAABA'),
  (1, 's', FALSE, NULL, NULL, 'it''s "é"'),
  (2, 'any', TRUE, NULL, NULL, NULL),
  (2, 'b', FALSE, NULL, NULL, NULL),
  (2, 'empty', TRUE, NULL, NULL, ''),
  (2, 'i', FALSE, 0, NULL, NULL),
  (2, 'no', TRUE, NULL, NULL, NULL),
  (2, 'yes', TRUE, NULL, NULL, NULL);
INSERT INTO Execution (id, type_id, external_id) VALUES
  (1, 13, 'execution-1'),
  (2, 14, NULL);
INSERT INTO ExecutionProperty (execution_id, name, is_custom_property, int_value, double_value, string_value) VALUES
  (1, 'd', FALSE, NULL, 0.375, NULL),
  (1, 'i', FALSE, -2147483648, NULL, NULL),
  (1, 'my d', TRUE, NULL, 0.375, NULL),
  (1, 'my i', TRUE, -2147483648, NULL, NULL),
  (1, 'my o', TRUE, NULL, NULL, 'mlmd-struct::ChMKAsOpEg0yCwoJEQAAAAAAAABA'),
  (1, 'my s', TRUE, NULL, NULL, 'it''s "é"'),
  (1, 'o', FALSE, NULL, NULL, 'mlmd-struct::ChMKAsOpEg0yCwoJEQAAAAAAAABA'),
  (1, 's', FALSE, NULL, NULL, 'it''s "é"'),
  (2, 'any', TRUE, NULL, NULL, NULL),
  (2, 'no', TRUE, NULL, NULL, NULL),
  (2, 'yes', TRUE, NULL, NULL, NULL);
INSERT INTO Context (id, type_id, name, external_id) VALUES
  (1, 15, 'it''s "é"', 'context-1'),
  (2, 16, 'run', NULL),
  (3, 16, 'run 2', NULL);
INSERT INTO ContextProperty (context_id, name, is_custom_property, int_value, double_value, string_value) VALUES
  (1, 'd', FALSE, NULL, 0.375, NULL),
  (1, 'i', FALSE, -2147483648, NULL, NULL),
  (1, 'my d', TRUE, NULL, 0.375, NULL),
  (1, 'my i', TRUE, -2147483648, NULL, NULL),
  (1, 'my o', TRUE, NULL, NULL, 'mlmd-struct::ChMKAsOpEg0yCwoJEQAAAAAAAABA'),
  (1, 'my s', TRUE, NULL, NULL, 'it''s "é"'),
  (1, 'o', FALSE, NULL, NULL, 'mlmd-struct::ChMKAsOpEg0yCwoJEQAAAAAAAABA'),
  (1, 's', FALSE, NULL, NULL, 'it''s "é"'),
  (2, 'any', TRUE, NULL, NULL, NULL),
  (2, 'no', TRUE, NULL, NULL, NULL),
  (2, 'yes', TRUE, NULL, NULL, NULL);
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
  (1, FALSE, NULL, 'it''s slot 0'),
  (1, TRUE, 0, NULL),
  (1, FALSE, NULL, 'é'),
  (2, FALSE, NULL, 'it''s slot 1'),
  (2, TRUE, 1, NULL),
  (2, FALSE, NULL, 'é'),
  (3, FALSE, NULL, 'it''s slot 2'),
  (3, TRUE, 2, NULL),
  (3, FALSE, NULL, 'é'),
  (11, FALSE, NULL, 'later 11'),
  (11, TRUE, 11, NULL),
  (12, FALSE, NULL, 'later 12'),
  (12, TRUE, 12, NULL);
INSERT INTO Association (id, context_id, execution_id) VALUES
  (1, 2, 1),
  (2, 2, 2);
INSERT INTO Attribution (id, context_id, artifact_id) VALUES
  (1, 1, 1),
  (2, 1, 4),
  (3, 2, 1);
ALTER SEQUENCE type_id_seq RESTART WITH 17;
ALTER SEQUENCE artifact_id_seq RESTART WITH 5;
ALTER SEQUENCE execution_id_seq RESTART WITH 3;
ALTER SEQUENCE context_id_seq RESTART WITH 4;
ALTER SEQUENCE event_id_seq RESTART WITH 15;
ALTER SEQUENCE association_id_seq RESTART WITH 3;
ALTER SEQUENCE attribution_id_seq RESTART WITH 4;
