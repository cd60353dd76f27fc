//! What `docs/reference/filter.md` shows is true: its filters are accepted or refused as it says.
//!
//! In a block of code tagged `filter KIND`, each line is a filter of the contract; with `v1` before
//! the kind it is one of `headwater.v1`, with `refused` one that is not accepted. In a block tagged
//! `order v1 KIND`, each line is an order.

use headwater_proto::headwater::v1::{
    ListArtifactsRequest, ListContextsRequest, ListExecutionsRequest,
};
use headwater_proto::ml_metadata::{
    Artifact, ArtifactType, Attribution, GetArtifactsRequest, GetContextsRequest,
    GetExecutionsRequest, ListOperationOptions, PropertyType, PutArtifactTypeRequest,
    PutAttributionsAndAssociationsRequest,
};
use headwater_store::{Error, ErrorKind};

use crate::conformance::{Database, Fresh, context, double, execution, named_artifact, properties};

const PAGE: &str = include_str!("../../../docs/reference/filter.md");

/// Filters of the page, at least; fewer mean that they are no longer found.
const FILTERS_MIN: usize = 40;

/// The blocks of code with these words after the fence: their tags and their lines.
fn blocks(first: &str) -> Vec<(Vec<&'static str>, Vec<&'static str>)> {
    let mut found = Vec::new();
    for block in PAGE.split("\n```").skip(1).step_by(2) {
        let (tag, text) = block.split_once('\n').expect("a block has a first line");
        let mut words = tag.split(' ');
        if words.next() == Some(first) {
            let lines = text.lines().filter(|line| !line.is_empty()).collect();
            found.push((words.collect(), lines));
        }
    }
    found
}

/// Names of the artifacts, or nothing for other kinds, that a list of the contract finds.
fn find(fresh: &Fresh, kind: &str, filter: &str) -> Result<Vec<String>, Error> {
    let filter_query = Some(filter.to_owned());
    let options = Some(ListOperationOptions { filter_query, ..Default::default() });
    match kind {
        "artifact" => {
            let request = GetArtifactsRequest { options, ..Default::default() };
            fresh.store.call(&request).map(|found| names(&found.artifacts))
        }
        "execution" => {
            let request = GetExecutionsRequest { options, ..Default::default() };
            fresh.store.call(&request).map(|_| Vec::new())
        }
        "context" => {
            let request = GetContextsRequest { options, ..Default::default() };
            fresh.store.call(&request).map(|_| Vec::new())
        }
        other => panic!("there is no kind {other}"),
    }
}

/// The same of `headwater.v1`, in an order.
fn list(fresh: &Fresh, kind: &str, filter: &str, order: &str) -> Result<Vec<String>, Error> {
    let (filter, order_by) = (filter.to_owned(), order.to_owned());
    match kind {
        "artifact" => {
            let request = ListArtifactsRequest { filter, order_by, ..Default::default() };
            fresh.store.call(&request).map(|found| names(&found.artifacts))
        }
        "execution" => {
            let request = ListExecutionsRequest { filter, order_by, ..Default::default() };
            fresh.store.call(&request).map(|_| Vec::new())
        }
        "context" => {
            let request = ListContextsRequest { filter, order_by, ..Default::default() };
            fresh.store.call(&request).map(|_| Vec::new())
        }
        other => panic!("there is no kind {other}"),
    }
}

fn names(artifacts: &[Artifact]) -> Vec<String> {
    artifacts.iter().map(|artifact| artifact.name().to_owned()).collect()
}

/// The artifacts `a` and `b` of the page, and an execution.
fn graph() -> Fresh {
    let fresh = Database::SqliteMemory.fresh().unwrap();
    let artifact_type = Some(ArtifactType {
        name: Some("Model".to_owned()),
        properties: [("accuracy".to_owned(), PropertyType::Double as i32)].into(),
        ..ArtifactType::default()
    });
    let request = PutArtifactTypeRequest { artifact_type, ..Default::default() };
    let type_id = fresh.call(request).type_id();
    let accurate = properties([("accuracy", double(0.9))]);
    let a = Artifact { properties: accurate, ..named_artifact(type_id, "a") };
    let ids = fresh.artifacts([a, named_artifact(type_id, "b")]);
    let context_type = fresh.context_type("Run");
    let contexts = fresh.contexts([context(context_type, "x"), context(context_type, "y")]);
    let attributions = contexts.iter().map(|context_id| Attribution {
        artifact_id: Some(ids[0]),
        context_id: Some(*context_id),
        ..Default::default()
    });
    fresh.call(PutAttributionsAndAssociationsRequest {
        attributions: attributions.collect(),
        ..Default::default()
    });
    fresh.executions([execution(fresh.execution_type("Train"))]);
    fresh
}

#[test]
fn the_filters_of_the_page_are_accepted_or_refused_as_it_says() {
    let fresh = graph();
    let mut tried = 0;
    for (tags, filters) in blocks("filter") {
        let (kind, flags) = tags.split_last().expect("a kind of node");
        let own = flags.contains(&"v1");
        for filter in filters {
            let in_contract = find(&fresh, kind, filter);
            let in_v1 = list(&fresh, kind, filter, "");
            tried += 1;
            if flags.contains(&"refused") {
                for answer in [in_contract, in_v1].into_iter().skip(usize::from(own)) {
                    let error = answer.expect_err(filter);
                    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{filter}: {error}");
                }
                continue;
            }
            in_v1.unwrap_or_else(|error| panic!("headwater.v1: {error}"));
            // What is shown as more than the contract has is more.
            match in_contract {
                Err(error) => assert!(own, "{error}"),
                Ok(_) => assert!(!own, "{filter} is a filter of the contract, too"),
            }
        }
    }
    assert!(tried >= FILTERS_MIN, "only {tried} filters");
}

#[test]
fn the_orders_of_the_page_are_accepted() {
    let fresh = graph();
    let mut tried = 0;
    for (tags, orders) in blocks("order") {
        let kind = tags.last().expect("a kind of node");
        for order in orders {
            list(&fresh, kind, "", order).unwrap_or_else(|error| panic!("{error}"));
            tried += 1;
        }
    }
    assert!(tried > 0, "no orders");
}

#[test]
fn the_table_of_what_is_missing_is_true() {
    let fresh = graph();
    let (_, table) = PAGE.split_once("| finds in `headwater.v1` |\n").expect("the table");
    let mut tried = 0;
    for row in table.lines().skip(1).take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = row.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let [_, filter, as_contract, in_v1, _] = cells[..] else { panic!("{row}") };
        let answers = [find(&fresh, "artifact", filter), list(&fresh, "artifact", filter, "")];
        for (said, found) in [as_contract, in_v1].into_iter().zip(answers) {
            let said: Vec<&str> = said.split("`, `").filter(|name| *name != "nothing").collect();
            assert_eq!(found.unwrap_or_else(|error| panic!("{error}")), said, "{filter}");
        }
        tried += 1;
    }
    assert!(tried > 3, "only {tried} rows");
}

#[test]
fn the_error_of_the_page_is_the_one_that_is_answered() {
    let fresh = graph();
    let (tags, lines) = blocks("text").remove(0);
    assert!(tags.is_empty());
    let filter = lines[1].trim();
    let error = find(&fresh, "artifact", filter).expect_err("a refusal");
    assert_eq!(format!("INVALID_ARGUMENT: {error}"), lines.join("\n"));
}
