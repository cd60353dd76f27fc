CREATE TABLE MLMDEnv (
  schema_version integer NOT NULL,
  CONSTRAINT mlmdenv_pkey PRIMARY KEY (schema_version)
);
CREATE TABLE Type (
  id serial,
  name character varying(255) NOT NULL,
  version character varying(255),
  type_kind smallint NOT NULL,
  description text,
  input_type text,
  output_type text,
  external_id character varying(255),
  CONSTRAINT type_pkey PRIMARY KEY (id),
  CONSTRAINT type_external_id_key UNIQUE (external_id)
);
CREATE INDEX idx_type_external_id ON type USING btree (external_id);
CREATE INDEX idx_type_name ON type USING btree (name);
CREATE TABLE TypeProperty (
  type_id integer NOT NULL,
  name character varying(255) NOT NULL,
  data_type integer,
  CONSTRAINT typeproperty_pkey PRIMARY KEY (type_id, name)
);
CREATE TABLE ParentType (
  type_id integer NOT NULL,
  parent_type_id integer NOT NULL,
  CONSTRAINT parenttype_pkey PRIMARY KEY (type_id, parent_type_id)
);
CREATE TABLE Artifact (
  id serial,
  type_id integer NOT NULL,
  uri text,
  state integer,
  name character varying(255),
  external_id character varying(255),
  create_time_since_epoch bigint NOT NULL DEFAULT 0,
  last_update_time_since_epoch bigint NOT NULL DEFAULT 0,
  CONSTRAINT artifact_pkey PRIMARY KEY (id),
  CONSTRAINT artifact_external_id_key UNIQUE (external_id),
  CONSTRAINT uniqueartifacttypename UNIQUE (type_id, name)
);
CREATE INDEX idx_artifact_create_time_since_epoch ON artifact USING btree (create_time_since_epoch);
CREATE INDEX idx_artifact_external_id ON artifact USING btree (external_id);
CREATE INDEX idx_artifact_last_update_time_since_epoch ON artifact USING btree (last_update_time_since_epoch);
CREATE INDEX idx_artifact_uri ON artifact USING btree (uri);
CREATE TABLE ArtifactProperty (
  artifact_id integer NOT NULL,
  name character varying(255) NOT NULL,
  is_custom_property boolean NOT NULL,
  int_value integer,
  double_value double precision,
  string_value text,
  byte_value bytea,
  CONSTRAINT artifactpropertytemp_pkey PRIMARY KEY (artifact_id, name, is_custom_property)
);
CREATE INDEX idx_artifact_property_double ON artifactproperty USING btree (name, is_custom_property, double_value) WHERE (double_value IS NOT NULL);
CREATE INDEX idx_artifact_property_int ON artifactproperty USING btree (name, is_custom_property, int_value) WHERE (int_value IS NOT NULL);
CREATE INDEX idx_artifact_property_string ON artifactproperty USING btree (name, is_custom_property, string_value) WHERE (string_value IS NOT NULL);
CREATE TABLE Execution (
  id serial,
  type_id integer NOT NULL,
  last_known_state integer,
  name character varying(255),
  external_id character varying(255),
  create_time_since_epoch bigint NOT NULL DEFAULT 0,
  last_update_time_since_epoch bigint NOT NULL DEFAULT 0,
  CONSTRAINT execution_pkey PRIMARY KEY (id),
  CONSTRAINT execution_external_id_key UNIQUE (external_id),
  CONSTRAINT uniqueexecutiontypename UNIQUE (type_id, name)
);
CREATE INDEX idx_execution_create_time_since_epoch ON execution USING btree (create_time_since_epoch);
CREATE INDEX idx_execution_external_id ON execution USING btree (external_id);
CREATE INDEX idx_execution_last_update_time_since_epoch ON execution USING btree (last_update_time_since_epoch);
CREATE TABLE ExecutionProperty (
  execution_id integer NOT NULL,
  name character varying(255) NOT NULL,
  is_custom_property boolean NOT NULL,
  int_value integer,
  double_value double precision,
  string_value text,
  byte_value bytea,
  CONSTRAINT executionpropertytemp_pkey PRIMARY KEY (execution_id, name, is_custom_property)
);
CREATE INDEX idx_execution_property_double ON executionproperty USING btree (name, is_custom_property, double_value) WHERE (double_value IS NOT NULL);
CREATE INDEX idx_execution_property_int ON executionproperty USING btree (name, is_custom_property, int_value) WHERE (int_value IS NOT NULL);
CREATE INDEX idx_execution_property_string ON executionproperty USING btree (name, is_custom_property, string_value) WHERE (string_value IS NOT NULL);
CREATE TABLE Context (
  id serial,
  type_id integer NOT NULL,
  name character varying(255) NOT NULL,
  external_id character varying(255),
  create_time_since_epoch bigint NOT NULL DEFAULT 0,
  last_update_time_since_epoch bigint NOT NULL DEFAULT 0,
  CONSTRAINT context_pkey PRIMARY KEY (id),
  CONSTRAINT context_external_id_key UNIQUE (external_id),
  CONSTRAINT context_type_id_name_key UNIQUE (type_id, name)
);
CREATE INDEX idx_context_create_time_since_epoch ON context USING btree (create_time_since_epoch);
CREATE INDEX idx_context_external_id ON context USING btree (external_id);
CREATE INDEX idx_context_last_update_time_since_epoch ON context USING btree (last_update_time_since_epoch);
CREATE TABLE ContextProperty (
  context_id integer NOT NULL,
  name character varying(255) NOT NULL,
  is_custom_property boolean NOT NULL,
  int_value integer,
  double_value double precision,
  string_value text,
  byte_value bytea,
  CONSTRAINT contextpropertytemp_pkey PRIMARY KEY (context_id, name, is_custom_property)
);
CREATE INDEX idx_context_property_double ON contextproperty USING btree (name, is_custom_property, double_value) WHERE (double_value IS NOT NULL);
CREATE INDEX idx_context_property_int ON contextproperty USING btree (name, is_custom_property, int_value) WHERE (int_value IS NOT NULL);
CREATE INDEX idx_context_property_string ON contextproperty USING btree (name, is_custom_property, string_value) WHERE (string_value IS NOT NULL);
CREATE TABLE ParentContext (
  context_id integer NOT NULL,
  parent_context_id integer NOT NULL,
  CONSTRAINT parentcontext_pkey PRIMARY KEY (context_id, parent_context_id)
);
CREATE INDEX idx_parentcontext_parent_context_id ON parentcontext USING btree (parent_context_id);
CREATE TABLE Event (
  id serial,
  artifact_id integer NOT NULL,
  execution_id integer NOT NULL,
  type integer NOT NULL,
  milliseconds_since_epoch bigint,
  CONSTRAINT event_pkey PRIMARY KEY (id),
  CONSTRAINT uniqueevent UNIQUE (artifact_id, execution_id, type)
);
CREATE INDEX idx_event_execution_id ON event USING btree (execution_id);
CREATE TABLE EventPath (
  event_id integer NOT NULL,
  is_index_step boolean NOT NULL,
  step_index integer,
  step_key text
);
CREATE INDEX idx_eventpath_event_id ON eventpath USING btree (event_id);
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
  (8);
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
  (1, 10, '/data/it''s "é"', NULL, 'it''s "é"', 'artifact-1', 1700000001000, 1700000001001),
  (2, 10, '', 2, NULL, NULL, 1700000002000, 1700000002001),
  (3, 11, '', 3, 'm', NULL, 1700000003000, 1700000003001),
  (4, 12, 'm2', NULL, 'm', 'artifact-4', 1700000004000, 1700000004001);
