//! Memoized steps: what was complete is found by what it ran on, and one at a time runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use headwater_proto::headwater::v1::{
    BeginStepRequest, BeginStepResponse, ExplainStepRequest, FinishStepRequest, ForgetStepsRequest,
};
use headwater_proto::ml_metadata::{
    Event, Execution, PutEventsRequest, PutExecutionsRequest, event, execution::State,
};
use headwater_store::ErrorKind::{InvalidArgument, NotFound};

use super::{Fresh, behaviours, execution, int, named_artifact, text};

behaviours! {
    a_step_that_was_complete_is_found_with_its_outputs
    only_what_was_complete_is_found
    one_runs_and_the_others_wait
    a_claim_lasts_as_long_as_it_says
    what_is_too_old_refused_or_forgotten_runs_again
    concurrent_steps_run_once
    a_lookup_costs_the_same_in_any_history
    an_explanation_names_the_parts_that_differ
    what_is_no_step_is_refused
}

fn request(parts: &[(&str, &str)], claimant: &str) -> BeginStepRequest {
    let parts = parts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    BeginStepRequest {
        name: "featurize".to_owned(),
        parts: parts.collect(),
        claimant: claimant.to_owned(),
        lease_ms: 60_000,
        ..BeginStepRequest::default()
    }
}

fn begin(fresh: &Fresh, parts: &[(&str, &str)], claimant: &str) -> BeginStepResponse {
    fresh.call(request(parts, claimant))
}

fn finish(fresh: &Fresh, begun: &BeginStepResponse, claimant: &str, id: Option<i64>) -> bool {
    let fingerprint = begun.fingerprint.clone();
    let claimant = claimant.to_owned();
    fresh.call(FinishStepRequest { fingerprint, claimant, execution_id: id }).is_stored
}

