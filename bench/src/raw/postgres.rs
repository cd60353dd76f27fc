//! Rows of PostgreSQL: a prepared statement for each table, all of its rows in arrays, pipelined.
//! A step is two round trips, as the second needs ids of the first.

use headwater_proto::ml_metadata::{Artifact, Context, PutExecutionRequest};
use tokio::runtime::Runtime;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Statement};

use super::{Contexts, Property, Rows, events, new_artifacts, now_ms, path, properties};
use crate::Failure;

const ADD_CONTEXT: &str = "INSERT INTO Context (type_id, name, create_time_since_epoch, \
     last_update_time_since_epoch) VALUES ($1, $2, $3, $3) RETURNING id";
const ADD_EXECUTION: &str = "INSERT INTO Execution (type_id, last_known_state, name, \
     create_time_since_epoch, last_update_time_since_epoch) VALUES ($1, $2, $3, $4, $4) \
     RETURNING id";
const ADD_ARTIFACTS: &str = "INSERT INTO Artifact (type_id, uri, state, name, \
     create_time_since_epoch, last_update_time_since_epoch) \
     SELECT *, $5::bigint, $5 FROM unnest($1::int[], $2::text[], $3::int[], $4::text[]) \
     RETURNING id";
/// The rows of an event follow those of the one before, as their ids do.
const ADD_EVENTS: &str = "WITH added AS (INSERT INTO Event (artifact_id, execution_id, type, \
     milliseconds_since_epoch) SELECT artifact, $2::int, type, $4::bigint \
     FROM unnest($1::int[], $3::int[]) AS given (artifact, type) RETURNING id, artifact_id) \
     INSERT INTO EventPath (event_id, is_index_step, step_index, step_key) \
     SELECT added.id, index IS NOT NULL, index, key \
     FROM unnest($5::int[], $6::int[], $7::text[]) AS element (artifact, index, key) \
     JOIN added ON added.artifact_id = element.artifact ORDER BY added.id";
const LINK_EXECUTION: &str = "INSERT INTO Association (context_id, execution_id) \
     SELECT context, $2::int FROM unnest($1::int[]) AS context ON CONFLICT DO NOTHING";
const LINK_ARTIFACTS: &str = "INSERT INTO Attribution (context_id, artifact_id) \
     SELECT context, artifact FROM unnest($1::int[]) AS context, unnest($2::int[]) AS artifact \
     ORDER BY context, artifact ON CONFLICT DO NOTHING";

type Values<'v, const N: usize> = [&'v (dyn ToSql + Sync); N];

pub(super) struct Postgres {
    runtime: Runtime,
    client: Client,
    statements: Statements,
}

struct Statements {
    add_context: Statement,
    add_execution: Statement,
    add_execution_properties: Statement,
    add_artifacts: Statement,
    add_artifact_properties: Statement,
    add_events: Statement,
    link_execution: Statement,
    link_artifacts: Statement,
}

impl Postgres {
    /// The connection's messages are moved by the thread that waits for them.
    pub(super) fn connect(url: &str) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (client, connection) = runtime.block_on(tokio_postgres::connect(url, NoTls))?;
        runtime.spawn(connection);
        let statements = runtime.block_on(Statements::prepare(&client))?;
        Ok(Self { runtime, client, statements })
    }
}

impl Statements {
    async fn prepare(client: &Client) -> Result<Self, Failure> {
        let add_properties = |noun: &str| {
            format!(
                "INSERT INTO {noun}Property ({noun}_id, name, is_custom_property, int_value, \
                 double_value, string_value) SELECT * FROM unnest($1::int[], $2::text[], \
                 $3::bool[], $4::int[], $5::float8[], $6::text[])"
            )
        };
        Ok(Self {
            add_context: client.prepare(ADD_CONTEXT).await?,
            add_execution: client.prepare(ADD_EXECUTION).await?,
            add_execution_properties: client.prepare(&add_properties("Execution")).await?,
            add_artifacts: client.prepare(ADD_ARTIFACTS).await?,
            add_artifact_properties: client.prepare(&add_properties("Artifact")).await?,
            add_events: client.prepare(ADD_EVENTS).await?,
            link_execution: client.prepare(LINK_EXECUTION).await?,
            link_artifacts: client.prepare(LINK_ARTIFACTS).await?,
        })
    }
}

/// Rows of a table of properties, by columns.
#[derive(Default)]
struct PropertyRows<'m> {
    nodes: Vec<i32>,
    names: Vec<&'m str>,
    are_custom: Vec<bool>,
    ints: Vec<Option<i32>>,
    doubles: Vec<Option<f64>>,
    strings: Vec<Option<&'m str>>,
}

impl<'m> PropertyRows<'m> {
    fn add(&mut self, node: i32, rows: impl Iterator<Item = Property<'m>>) {
        for row in rows {
            self.nodes.push(node);
            self.names.push(row.name);
            self.are_custom.push(row.is_custom);
            self.ints.push(row.int.map(small));
            self.doubles.push(row.double);
            self.strings.push(row.string);
        }
    }

    async fn insert(&self, client: &Client, text: &Statement) -> Result<u64, Failure> {
        let Self { nodes, names, are_custom, ints, doubles, strings } = self;
        Ok(client.execute(text, &[nodes, names, are_custom, ints, doubles, strings]).await?)
    }
}

/// MLMD's ids and integers have 32 bits here.
fn small(value: i64) -> i32 {
    i32::try_from(value).expect("the benchmark's numbers are small")
}

impl Rows for Postgres {
    fn contexts(&mut self) -> Result<Contexts, Failure> {
        let rows = self
            .runtime
            .block_on(self.client.query("SELECT type_id, name, id FROM Context", &[]))?;
        let int = |row: &tokio_postgres::Row, at| i64::from(row.get::<usize, i32>(at));
        Ok(rows.iter().map(|row| ((int(row, 0), row.get(1)), int(row, 2))).collect())
    }

