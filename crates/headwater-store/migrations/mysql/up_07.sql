ALTER TABLE ArtifactProperty
  MODIFY COLUMN string_value MEDIUMTEXT,
  ADD COLUMN byte_value MEDIUMBLOB;
ALTER TABLE ExecutionProperty
  MODIFY COLUMN string_value MEDIUMTEXT,
  ADD COLUMN byte_value MEDIUMBLOB;
ALTER TABLE ContextProperty
  MODIFY COLUMN string_value MEDIUMTEXT,
  ADD COLUMN byte_value MEDIUMBLOB;
ALTER TABLE EventPath ADD KEY idx_eventpath_event_id (event_id);
