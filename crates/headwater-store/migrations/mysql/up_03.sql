CREATE TABLE Context (
  id INT PRIMARY KEY AUTO_INCREMENT,
  type_id INT NOT NULL,
  name VARCHAR(255) NOT NULL,
  UNIQUE KEY type_id (type_id, name)
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
