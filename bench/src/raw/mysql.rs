//! Rows of MySQL: all statements of a step in one text and one round trip, with a statement for each
//! table. Rows that are inserted together have ids that follow each other.

use std::fmt::Write as _;

use headwater_proto::ml_metadata::{Artifact, Context, PutExecutionRequest};
use mysql::prelude::Queryable as _;
use mysql::{Conn, Opts, Value};

use super::{Contexts, Property, Rows, events, new_artifacts, now_ms, path, properties};
use crate::Failure;

/// The code of a deadlock, after which nothing of a transaction is left.
const DEADLOCK: u16 = 1213;

pub(super) struct Mysql(Conn);

impl Mysql {
    pub(super) fn connect(url: &str) -> Result<Self, Failure> {
        let mut connection = Conn::new(Opts::from_url(url)?)?;
        connection.query_drop("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")?;
        Ok(Self(connection))
    }

    fn run(&mut self, text: &str) -> Result<(), Failure> {
        loop {
            match self.try_run(text) {
                Err(mysql::Error::MySqlError(error)) if error.code == DEADLOCK => {}
                done => return Ok(done?),
            }
        }
    }

    fn try_run(&mut self, text: &str) -> Result<(), mysql::Error> {
        let mut results = self.0.query_iter(text)?;
        while let Some(rows) = results.iter() {
            for row in rows {
                row?;
            }
        }
        Ok(())
    }
}

impl Rows for Mysql {
    fn contexts(&mut self) -> Result<Contexts, Failure> {
        let rows = self.0.query_map(
            "SELECT type_id, name, id FROM Context",
            |(type_id, name, id): (i64, String, i64)| ((type_id, name), id),
        )?;
        Ok(rows.into_iter().collect())
    }

    fn add_context(&mut self, context: &Context) -> Result<i64, Failure> {
        let text = "INSERT INTO Context (type_id, name, create_time_since_epoch, \
                    last_update_time_since_epoch) VALUES (?, ?, ?, ?)";
        let now = now_ms();
        self.0.exec_drop(text, (context.type_id, &context.name, now, now))?;
        Ok(i64::try_from(self.0.last_insert_id())?)
    }

    fn add_steps(&mut self, steps: &[(&PutExecutionRequest, Vec<i64>)]) -> Result<(), Failure> {
        let mut text = Text::default();
        for (step, contexts) in steps {
            text.add_step(step, contexts)?;
        }
        self.run(&text.finish())
    }

    fn add_artifacts(&mut self, artifacts: &[Artifact]) -> Result<(), Failure> {
        let mut text = Text::default();
        text.add_artifacts(artifacts.iter())?;
        self.run(&text.finish())
    }

    fn read(&mut self, _statements: &[(String, Vec<i64>)]) -> Result<usize, Failure> {
        Err("reads are measured on SQLite".into())
    }
}

/// The statements of a transaction.
#[derive(Default)]
struct Text(String);

impl Text {
    fn finish(self) -> String {
        format!("BEGIN;{}COMMIT", self.0)
    }

    /// An insertion of rows that are written already.
    fn insert(&mut self, into: &str, rows: &[String]) {
        let _ = write!(self.0, "INSERT {into} VALUES {};", rows.join(","));
    }

    /// Calls the id of the last row, or of the first of several, by a name.
    fn name_id(&mut self, name: &str) {
        let _ = write!(self.0, "SET @{name} = LAST_INSERT_ID();");
    }

    fn add_step(&mut self, step: &PutExecutionRequest, contexts: &[i64]) -> Result<(), Failure> {
        let now = now_ms();
        self.add_artifacts(new_artifacts(step))?;
        let execution = step.execution.as_ref().ok_or("a step without an execution")?;
        let row = format!(
            "({},{},{},{now},{now})",
            sql(execution.type_id),
            sql(execution.last_known_state),
            sql(execution.name.as_deref()),
        );
        self.insert(
            "Execution (type_id, last_known_state, name, create_time_since_epoch, \
             last_update_time_since_epoch)",
            &[row],
        );
        self.name_id("e");
        let rows = properties(&execution.properties, &execution.custom_properties);
        let rows: Vec<String> = rows.map(|row| property("@e", &row)).collect();
        self.insert(
            "ExecutionProperty (execution_id, name, is_custom_property, int_value, double_value, \
             string_value)",
            &rows,
        );
        let rows: Vec<String> = contexts.iter().map(|id| format!("({id},@e)")).collect();
        self.insert("IGNORE Association (context_id, execution_id)", &rows);
        self.add_events(step, contexts, now);
        Ok(())
    }

    /// Adds the events of a step, and links their artifacts to its contexts.
    fn add_events(&mut self, step: &PutExecutionRequest, contexts: &[i64], now: i64) {
        let (mut rows, mut paths, mut links) = (Vec::new(), Vec::new(), Vec::new());
        for (at, (event, artifact)) in events(step).enumerate() {
            let artifact =
                artifact.map_or_else(|new| format!("@a+{new}"), |stored| stored.to_string());
            rows.push(format!("({artifact},@e,{},{now})", sql(event.r#type)));
            for (index, key) in path(event) {
                let is_index = u8::from(index.is_some());
                paths.push(format!("(@v+{at},{is_index},{},{})", sql(index), sql(key)));
            }
            links.extend(contexts.iter().map(|context| format!("({context},{artifact})")));
        }
        self.insert("Event (artifact_id, execution_id, type, milliseconds_since_epoch)", &rows);
        self.name_id("v");
        self.insert("EventPath (event_id, is_index_step, step_index, step_key)", &paths);
        self.insert("IGNORE Attribution (context_id, artifact_id)", &links);
    }

    fn add_artifacts<'m>(
        &mut self,
        artifacts: impl Iterator<Item = &'m Artifact>,
    ) -> Result<(), Failure> {
        let now = now_ms();
        let (mut rows, mut of_rows) = (Vec::new(), Vec::new());
        for (at, artifact) in artifacts.enumerate() {
            rows.push(format!(
                "({},{},{},{},{now},{now})",
                sql(artifact.type_id),
                sql(artifact.uri.as_deref()),
                sql(artifact.state),
                sql(artifact.name.as_deref()),
            ));
            let node = format!("@a+{at}");
            let own = properties(&artifact.properties, &artifact.custom_properties);
            of_rows.extend(own.map(|row| property(&node, &row)));
        }
        self.insert(
            "Artifact (type_id, uri, state, name, create_time_since_epoch, \
             last_update_time_since_epoch)",
            &rows,
        );
        self.name_id("a");
        self.insert(
            "ArtifactProperty (artifact_id, name, is_custom_property, int_value, double_value, \
             string_value)",
            &of_rows,
        );
        Ok(())
    }
}

fn property(node: &str, row: &Property<'_>) -> String {
    let is_custom = u8::from(row.is_custom);
    let (int, double, string) = (sql(row.int), sql(row.double), sql(row.string));
    format!("({node},{},{is_custom},{int},{double},{string})", sql(row.name))
}

fn sql(value: impl Into<Value>) -> String {
    value.into().as_sql(false)
}