    fn add_context(&mut self, context: &Context) -> Result<i64, Failure> {
        let (type_id, now) = (small(context.type_id()), now_ms());
        let values: Values<'_, 3> = [&type_id, &context.name, &now];
        let added = self.client.query_one(&self.statements.add_context, &values);
        Ok(self.runtime.block_on(added)?.get::<_, i32>(0).into())
    }

    fn add_steps(&mut self, steps: &[(&PutExecutionRequest, Vec<i64>)]) -> Result<(), Failure> {
        let Self { runtime, client, statements } = self;
        runtime.block_on(async {
            for (step, contexts) in steps {
                let added = add_step(client, statements, step, contexts).await;
                if added.is_err() {
                    client.batch_execute("ROLLBACK").await?;
                    return added;
                }
            }
            Ok(())
        })
    }

    fn add_artifacts(&mut self, artifacts: &[Artifact]) -> Result<(), Failure> {
        let Self { runtime, client, statements } = self;
        runtime.block_on(async {
            let given: Vec<&Artifact> = artifacts.iter().collect();
            let (_, ids) =
                tokio::try_join!(begin(client), insert_artifacts(client, statements, &given))?;
            let mut rows = PropertyRows::default();
            for (artifact, id) in artifacts.iter().zip(ids) {
                rows.add(id, properties(&artifact.properties, &artifact.custom_properties));
            }
            tokio::try_join!(
                rows.insert(client, &statements.add_artifact_properties),
                commit(client)
            )?;
            Ok(())
        })
    }

    fn read(&mut self, _statements: &[(String, Vec<i64>)]) -> Result<usize, Failure> {
        Err("reads are measured on SQLite".into())
    }
}

async fn begin(client: &Client) -> Result<(), Failure> {
    Ok(client.batch_execute("BEGIN").await?)
}

async fn commit(client: &Client) -> Result<(), Failure> {
    Ok(client.batch_execute("COMMIT").await?)
}

async fn insert_artifacts(
    client: &Client,
    statements: &Statements,
    artifacts: &[&Artifact],
) -> Result<Vec<i32>, Failure> {
    let types: Vec<i32> = artifacts.iter().map(|each| small(each.type_id())).collect();
    let uris: Vec<_> = artifacts.iter().map(|each| each.uri.as_deref()).collect();
    let states: Vec<_> = artifacts.iter().map(|each| each.state).collect();
    let names: Vec<_> = artifacts.iter().map(|each| each.name.as_deref()).collect();
    let now = now_ms();
    let values: Values<'_, 5> = [&types, &uris, &states, &names, &now];
    let rows = client.query(&statements.add_artifacts, &values).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

async fn add_step(
    client: &Client,
    statements: &Statements,
    step: &PutExecutionRequest,
    contexts: &[i64],
) -> Result<(), Failure> {
    let execution = step.execution.as_ref().ok_or("a step without an execution")?;
    let new: Vec<&Artifact> = new_artifacts(step).collect();
    let (type_id, now) = (small(execution.type_id()), now_ms());
    let insert_execution = async {
        let (state, name) = (&execution.last_known_state, &execution.name);
        let values: Values<'_, 4> = [&type_id, state, name, &now];
        let row = client.query_one(&statements.add_execution, &values).await?;
        Ok(row.get::<_, i32>(0))
    };
    let insert_new = insert_artifacts(client, statements, &new);
    let (_, execution_id, new_ids) = tokio::try_join!(begin(client), insert_execution, insert_new)?;

    let mut of_execution = PropertyRows::default();
    of_execution.add(execution_id, properties(&execution.properties, &execution.custom_properties));
    let mut of_artifacts = PropertyRows::default();
    for (artifact, id) in new.iter().zip(&new_ids) {
        of_artifacts.add(*id, properties(&artifact.properties, &artifact.custom_properties));
    }
    let contexts: Vec<i32> = contexts.iter().copied().map(small).collect();
    let link_execution = async {
        let done = client.execute(&statements.link_execution, &[&contexts, &execution_id]).await?;
        Ok::<_, Failure>(done)
    };
    tokio::try_join!(
        of_execution.insert(client, &statements.add_execution_properties),
        of_artifacts.insert(client, &statements.add_artifact_properties),
        link_execution,
        add_events(client, statements, step, execution_id, &new_ids, &contexts),
        commit(client)
    )?;
    Ok(())
}

/// Adds the events of a step, and links their artifacts to its contexts.
async fn add_events(
    client: &Client,
    statements: &Statements,
    step: &PutExecutionRequest,
    execution_id: i32,
    new_ids: &[i32],
    contexts: &[i32],
) -> Result<(), Failure> {
    let (mut artifacts, mut types) = (Vec::new(), Vec::new());
    let (mut of, mut indexes, mut keys) = (Vec::new(), Vec::new(), Vec::new());
    for (event, artifact) in events(step) {
        let artifact = artifact.map_or_else(|at| new_ids[at], small);
        artifacts.push(artifact);
        types.push(event.r#type);
        for (index, key) in path(event) {
            of.push(artifact);
            indexes.push(index.map(small));
            keys.push(key);
        }
    }
    let (contexts, now) = (contexts.to_vec(), now_ms());
    let values: Values<'_, 7> = [&artifacts, &execution_id, &types, &now, &of, &indexes, &keys];
    let links: Values<'_, 2> = [&contexts, &artifacts];
    tokio::try_join!(
        client.execute(&statements.add_events, &values),
        client.execute(&statements.link_artifacts, &links)
    )?;
    Ok(())
}
