//! Nodes: made, changed in full or in part, and found.

use std::collections::BTreeMap;

use headwater_proto::ml_metadata::{
    Artifact, Context, Execution, GetArtifactByTypeAndNameRequest,
    GetArtifactsByExternalIdsRequest, GetArtifactsByIdRequest, GetArtifactsByUriRequest,
    GetContextsByIdRequest, GetExecutionsByIdRequest, PutArtifactTypeRequest, PutArtifactsRequest,
    PutContextsRequest, PutExecutionsRequest, Value, artifact, execution, put_artifacts_request,
};
use headwater_store::ErrorKind::{
    AlreadyExists, FailedPrecondition, Internal, InvalidArgument, NotFound,
};
use prost_types::FieldMask;

use super::{
    Fresh, all_properties, behaviours, context, double, execution as new_execution, int,
    named_artifact, properties, text,
};

behaviours! {
    a_node_reads_back_with_its_type_and_times
    a_node_without_a_type_or_of_an_unknown_one_is_refused
    a_property_must_be_in_the_type_and_of_its_type
    a_custom_property_takes_any_value_but_none
    a_property_added_by_another_store_is_known_at_once
    names_and_external_ids_are_unique_in_their_scope
    a_context_needs_a_name
    an_unknown_state_is_refused
    an_update_replaces_everything_but_the_name
    a_context_is_renamed_by_an_update
    an_update_of_something_unknown_or_of_another_type_is_refused
    an_update_that_takes_a_name_or_external_id_is_refused
    only_a_change_moves_the_update_time
    a_mask_limits_what_an_update_touches
    an_update_is_refused_when_the_node_was_changed_meanwhile
    a_property_and_a_custom_property_of_one_name_are_independent
    a_batch_is_all_or_nothing_and_keeps_its_order
    one_request_may_make_and_update_the_same_node_again
    nodes_by_id_come_once_and_unknown_ids_are_passed_over
    artifacts_are_found_by_uri_name_and_external_id
    types_of_artifacts_come_along_on_request
}

fn put(artifacts: Vec<Artifact>) -> PutArtifactsRequest {
    PutArtifactsRequest { artifacts, ..Default::default() }
}

fn masked(artifact: Artifact, paths: &[&str]) -> PutArtifactsRequest {
    let paths = paths.iter().map(|&path| path.to_owned()).collect();
    PutArtifactsRequest { update_mask: Some(FieldMask { paths }), ..put(vec![artifact]) }
}

fn a_node_reads_back_with_its_type_and_times(fresh: &Fresh) {
    let type_id = fresh.artifact_type("A");
    let node = Artifact {
        uri: Some("s3://b/k".into()),
        state: Some(artifact::State::Live as i32),
        external_id: Some("e".into()),
        properties: properties([("i", int(1))]),
        custom_properties: properties([("anything", text("x"))]),
        ..named_artifact(type_id, "n")
    };
    let ids = fresh.artifacts([node.clone()]);
    let stored = fresh.artifact(ids[0]);
    assert!(stored.create_time_since_epoch() > 1_600_000_000_000);
    assert_eq!(stored.create_time_since_epoch, stored.last_update_time_since_epoch);
    let expected = Artifact {
        id: Some(ids[0]),
        r#type: Some("A".into()),
        create_time_since_epoch: stored.create_time_since_epoch,
        last_update_time_since_epoch: stored.last_update_time_since_epoch,
        ..node
    };
    assert_eq!(stored, expected);
    let bare = fresh.artifacts([super::artifact(type_id)])[0];
    let bare = fresh.artifact(bare);
    assert_eq!((bare.uri, bare.state, bare.name), (Some(String::new()), None, None));
}

fn a_node_without_a_type_or_of_an_unknown_one_is_refused(fresh: &Fresh) {
    fresh.refused(InvalidArgument, put(vec![Artifact::default()]));
    fresh.refused(NotFound, put(vec![super::artifact(999)]));
    let execution_type = fresh.execution_type("E");
    fresh.refused(NotFound, put(vec![super::artifact(execution_type)]));
}

fn a_property_must_be_in_the_type_and_of_its_type(fresh: &Fresh) {
    let type_id = fresh.artifact_type("A");
    let with = |name: &str, value| {
        let properties = properties([(name, value)]);
        put(vec![Artifact { properties, ..super::artifact(type_id) }])
    };
    let error = fresh.refused(InvalidArgument, with("acuracy", int(1)));
    assert!(error.to_string().contains("`acuracy`"), "{error}");
    fresh.refused(InvalidArgument, with("d", int(1)));
    fresh.refused(InvalidArgument, with("i", double(1.0)));
    fresh.refused(InvalidArgument, with("i", Value::default()));
    fresh.call(with("d", double(1.0)));
}

