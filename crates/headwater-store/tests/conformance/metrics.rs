//! Metrics: every point reads back, once, and what they come to is among the properties.

use std::sync::Arc;
use std::thread;

use headwater_proto::headwater::v1::{
    GetMetricsRequest, GetMetricsResponse, LogMetricsRequest, MetricSeries,
};
use headwater_proto::ml_metadata::{Execution, GetExecutionsByIdRequest, Value, value};
use headwater_store::ErrorKind::{InvalidArgument, NotFound};

use super::{Fresh, behaviours, double, execution, int, properties, text};

behaviours! {
    points_read_back_by_step_bit_for_bit
    a_request_that_is_sent_again_counts_once
    what_points_come_to_is_among_the_properties
    small_requests_cost_the_same_however_many_came_before
    a_hundred_thousand_points_are_read_whole_or_thinned
    processes_that_log_at_once_lose_nothing
    what_is_wrong_is_refused_and_changes_nothing
}

const NOW: i64 = 1_700_000_000_000;

fn series(name: &str, points: impl IntoIterator<Item = (i64, f64)>) -> MetricSeries {
    let (steps, values): (Vec<i64>, Vec<f64>) = points.into_iter().unzip();
    let times_ms = steps.iter().map(|step| NOW.wrapping_add(*step)).collect();
    MetricSeries { name: name.to_owned(), steps, times_ms, values }
}

fn request(execution_id: i64, sequence: i64, series: Vec<MetricSeries>) -> LogMetricsRequest {
    LogMetricsRequest { execution_id, writer: "w".to_owned(), sequence, series }
}

fn new_execution(fresh: &Fresh) -> i64 {
    fresh.executions([execution(fresh.execution_type("Train"))])[0]
}

fn read(fresh: &Fresh, execution_id: i64) -> GetMetricsResponse {
    fresh.call(GetMetricsRequest { execution_id, ..Default::default() })
}

fn stored(fresh: &Fresh, id: i64) -> Execution {
    let request = GetExecutionsByIdRequest { execution_ids: vec![id], ..Default::default() };
    fresh.call(request).executions.remove(0)
}

fn bits(series: &MetricSeries) -> Vec<(i64, i64, u64)> {
    let rest = series.times_ms.iter().zip(&series.values);
    series.steps.iter().zip(rest).map(|(step, (time, of))| (*step, *time, of.to_bits())).collect()
}

fn points_read_back_by_step_bit_for_bit(fresh: &Fresh) {
    let id = new_execution(fresh);
    let odd = [
        (3, f64::NAN),
        (1, f64::INFINITY),
        (-5, -0.0),
        (i64::MAX, 5e-324),
        (i64::MIN, f64::from_bits(0xfff8_0000_0000_0001)),
        (2, f64::NEG_INFINITY),
    ];
    let loss = series("loss", odd);
    let other = series("validation/\u{1f600} 'x'", [(1, 0.5)]);
    fresh.call(request(id, 1, vec![loss.clone(), other.clone()]));
    fresh.call(request(id, 2, vec![series("loss", [(0, 0.1 + 0.2)]), series("none", [])]));
    let found = read(fresh, id);
    let names: Vec<&str> = found.series.iter().map(|series| &*series.name).collect();
    assert_eq!(names, ["loss", "validation/\u{1f600} 'x'"]);
    let mut expected = bits(&loss);
    expected.extend(bits(&series("loss", [(0, 0.1 + 0.2)])));
    expected.sort_by_key(|point| point.0);
    assert_eq!(bits(&found.series[0]), expected);
    assert_eq!(bits(&found.series[1]), bits(&other));
    assert_eq!(found.points, [7, 1]);
    let some = GetMetricsRequest {
        execution_id: id,
        names: vec!["loss".into(), "unknown".into()],
        first_step: Some(1),
        last_step: Some(3),
        ..Default::default()
    };
    assert_eq!(fresh.call(some).series[0].steps, [1, 2, 3]);
}

fn a_request_that_is_sent_again_counts_once(fresh: &Fresh) {
    let id = new_execution(fresh);
    for sequence in [1, 1, 2, 1, 2, 5, 2, 5] {
        fresh.call(request(id, sequence, vec![series("loss", [(sequence, 1.0)])]));
    }
    assert_eq!(read(fresh, id).series[0].steps, [1, 2, 5]);
    let other = LogMetricsRequest {
        writer: "another".into(),
        ..request(id, 1, vec![series("loss", [(1, 2.0)])])
    };
    fresh.call(other);
    assert_eq!(read(fresh, id).series[0].values, [1.0, 2.0, 1.0, 1.0]);
    let elsewhere = new_execution(fresh);
    fresh.call(request(elsewhere, 1, vec![series("loss", [(9, 1.0)])]));
    assert_eq!(read(fresh, elsewhere).series[0].steps, [9]);
}