/// An execution of the step that put out an artifact.
fn made(fresh: &Fresh, state: State, parts: &[(&str, &str)]) -> (i64, i64) {
    let mut custom: BTreeMap<_, _> =
        parts.iter().map(|(name, value)| (format!("step.part.{name}"), text(value))).collect();
    custom.insert("step.name".to_owned(), text("featurize"));
    let type_id = fresh.execution_type("Step");
    let step = Execution {
        last_known_state: Some(state as i32),
        custom_properties: custom,
        ..execution(type_id)
    };
    let id = fresh.executions([step])[0];
    let artifact_type = fresh.artifact_type("Dataset");
    let artifact = fresh.artifacts([named_artifact(artifact_type, &format!("features-{id}"))])[0];
    let mut events = Vec::new();
    for (kind, artifact_id) in [(event::Type::Output, artifact), (event::Type::Input, artifact)] {
        let (artifact_id, execution_id) = (Some(artifact_id), Some(id));
        let r#type = Some(kind as i32);
        events.push(Event { artifact_id, execution_id, r#type, ..Event::default() });
    }
    fresh.call(PutEventsRequest { events, ..Default::default() });
    (id, artifact)
}

const PARTS: &[(&str, &str)] = &[("code", "sha256:c"), ("input.raw", "sha256:r")];

fn a_step_that_was_complete_is_found_with_its_outputs(fresh: &Fresh) {
    let first = begin(fresh, PARTS, "a");
    assert!(first.is_claimed && first.execution.is_none());
    let (id, artifact) = made(fresh, State::Complete, PARTS);
    assert!(finish(fresh, &first, "a", Some(id)));
    let second = begin(fresh, PARTS, "b");
    assert!(!second.is_claimed);
    assert_eq!(second.fingerprint, first.fingerprint);
    assert_eq!(second.execution.unwrap().id, Some(id));
    let found = second.events.iter().map(|event| (event.artifact_id(), event.r#type()));
    assert_eq!(found.collect::<Vec<_>>(), [(artifact, event::Type::Output)]);
    assert_eq!(second.artifacts[0].id, Some(artifact));
    for parts in [
        &[("code", "sha256:c"), ("input.raw", "sha256:other")][..],
        &[("code", "sha256:c")],
        &[("code", "sha256:c"), ("input.raw2", "sha256:r")],
        &[("code", "sha256:cinput.raw"), ("", "")],
        &[],
    ] {
        if parts.iter().all(|(name, _)| !name.is_empty()) {
            assert!(begin(fresh, parts, "c").is_claimed, "{parts:?}");
        }
    }
    let other = BeginStepRequest { name: "other".into(), ..request(PARTS, "c") };
    assert!(fresh.call(other).is_claimed);
}

fn only_what_was_complete_is_found(fresh: &Fresh) {
    let begun = begin(fresh, PARTS, "a");
    assert!(finish(fresh, &begun, "a", None), "it failed");
    let again = begin(fresh, PARTS, "b");
    assert!(again.is_claimed);
    // One that says it is complete, and is marked as failed later.
    let (id, _) = made(fresh, State::Complete, PARTS);
    assert!(finish(fresh, &again, "b", Some(id)));
    let failed = Execution {
        id: Some(id),
        last_known_state: Some(State::Failed as i32),
        ..execution(fresh.execution_type("Step"))
    };
    fresh.call(PutExecutionsRequest { executions: vec![failed], ..Default::default() });
    assert!(begin(fresh, PARTS, "c").is_claimed);
}

fn one_runs_and_the_others_wait(fresh: &Fresh) {
    let first = begin(fresh, PARTS, "a");
    let other = begin(fresh, PARTS, "b");
    assert!(!other.is_claimed && other.execution.is_none());
    assert!((1..=60_000).contains(&other.wait_ms), "{}", other.wait_ms);
    assert!(begin(fresh, PARTS, "a").is_claimed, "who asks again keeps it");
    let (id, _) = made(fresh, State::Complete, PARTS);
    assert!(!finish(fresh, &first, "b", Some(id)), "it is not b's");
    assert!(begin(fresh, PARTS, "c").execution.is_none());
    assert!(finish(fresh, &first, "a", Some(id)));
    assert!(!finish(fresh, &first, "a", None), "it is over");
    assert_eq!(begin(fresh, PARTS, "b").execution.unwrap().id, Some(id));
}

fn a_claim_lasts_as_long_as_it_says(fresh: &Fresh) {
    let short = BeginStepRequest { lease_ms: 1_000, ..request(PARTS, "dies") };
    let first = fresh.call(short);
    assert!(first.is_claimed);
    let waiting = begin(fresh, PARTS, "b");
    assert!(!waiting.is_claimed && waiting.wait_ms <= 1_000);
    thread::sleep(Duration::from_millis(u64::try_from(waiting.wait_ms).unwrap() + 20));
    assert!(begin(fresh, PARTS, "b").is_claimed);
    let (id, _) = made(fresh, State::Complete, PARTS);
    assert!(!finish(fresh, &first, "dies", Some(id)), "it is b's now");
}

fn what_is_too_old_refused_or_forgotten_runs_again(fresh: &Fresh) {
    let begun = begin(fresh, PARTS, "a");
    let (id, _) = made(fresh, State::Complete, PARTS);
    finish(fresh, &begun, "a", Some(id));
    let young = BeginStepRequest { age_ms_max: Some(3_600_000), ..request(PARTS, "b") };
    assert!(fresh.call(young).execution.is_some());
    let old = BeginStepRequest { age_ms_max: Some(-1), ..request(PARTS, "b") };
    assert!(fresh.call(old).is_claimed);
    let (id, _) = made(fresh, State::Complete, PARTS);
    finish(fresh, &begun, "b", Some(id));
    let refused = vec![id];
    let refusing = BeginStepRequest { refused_execution_ids: refused, ..request(PARTS, "c") };
    assert!(fresh.call(refusing).is_claimed);
    finish(fresh, &begun, "c", Some(id));
    let other = begin(fresh, &[("code", "sha256:d")], "c");
    finish(fresh, &other, "c", Some(id));
    let forget = |fingerprint: &str, name: &str| {
        let (fingerprint, name) = (fingerprint.to_owned(), name.to_owned());
        fresh.call(ForgetStepsRequest { fingerprint, name }).steps
    };
    assert_eq!(forget(&begun.fingerprint, ""), 1);
    assert!(begin(fresh, PARTS, "d").is_claimed);
    assert_eq!(forget("", "featurize"), 2);
    assert_eq!(forget("", "featurize"), 0);
    assert!(begin(fresh, &[("code", "sha256:d")], "e").is_claimed);
}

fn concurrent_steps_run_once(fresh: &Fresh) {
    let ids: Vec<i64> = (0..4).map(|_| made(fresh, State::Complete, PARTS).0).collect();
    let runs = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = ids
        .into_iter()
        .map(|id| {
            let (store, runs) = (Arc::clone(&fresh.store), Arc::clone(&runs));
            thread::spawn(move || {
                let claimant = id.to_string();
                for _ in 0..1000 {
                    let begun = store.call(&request(PARTS, &claimant)).unwrap();
                    if begun.is_claimed {
                        runs.fetch_add(1, Ordering::SeqCst);
                        let fingerprint = begun.fingerprint;
                        let execution_id = Some(id);
                        let done = FinishStepRequest {
                            fingerprint,
                            claimant: claimant.clone(),
                            execution_id,
                        };
                        assert!(store.call(&done).unwrap().is_stored);
                    } else if let Some(found) = begun.execution {
                        return found.id();
                    }
                    thread::sleep(Duration::from_millis(2));
                }
                panic!("it never ended");
            })
        })
        .collect();
    let found: Vec<i64> = threads.into_iter().map(|of| of.join().unwrap()).collect();
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    assert!(found.iter().all(|id| *id == found[0]), "{found:?}");
}

fn a_lookup_costs_the_same_in_any_history(fresh: &Fresh) {
    let begun = begin(fresh, PARTS, "a");
    let (id, _) = made(fresh, State::Complete, PARTS);
    finish(fresh, &begun, "a", Some(id));
    begin(fresh, PARTS, "b");
    let costs = fresh.last_statements();
    let expected = [
        "step_select_by_fingerprint",
        "execution_select_by_id",
        "execution_property_select_by_id",
        "event_select_by_execution_and_type",
        "event_path_select_by_event",
        "artifact_select_by_id",
        "artifact_property_select_by_id",
    ];
    assert_eq!(costs, expected);
    for at in 0..200 {
        begin(fresh, &[("code", &format!("sha256:{at}"))], "a");
    }
    begin(fresh, PARTS, "b");
    assert_eq!(fresh.last_statements(), expected);
}

fn an_explanation_names_the_parts_that_differ(fresh: &Fresh) {
    let explain = |execution_id| fresh.call(ExplainStepRequest { execution_id });
    let (first, _) = made(fresh, State::Complete, PARTS);
    let found = explain(first);
    assert_eq!(found.text, "ran: no step `featurize` was complete before");
    assert!(found.nearest.is_none() && found.execution.unwrap().id == Some(first));
    made(fresh, State::Complete, &[("code", "sha256:x"), ("input.raw", "sha256:y")]);
    made(fresh, State::Failed, PARTS);
    let differs = &[("code", "sha256:c"), ("input.raw", "sha256:r2"), ("params.k", "3")];
    let (second, _) = made(fresh, State::Running, differs);
    let found = explain(second);
    assert_eq!(
        found.text,
        format!(
            "ran: against execution {first}, input.raw is sha256:r2 instead of sha256:r; \
             params.k is new"
        )
    );
    assert_eq!(found.nearest.unwrap().id, Some(first));
    let names: Vec<&str> = found.different.iter().map(|part| &*part.name).collect();
    assert_eq!(names, ["input.raw", "params.k"]);
    let (same, _) = made(fresh, State::Complete, PARTS);
    let text_of = |id| explain(id).text;
    assert!(text_of(same).contains(&format!("though execution {first} ran on the same")));
    let mut cached = Execution {
        last_known_state: Some(State::Cached as i32),
        ..execution(fresh.execution_type("Step"))
    };
    cached.custom_properties.insert("step.name".into(), text("featurize"));
    cached.custom_properties.insert("step.same_as".into(), int(first));
    let cached = fresh.executions([cached])[0];
    assert!(text_of(cached).starts_with(&format!("skipped: execution {first}")));
}

fn what_is_no_step_is_refused(fresh: &Fresh) {
    let long = "x".repeat(1001);
    let bad = [
        BeginStepRequest { name: String::new(), ..request(PARTS, "a") },
        BeginStepRequest { name: "x".repeat(201), ..request(PARTS, "a") },
        request(PARTS, ""),
        request(PARTS, &"x".repeat(65)),
        BeginStepRequest { lease_ms: 999, ..request(PARTS, "a") },
        BeginStepRequest { lease_ms: 86_400_001, ..request(PARTS, "a") },
        request(&[("", "a")], "a"),
        request(&[("a", &long)], "a"),
        request(&[(&long, "a")], "a"),
    ];
    for request in bad {
        fresh.refused(InvalidArgument, request);
    }
    let many: Vec<String> = (0..1001).map(|at| at.to_string()).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|name| (&**name, "")).collect();
    fresh.refused(InvalidArgument, request(&many, "a"));
    let (fingerprint, name) = ("a".to_owned(), "b".to_owned());
    fresh.refused(InvalidArgument, ForgetStepsRequest { fingerprint, name });
    fresh.refused(InvalidArgument, ForgetStepsRequest::default());
    fresh.refused(NotFound, ExplainStepRequest { execution_id: 99 });
    let plain = fresh.executions([execution(fresh.execution_type("Train"))])[0];
    fresh.refused(InvalidArgument, ExplainStepRequest { execution_id: plain });
    let begun = begin(fresh, PARTS, "a");
    let (fingerprint, claimant) = (begun.fingerprint, "a".to_owned());
    let of_nobody = FinishStepRequest { fingerprint, claimant, execution_id: Some(99_999) };
    fresh.refused(InvalidArgument, of_nobody);
}
