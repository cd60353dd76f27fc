-- MLMD's tables at schema version 10: names, columns, types, keys and indexes are the contract,
-- but for what is mended here. What is ours is named hw_ and stands in additions.sql. Every
-- statement may be run again, because each is a transaction of its own.
--
-- Mended in every table: MLMD takes the character set and the collation of the database, so that
-- names may be equal that differ, or be refused. Here they compare byte for byte.

CREATE TABLE IF NOT EXISTS MLMDEnv (
  schema_version INT PRIMARY KEY
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {collation};

CREATE TABLE IF NOT EXISTS Type (
  id INT PRIMARY KEY AUTO_INCREMENT,
  name VARCHAR(255) NOT NULL,
  version VARCHAR(255),
  type_kind TINYINT(1) NOT NULL,
  description TEXT,
  input_type TEXT,
  output_type TEXT,
  external_id VARCHAR(255),
  UNIQUE KEY external_id (external_id),
  KEY idx_type_name (name),
  KEY idx_type_external_id (external_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {collation};

CREATE TABLE IF NOT EXISTS TypeProperty (
  type_id INT NOT NULL,
  name VARCHAR(255) NOT NULL,
  data_type INT NULL,
  PRIMARY KEY (type_id, name)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {collation};

CREATE TABLE IF NOT EXISTS ParentType (
  type_id INT NOT NULL,
  parent_type_id INT NOT NULL,
  PRIMARY KEY (type_id, parent_type_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {collation};

-- Mended: MLMD's uri is a TEXT, which refuses more than 65,535 bytes.
CREATE TABLE IF NOT EXISTS Artifact (
  id INT PRIMARY KEY AUTO_INCREMENT,
  type_id INT NOT NULL,
  uri MEDIUMTEXT,
  state INT,
  name VARCHAR(255),
  external_id VARCHAR(255),
  create_time_since_epoch BIGINT NOT NULL DEFAULT 0,
  last_update_time_since_epoch BIGINT NOT NULL DEFAULT 0,
  UNIQUE KEY UniqueArtifactTypeName (type_id, name),
  UNIQUE KEY external_id (external_id),
  KEY idx_artifact_uri (uri(255)),
  KEY idx_artifact_create_time_since_epoch (create_time_since_epoch),
  KEY idx_artifact_last_update_time_since_epoch (last_update_time_since_epoch),
  KEY idx_artifact_external_id (external_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {collation};

-- Mended here and in the other two tables of properties: MLMD's int_value is an INT, which refuses
-- integers of more than 32 bits, and its strings and bytes end at 16 MiB.
CREATE TABLE IF NOT EXISTS ArtifactProperty (
  artifact_id INT NOT NULL,
  name VARCHAR(255) NOT NULL,
  is_custom_property TINYINT(1) NOT NULL,
  int_value BIGINT,
  double_value DOUBLE,
  string_value LONGTEXT,
  byte_value LONGBLOB,
  proto_value LONGBLOB,
  bool_value BOOLEAN,
  PRIMARY KEY (artifact_id, name, is_custom_property),
  KEY idx_artifact_property_int (name, is_custom_property, int_value),
  KEY idx_artifact_property_double (name, is_custom_property, double_value),
  KEY idx_artifact_property_string (name, is_custom_property, string_value(255))
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {collation};

CREATE TABLE IF NOT EXISTS Execution (
  id INT PRIMARY KEY AUTO_INCREMENT,
  type_id INT NOT NULL,
  last_known_state INT,
  name VARCHAR(255),
  external_id VARCHAR(255),
  create_time_since_epoch BIGINT NOT NULL DEFAULT 0,
  last_update_time_since_epoch BIGINT NOT NULL DEFAULT 0,
  UNIQUE KEY UniqueExecutionTypeName (type_id, name),
  UNIQUE KEY external_id (external_id),
  KEY idx_execution_create_time_since_epoch (create_time_since_epoch),
  KEY idx_execution_last_update_time_since_epoch (last_update_time_since_epoch),
  KEY idx_execution_external_id (external_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {collation};

CREATE TABLE IF NOT EXISTS ExecutionProperty (
  execution_id INT NOT NULL,
  name VARCHAR(255) NOT NULL,
  is_custom_property TINYINT(1) NOT NULL,
  int_value BIGINT,
  double_value DOUBLE,
  string_value LONGTEXT,
  byte_value LONGBLOB,
  proto_value LONGBLOB,
  bool_value BOOLEAN,
  PRIMARY KEY (execution_id, name, is_custom_property),
  KEY idx_execution_property_int (name, is_custom_property, int_value),
  KEY idx_execution_property_double (name, is_custom_property, double_value),
  KEY idx_execution_property_string (name, is_custom_property, string_value(255))
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {collation};

CREATE TABLE IF NOT EXISTS Context (
  id INT PRIMARY KEY AUTO_INCREMENT,
  type_id INT NOT NULL,
  name VARCHAR(255) NOT NULL,
  external_id VARCHAR(255),
  create_time_since_epoch BIGINT NOT NULL DEFAULT 0,
  last_update_time_since_epoch BIGINT NOT NULL DEFAULT 0,
  UNIQUE KEY type_id (type_id, name),
  UNIQUE KEY external_id (external_id),
  KEY idx_context_create_time_since_epoch (create_time_since_epoch),
  KEY idx_context_last_update_time_since_epoch (last_update_time_since_epoch),
  KEY idx_context_external_id (external_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {collation};

CREATE TABLE IF NOT EXISTS ContextProperty (
  context_id INT NOT NULL,
  name VARCHAR(255) NOT NULL,
  is_custom_property TINYINT(1) NOT NULL,
  int_value BIGINT,
  double_value DOUBLE,
  string_value LONGTEXT,
  byte_value LONGBLOB,
  proto_value LONGBLOB,
  bool_value BOOLEAN,
  PRIMARY KEY (context_id, name, is_custom_property),
  KEY idx_context_property_int (name, is_custom_property, int_value),
  KEY idx_context_property_double (name, is_custom_property, double_value),
  KEY idx_context_property_string (name, is_custom_property, string_value(255))
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {collation};

CREATE TABLE IF NOT EXISTS ParentContext (
  context_id INT NOT NULL,
  parent_context_id INT NOT NULL,
  PRIMARY KEY (context_id, parent_context_id),
  KEY idx_parentcontext_parent_context_id (parent_context_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {collation};

CREATE TABLE IF NOT EXISTS Event (
  id INT PRIMARY KEY AUTO_INCREMENT,
  artifact_id INT NOT NULL,
  execution_id INT NOT NULL,
  type INT NOT NULL,
  milliseconds_since_epoch BIGINT,
  UNIQUE KEY UniqueEvent (artifact_id, execution_id, type),
  KEY idx_event_execution_id (execution_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {collation};

-- Mended: MLMD's step_index is an INT and its step_key a TEXT, too.
CREATE TABLE IF NOT EXISTS EventPath (
  event_id INT NOT NULL,
  is_index_step TINYINT(1) NOT NULL,
  step_index BIGINT,
  step_key MEDIUMTEXT,
  KEY idx_eventpath_event_id (event_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {collation};

CREATE TABLE IF NOT EXISTS Association (
  id INT PRIMARY KEY AUTO_INCREMENT,
  context_id INT NOT NULL,
  execution_id INT NOT NULL,
  UNIQUE KEY context_id (context_id, execution_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {collation};

CREATE TABLE IF NOT EXISTS Attribution (
  id INT PRIMARY KEY AUTO_INCREMENT,
  context_id INT NOT NULL,
  artifact_id INT NOT NULL,
  UNIQUE KEY context_id (context_id, artifact_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {collation};

INSERT IGNORE INTO MLMDEnv (schema_version) VALUES (10);
