//! Lineage: as a breadth-first search by hand finds it, on random graphs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};

use headwater_proto::headwater::v1::{
    Direction as OwnDirection, ListArtifactsRequest, ListContextsRequest, TraceLineageRequest,
    TraceLineageResponse, traced_node,
};
use headwater_proto::ml_metadata::lineage_subgraph_query_options::{
    Direction, EndingNodes, StartingNodes, StartingNodesOneOf,
};
use headwater_proto::ml_metadata::{
    Artifact, Event, GetLineageGraphRequest, GetLineageSubgraphRequest, LineageGraph,
    LineageSubgraphQueryOptions, PutArtifactsRequest, PutAttributionsAndAssociationsRequest,
    PutEventsRequest, event,
};
use headwater_proto::ml_metadata::{Association, Attribution};
use headwater_store::ErrorKind::{InvalidArgument, NotFound, ResourceExhausted, Unimplemented};
use headwater_store::{Caller, Method};
use prost::Message as _;

use super::{Fresh, Random, artifact, behaviours, context, execution};

behaviours! {
    a_lineage_is_what_a_search_by_hand_finds
    a_search_ends_where_it_is_told_to
    the_mask_says_what_is_answered
    what_is_wrong_with_a_lineage_request_is_said
    a_hop_is_one_statement
    a_trace_is_what_a_search_by_hand_finds
    the_parts_of_a_trace_are_the_whole
    a_trace_leaves_out_what_is_not_kept_and_stops_where_it_is_told_to
    a_trace_counts_by_distance_and_type
    the_way_is_told_even_if_no_node_is_kept
    large_nodes_come_in_messages_that_clients_take
    a_query_that_nobody_waits_for_ends
    what_is_wrong_with_a_trace_is_said
}

/// A node: whether it is an artifact, and its id.
type Id = (bool, i64);

struct Graph {
    artifacts: Vec<i64>,
    executions: Vec<i64>,
    /// Artifact, execution, and whether the artifact was put out.
    events: Vec<(i64, i64, bool)>,
}

impl Graph {
    fn random(fresh: &Fresh, seed: u64, n: usize, n_events: usize) -> Self {
        let mut random = Random::new(seed);
        let types = [fresh.artifact_type("A"), fresh.artifact_type("B")];
        let execution_type = fresh.execution_type("E");
        let made: Vec<_> = (0..n).map(|_| artifact(types[random.below(2)])).collect();
        let artifacts = fresh.call(headwater_proto::ml_metadata::PutArtifactsRequest {
            artifacts: made,
            ..Default::default()
        });
        let executions = fresh.call(headwater_proto::ml_metadata::PutExecutionsRequest {
            executions: vec![execution(execution_type); n],
            ..Default::default()
        });
        let (artifacts, executions) = (artifacts.artifact_ids, executions.execution_ids);
        let mut events = BTreeSet::new();
        while events.len() < n_events {
            let pair = (artifacts[random.below(n)], executions[random.below(n)]);
            events.insert((pair.0, pair.1, random.below(2) == 0));
        }
        let graph = Self { artifacts, executions, events: events.into_iter().collect() };
        let inputs = [event::Type::Input, event::Type::DeclaredInput, event::Type::InternalInput];
        let outputs = [
            event::Type::Output,
            event::Type::DeclaredOutput,
            event::Type::InternalOutput,
            event::Type::PendingOutput,
        ];
        let events = graph.events.iter().map(|(artifact, execution, is_output)| Event {
            artifact_id: Some(*artifact),
            execution_id: Some(*execution),
            r#type: Some(
                if *is_output { outputs[random.below(4)] } else { inputs[random.below(3)] } as i32,
            ),
            ..Event::default()
        });
        let events = events.collect();
        fresh.call(PutEventsRequest { events, ..Default::default() });
        graph
    }

    /// The ends of the events that lead away from a node, and the events, by position.
    fn next(&self, from: Id, upstream: bool, downstream: bool) -> Vec<(Id, usize)> {
        let away = |(at, (artifact, execution, is_output)): (usize, &(i64, i64, bool))| {
            let (start, end) =
                if from.0 { (*artifact, *execution) } else { (*execution, *artifact) };
            // From an artifact upstream, and from an execution downstream, go the outputs.
            let leads = if from.0 == *is_output { upstream } else { downstream };
            (start == from.1 && leads).then_some(((!from.0, end), at))
        };
        self.events.iter().enumerate().filter_map(away).collect()
    }

    /// Hops of each node from the nearest start, and the events gone along.
    fn search(
        &self,
        starts: &[Id],
        (upstream, downstream): (bool, bool),
        hops_max: i64,
        stops: &BTreeSet<Id>,
    ) -> (BTreeMap<Id, i32>, BTreeSet<usize>) {
        let mut found: BTreeMap<Id, i32> = starts.iter().map(|id| (*id, 0)).collect();
        let mut events = BTreeSet::new();
        let mut frontier = starts.to_vec();
        let mut hops = 0;
        while i64::from(hops) < hops_max && !frontier.is_empty() {
            hops += 1;
            let mut next = Vec::new();
            for from in frontier.iter().filter(|id| !stops.contains(id)) {
                for (to, event) in self.next(*from, upstream, downstream) {
                    events.insert(event);
                    found.entry(to).or_insert_with(|| {
                        next.push(to);
                        hops
                    });
                }
            }
            frontier = next;
        }
        (found, events)
    }

    fn positions(&self, events: &[Event]) -> Vec<usize> {
        let position = |event: &Event| {
            let is_output = !matches!(
                event.r#type(),
                event::Type::Input | event::Type::DeclaredInput | event::Type::InternalInput
            );
            let key = (event.artifact_id(), event.execution_id(), is_output);
            self.events.iter().position(|known| *known == key).expect("an event that was put")
        };
        let mut positions: Vec<usize> = events.iter().map(position).collect();
        positions.sort_unstable();
        positions
    }
}