fn a_custom_property_takes_any_value_but_none(fresh: &Fresh) {
    let type_id = fresh.artifact_type("A");
    let with = |value| {
        let custom_properties = properties([("c", value)]);
        Artifact { custom_properties, ..super::artifact(type_id) }
    };
    let error = fresh.refused(InvalidArgument, put(vec![with(Value::default())]));
    assert!(error.message().contains("`c`"), "{error}");
    let id = fresh.artifacts([with(int(1))])[0];
    fresh.artifacts([Artifact { id: Some(id), ..with(text("now a text")) }]);
    assert_eq!(fresh.artifact(id).custom_properties["c"], text("now a text"));
}

fn a_property_added_by_another_store_is_known_at_once(fresh: &Fresh) {
    let type_id = fresh.artifact_type("A");
    fresh.artifacts([super::artifact(type_id)]);
    let mut grown = all_properties();
    grown.insert("later".into(), 1);
    let artifact_type = headwater_proto::ml_metadata::ArtifactType {
        name: Some("A".into()),
        properties: grown,
        ..Default::default()
    };
    fresh.call(PutArtifactTypeRequest {
        artifact_type: Some(artifact_type),
        can_add_fields: Some(true),
        ..Default::default()
    });
    let properties = properties([("later", int(1))]);
    fresh.artifacts([Artifact { properties, ..super::artifact(type_id) }]);
}

fn names_and_external_ids_are_unique_in_their_scope(fresh: &Fresh) {
    let first = fresh.artifact_type("A");
    let second = fresh.artifact_type("B");
    fresh.artifacts([named_artifact(first, "n"), named_artifact(second, "n")]);
    let error = fresh.refused(AlreadyExists, put(vec![named_artifact(first, "n")]));
    assert!(error.message().contains("`n`"), "{error}");
    let external = |type_id| Artifact { external_id: Some("e".into()), ..super::artifact(type_id) };
    fresh.artifacts([external(first)]);
    fresh.refused(AlreadyExists, put(vec![external(second)]));
    let empty = named_artifact(first, "");
    fresh.artifacts([empty.clone()]);
    fresh.refused(AlreadyExists, put(vec![empty]));
}

fn a_context_needs_a_name(fresh: &Fresh) {
    let type_id = fresh.context_type("C");
    for name in [None, Some(String::new())] {
        let contexts = vec![Context { type_id: Some(type_id), name, ..Context::default() }];
        fresh.refused(InvalidArgument, PutContextsRequest { contexts, ..Default::default() });
    }
    let id = fresh.contexts([context(type_id, "c")])[0];
    let contexts = vec![Context { id: Some(id), ..Context::default() }];
    fresh.refused(InvalidArgument, PutContextsRequest { contexts, ..Default::default() });
}

fn an_unknown_state_is_refused(fresh: &Fresh) {
    let type_id = fresh.artifact_type("A");
    let node = Artifact { state: Some(99), ..super::artifact(type_id) };
    fresh.refused(InvalidArgument, put(vec![node]));
    let executions =
        vec![Execution { last_known_state: Some(-1), ..new_execution(fresh.execution_type("E")) }];
    fresh.refused(InvalidArgument, PutExecutionsRequest { executions, ..Default::default() });
}

fn an_update_replaces_everything_but_the_name(fresh: &Fresh) {
    let type_id = fresh.artifact_type("A");
    let node = Artifact {
        uri: Some("u".into()),
        state: Some(2),
        external_id: Some("e".into()),
        properties: properties([("i", int(1)), ("s", text("x"))]),
        custom_properties: properties([("c", int(1))]),
        ..named_artifact(type_id, "n")
    };
    let id = fresh.artifacts([node])[0];
    let properties = properties([("i", int(2))]);
    let update = Artifact { id: Some(id), properties, ..Artifact::default() };
    fresh.artifacts([Artifact { name: Some("ignored".into()), ..update.clone() }]);
    let stored = fresh.artifact(id);
    assert_eq!(stored.name(), "n");
    assert_eq!(stored.properties, update.properties);
    assert!(stored.custom_properties.is_empty());
    assert_eq!((stored.uri(), stored.state, &stored.external_id), ("", None, &None));
}

fn a_context_is_renamed_by_an_update(fresh: &Fresh) {
    let type_id = fresh.context_type("C");
    let id = fresh.contexts([context(type_id, "old")])[0];
    fresh.contexts([Context { id: Some(id), ..context(type_id, "new") }]);
    let request = GetContextsByIdRequest { context_ids: vec![id], ..Default::default() };
    assert_eq!(fresh.call(request).contexts[0].name(), "new");
}

