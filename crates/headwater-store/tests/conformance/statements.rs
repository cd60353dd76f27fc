//! What a call costs: its statements, pinned.
//!
//! `name*rows` is one statement that writes so many rows; begin and commit come on top. MLMD 1.17
//! needs 11 statements for one artifact with five properties, 72 for the step below (82 on
//! PostgreSQL) and 4 for a hundred artifacts by id, begin and commit included.

use headwater_proto::ml_metadata::event::Path;
use headwater_proto::ml_metadata::event::path::{Step, step};
use headwater_proto::ml_metadata::put_execution_request::{ArtifactAndEvent, Options};
use headwater_proto::ml_metadata::{
    Artifact, Event, Execution, GetArtifactsByIdRequest, GetArtifactsRequest, ListOperationOptions,
    PutArtifactsRequest, PutExecutionRequest, event,
};

use super::{Fresh, artifact, behaviours, context, execution, int, properties, text};

behaviours! {
    a_type_that_is_put_again_is_read_once
    one_artifact_costs_two_statements
    a_hundred_artifacts_cost_as_many_as_one
    a_step_costs_a_statement_per_table
    a_hundred_artifacts_are_read_with_two_statements
    an_update_that_changes_nothing_writes_nothing
    a_filtered_page_costs_two_statements_more_at_most
}

fn five_properties(type_id: i64) -> Artifact {
    Artifact {
        properties: properties([("i", int(1)), ("s", text("x"))]),
        custom_properties: properties([("a", int(1)), ("b", int(2)), ("c", text("y"))]),
        ..artifact(type_id)
    }
}

fn a_type_that_is_put_again_is_read_once(fresh: &Fresh) {
    fresh.artifact_type("A");
    fresh.artifact_type("A");
    assert_eq!(fresh.last_statements(), ["type_select_by_name", "type_property_select_by_type"]);
}

fn one_artifact_costs_two_statements(fresh: &Fresh) {
    let type_id = fresh.artifact_type("A");
    fresh.artifacts([five_properties(type_id)]);
    fresh.artifacts([five_properties(type_id)]);
    assert_eq!(fresh.last_statements(), ["artifact_insert*1", "artifact_property_insert*5"]);
}

fn a_hundred_artifacts_cost_as_many_as_one(fresh: &Fresh) {
    let type_id = fresh.artifact_type("A");
    fresh.artifacts([five_properties(type_id)]);
    let artifacts = vec![five_properties(type_id); 100];
    fresh.call(PutArtifactsRequest { artifacts, ..Default::default() });
    assert_eq!(fresh.last_statements(), ["artifact_insert*100", "artifact_property_insert*500"]);
}

fn a_step_costs_a_statement_per_table(fresh: &Fresh) {
    let (artifact_type, execution_type) = (fresh.artifact_type("A"), fresh.execution_type("E"));
    let context_type = fresh.context_type("C");
    let inputs = fresh.artifacts([artifact(artifact_type), artifact(artifact_type)]);
    fresh.contexts([context(context_type, "pipeline"), context(context_type, "run")]);
    let path = Path {
        steps: vec![
            Step { value: Some(step::Value::Key("examples".into())) },
            Step { value: Some(step::Value::Index(0)) },
        ],
    };
    let event = |of: event::Type, artifact_id| Event {
        artifact_id,
        path: Some(path.clone()),
        r#type: Some(of as i32),
        ..Event::default()
    };
    let used = |id: &i64| ArtifactAndEvent {
        artifact: None,
        event: Some(event(event::Type::Input, Some(*id))),
    };
    let made = ArtifactAndEvent {
        artifact: Some(five_properties(artifact_type)),
        event: Some(event(event::Type::Output, None)),
    };
    let ten = ["a", "b", "c", "d", "e", "f", "g", "h", "j", "k"].map(|name| (name, int(1)));
    let request = PutExecutionRequest {
        execution: Some(Execution {
            custom_properties: properties(ten),
            ..execution(execution_type)
        }),
        artifact_event_pairs: inputs.iter().map(used).chain([made.clone(), made]).collect(),
        contexts: vec![context(context_type, "pipeline"), context(context_type, "run")],
        options: Some(Options { reuse_context_if_already_exist: Some(true), ..Options::default() }),
        ..PutExecutionRequest::default()
    };
    fresh.call(request.clone());
    fresh.call(request);
    assert_eq!(
        fresh.last_statements(),
        [
            "artifact_select_existing_id",
            "context_select_by_type_and_name",
            "artifact_insert*2",
            "execution_insert*1",
            "artifact_property_insert*10",
            "execution_property_insert*10",
            "event_insert*4",
            "event_path_insert*8",
            "association_insert*2",
            "attribution_insert*8",
        ]
    );
}

fn a_hundred_artifacts_are_read_with_two_statements(fresh: &Fresh) {
    let type_id = fresh.artifact_type("A");
    let artifacts = vec![five_properties(type_id); 100];
    let artifact_ids =
        fresh.call(PutArtifactsRequest { artifacts, ..Default::default() }).artifact_ids;
    let request = GetArtifactsByIdRequest { artifact_ids, ..Default::default() };
    assert_eq!(fresh.call(request).artifacts.len(), 100);
    assert_eq!(
        fresh.last_statements(),
        ["artifact_select_by_id", "artifact_property_select_by_id"]
    );
}

fn an_update_that_changes_nothing_writes_nothing(fresh: &Fresh) {
    let id = fresh.artifacts([five_properties(fresh.artifact_type("A"))])[0];
    let stored = fresh.artifact(id);
    fresh.artifacts([stored]);
    assert_eq!(
        fresh.last_statements(),
        ["artifact_select_to_change", "artifact_property_select_by_id"]
    );
}

fn a_filtered_page_costs_two_statements_more_at_most(fresh: &Fresh) {
    let type_id = fresh.artifact_type("A");
    fresh.artifacts([five_properties(type_id)]);
    let list = |filter: &str| {
        let filter_query = Some(filter.to_owned());
        let options = Some(ListOperationOptions { filter_query, ..Default::default() });
        fresh.call(GetArtifactsRequest { options, ..Default::default() });
        fresh.last_statements()
    };
    let page = ["artifact_list_by_id", "artifact_property_select_by_id"];
    let found = ["artifact_count_candidates", "artifact_read_candidates"];
    list("id = 1");
    assert_eq!(list("properties.i.int_value = 1"), [found, page].concat());
    assert_eq!(list("type = 'A' AND custom_properties.a.int_value < 3"), [found, page].concat());
    assert_eq!(list("uri = 'x' OR name = 'y'"), found, "nothing is left to look at");
    assert_eq!(list("uri LIKE '%x'"), page[..1], "no index leads there");
}