const DIRECTIONS: [(Direction, (bool, bool)); 4] = [
    (Direction::Upstream, (true, false)),
    (Direction::Downstream, (false, true)),
    (Direction::Bidirectional, (true, true)),
    (Direction::Unspecified, (true, true)),
];

fn starting(is_artifact: bool, filter: &str) -> LineageSubgraphQueryOptions {
    let nodes = StartingNodes { filter_query: Some(filter.to_owned()) };
    let starting_nodes = Some(if is_artifact {
        StartingNodesOneOf::StartingArtifacts(nodes)
    } else {
        StartingNodesOneOf::StartingExecutions(nodes)
    });
    LineageSubgraphQueryOptions { starting_nodes, ..Default::default() }
}

fn request(options: LineageSubgraphQueryOptions) -> GetLineageSubgraphRequest {
    GetLineageSubgraphRequest {
        lineage_subgraph_query_options: Some(options),
        ..Default::default()
    }
}

fn subgraph(fresh: &Fresh, options: LineageSubgraphQueryOptions) -> LineageGraph {
    fresh.call(request(options)).lineage_subgraph.expect("a graph")
}

fn ids(graph: &LineageGraph) -> Vec<Id> {
    let artifacts = graph.artifacts.iter().map(|artifact| (true, artifact.id()));
    let executions = graph.executions.iter().map(|execution| (false, execution.id()));
    let mut ids: Vec<Id> = artifacts.chain(executions).collect();
    ids.sort_unstable();
    ids
}

fn a_lineage_is_what_a_search_by_hand_finds(fresh: &Fresh) {
    let graph = Graph::random(fresh, 11, 30, 70);
    for (direction, ways) in DIRECTIONS {
        for hops in [0, 1, 2, 3, 7, 100] {
            for (is_artifact, id) in [(true, graph.artifacts[3]), (false, graph.executions[5])] {
                let options = LineageSubgraphQueryOptions {
                    direction: Some(direction as i32),
                    max_num_hops: Some(hops),
                    ..starting(is_artifact, &format!("id = {id}"))
                };
                let answer = subgraph(fresh, options);
                let (found, events) =
                    graph.search(&[(is_artifact, id)], ways, hops, &BTreeSet::new());
                let found: Vec<Id> = found.into_keys().collect();
                assert_eq!(ids(&answer), found, "{direction:?}, {hops} hops of {id}");
                let positions = graph.positions(&answer.events);
                assert_eq!(
                    positions,
                    events.into_iter().collect::<Vec<_>>(),
                    "{direction:?} {hops}"
                );
            }
        }
    }
}

