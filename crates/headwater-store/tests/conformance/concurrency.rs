//! Many threads on one store.

use std::collections::HashSet;
use std::sync::Arc;
use std::thread;

use headwater_proto::ml_metadata::put_execution_request::{ArtifactAndEvent, Options};
use headwater_proto::ml_metadata::{
    Artifact, ArtifactType, Event, GetArtifactsByContextRequest, GetExecutionsRequest,
    PutArtifactTypeRequest, PutContextTypeRequest, PutExecutionRequest, PutLineageSubgraphRequest,
    event, put_lineage_subgraph_request,
};

use super::{Fresh, artifact, behaviours, context, execution};

behaviours! {
    writers_queue_and_none_fails
    a_type_is_made_once_however_many_make_it
    a_type_gets_one_base_type
    an_artifact_that_many_put_by_its_external_id_is_one
    readers_see_whole_steps_only
}

fn writers_queue_and_none_fails(fresh: &Fresh) {
    let (artifact_type, execution_type) = (fresh.artifact_type("A"), fresh.execution_type("E"));
    let context_type = fresh.context_type("C");
    let request = PutExecutionRequest {
        execution: Some(execution(execution_type)),
        artifact_event_pairs: vec![ArtifactAndEvent {
            artifact: Some(artifact(artifact_type)),
            event: Some(Event { r#type: Some(event::Type::Output as i32), ..Event::default() }),
        }],
        contexts: vec![context(context_type, "shared")],
        options: Some(Options { reuse_context_if_already_exist: Some(true), ..Options::default() }),
        ..PutExecutionRequest::default()
    };
    let writers: Vec<_> = (0..8)
        .map(|_| {
            let (store, request) = (Arc::clone(&fresh.store), request.clone());
            thread::spawn(move || -> Vec<i64> {
                (0..25).map(|_| store.call(&request).unwrap().execution_id()).collect()
            })
        })
        .collect();
    let ids: Vec<i64> = writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
    let distinct: HashSet<i64> = ids.iter().copied().collect();
    assert_eq!((ids.len(), distinct.len()), (200, 200));
    assert_eq!(fresh.call(GetExecutionsRequest::default()).executions.len(), 200);
}

fn a_type_is_made_once_however_many_make_it(fresh: &Fresh) {
    for round in 0..20 {
        let context_type = headwater_proto::ml_metadata::ContextType {
            name: Some(format!("C{round}")),
            ..Default::default()
        };
        let request =
            PutContextTypeRequest { context_type: Some(context_type), ..Default::default() };
        let makers: Vec<_> = (0..8)
            .map(|_| {
                let (store, request) = (Arc::clone(&fresh.store), request.clone());
                thread::spawn(move || store.call(&request).unwrap().type_id())
            })
            .collect();
        let ids: HashSet<i64> = makers.into_iter().map(|maker| maker.join().unwrap()).collect();
        assert_eq!(ids.len(), 1);
    }
}

fn a_type_gets_one_base_type(fresh: &Fresh) {
    for round in 0..5 {
        let name = format!("A{round}");
        fresh.artifact_type(&name);
        let makers: Vec<_> = (1..=4)
            .map(|base_type| {
                let artifact_type = ArtifactType {
                    name: Some(name.clone()),
                    base_type: Some(base_type),
                    ..Default::default()
                };
                let request = PutArtifactTypeRequest {
                    artifact_type: Some(artifact_type),
                    can_omit_fields: Some(true),
                    ..Default::default()
                };
                let store = Arc::clone(&fresh.store);
                thread::spawn(move || store.call(&request).map_err(|error| error.kind()))
            })
            .collect();
        let done: Vec<_> = makers.into_iter().map(|maker| maker.join().unwrap()).collect();
        assert_eq!(done.iter().filter(|one| one.is_ok()).count(), 1, "{done:?}");
    }
}

fn an_artifact_that_many_put_by_its_external_id_is_one(fresh: &Fresh) {
    let type_id = fresh.artifact_type("A");
    for round in 0..5 {
        let request = PutLineageSubgraphRequest {
            artifacts: vec![Artifact {
                external_id: Some(format!("e{round}")),
                ..artifact(type_id)
            }],
            options: Some(put_lineage_subgraph_request::Options {
                reuse_artifact_if_already_exist_by_external_id: Some(true),
                ..Default::default()
            }),
            ..Default::default()
        };
        let makers: Vec<_> = (0..6)
            .map(|_| {
                let (store, request) = (Arc::clone(&fresh.store), request.clone());
                thread::spawn(move || store.call(&request).unwrap().artifact_ids)
            })
            .collect();
        let ids: HashSet<_> = makers.into_iter().map(|maker| maker.join().unwrap()).collect();
        assert_eq!(ids.len(), 1);
    }
}

fn readers_see_whole_steps_only(fresh: &Fresh) {
    let (artifact_type, execution_type) = (fresh.artifact_type("A"), fresh.execution_type("E"));
    let context_id = fresh.contexts([context(fresh.context_type("C"), "c")])[0];
    let by_id =
        headwater_proto::ml_metadata::Context { id: Some(context_id), ..Default::default() };
    let pair = ArtifactAndEvent { artifact: Some(artifact(artifact_type)), event: None };
    let step = PutExecutionRequest {
        execution: Some(execution(execution_type)),
        artifact_event_pairs: vec![pair; 5],
        contexts: vec![by_id],
        options: Some(Options { force_reuse_context: Some(true), ..Options::default() }),
        ..PutExecutionRequest::default()
    };
    let store = Arc::clone(&fresh.store);
    let writer = thread::spawn(move || {
        for _ in 0..60 {
            store.call(&step).unwrap();
        }
    });
    let members =
        GetArtifactsByContextRequest { context_id: Some(context_id), ..Default::default() };
    while !writer.is_finished() {
        let now = fresh.store.call(&members).unwrap();
        assert_eq!(now.artifacts.len() % 5, 0);
    }
    writer.join().unwrap();
    assert_eq!(fresh.call(members).artifacts.len(), 300);
}
