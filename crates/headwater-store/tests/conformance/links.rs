//! Links of contexts: members and relatives.

use headwater_proto::ml_metadata::{
    Association, Attribution, Context, GetArtifactsByContextRequest,
    GetChildrenContextsByContextRequest, GetChildrenContextsByContextsRequest,
    GetContextsByArtifactRequest, GetContextsByExecutionRequest, GetExecutionsByContextRequest,
    GetParentContextsByContextRequest, GetParentContextsByContextsRequest, ParentContext,
    PutAttributionsAndAssociationsRequest, PutParentContextsRequest,
};
use headwater_store::ErrorKind::{AlreadyExists, InvalidArgument, NotFound};

use super::{Fresh, artifact, behaviours, context, execution};

behaviours! {
    members_are_found_from_both_sides
    a_link_that_is_there_already_stays
    a_link_to_something_unknown_is_refused
    a_node_without_contexts_is_not_found_but_an_empty_context_is_empty
    parents_and_children_are_found_from_both_sides
    a_parent_link_is_made_once_and_never_in_a_circle
}

fn ids(contexts: &[Context]) -> Vec<i64> {
    contexts.iter().map(Context::id).collect()
}

fn link(
    context: i64,
    artifacts: &[i64],
    executions: &[i64],
) -> PutAttributionsAndAssociationsRequest {
    let context_id = Some(context);
    let attribution =
        |id: &i64| Attribution { artifact_id: Some(*id), context_id, ..Default::default() };
    let association =
        |id: &i64| Association { execution_id: Some(*id), context_id, ..Default::default() };
    PutAttributionsAndAssociationsRequest {
        attributions: artifacts.iter().map(attribution).collect(),
        associations: executions.iter().map(association).collect(),
        ..Default::default()
    }
}

fn parent(child: i64, parent: i64) -> PutParentContextsRequest {
    let link =
        ParentContext { child_id: Some(child), parent_id: Some(parent), ..Default::default() };
    PutParentContextsRequest { parent_contexts: vec![link], ..Default::default() }
}

fn three_contexts(fresh: &Fresh) -> Vec<i64> {
    let type_id = fresh.context_type("C");
    fresh.contexts(["a", "b", "c"].map(|name| context(type_id, name)))
}

fn members_are_found_from_both_sides(fresh: &Fresh) {
    let contexts = three_contexts(fresh);
    let artifact_id = fresh.artifacts([artifact(fresh.artifact_type("A"))])[0];
    let execution_id = fresh.executions([execution(fresh.execution_type("E"))])[0];
    fresh.call(link(contexts[0], &[artifact_id], &[execution_id]));
    fresh.call(link(contexts[1], &[artifact_id], &[]));

    let of = GetContextsByArtifactRequest { artifact_id: Some(artifact_id), ..Default::default() };
    assert_eq!(ids(&fresh.call(of).contexts), contexts[..2]);
    let of =
        GetContextsByExecutionRequest { execution_id: Some(execution_id), ..Default::default() };
    assert_eq!(ids(&fresh.call(of).contexts), contexts[..1]);
    let context_id = Some(contexts[0]);
    let members = GetArtifactsByContextRequest { context_id, ..Default::default() };
    assert_eq!(fresh.call(members).artifacts[0].id(), artifact_id);
    let members = GetExecutionsByContextRequest { context_id, ..Default::default() };
    assert_eq!(fresh.call(members).executions[0].id(), execution_id);
}

fn a_link_that_is_there_already_stays(fresh: &Fresh) {
    let contexts = three_contexts(fresh);
    let artifact_id = fresh.artifacts([artifact(fresh.artifact_type("A"))])[0];
    fresh.call(link(contexts[0], &[artifact_id, artifact_id], &[]));
    fresh.call(link(contexts[0], &[artifact_id], &[]));
    let of = GetContextsByArtifactRequest { artifact_id: Some(artifact_id), ..Default::default() };
    assert_eq!(fresh.call(of).contexts.len(), 1);
}

fn a_link_to_something_unknown_is_refused(fresh: &Fresh) {
    let contexts = three_contexts(fresh);
    let artifact_id = fresh.artifacts([artifact(fresh.artifact_type("A"))])[0];
    fresh.refused(InvalidArgument, link(contexts[0], &[artifact_id, 999], &[]));
    fresh.refused(InvalidArgument, link(contexts[0], &[artifact_id], &[999]));
    fresh.refused(InvalidArgument, link(999, &[artifact_id], &[]));
    let of = GetContextsByArtifactRequest { artifact_id: Some(artifact_id), ..Default::default() };
    fresh.refused(NotFound, of);
}

fn a_node_without_contexts_is_not_found_but_an_empty_context_is_empty(fresh: &Fresh) {
    let of = GetContextsByExecutionRequest { execution_id: Some(1), ..Default::default() };
    fresh.refused(NotFound, of);
    let members = GetArtifactsByContextRequest { context_id: Some(999), ..Default::default() };
    assert!(fresh.call(members).artifacts.is_empty());
}

fn parents_and_children_are_found_from_both_sides(fresh: &Fresh) {
    let contexts = three_contexts(fresh);
    let [a, b, c] = contexts[..] else { panic!("three contexts") };
    fresh.call(parent(b, a));
    fresh.call(parent(c, a));
    fresh.call(parent(c, b));
    let of = GetParentContextsByContextRequest { context_id: Some(c), ..Default::default() };
    assert_eq!(ids(&fresh.call(of).contexts), [a, b]);
    let of = GetChildrenContextsByContextRequest { context_id: Some(a), ..Default::default() };
    assert_eq!(ids(&fresh.call(of).contexts), [b, c]);
    let of = GetChildrenContextsByContextRequest { context_id: Some(999), ..Default::default() };
    assert!(fresh.call(of).contexts.is_empty());

    let of =
        GetParentContextsByContextsRequest { context_ids: vec![a, b, c], ..Default::default() };
    let parents = fresh.call(of).contexts;
    assert_eq!(parents.keys().copied().collect::<Vec<_>>(), [b, c]);
    assert_eq!(ids(&parents[&c].parent_contexts), [a, b]);
    let of = GetChildrenContextsByContextsRequest { context_ids: vec![a, c], ..Default::default() };
    let children = fresh.call(of).contexts;
    assert_eq!(children.keys().copied().collect::<Vec<_>>(), [a]);
    fresh.refused(InvalidArgument, GetParentContextsByContextsRequest::default());
}

fn a_parent_link_is_made_once_and_never_in_a_circle(fresh: &Fresh) {
    let contexts = three_contexts(fresh);
    let [a, b, c] = contexts[..] else { panic!("three contexts") };
    fresh.call(parent(b, a));
    fresh.call(parent(c, b));
    fresh.refused(AlreadyExists, parent(b, a));
    for (child, of) in [(a, a), (a, b), (a, c), (a, 999), (999, a)] {
        fresh.refused(InvalidArgument, parent(child, of));
    }
    fresh.refused(
        InvalidArgument,
        PutParentContextsRequest {
            parent_contexts: vec![ParentContext::default()],
            ..Default::default()
        },
    );
}