fn a_search_ends_where_it_is_told_to(fresh: &Fresh) {
    let graph = Graph::random(fresh, 5, 20, 45);
    let start = graph.artifacts[0];
    let ends: Vec<i64> = graph.executions.iter().copied().filter(|id| id % 3 == 0).collect();
    for included in [false, true] {
        for (direction, ways) in DIRECTIONS {
            let options = LineageSubgraphQueryOptions {
                direction: Some(direction as i32),
                ending_executions: Some(EndingNodes {
                    filter_query: Some("MOD(id, 3) = 0".into()),
                    include_ending_nodes: Some(included),
                }),
                ..starting(true, &format!("id = {start}"))
            };
            let answer = subgraph(fresh, options);
            let stops: BTreeSet<Id> = ends.iter().map(|id| (false, *id)).collect();
            let (mut found, mut events) = graph.search(&[(true, start)], ways, 100, &stops);
            if !included {
                found.retain(|id, _| !stops.contains(id));
                events.retain(|at| !stops.contains(&(false, graph.events[*at].1)));
            }
            assert_eq!(ids(&answer), found.into_keys().collect::<Vec<_>>(), "{direction:?}");
            let positions = graph.positions(&answer.events);
            assert_eq!(positions, events.into_iter().collect::<Vec<_>>(), "{direction:?}");
        }
    }
    // A start that is an end is no start.
    let ended = LineageSubgraphQueryOptions {
        ending_artifacts: Some(EndingNodes {
            filter_query: Some(format!("id = {start}")),
            include_ending_nodes: Some(false),
        }),
        ..starting(true, &format!("id = {start}"))
    };
    assert_eq!(ids(&subgraph(fresh, ended)), []);
}

fn the_mask_says_what_is_answered(fresh: &Fresh) {
    let graph = Graph::random(fresh, 2, 6, 12);
    let contexts = fresh.contexts([context(fresh.context_type("C"), "c")]);
    fresh.call(PutAttributionsAndAssociationsRequest {
        attributions: vec![Attribution {
            artifact_id: Some(graph.artifacts[0]),
            context_id: Some(contexts[0]),
            ..Default::default()
        }],
        associations: vec![Association {
            execution_id: Some(graph.events[0].1),
            context_id: Some(contexts[0]),
            ..Default::default()
        }],
        ..Default::default()
    });
    let masked = |paths: &[&str]| {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        let read_mask = Some(prost_types::FieldMask { paths });
        let request = GetLineageSubgraphRequest {
            read_mask,
            ..request(starting(true, &format!("id = {}", graph.artifacts[0])))
        };
        fresh.call(request).lineage_subgraph.expect("a graph")
    };
    let filled = |graph: &LineageGraph| -> Vec<&'static str> {
        [
            ("artifacts", graph.artifacts.len()),
            ("executions", graph.executions.len()),
            ("contexts", graph.contexts.len()),
            ("events", graph.events.len()),
            ("attributions", graph.attributions.len()),
            ("associations", graph.associations.len()),
            ("artifact_types", graph.artifact_types.len()),
            ("execution_types", graph.execution_types.len()),
            ("context_types", graph.context_types.len()),
        ]
        .into_iter()
        .filter_map(|(name, n)| (n > 0).then_some(name))
        .collect()
    };
    let all = filled(&masked(&[]));
    assert_eq!(all.len(), 9, "{all:?}");
    for path in &all {
        assert_eq!(filled(&masked(&[path])), [*path]);
    }
    assert_eq!(filled(&masked(&["artifacts.id", "nothing"])), [""; 0]);
    assert_eq!(filled(&masked(&["events", "contexts"])), ["contexts", "events"]);
    assert!(masked(&["artifact_types"]).artifact_types.iter().any(|of| of.name() == "mlmd.Model"));
}

fn what_is_wrong_with_a_lineage_request_is_said(fresh: &Fresh) {
    fresh.artifacts([artifact(fresh.artifact_type("A"))]);
    fresh.refused(InvalidArgument, GetLineageSubgraphRequest::default());
    fresh.refused(InvalidArgument, request(LineageSubgraphQueryOptions::default()));
    fresh.refused(InvalidArgument, request(starting(true, "")));
    fresh.refused(InvalidArgument, request(starting(true, "nme = 'x'")));
    fresh.refused(NotFound, request(starting(true, "id = 99")));
    let negative =
        LineageSubgraphQueryOptions { max_num_hops: Some(-1), ..starting(true, "id = 1") };
    fresh.refused(InvalidArgument, request(negative));
    let wrong_end = LineageSubgraphQueryOptions {
        ending_artifacts: Some(EndingNodes {
            filter_query: Some("id = ".into()),
            ..Default::default()
        }),
        ..starting(true, "id = 1")
    };
    fresh.refused(InvalidArgument, request(wrong_end));
    fresh.refused(Unimplemented, GetLineageGraphRequest::default());
}

