CREATE TABLE Association (
  id INT PRIMARY KEY AUTO_INCREMENT,
  context_id INT NOT NULL,
  execution_id INT NOT NULL,
  UNIQUE KEY context_id (context_id, execution_id)
);

CREATE TABLE Attribution (
  id INT PRIMARY KEY AUTO_INCREMENT,
  context_id INT NOT NULL,
  artifact_id INT NOT NULL,
  UNIQUE KEY context_id (context_id, artifact_id)
);
