//! The list of behaviours × the list of databases.
//!
//! A behaviour is a function of a fresh store. A database joins the list once, in [`Database`].

mod concurrency;
mod contents;
mod events;
mod filters;
mod identifiers;
mod lineage;
mod links;
mod memo;
mod metrics;
mod nodes;
mod paging;
mod statements;
mod steps;
mod types;
mod values;
mod versions;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use headwater_proto::ml_metadata::{
    Artifact, ArtifactType, Context, ContextType, Execution, ExecutionType, PropertyType,
    PutArtifactTypeRequest, PutArtifactsRequest, PutContextTypeRequest, PutContextsRequest,
    PutExecutionTypeRequest, PutExecutionsRequest, Value, value,
};
use headwater_store::{Access, Call, Error, ErrorKind, Method, Observer, StatementRun, Store};
use prost::Message as _;

/// A database that the behaviours run on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Database {
    SqliteFile,
    SqliteMemory,
    Postgres,
    MySql,
}

/// A fresh store and what it runs; gone when dropped.
pub(crate) struct Fresh {
    pub(crate) store: Arc<Store>,
    statements: Arc<Statements>,
    _place: Place,
}

impl Database {
    /// An empty store, unless the server of the database is not there.
    pub(crate) fn fresh(self) -> Option<Fresh> {
        let place = Place::new(self)?;
        let statements = Arc::new(Statements::default());
        let store = Store::open(&place.url()).unwrap().observed_by(statements.clone());
        Some(Fresh { store: Arc::new(store), statements, _place: place })
    }
}

/// Makes and removes the databases of tests.
pub(crate) use crate::places::Place;

/// Remembers the statements of the last call.
#[derive(Debug, Default)]
struct Statements(Mutex<Vec<StatementRun>>);

impl Observer for Statements {
    fn statements(&self, _: Method, statements: &[StatementRun]) {
        *self.0.lock().unwrap() = statements.to_vec();
    }
}

/// Numbers that look random and are the same in every run of a seed (xorshift64).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number from 0 up to, not including, `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }
}

/// Makes a test of each behaviour on each database.
macro_rules! behaviours {
    (@on $module:ident $database:ident $($behaviour:ident)*) => {
        mod $module {
            $(#[test]
            fn $behaviour() {
                let fresh = $crate::conformance::Database::$database.fresh();
                fresh.iter().for_each(super::$behaviour);
            })*
        }
    };
    ($($behaviour:ident)*) => {
        $crate::conformance::behaviours! { @on on_sqlite_file SqliteFile $($behaviour)* }
        $crate::conformance::behaviours! { @on on_sqlite_memory SqliteMemory $($behaviour)* }
        $crate::conformance::behaviours! { @on on_postgres Postgres $($behaviour)* }
        $crate::conformance::behaviours! { @on on_mysql MySql $($behaviour)* }
    };
}
pub(crate) use behaviours;

/// The property types that most tests use: `i`, `d`, `s`, `t` (struct), `p` (proto), `b`.
pub(crate) fn all_properties() -> BTreeMap<String, i32> {
    use PropertyType::{Boolean, Double, Int, Proto, String, Struct};
    [("i", Int), ("d", Double), ("s", String), ("t", Struct), ("p", Proto), ("b", Boolean)]
        .map(|(name, property_type)| (name.to_owned(), property_type as i32))
        .into()
}

pub(crate) fn int(value: i64) -> Value {
    Value { value: Some(value::Value::IntValue(value)) }
}

pub(crate) fn double(value: f64) -> Value {
    Value { value: Some(value::Value::DoubleValue(value)) }
}

pub(crate) fn boolean(value: bool) -> Value {
    Value { value: Some(value::Value::BoolValue(value)) }
}

pub(crate) fn text(value: &str) -> Value {
    Value { value: Some(value::Value::StringValue(value.to_owned())) }
}

pub(crate) fn properties<const N: usize>(
    properties: [(&str, Value); N],
) -> BTreeMap<String, Value> {
    properties.map(|(name, value)| (name.to_owned(), value)).into()
}

