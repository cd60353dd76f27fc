//! Many threads on one store.

use std::collections::HashSet;
use std::sync::Arc;
use std::thread;

use headwater_proto::ml_metadata::put_execution_request::{ArtifactAndEvent, Options};
use headwater_proto::ml_metadata::{
    Event, GetArtifactsByContextRequest, GetExecutionsRequest, PutContextTypeRequest,
    PutExecutionRequest, event,
};

use super::{Fresh, artifact, behaviours, context, execution};

behaviours! {
    writers_queue_and_none_fails
    a_type_is_made_once_however_many_make_it
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
        assert_eq!(fresh.call(members.clone()).artifacts.len() % 5, 0);
    }
    writer.join().unwrap();
    assert_eq!(fresh.call(members).artifacts.len(), 300);
}