INSERT INTO ArtifactProperty (artifact_id, name, is_custom_property, int_value, double_value, string_value, byte_value) VALUES
  (1, 'd', FALSE, NULL, 0.375, NULL, NULL),
  (1, 'i', FALSE, -2147483648, NULL, NULL, NULL),
  (1, 'my d', TRUE, NULL, 0.375, NULL, NULL),
  (1, 'my i', TRUE, -2147483648, NULL, NULL, NULL),
  (1, 'my o', TRUE, NULL, NULL, 'mlmd-struct::ChMKAsOpEg0yCwoJEQAAAAAAAABA', NULL),
  (1, 'my s', TRUE, NULL, NULL, 'it''s "é"', NULL),
  (1, 'o', FALSE, NULL, NULL, 'mlmd-struct::ChMKAsOpEg0yCwoJEQAAAAAAAABA', NULL),
  (1, 's', FALSE, NULL, NULL, 'it''s "é"', NULL),
  (2, 'any', TRUE, NULL, NULL, NULL, NULL),
  (2, 'b', FALSE, NULL, NULL, NULL, NULL),
  (2, 'empty', TRUE, NULL, NULL, '', NULL),
  (2, 'i', FALSE, 0, NULL, NULL, NULL),
  (2, 'no', TRUE, NULL, NULL, NULL, NULL),
  (2, 'yes', TRUE, NULL, NULL, NULL, NULL);
