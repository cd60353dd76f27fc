//! Events: both ends exist, one of each type per pair, with or without a path.

use headwater_proto::ml_metadata::event::Path;
use headwater_proto::ml_metadata::event::path::{Step, step};
use headwater_proto::ml_metadata::{
    Event, GetEventsByArtifactIDsRequest, GetEventsByExecutionIDsRequest, PutEventsRequest, event,
};
use headwater_store::ErrorKind::{AlreadyExists, InvalidArgument};

use super::{Fresh, artifact, behaviours, execution};

behaviours! {
    an_event_reads_back_from_both_ends_with_its_path
    the_time_of_an_event_is_now_unless_it_is_given
    an_event_without_ends_or_type_is_refused
    an_event_on_something_unknown_is_refused_and_nothing_is_written
    the_same_event_is_recorded_once
    events_of_nothing_are_none
}

fn pair(fresh: &Fresh) -> (i64, i64) {
    let artifact = fresh.artifacts([artifact(fresh.artifact_type("A"))])[0];
    let execution = fresh.executions([execution(fresh.execution_type("E"))])[0];
    (artifact, execution)
}

fn event((artifact_id, execution_id): (i64, i64), of: event::Type) -> Event {
    Event {
        artifact_id: Some(artifact_id),
        execution_id: Some(execution_id),
        r#type: Some(of as i32),
        ..Event::default()
    }
}

fn put(events: &[Event]) -> PutEventsRequest {
    PutEventsRequest { events: events.to_vec(), ..Default::default() }
}

fn of_artifact(fresh: &Fresh, id: i64) -> Vec<Event> {
    let artifact_ids = vec![id];
    fresh.call(GetEventsByArtifactIDsRequest { artifact_ids, ..Default::default() }).events
}

fn an_event_reads_back_from_both_ends_with_its_path(fresh: &Fresh) {
    let pair = pair(fresh);
    let steps = vec![
        Step { value: Some(step::Value::Key("examples".into())) },
        Step { value: None },
        Step { value: Some(step::Value::Index(0)) },
        Step { value: Some(step::Value::Key(String::new())) },
    ];
    let path = Path { steps: steps.clone() };
    let recorded = Event {
        path: Some(path),
        milliseconds_since_epoch: Some(0),
        ..event(pair, event::Type::Input)
    };
    let bare = Event { path: Some(Path::default()), ..event(pair, event::Type::Output) };
    fresh.call(put(&[recorded, bare]));
    let read = of_artifact(fresh, pair.0);
    let without_the_empty_step: Vec<_> =
        steps.into_iter().filter(|step| step.value.is_some()).collect();
    assert_eq!(read[0].path.as_ref().unwrap().steps, without_the_empty_step);
    assert_eq!(read[0].milliseconds_since_epoch, Some(0));
    assert_eq!(read[1].path, None);
    let request =
        GetEventsByExecutionIDsRequest { execution_ids: vec![pair.1], ..Default::default() };
    assert_eq!(fresh.call(request).events, read);
}

fn the_time_of_an_event_is_now_unless_it_is_given(fresh: &Fresh) {
    let pair = pair(fresh);
    fresh.call(put(&[event(pair, event::Type::Input)]));
    assert!(of_artifact(fresh, pair.0)[0].milliseconds_since_epoch() > 1_600_000_000_000);
}

fn an_event_without_ends_or_type_is_refused(fresh: &Fresh) {
    let pair = pair(fresh);
    let whole = event(pair, event::Type::Input);
    for broken in [
        Event { artifact_id: None, ..whole.clone() },
        Event { execution_id: None, ..whole.clone() },
        Event { r#type: None, ..whole.clone() },
        Event { r#type: Some(0), ..whole.clone() },
        Event { r#type: Some(99), ..whole.clone() },
    ] {
        fresh.refused(InvalidArgument, put(&[whole.clone(), broken]));
    }
    assert!(of_artifact(fresh, pair.0).is_empty());
}

fn an_event_on_something_unknown_is_refused_and_nothing_is_written(fresh: &Fresh) {
    let pair = pair(fresh);
    let good = event(pair, event::Type::Input);
    for unknown in [(999, pair.1), (pair.0, 999), (-1, -1)] {
        fresh.refused(InvalidArgument, put(&[good.clone(), event(unknown, event::Type::Input)]));
    }
    assert!(of_artifact(fresh, pair.0).is_empty());
}

fn the_same_event_is_recorded_once(fresh: &Fresh) {
    let pair = pair(fresh);
    fresh.call(put(&[event(pair, event::Type::Input), event(pair, event::Type::Output)]));
    let error = fresh.refused(AlreadyExists, put(&[event(pair, event::Type::Input)]));
    assert!(error.message().contains("INPUT"), "{error}");
}

fn events_of_nothing_are_none(fresh: &Fresh) {
    assert!(of_artifact(fresh, 999).is_empty());
    assert!(fresh.call(GetEventsByArtifactIDsRequest::default()).events.is_empty());
}
