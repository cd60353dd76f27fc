//! Rows of SQLite: the C API through rusqlite, a prepared statement for each row.

use std::collections::BTreeMap;

use headwater_proto::ml_metadata::{Artifact, Context, PutExecutionRequest, Value};
use rusqlite::{Connection, Params, TransactionBehavior, params};

use super::{Contexts, Rows, events, new_artifacts, now_ms, path, properties};
use crate::Failure;

pub(super) struct Sqlite(Connection);

impl Sqlite {
    /// Opens a file, with the durability and the cache of Headwater.
    pub(super) fn open(path: &str) -> Result<Self, Failure> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(std::time::Duration::from_secs(60))?;
        connection.set_prepared_statement_cache_capacity(64);
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "cache_size", -(16 << 10))?;
        Ok(Self(connection))
    }
}

impl Rows for Sqlite {
    fn contexts(&mut self) -> Result<Contexts, Failure> {
        let mut statement = self.0.prepare("SELECT type_id, name, id FROM Context")?;
        let rows = statement.query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn add_context(&mut self, context: &Context) -> Result<i64, Failure> {
        let now = now_ms();
        let values = params![context.type_id, context.name, now, now];
        insert(
            &self.0,
            "INSERT INTO Context (type_id, name, create_time_since_epoch, \
             last_update_time_since_epoch) VALUES (?, ?, ?, ?)",
            values,
        )
    }

    fn add_steps(&mut self, steps: &[(&PutExecutionRequest, Vec<i64>)]) -> Result<(), Failure> {
        let transaction = self.0.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (step, contexts) in steps {
            add_step(&transaction, step, contexts)?;
        }
        Ok(transaction.commit()?)
    }

    fn add_artifacts(&mut self, artifacts: &[Artifact]) -> Result<(), Failure> {
        let transaction = self.0.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for artifact in artifacts {
            add_artifact(&transaction, artifact)?;
        }
        Ok(transaction.commit()?)
    }

    fn read(&mut self, statements: &[(String, Vec<i64>)]) -> Result<usize, Failure> {
        let transaction = self.0.transaction()?;
        let mut count = 0;
        for (text, ids) in statements {
            let mut statement = transaction.prepare_cached(text)?;
            let columns = statement.column_count();
            let ids = serde_json::to_string(ids)?;
            let mut rows = statement.query([ids])?;
            while let Some(row) = rows.next()? {
                for column in 0..columns {
                    std::hint::black_box(row.get_ref(column)?);
                }
                count += 1;
            }
        }
        Ok(count)
    }
}

fn insert(connection: &Connection, text: &str, values: impl Params) -> Result<i64, Failure> {
    Ok(connection.prepare_cached(text)?.insert(values)?)
}

fn add_step(
    connection: &Connection,
    step: &PutExecutionRequest,
    contexts: &[i64],
) -> Result<(), Failure> {
    let now = now_ms();
    let new = new_artifacts(step)
        .map(|artifact| add_artifact(connection, artifact))
        .collect::<Result<Vec<_>, _>>()?;
    let execution = step.execution.as_ref().ok_or("a step without an execution")?;
    let values = params![execution.type_id, execution.last_known_state, execution.name, now, now];
    let execution_id = insert(
        connection,
        "INSERT INTO Execution (type_id, last_known_state, name, create_time_since_epoch, \
         last_update_time_since_epoch) VALUES (?, ?, ?, ?, ?)",
        values,
    )?;
    let text = "INSERT INTO ExecutionProperty (execution_id, name, is_custom_property, \
                int_value, double_value, string_value) VALUES (?, ?, ?, ?, ?, ?)";
    add_properties(
        connection,
        text,
        execution_id,
        &execution.properties,
        &execution.custom_properties,
    )?;
    for context in contexts {
        let text = "INSERT OR IGNORE INTO Association (context_id, execution_id) VALUES (?, ?)";
        connection.prepare_cached(text)?.execute([*context, execution_id])?;
    }
    for (event, artifact) in events(step) {
        let artifact = artifact.unwrap_or_else(|at| new[at]);
        let event_id = insert(
            connection,
            "INSERT INTO Event (artifact_id, execution_id, type, milliseconds_since_epoch) \
             VALUES (?, ?, ?, ?)",
            params![artifact, execution_id, event.r#type, now],
        )?;
        for (index, key) in path(event) {
            insert(
                connection,
                "INSERT INTO EventPath (event_id, is_index_step, step_index, step_key) \
                 VALUES (?, ?, ?, ?)",
                params![event_id, index.is_some(), index, key],
            )?;
        }
        for context in contexts {
            let text = "INSERT OR IGNORE INTO Attribution (context_id, artifact_id) VALUES (?, ?)";
            connection.prepare_cached(text)?.execute([*context, artifact])?;
        }
    }
    Ok(())
}

fn add_artifact(connection: &Connection, artifact: &Artifact) -> Result<i64, Failure> {
    let now = now_ms();
    let id = insert(
        connection,
        "INSERT INTO Artifact (type_id, uri, state, name, create_time_since_epoch, \
         last_update_time_since_epoch) VALUES (?, ?, ?, ?, ?, ?)",
        params![artifact.type_id, artifact.uri, artifact.state, artifact.name, now, now],
    )?;
    let text = "INSERT INTO ArtifactProperty (artifact_id, name, is_custom_property, \
                int_value, double_value, string_value) VALUES (?, ?, ?, ?, ?, ?)";
    add_properties(connection, text, id, &artifact.properties, &artifact.custom_properties)?;
    Ok(id)
}

fn add_properties(
    connection: &Connection,
    text: &str,
    node: i64,
    own: &BTreeMap<String, Value>,
    custom: &BTreeMap<String, Value>,
) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached(text)?;
    for row in properties(own, custom) {
        let values = params![node, row.name, row.is_custom, row.int, row.double, row.string];
        statement.execute(values)?;
    }
    Ok(())
}