INSERT INTO Execution (id, type_id, last_known_state, name, external_id, create_time_since_epoch, last_update_time_since_epoch) VALUES
  (1, 13, NULL, 'train', 'execution-1', 1700000001000, 1700000001001),
  (2, 14, 3, NULL, NULL, 1700000002000, 1700000002001);
INSERT INTO ExecutionProperty (execution_id, name, is_custom_property, int_value, double_value, string_value, byte_value) VALUES
  (1, 'd', FALSE, NULL, 0.375, NULL, NULL),
  (1, 'i', FALSE, -2147483648, NULL, NULL, NULL),
  (1, 'my d', TRUE, NULL, 0.375, NULL, NULL),
  (1, 'my i', TRUE, -2147483648, NULL, NULL, NULL),
  (1, 'my o', TRUE, NULL, NULL, 'mlmd-struct::ChMKAsOpEg0yCwoJEQAAAAAAAABA', NULL),
  (1, 'my s', TRUE, NULL, NULL, 'it''s "é"', NULL),
  (1, 'o', FALSE, NULL, NULL, 'mlmd-struct::ChMKAsOpEg0yCwoJEQAAAAAAAABA', NULL),
  (1, 's', FALSE, NULL, NULL, 'it''s "é"', NULL),
  (2, 'any', TRUE, NULL, NULL, NULL, NULL),
  (2, 'no', TRUE, NULL, NULL, NULL, NULL),
  (2, 'yes', TRUE, NULL, NULL, NULL, NULL);
INSERT INTO Context (id, type_id, name, external_id, create_time_since_epoch, last_update_time_since_epoch) VALUES
  (1, 15, 'it''s "é"', 'context-1', 1700000001000, 1700000001001),
  (2, 16, 'run', NULL, 1700000002000, 1700000002001),
  (3, 16, 'run 2', NULL, 1700000003000, 1700000003001);
INSERT INTO ContextProperty (context_id, name, is_custom_property, int_value, double_value, string_value, byte_value) VALUES
  (1, 'd', FALSE, NULL, 0.375, NULL, NULL),
  (1, 'i', FALSE, -2147483648, NULL, NULL, NULL),
  (1, 'my d', TRUE, NULL, 0.375, NULL, NULL),
  (1, 'my i', TRUE, -2147483648, NULL, NULL, NULL),
  (1, 'my o', TRUE, NULL, NULL, 'mlmd-struct::ChMKAsOpEg0yCwoJEQAAAAAAAABA', NULL),
  (1, 'my s', TRUE, NULL, NULL, 'it''s "é"', NULL),
  (1, 'o', FALSE, NULL, NULL, 'mlmd-struct::ChMKAsOpEg0yCwoJEQAAAAAAAABA', NULL),
  (1, 's', FALSE, NULL, NULL, 'it''s "é"', NULL),
  (2, 'any', TRUE, NULL, NULL, NULL, NULL),
  (2, 'no', TRUE, NULL, NULL, NULL, NULL),
  (2, 'yes', TRUE, NULL, NULL, NULL, NULL);
INSERT INTO ParentContext (context_id, parent_context_id) VALUES
  (2, 1),
  (3, 1);
INSERT INTO Event (id, artifact_id, execution_id, type, milliseconds_since_epoch) VALUES
  (1, 1, 1, 3, 1700000000000),
  (2, 2, 1, 4, 1700000000007),
  (3, 2, 2, 3, 1700000000014),
  (4, 4, 2, 1, 1700000000021);
INSERT INTO EventPath (event_id, is_index_step, step_index, step_key) VALUES
  (1, FALSE, NULL, 'it''s slot 0'),
  (1, TRUE, 0, NULL),
  (1, FALSE, NULL, 'é'),
  (2, FALSE, NULL, 'it''s slot 1'),
  (2, TRUE, 1, NULL),
  (2, FALSE, NULL, 'é'),
  (3, FALSE, NULL, 'it''s slot 2'),
  (3, TRUE, 2, NULL),
  (3, FALSE, NULL, 'é');
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
ALTER SEQUENCE event_id_seq RESTART WITH 5;
ALTER SEQUENCE association_id_seq RESTART WITH 3;
ALTER SEQUENCE attribution_id_seq RESTART WITH 4;