fn an_update_of_something_unknown_or_of_another_type_is_refused(fresh: &Fresh) {
    let type_id = fresh.artifact_type("A");
    let other = fresh.artifact_type("B");
    let id = fresh.artifacts([super::artifact(type_id)])[0];
    for unknown in [999, 0, -1] {
        let node = Artifact { id: Some(unknown), ..super::artifact(type_id) };
        fresh.refused(InvalidArgument, put(vec![node]));
    }
    let node = Artifact { id: Some(id), ..super::artifact(other) };
    fresh.refused(InvalidArgument, put(vec![node]));
    fresh.artifacts([Artifact { id: Some(id), ..Artifact::default() }]);
}

fn an_update_that_takes_a_name_or_external_id_is_refused(fresh: &Fresh) {
    let type_id = fresh.context_type("C");
    let ids = fresh.contexts([context(type_id, "a"), context(type_id, "b")]);
    let contexts = vec![Context { id: Some(ids[1]), ..context(type_id, "a") }];
    let error = fresh.refused(Internal, PutContextsRequest { contexts, ..Default::default() });
    assert!(error.message().contains("`a`"), "{error}");
}

fn only_a_change_moves_the_update_time(fresh: &Fresh) {
    let type_id = fresh.artifact_type("A");
    let properties = properties([("i", int(1)), ("d", double(0.1))]);
    let id = fresh.artifacts([Artifact { properties, ..named_artifact(type_id, "n") }])[0];
    let read = fresh.artifact(id);
    std::thread::sleep(std::time::Duration::from_millis(3));
    fresh.artifacts([read.clone()]);
    assert_eq!(fresh.artifact(id), read);
    // The same data without the output-only type counts as a change, as in MLMD.
    fresh.artifacts([Artifact { r#type: None, ..read.clone() }]);
    let moved = fresh.artifact(id);
    assert!(moved.last_update_time_since_epoch > read.last_update_time_since_epoch);
    assert_eq!(moved.create_time_since_epoch, read.create_time_since_epoch);
}

fn a_mask_limits_what_an_update_touches(fresh: &Fresh) {
    let type_id = fresh.artifact_type("A");
    let node = Artifact {
        uri: Some("u".into()),
        state: Some(1),
        properties: properties([("i", int(1)), ("s", text("x"))]),
        custom_properties: properties([("c", int(1))]),
        ..super::artifact(type_id)
    };
    let id = fresh.artifacts([node.clone()])[0];
    let change = Artifact {
        id: Some(id),
        state: Some(2),
        properties: properties([("i", int(2)), ("unknown", int(3))]),
        ..Artifact::default()
    };
    fresh.call(masked(change.clone(), &["state", "properties.i", "nonsense", "id"]));
    let stored = fresh.artifact(id);
    assert_eq!(stored.uri(), "u");
    assert_eq!(stored.state(), artifact::State::Live);
    assert_eq!(stored.properties, properties([("i", int(2)), ("s", text("x"))]));
    assert_eq!(stored.custom_properties, node.custom_properties);
    fresh.refused(InvalidArgument, masked(change.clone(), &["properties"]));
    fresh.call(masked(change, &["properties.s", "custom_properties", "uri"]));
    let stored = fresh.artifact(id);
    assert_eq!(stored.properties, properties([("i", int(2))]));
    assert_eq!((stored.uri(), &stored.custom_properties), ("", &BTreeMap::new()));
}

fn an_update_is_refused_when_the_node_was_changed_meanwhile(fresh: &Fresh) {
    let type_id = fresh.artifact_type("A");
    let id = fresh.artifacts([super::artifact(type_id)])[0];
    let read = fresh.artifact(id);
    let checked = |artifact| PutArtifactsRequest {
        options: Some(put_artifacts_request::Options {
            abort_if_latest_updated_time_changed: Some(true),
        }),
        ..put(vec![artifact])
    };
    fresh.call(checked(Artifact { state: Some(1), ..read.clone() }));
    let moved = fresh.artifact(id);
    assert!(moved.last_update_time_since_epoch > read.last_update_time_since_epoch);
    fresh.refused(FailedPrecondition, checked(Artifact { state: Some(2), ..read }));
    assert_eq!(fresh.artifact(id), moved);
    fresh.call(checked(super::artifact(type_id)));
}

fn a_property_and_a_custom_property_of_one_name_are_independent(fresh: &Fresh) {
    let type_id = fresh.artifact_type("A");
    let both = |own: i64, custom: i64| Artifact {
        properties: properties([("i", int(own))]),
        custom_properties: properties([("i", int(custom))]),
        ..super::artifact(type_id)
    };
    let id = fresh.artifacts([both(1, 2)])[0];
    fresh.artifacts([Artifact { id: Some(id), ..both(3, 2) }]);
    assert_eq!(fresh.artifact(id).custom_properties["i"], int(2));
    let properties = properties([("i", int(3))]);
    fresh.artifacts([Artifact { id: Some(id), properties, ..Artifact::default() }]);
    let stored = fresh.artifact(id);
    assert_eq!((stored.properties["i"].clone(), stored.custom_properties.len()), (int(3), 0));
}

fn a_batch_is_all_or_nothing_and_keeps_its_order(fresh: &Fresh) {
    let type_id = fresh.artifact_type("A");
    let first = fresh.artifacts([named_artifact(type_id, "a")])[0];
    let bad = vec![named_artifact(type_id, "b"), named_artifact(999, "c")];
    fresh.refused(NotFound, put(bad));
    // The database refuses the second element before the third is looked at.
    let bad =
        vec![named_artifact(type_id, "b"), named_artifact(type_id, "a"), named_artifact(999, "c")];
    fresh.refused(AlreadyExists, put(bad));
    let next = fresh.artifacts([named_artifact(type_id, "b"), named_artifact(type_id, "c")]);
    // An attempt that failed may have used ids up.
    assert!(first < next[0] && next[0] < next[1], "{first} {next:?}");
}

fn one_request_may_make_and_update_the_same_node_again(fresh: &Fresh) {
    let type_id = fresh.artifact_type("A");
    let id = fresh.artifacts([super::artifact(type_id)])[0];
    let state = |state| Artifact { id: Some(id), state: Some(state), ..Artifact::default() };
    let ids = fresh.artifacts([state(1), super::artifact(type_id), state(2), state(3)]);
    assert_eq!(ids, [id, id + 1, id, id]);
    assert_eq!(fresh.artifact(id).state, Some(3));
}

fn nodes_by_id_come_once_and_unknown_ids_are_passed_over(fresh: &Fresh) {
    let type_id = fresh.execution_type("E");
    let state = Some(execution::State::Running as i32);
    let id = fresh.executions([Execution { last_known_state: state, ..new_execution(type_id) }])[0];
    let execution_ids = vec![id, 999, id, -1];
    let request = GetExecutionsByIdRequest { execution_ids, ..Default::default() };
    let found = fresh.call(request).executions;
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].last_known_state, found[0].r#type()), (state, "E"));
    assert!(fresh.call(GetArtifactsByIdRequest::default()).artifacts.is_empty());
}

fn artifacts_are_found_by_uri_name_and_external_id(fresh: &Fresh) {
    let type_id = fresh.artifact_type("A");
    let node = |uri: &str, name: &str| Artifact {
        uri: Some(uri.into()),
        external_id: Some(format!("e-{name}")),
        ..named_artifact(type_id, name)
    };
    let ids = fresh.artifacts([node("u", "a"), node("u", "b"), node("v", "c")]);
    let uris = vec!["u".to_owned(), "u".to_owned(), "none".to_owned()];
    let found = fresh.call(GetArtifactsByUriRequest { uris, ..Default::default() }).artifacts;
    assert_eq!(found.iter().map(Artifact::id).collect::<Vec<_>>(), ids[..2]);

    let by_name = |type_name: &str, name: &str| GetArtifactByTypeAndNameRequest {
        type_name: Some(type_name.to_owned()),
        artifact_name: Some(name.to_owned()),
        ..Default::default()
    };
    assert_eq!(fresh.call(by_name("A", "c")).artifact.unwrap().id(), ids[2]);
    assert_eq!(fresh.call(by_name("A", "none")).artifact, None);
    assert_eq!(fresh.call(by_name("none", "c")).artifact, None);

    let by_external = |ids: &[&str]| GetArtifactsByExternalIdsRequest {
        external_ids: ids.iter().map(|&id| id.to_owned()).collect(),
        ..Default::default()
    };
    let found = fresh.call(by_external(&["e-b", "none"])).artifacts;
    assert_eq!(found.iter().map(Artifact::id).collect::<Vec<_>>(), ids[1..2]);
    fresh.refused(NotFound, by_external(&["none"]));
    fresh.refused(InvalidArgument, by_external(&["e-a", ""]));
}

fn types_of_artifacts_come_along_on_request(fresh: &Fresh) {
    let first = fresh.artifact_type("A");
    let second = fresh.artifact_type("B");
    let artifact_ids =
        fresh.artifacts([super::artifact(second), super::artifact(first), super::artifact(second)]);
    let request = GetArtifactsByIdRequest {
        artifact_ids,
        populate_artifact_types: Some(true),
        ..Default::default()
    };
    let found = fresh.call(request);
    let names: Vec<_> = found.artifact_types.iter().map(|found| found.name()).collect();
    assert_eq!((found.artifacts.len(), names), (3, vec!["A", "B"]));
}
