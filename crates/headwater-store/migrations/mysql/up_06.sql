CREATE TABLE ParentType (
  type_id INT NOT NULL,
  parent_type_id INT NOT NULL,
  PRIMARY KEY (type_id, parent_type_id)
);

CREATE TABLE ParentContext (
  context_id INT NOT NULL,
  parent_context_id INT NOT NULL,
  PRIMARY KEY (context_id, parent_context_id),
  KEY idx_parentcontext_parent_context_id (parent_context_id)
);

ALTER TABLE Type
  ADD COLUMN version VARCHAR(255),
  ADD COLUMN description TEXT,
  ADD KEY idx_type_name (name);

ALTER TABLE Artifact
  ADD KEY idx_artifact_uri (uri(255)),
  ADD KEY idx_artifact_create_time_since_epoch (create_time_since_epoch),
  ADD KEY idx_artifact_last_update_time_since_epoch (last_update_time_since_epoch);

ALTER TABLE Execution
  ADD KEY idx_execution_create_time_since_epoch (create_time_since_epoch),
  ADD KEY idx_execution_last_update_time_since_epoch (last_update_time_since_epoch);

ALTER TABLE Context
  ADD KEY idx_context_create_time_since_epoch (create_time_since_epoch),
  ADD KEY idx_context_last_update_time_since_epoch (last_update_time_since_epoch);

ALTER TABLE Event
  ADD KEY idx_event_artifact_id (artifact_id),
  ADD KEY idx_event_execution_id (execution_id);