fn a_hop_is_one_statement(fresh: &Fresh) {
    let graph = Graph::random(fresh, 3, 40, 200);
    let options = LineageSubgraphQueryOptions {
        direction: Some(Direction::Upstream as i32),
        max_num_hops: Some(3),
        ..starting(true, &format!("id = {}", graph.artifacts[0]))
    };
    let mask = Some(prost_types::FieldMask { paths: vec!["artifacts".into(), "events".into()] });
    fresh.call(GetLineageSubgraphRequest { read_mask: mask, ..request(options) });
    assert_eq!(
        fresh.last_statements(),
        [
            "artifact_count_candidates",
            "artifact_read_candidates",
            "artifact_match_ids",
            "event_select_by_artifact_and_type",
            "event_select_by_execution_and_type",
            "event_select_by_artifact_and_type",
            "event_path_select_by_event",
        ]
    );
}

fn trace(fresh: &Fresh, request: &TraceLineageRequest) -> Vec<TraceLineageResponse> {
    let mut messages = Vec::new();
    fresh
        .store
        .stream(request, &Caller::default(), &mut |message| {
            messages.push(message);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}\nfor {request:?}"));
    messages
}

/// The nodes of a trace in their order with their hops, and the events.
fn told(messages: &[TraceLineageResponse]) -> (Vec<(Id, i32)>, Vec<Event>) {
    let nodes = messages.iter().flat_map(|message| &message.nodes).map(|traced| {
        let id = match traced.node.as_ref().expect("a node") {
            traced_node::Node::Artifact(artifact) => {
                assert!(artifact.r#type.is_some(), "whole nodes");
                (true, artifact.id())
            }
            traced_node::Node::Execution(execution) => (false, execution.id()),
        };
        (id, traced.hops)
    });
    let events = messages.iter().flat_map(|message| message.events.clone());
    (nodes.collect(), events.collect())
}

fn a_trace_is_what_a_search_by_hand_finds(fresh: &Fresh) {
    let graph = Graph::random(fresh, 21, 400, 900);
    let (a, b, e) = (graph.artifacts[1], graph.artifacts[2], graph.executions[3]);
    for (direction, ways) in [
        (OwnDirection::Upstream, (true, false)),
        (OwnDirection::Downstream, (false, true)),
        (OwnDirection::Unspecified, (true, true)),
    ] {
        for hops_max in [Some(0), Some(1), Some(4), None] {
            let request = TraceLineageRequest {
                start_artifacts: vec![format!("id = {a}"), format!("id = {b}")],
                start_executions: vec![format!("id = {e}")],
                direction: direction as i32,
                hops_max,
                ..TraceLineageRequest::default()
            };
            let (nodes, events) = told(&trace(fresh, &request));
            let starts = [(true, a), (true, b), (false, e)];
            let hops = hops_max.map_or(i64::MAX, i64::from);
            let (found, along) = graph.search(&starts, ways, hops, &BTreeSet::new());
            let by_id: BTreeMap<Id, i32> = nodes.iter().copied().collect();
            assert_eq!(by_id, found, "{direction:?}, {hops_max:?}");
            assert_eq!(by_id.len(), nodes.len(), "each node once");
            let order = nodes.iter().map(|((is_artifact, id), hops)| (*hops, !is_artifact, *id));
            assert!(order.is_sorted(), "nearest first, artifacts before executions, by id");
            let along: Vec<usize> = along.into_iter().collect();
            assert_eq!(graph.positions(&events), along, "{direction:?}, {hops_max:?}");
        }
    }
}

fn the_parts_of_a_trace_are_the_whole(fresh: &Fresh) {
    let graph = Graph::random(fresh, 8, 60, 140);
    let whole = TraceLineageRequest {
        start_artifacts: vec![format!("id = {}", graph.artifacts[0])],
        ..TraceLineageRequest::default()
    };
    let (nodes, events) = told(&trace(fresh, &whole));
    for nodes_max in [1, 7, 50, 1_000] {
        let mut request = TraceLineageRequest { nodes_max, ..whole.clone() };
        let (mut paged_nodes, mut paged_events) = (Vec::new(), Vec::new());
        loop {
            let messages = trace(fresh, &request);
            let (part, part_events) = told(&messages);
            assert!(part.len() <= nodes_max as usize);
            paged_nodes.extend(part);
            paged_events.extend(part_events);
            let token = messages.last().and_then(|message| message.next_page_token.clone());
            let Some(token) = token else { break };
            request.page_token = token;
        }
        assert_eq!(paged_nodes, nodes, "{nodes_max}");
        assert_eq!(graph.positions(&paged_events), graph.positions(&events), "{nodes_max}");
    }
}

fn a_trace_leaves_out_what_is_not_kept_and_stops_where_it_is_told_to(fresh: &Fresh) {
    let graph = Graph::random(fresh, 9, 50, 120);
    let start = graph.artifacts[0];
    let whole = TraceLineageRequest {
        start_artifacts: vec![format!("id = {start}")],
        ..TraceLineageRequest::default()
    };
    let (nodes, events) = told(&trace(fresh, &whole));
    let kept = TraceLineageRequest {
        keep_artifacts: "type = 'B'".into(),
        keep_executions: "FALSE".into(),
        ..whole.clone()
    };
    let (kept_nodes, kept_events) = told(&trace(fresh, &kept));
    assert!(!kept_nodes.is_empty() && kept_nodes.len() < nodes.len());
    assert!(kept_nodes.iter().all(|node| nodes.contains(node) && node.0.0));
    assert_eq!(graph.positions(&kept_events), graph.positions(&events), "the way is told");

    let stops: BTreeSet<Id> =
        graph.executions.iter().filter(|id| *id % 2 == 0).map(|id| (false, *id)).collect();
    let stopped = TraceLineageRequest { stop_executions: "MOD(id, 2) = 0".into(), ..whole };
    let (stopped_nodes, _) = told(&trace(fresh, &stopped));
    let (found, _) = graph.search(&[(true, start)], (true, true), i64::MAX, &stops);
    assert_eq!(stopped_nodes.into_iter().collect::<BTreeMap<_, _>>(), found);
}

fn a_trace_counts_by_distance_and_type(fresh: &Fresh) {
    let graph = Graph::random(fresh, 10, 30, 60);
    let request = TraceLineageRequest {
        start_artifacts: vec![format!("id = {}", graph.artifacts[0])],
        counts_only: true,
        ..TraceLineageRequest::default()
    };
    let messages = trace(fresh, &request);
    assert_eq!(messages.len(), 1);
    assert!(messages[0].nodes.is_empty() && messages[0].events.is_empty());
    let whole = trace(fresh, &TraceLineageRequest { counts_only: false, ..request });
    assert_eq!(whole[0].counts, messages[0].counts);
    let (nodes, _) = told(&whole);
    let mut counted: BTreeMap<(i32, bool), i64> = BTreeMap::new();
    for count in &messages[0].counts {
        assert!(["A", "B", "E"].contains(&count.r#type.as_str()));
        *counted.entry((count.hops, count.of_artifacts)).or_default() += count.nodes;
    }
    let mut expected: BTreeMap<(i32, bool), i64> = BTreeMap::new();
    for ((is_artifact, _), hops) in nodes {
        *expected.entry((hops, is_artifact)).or_default() += 1;
    }
    assert_eq!(counted, expected);
}

fn what_is_wrong_with_a_trace_is_said(fresh: &Fresh) {
    fresh.artifacts([artifact(fresh.artifact_type("A"))]);
    let refused = |request: TraceLineageRequest| {
        fresh
            .store
            .stream(&request, &Caller::default(), &mut |_| Ok(()))
            .expect_err("a refusal")
            .kind()
    };
    let good = TraceLineageRequest {
        start_artifacts: vec!["id = 1".into()],
        ..TraceLineageRequest::default()
    };
    assert_eq!(refused(TraceLineageRequest::default()), InvalidArgument);
    assert_eq!(refused(TraceLineageRequest { direction: 7, ..good.clone() }), InvalidArgument);
    assert_eq!(
        refused(TraceLineageRequest { hops_max: Some(-1), ..good.clone() }),
        InvalidArgument
    );
    assert_eq!(refused(TraceLineageRequest { nodes_max: -1, ..good.clone() }), InvalidArgument);
    assert_eq!(
        refused(TraceLineageRequest { page_token: "%".into(), ..good.clone() }),
        InvalidArgument
    );
    for wrong in ["nme = 1", "id"] {
        let wrong = wrong.to_owned();
        for request in [
            TraceLineageRequest { start_artifacts: vec![wrong.clone()], ..good.clone() },
            TraceLineageRequest { stop_artifacts: wrong.clone(), ..good.clone() },
            TraceLineageRequest { keep_executions: wrong.clone(), ..good.clone() },
        ] {
            assert_eq!(refused(request), InvalidArgument);
        }
    }
    let nothing = TraceLineageRequest { start_artifacts: vec!["id = 9".into()], ..good };
    assert_eq!(refused(nothing), NotFound);
}

fn the_way_is_told_even_if_no_node_is_kept(fresh: &Fresh) {
    let graph = Graph::random(fresh, 12, 20, 45);
    let whole = TraceLineageRequest {
        start_artifacts: vec![format!("id = {}", graph.artifacts[0])],
        ..TraceLineageRequest::default()
    };
    let (_, events) = told(&trace(fresh, &whole));
    let none = TraceLineageRequest {
        keep_artifacts: "FALSE".into(),
        keep_executions: "FALSE".into(),
        ..whole.clone()
    };
    let (nodes, way) = told(&trace(fresh, &none));
    assert!(nodes.is_empty());
    assert_eq!(graph.positions(&way), graph.positions(&events));
    // A place in a list is no place in a trace.
    let list = ListArtifactsRequest { order_by: "uri".into(), page_size: 1, ..Default::default() };
    let page_token = fresh.call(list).next_page_token.expect("there are more");
    let request = TraceLineageRequest { page_token, ..whole };
    let error =
        fresh.store.stream(&request, &Caller::default(), &mut |_| Ok(())).expect_err("a refusal");
    assert_eq!(error.kind(), InvalidArgument);
}

fn large_nodes_come_in_messages_that_clients_take(fresh: &Fresh) {
    let type_id = fresh.artifact_type("A");
    let large = || Artifact { uri: Some("x".repeat(100_000)), ..artifact(type_id) };
    let artifacts = (0..40).map(|_| large()).collect();
    fresh.call(PutArtifactsRequest { artifacts, ..Default::default() });
    let request =
        TraceLineageRequest { start_artifacts: vec!["TRUE".into()], ..Default::default() };
    let messages = trace(fresh, &request);
    assert_eq!(told(&messages).0.len(), 40);
    assert!(messages.iter().all(|message| message.encoded_len() < 1_100_000));
}

fn a_query_that_nobody_waits_for_ends(fresh: &Fresh) {
    // 2,000 artifacts times themselves, times themselves: hours, if it were to end.
    let artifacts = vec![artifact(fresh.artifact_type("A")); 2_000];
    let ids = fresh.call(PutArtifactsRequest { artifacts, ..Default::default() }).artifact_ids;
    let contexts = fresh.contexts([context(fresh.context_type("C"), "c")]);
    let link = |id| Attribution {
        artifact_id: Some(id),
        context_id: Some(contexts[0]),
        ..Attribution::default()
    };
    let attributions = ids.into_iter().map(link).collect();
    fresh.call(PutAttributionsAndAssociationsRequest { attributions, ..Default::default() });
    let filter = "artifacts_a.id + artifacts_b.id + artifacts_c.id = 0";
    let request =
        ListContextsRequest { filter: filter.into(), ..Default::default() }.encode_to_vec();
    let asked = AtomicU32::new(0);
    let caller = Caller::gone_when(move || asked.fetch_add(1, Ordering::Relaxed) > 2);
    let error = fresh
        .store
        .run_bytes(Method::ListContexts, &request, &caller, &mut |_| Ok(()))
        .expect_err("an early end");
    assert_eq!(error.kind(), ResourceExhausted, "{error}");
    // The connection goes on.
    fresh.call(ListContextsRequest::default());
}
