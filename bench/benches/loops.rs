//! Inner loops on a store in memory: what is left of a call without any disk or network.
//!
//! ```text
//! cargo bench -p headwater-bench
//! ```

use std::cell::Cell;
use std::hint::black_box;

use divan::Bencher;
use headwater_store::{Method, Store, StoreUrl};
use serde_json::{Value, json};

/// Steps in the store, a chain: each reads what the one before made.
const STEPS: i64 = 500;
const HOPS: i64 = 20;

fn main() {
    divan::main();
}

fn encoded(method: Method, request: &Value) -> Vec<u8> {
    method.request_from_json(&request.to_string()).expect("the request is of the method")
}

fn call(store: &Store, method: Method, request: &Value) -> Value {
    let answer = store.call_bytes(method, &encoded(method, request)).expect("it is answered");
    let json = method.response_to_json(&answer).expect("the answer is of the method");
    serde_json::from_str(&json).expect("it is JSON")
}

struct Filled {
    store: Store,
    /// Of artifacts, executions and contexts.
    types: [Value; 3],
}

/// A store with the types of a step, and a chain of steps.
fn store() -> Filled {
    let store = Store::open(&StoreUrl::memory()).expect("a store in memory opens");
    let properties: Value = (0..10)
        .map(|at| (format!("double_{at}"), json!("DOUBLE")))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let types = [
        (Method::PutArtifactType, "artifactType"),
        (Method::PutExecutionType, "executionType"),
        (Method::PutContextType, "contextType"),
    ]
    .map(|(method, field)| {
        let request = json!({ field: { "name": field, "properties": properties } });
        call(&store, method, &request)["typeId"].clone()
    });
    for number in 0..STEPS {
        let input = (number > 0).then_some(2 * number);
        call(&store, Method::PutExecution, &step(&types, number, input));
    }
    Filled { store, types }
}

/// A step of two artifacts, in the pipeline and in one of many runs; an input makes it part of the
/// chain.
fn step(types: &[Value; 3], number: i64, input: Option<i64>) -> Value {
    let values = |count: usize| -> Value {
        let value = |at| (format!("double_{at}"), json!({ "doubleValue": number as f64 }));
        (0..count).map(value).collect::<serde_json::Map<_, _>>().into()
    };
    let path = json!({ "steps": [{ "key": "examples" }, { "index": 1 }] });
    let output = |at| {
        let name = format!("artifact-{number}-{at}");
        json!({
            "artifact": { "typeId": types[0], "name": name, "properties": values(5) },
            "event": { "type": "OUTPUT", "path": path },
        })
    };
    let mut pairs = vec![output(0), output(1)];
    pairs.extend(
        input.map(|id| json!({ "event": { "artifactId": id, "type": "INPUT", "path": path } })),
    );
    let execution = format!("step-{number}");
    json!({
        "execution": { "typeId": types[1], "name": execution, "properties": values(10) },
        "artifactEventPairs": pairs,
        "contexts": [
            { "typeId": types[2], "name": "pipeline" },
            { "typeId": types[2], "name": format!("run-{}", number / 10) },
        ],
        "options": { "reuseContextIfAlreadyExist": true },
    })
}

/// One call, again and again.
fn ask(bencher: Bencher<'_, '_>, method: Method, request: &Value) {
    let Filled { store, .. } = store();
    let request = encoded(method, request);
    bencher.bench_local(|| store.call_bytes(method, black_box(&request)));
}

#[divan::bench]
fn put_execution(bencher: Bencher<'_, '_>) {
    let Filled { store, types } = store();
    let number = Cell::new(STEPS);
    let next = || {
        number.set(number.get() + 1);
        encoded(Method::PutExecution, &step(&types, number.get(), Some(number.get())))
    };
    bencher.with_inputs(next).bench_local_values(|request| {
        store.call_bytes(Method::PutExecution, &request).expect("it is put")
    });
}

#[divan::bench(args = [1, 100])]
fn get_artifacts_by_id(bencher: Bencher<'_, '_>, count: i64) {
    let ids: Vec<i64> = (1..=count).collect();
    ask(bencher, Method::GetArtifactsByID, &json!({ "artifactIds": ids }));
}

#[divan::bench]
fn smallest_filter(bencher: Bencher<'_, '_>) {
    let options = json!({ "maxResultSize": 100, "filterQuery": "id = 17" });
    ask(bencher, Method::GetArtifacts, &json!({ "options": options }));
}

#[divan::bench]
fn members_of_a_context(bencher: Bencher<'_, '_>) {
    ask(bencher, Method::GetExecutionsByContext, &json!({ "contextId": 1 }));
}

/// A hop is half of a step of the chain.
#[divan::bench(args = [1, HOPS])]
fn lineage(bencher: Bencher<'_, '_>, hops: i64) {
    let start = json!({ "filterQuery": format!("id = {}", 2 * STEPS) });
    let options =
        json!({ "startingArtifacts": start, "maxNumHops": hops, "direction": "UPSTREAM" });
    ask(bencher, Method::GetLineageSubgraph, &json!({ "lineageSubgraphQueryOptions": options }));
}
