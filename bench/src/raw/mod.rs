//! The bound: nothing but the rows that a step leaves in MLMD's tables, or that an answer is made
//! of. No types are checked, no names are looked up, no messages come back.

mod mysql;
mod postgres;
mod sqlite;

use std::collections::{BTreeMap, HashMap};
use std::time::{SystemTime, UNIX_EPOCH};

use headwater_proto::ml_metadata::event::path::step::Value as PathStep;
use headwater_proto::ml_metadata::{Artifact, Context, Event, PutExecutionRequest, Value, value};

use crate::Failure;
use crate::caller::Caller;
use crate::steps::Step;

/// A connection to one of the databases.
pub(crate) struct Raw {
    database: Box<dyn Rows>,
    /// What this caller knows of contexts, as one does who made them.
    contexts: Contexts,
}

type Contexts = HashMap<(i64, String), i64>;

/// What a database does with rows.
trait Rows: Send {
    /// The contexts that are stored.
    fn contexts(&mut self) -> Result<Contexts, Failure>;

    /// Adds a context. It is made in a commit of its own, once in ten steps.
    fn add_context(&mut self, context: &Context) -> Result<i64, Failure>;

    /// Adds steps in one commit; contexts are ids.
    fn add_steps(&mut self, steps: &[(&PutExecutionRequest, Vec<i64>)]) -> Result<(), Failure>;

    /// Adds artifacts in one commit.
    fn add_artifacts(&mut self, artifacts: &[Artifact]) -> Result<(), Failure>;

    /// Reads every value of every row; how many rows there are.
    fn read(&mut self, statements: &[(String, Vec<i64>)]) -> Result<usize, Failure>;
}

impl Raw {
    pub(crate) fn open(place: &str) -> Result<Self, Failure> {
        let mut database: Box<dyn Rows> = match place.split_once(':') {
            Some(("sqlite", path)) => Box::new(sqlite::Sqlite::open(path)?),
            Some(("postgres", _)) => Box::new(postgres::Postgres::connect(place)?),
            Some(("mysql", _)) => Box::new(mysql::Mysql::connect(place)?),
            _ => return Err(format!("there is no database at `{place}`").into()),
        };
        let contexts = database.contexts()?;
        Ok(Self { database, contexts })
    }

    fn context_ids(&mut self, contexts: &[Context]) -> Result<Vec<i64>, Failure> {
        let mut ids = Vec::with_capacity(contexts.len());
        for context in contexts {
            let key = (context.type_id(), context.name().to_owned());
            let id = match self.contexts.get(&key) {
                Some(id) => *id,
                None => self.database.add_context(context)?,
            };
            self.contexts.insert(key, id);
            ids.push(id);
        }
        Ok(ids)
    }
}

impl Caller for Raw {
    fn read(&mut self, statements: &[(String, Vec<i64>)]) -> Result<usize, Failure> {
        self.database.read(statements)
    }

    fn put(&mut self, steps: &[Step]) -> Result<(), Failure> {
        let mut executions = Vec::with_capacity(steps.len());
        for step in steps {
            match step {
                Step::Execution(request) => {
                    executions.push((&**request, self.context_ids(&request.contexts)?));
                }
                Step::Artifacts(request) => self.database.add_artifacts(&request.artifacts)?,
            }
        }
        if executions.is_empty() { Ok(()) } else { self.database.add_steps(&executions) }
    }
}

/// A row of one of the tables of properties, but for the node that it belongs to.
struct Property<'m> {
    name: &'m str,
    is_custom: bool,
    int: Option<i64>,
    double: Option<f64>,
    string: Option<&'m str>,
}

fn properties<'m>(
    own: &'m BTreeMap<String, Value>,
    custom: &'m BTreeMap<String, Value>,
) -> impl Iterator<Item = Property<'m>> {
    let own = own.iter().map(|(name, value)| (name, value, false));
    let custom = custom.iter().map(|(name, value)| (name, value, true));
    own.chain(custom).map(|(name, value, is_custom)| {
        let mut row = Property { name, is_custom, int: None, double: None, string: None };
        match &value.value {
            Some(value::Value::IntValue(value)) => row.int = Some(*value),
            Some(value::Value::DoubleValue(value)) => row.double = Some(*value),
            Some(value::Value::StringValue(value)) => row.string = Some(value),
            other => panic!("no step of the benchmark has a property {other:?}"),
        }
        row
    })
}

/// Index and key of each element of an event's path.
fn path(event: &Event) -> impl Iterator<Item = (Option<i64>, Option<&str>)> {
    let steps = event.path.iter().flat_map(|path| &path.steps);
    steps.map(|step| match &step.value {
        Some(PathStep::Index(index)) => (Some(*index), None),
        Some(PathStep::Key(key)) => (None, Some(key.as_str())),
        None => (None, None),
    })
}

/// The new artifacts of a step.
fn new_artifacts(step: &PutExecutionRequest) -> impl Iterator<Item = &Artifact> {
    step.artifact_event_pairs.iter().filter_map(|pair| pair.artifact.as_ref())
}

/// The events of a step, each with the id of a stored artifact or the place of a new one.
fn events(step: &PutExecutionRequest) -> impl Iterator<Item = (&Event, Result<i64, usize>)> {
    let mut new = 0;
    step.artifact_event_pairs.iter().filter_map(move |pair| {
        let event = pair.event.as_ref()?;
        let artifact = match &pair.artifact {
            None => Ok(event.artifact_id()),
            Some(_) => Err(new),
        };
        new += usize::from(pair.artifact.is_some());
        Some((event, artifact))
    })
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