impl Fresh {
    /// Calls what must succeed. What is read must be the same as a message and encoded.
    pub(crate) fn call<R: Call>(&self, request: R) -> R::Response {
        let failed = |error: Error| -> ! { panic!("{error}\nfor {request:?}") };
        let answer = self.store.call(&request).unwrap_or_else(|error| failed(error));
        if R::METHOD.access() == Access::Read {
            let encoded = self.store.call_bytes(R::METHOD, &request.encode_to_vec());
            let encoded = encoded.unwrap_or_else(|error| failed(error));
            let decoded = R::Response::decode(&encoded[..]).expect("an answer");
            // As bytes, because a NaN equals nothing.
            let is_same = decoded.encode_to_vec() == answer.encode_to_vec();
            assert!(is_same, "encoded it is {decoded:?}\nfor {request:?}");
        }
        answer
    }

    /// Calls what must fail in this way, and gives the error.
    pub(crate) fn refused<R: Call>(&self, kind: ErrorKind, request: R) -> Error {
        match self.store.call(&request) {
            Ok(response) => panic!("{response:?} instead of {kind:?} for {request:?}"),
            Err(error) => {
                assert_eq!(error.kind(), kind, "{error}\nfor {request:?}");
                assert!(!error.message().is_empty());
                error
            }
        }
    }

    /// The statements of the last call, as `name` or `name*rows`.
    pub(crate) fn last_statements(&self) -> Vec<String> {
        let runs = self.statements.0.lock().unwrap();
        let shown = |run: &StatementRun| match run.rows {
            0 => run.name.to_owned(),
            rows => format!("{}*{rows}", run.name),
        };
        runs.iter().map(shown).collect()
    }

    pub(crate) fn artifact_type(&self, name: &str) -> i64 {
        let artifact_type = ArtifactType {
            name: Some(name.to_owned()),
            properties: all_properties(),
            ..ArtifactType::default()
        };
        let artifact_type = Some(artifact_type);
        self.call(PutArtifactTypeRequest { artifact_type, ..Default::default() }).type_id()
    }

    pub(crate) fn execution_type(&self, name: &str) -> i64 {
        let execution_type = ExecutionType {
            name: Some(name.to_owned()),
            properties: all_properties(),
            ..ExecutionType::default()
        };
        let execution_type = Some(execution_type);
        self.call(PutExecutionTypeRequest { execution_type, ..Default::default() }).type_id()
    }

    pub(crate) fn context_type(&self, name: &str) -> i64 {
        let context_type = ContextType {
            name: Some(name.to_owned()),
            properties: all_properties(),
            ..ContextType::default()
        };
        let context_type = Some(context_type);
        self.call(PutContextTypeRequest { context_type, ..Default::default() }).type_id()
    }

    pub(crate) fn artifacts<const N: usize>(&self, artifacts: [Artifact; N]) -> Vec<i64> {
        let artifacts = artifacts.to_vec();
        self.call(PutArtifactsRequest { artifacts, ..Default::default() }).artifact_ids
    }

    pub(crate) fn executions<const N: usize>(&self, executions: [Execution; N]) -> Vec<i64> {
        let executions = executions.to_vec();
        self.call(PutExecutionsRequest { executions, ..Default::default() }).execution_ids
    }

    pub(crate) fn contexts<const N: usize>(&self, contexts: [Context; N]) -> Vec<i64> {
        let contexts = contexts.to_vec();
        self.call(PutContextsRequest { contexts, ..Default::default() }).context_ids
    }

    /// The stored artifact with this id.
    pub(crate) fn artifact(&self, id: i64) -> Artifact {
        let request = headwater_proto::ml_metadata::GetArtifactsByIdRequest {
            artifact_ids: vec![id],
            ..Default::default()
        };
        self.call(request).artifacts.pop().unwrap_or_else(|| panic!("no artifact {id}"))
    }
}

pub(crate) fn artifact(type_id: i64) -> Artifact {
    Artifact { type_id: Some(type_id), ..Artifact::default() }
}

pub(crate) fn named_artifact(type_id: i64, name: &str) -> Artifact {
    Artifact { name: Some(name.to_owned()), ..artifact(type_id) }
}

pub(crate) fn execution(type_id: i64) -> Execution {
    Execution { type_id: Some(type_id), ..Execution::default() }
}

pub(crate) fn context(type_id: i64, name: &str) -> Context {
    Context { type_id: Some(type_id), name: Some(name.to_owned()), ..Context::default() }
}