fn what_points_come_to_is_among_the_properties(fresh: &Fresh) {
    let own = properties([("note", text("mine")), ("metrics.loss.min", text("not a number"))]);
    let type_id = fresh.execution_type("Train");
    let made = Execution { custom_properties: own, ..execution(type_id) };
    let id = fresh.executions([made])[0];
    let before = stored(fresh, id);
    let check = |last: f64, step: i64, min: f64, max: f64| {
        let mut found = stored(fresh, id).custom_properties;
        assert_eq!(found.remove("note"), Some(text("mine")));
        let expected = properties([
            ("metrics.loss", double(last)),
            ("metrics.loss.max", double(max)),
            ("metrics.loss.min", double(min)),
            ("metrics.loss.step", int(step)),
        ]);
        assert_eq!(found, expected);
    };
    fresh.call(request(id, 1, vec![series("loss", [(1, 0.5), (2, 0.25), (2, 0.3)])]));
    check(0.3, 2, 0.25, 0.5);
    // Late points count for the extremes, not for what was last.
    fresh.call(request(id, 2, vec![series("loss", [(0, f64::INFINITY), (1, f64::NAN)])]));
    check(0.3, 2, 0.25, f64::INFINITY);
    fresh.call(request(id, 3, vec![series("loss", [(9, -1.0)])]));
    check(-1.0, 9, -1.0, f64::INFINITY);
    fresh.call(request(id, 4, vec![series("none", [(1, f64::NAN)])]));
    let found = stored(fresh, id);
    for name in ["metrics.none", "metrics.none.min", "metrics.none.max"] {
        let Some(value::Value::DoubleValue(of)) = found.custom_properties[name].value else {
            panic!("{name} is no double");
        };
        assert!(of.is_nan(), "{name}");
    }
    let unchanged = |of: Execution| Execution {
        custom_properties: [].into(),
        last_update_time_since_epoch: None,
        ..of
    };
    assert_eq!(unchanged(found), unchanged(before));
}

fn small_requests_cost_the_same_however_many_came_before(fresh: &Fresh) {
    let id = new_execution(fresh);
    let log = |sequence: i64| {
        let point = [(sequence, 1.0 / sequence as f64)];
        fresh.call(request(id, sequence, vec![series("loss", point), series("accuracy", point)]));
        fresh.last_statements()
    };
    log(1);
    let costs = log(2);
    assert_eq!(
        costs[..8],
        [
            "execution_select_to_change",
            "execution_property_select_by_id",
            "metric_select_by_execution",
            "metric_writer_select",
            "metric_chunk_select_last",
            "metric_chunk_update",
            "metric_update",
            "metric_chunk_update",
        ]
    );
    let reads = costs.iter().filter(|name| *name == "execution_select_to_change").count();
    assert_eq!(reads, 1, "the execution is read once");
    let mut rows = 0;
    for sequence in 3..=1100 {
        let now = log(sequence);
        assert!(now.len() <= costs.len(), "{now:?}");
        rows += usize::from(now.contains(&"metric_chunk_insert*2".to_owned()));
    }
    assert_eq!(rows, 2, "a chunk is filled before another begins");
    let found = read(fresh, id);
    assert_eq!(found.points, [1100, 1100]);
    assert_eq!(found.series[1].steps, (1..=1100).collect::<Vec<i64>>());
}

fn a_hundred_thousand_points_are_read_whole_or_thinned(fresh: &Fresh) {
    let id = new_execution(fresh);
    let all = series("loss", (0..100_000).map(|at| (at, if at == 777 { 99.0 } else { 0.5 })));
    fresh.call(request(id, 1, vec![all.clone()]));
    let found = read(fresh, id);
    assert_eq!((bits(&found.series[0]), found.points), (bits(&all), vec![100_000]));
    let thinned = GetMetricsRequest { execution_id: id, points_max: 500, ..Default::default() };
    let thinned = fresh.call(thinned);
    let steps = &thinned.series[0].steps;
    assert!(steps.len() <= 500 && steps.contains(&777) && steps.contains(&99_999));
    assert_eq!(thinned.points, [100_000]);
}

fn processes_that_log_at_once_lose_nothing(fresh: &Fresh) {
    let id = new_execution(fresh);
    let threads = (0..4_i64).map(|writer| {
        let store = Arc::clone(&fresh.store);
        thread::spawn(move || {
            for sequence in 1..=25 {
                let step = sequence * 4 + writer;
                let point = [(step, step as f64)];
                let request = LogMetricsRequest {
                    writer: writer.to_string(),
                    ..request(id, sequence, vec![series("loss", point)])
                };
                // Sent twice, as after an answer that was lost.
                store.call(&request).unwrap();
                store.call(&request).unwrap();
            }
        })
    });
    threads.collect::<Vec<_>>().into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(read(fresh, id).series[0].steps, (4..104).collect::<Vec<i64>>());
    let summary = stored(fresh, id).custom_properties;
    let of = |name: &str| -> Value { summary[&format!("metrics.loss{name}")].clone() };
    assert_eq!([of(""), of(".min"), of(".max")], [double(103.0), double(4.0), double(103.0)]);
    assert_eq!(of(".step"), int(103));
}

fn what_is_wrong_is_refused_and_changes_nothing(fresh: &Fresh) {
    let id = new_execution(fresh);
    let before = stored(fresh, id);
    let good = || series("loss", [(1, 1.0)]);
    let bad = [
        MetricSeries { name: String::new(), ..good() },
        MetricSeries { name: "x".repeat(201), ..good() },
        MetricSeries { name: "loss.min".into(), ..good() },
        MetricSeries { times_ms: Vec::new(), ..good() },
        MetricSeries { steps: vec![1, 2], ..good() },
    ];
    for series in bad {
        fresh.refused(InvalidArgument, request(id, 1, vec![good(), series]));
    }
    fresh.refused(InvalidArgument, request(id, 1, vec![good(), good()]));
    fresh.refused(InvalidArgument, request(id, 0, vec![good()]));
    for writer in [String::new(), "w".repeat(65)] {
        let of = LogMetricsRequest { writer, ..request(id, 1, vec![good()]) };
        fresh.refused(InvalidArgument, of);
    }
    fresh.refused(NotFound, request(id + 99, 1, vec![good()]));
    let read_of = |execution_id, points_max| GetMetricsRequest {
        execution_id,
        points_max,
        ..Default::default()
    };
    fresh.refused(NotFound, read_of(id + 99, 0));
    for points_max in [-1, 1, 7] {
        fresh.refused(InvalidArgument, read_of(id, points_max));
    }
    assert!(read(fresh, id).series.is_empty());
    assert_eq!(stored(fresh, id), before);
}
