//! Metrics: series of points that belong to an execution, and their summaries among its properties.
//!
//! A row holds many points. Small requests fill the last row of a metric up, so that a process that
//! logs every second leaves hundreds of rows and not tens of thousands.

use std::collections::{BTreeMap, HashMap, HashSet};

use headwater_proto::headwater::v1::{
    GetMetricsRequest, GetMetricsResponse, LogMetricsRequest, MetricSeries,
};
use headwater_proto::ml_metadata::{Execution, Value as PropertyValue, value};
use prost::Message;

use crate::backend::Value;
use crate::error::{Error, ErrorKind, Result, data_loss, internal, not_found};
use crate::kinds::Node;
use crate::limits::{
    METRIC_CHUNK_GROWS_TO, METRIC_CHUNK_POINTS_MAX, METRIC_POINTS_LEAST, METRICS_MAX,
};
use crate::ops::nodes::{self, PutOptions};
use crate::rows;
use crate::sql::build::Query;
use crate::sql::queries::{
    METRIC_CHUNK_INSERT, METRIC_CHUNK_SELECT, METRIC_CHUNK_SELECT_LAST, METRIC_CHUNK_UPDATE,
    METRIC_INSERT, METRIC_SELECT, METRIC_UPDATE, METRIC_WRITER_INSERT, METRIC_WRITER_SELECT,
    METRIC_WRITER_UPDATE,
};
use crate::store::{Session, check_size};
use crate::validate::Mask;

/// Points as a row holds them. Steps and times mostly rise by a little, so differences are kept:
/// a point has eleven bytes or so.
#[derive(Clone, PartialEq, Message)]
struct Chunk {
    #[prost(sint64, repeated, tag = "1")]
    step_rises: Vec<i64>,
    #[prost(sint64, repeated, tag = "2")]
    time_rises: Vec<i64>,
    #[prost(double, repeated, tag = "3")]
    values: Vec<f64>,
}

/// One point of a metric.
#[derive(Clone, Copy, Debug)]
struct Point {
    step: i64,
    time_ms: i64,
    value: f64,
}

impl Chunk {
    fn of(points: &[Point]) -> Self {
        let mut chunk = Self::default();
        let (mut step, mut time_ms) = (0_i64, 0_i64);
        for point in points {
            // Differences of any two numbers wrap, and wrap back.
            chunk.step_rises.push(point.step.wrapping_sub(step));
            chunk.time_rises.push(point.time_ms.wrapping_sub(time_ms));
            chunk.values.push(point.value);
            (step, time_ms) = (point.step, point.time_ms);
        }
        chunk
    }

    fn points(&self) -> impl Iterator<Item = Point> {
        let (mut step, mut time_ms) = (0_i64, 0_i64);
        let rises = self.step_rises.iter().zip(&self.time_rises);
        rises.zip(&self.values).map(move |((step_rise, time_rise), value)| {
            step = step.wrapping_add(*step_rise);
            time_ms = time_ms.wrapping_add(*time_rise);
            Point { step, time_ms, value: *value }
        })
    }

    fn read(row: &dyn crate::backend::Row, index: usize) -> Result<Self> {
        match row.column(index)? {
            crate::backend::Column::Blob(bytes) => Self::decode(bytes)
                .map_err(|e| data_loss("points of a metric cannot be read").caused_by(e)),
            other => Err(data_loss(format!("a column of points holds {other:?}"))),
        }
    }
}

/// A metric as it is stored.
#[derive(Clone, Copy)]
struct Stored {
    id: i64,
    /// How many chunks it has.
    chunks: i64,
    /// How many points the last one has.
    last_chunk_points: i64,
}

fn points_of(series: &MetricSeries) -> Vec<Point> {
    let rest = series.times_ms.iter().zip(&series.values);
    let points = series.steps.iter().zip(rest);
    points
        .map(|(step, (time_ms, value))| Point { step: *step, time_ms: *time_ms, value: *value })
        .collect()
}

/// Appends points, unless the writer has sent the request before.
pub(crate) fn log(session: &mut Session<'_>, request: &LogMetricsRequest) -> Result<()> {
    let execution_id = request.execution_id;
    // Whoever else logs for the execution waits here.
    let query = Execution::KIND.queries.select_to_change;
    let mut executions: Vec<Execution> = nodes::whole(session, query, &[execution_id])?;
    let execution = executions.pop().ok_or_else(|| no_execution(execution_id))?;
    let mut known: HashMap<String, Stored> = HashMap::new();
    let mut last_sequence = None;
    let queries = vec![
        (METRIC_SELECT, vec![execution_id.into()]),
        (METRIC_WRITER_SELECT, vec![execution_id.into(), request.writer.as_str().into()]),
    ];
    session.queries(queries, &mut |at, row| {
        if at == 0 {
            let (name, stored) = stored(row)?;
            known.insert(name, stored);
        } else {
            last_sequence = Some(rows::int(row, 0)?);
        }
        Ok(())
    })?;
    if last_sequence.is_some_and(|last| request.sequence <= last) {
        return Ok(());
    }
    let logged: Vec<&MetricSeries> =
        request.series.iter().filter(|series| !series.values.is_empty()).collect();
    make_missing(session, execution_id, &logged, &mut known)?;
    append(session, &logged, &known)?;
    let writer = request.writer.as_str().into();
    match last_sequence {
        Some(_) => {
            let values = vec![request.sequence.into(), execution_id.into(), writer];
            session.execute(METRIC_WRITER_UPDATE, values)?;
        }
        None => {
            let values = vec![execution_id.into(), writer, request.sequence.into()];
            session.insert(&METRIC_WRITER_INSERT, values)?;
        }
    }
    summarize(session, execution, &logged)
}

fn no_execution(id: i64) -> Error {
    not_found(format!("there is no execution with id {id}"))
}

fn stored(row: &dyn crate::backend::Row) -> Result<(String, Stored)> {
    let name = rows::opt_text(row, 1)?.unwrap_or_default();
    let stored = Stored {
        id: rows::int(row, 0)?,
        chunks: rows::int(row, 2)?,
        last_chunk_points: rows::int(row, 3)?,
    };
    Ok((name, stored))
}

/// Makes the metrics that the execution has not had.
fn make_missing(
    session: &mut Session<'_>,
    execution_id: i64,
    logged: &[&MetricSeries],
    known: &mut HashMap<String, Stored>,
) -> Result<()> {
    let missing: Vec<&str> = logged
        .iter()
        .map(|series| &*series.name)
        .filter(|name| !known.contains_key(*name))
        .collect();
    if known.len() + missing.len() > METRICS_MAX {
        let message =
            format!("execution {execution_id} would have more than {METRICS_MAX} metrics");
        return Err(Error::new(ErrorKind::ResourceExhausted, message)
            .hint("a metric's name should not have a step, a time or an id in it"));
    }
    let values = missing
        .iter()
        .flat_map(|name| [execution_id.into(), Value::from(*name), Value::Int(0), Value::Int(0)]);
    let ids = session.insert(&METRIC_INSERT, values.collect())?;
    if ids.len() != missing.len() {
        return Err(internal("the database gave fewer ids than metrics were made"));
    }
    let made = missing.into_iter().zip(ids);
    known.extend(
        made.map(|(name, id)| (name.to_owned(), Stored { id, chunks: 0, last_chunk_points: 0 })),
    );
    Ok(())
}

/// Writes the points: into the last chunk of a metric while it is small, into new ones after it.
fn append(
    session: &mut Session<'_>,
    logged: &[&MetricSeries],
    known: &HashMap<String, Stored>,
) -> Result<()> {
    let grows = |stored: &Stored, series: &MetricSeries| {
        let points = usize::try_from(stored.last_chunk_points).unwrap_or(usize::MAX);
        stored.chunks > 0 && points.saturating_add(series.values.len()) <= METRIC_CHUNK_GROWS_TO
    };
    let growing: Vec<i64> = logged
        .iter()
        .map(|series| (known[&series.name], series))
        .filter_map(|(stored, series)| grows(&stored, series).then_some(stored.id))
        .collect();
    let mut last_chunks: HashMap<i64, Chunk> = HashMap::new();
    if !growing.is_empty() {
        session.query(METRIC_CHUNK_SELECT_LAST, vec![growing[..].into()], &mut |row| {
            last_chunks.insert(rows::int(row, 0)?, Chunk::read(row, 1)?);
            Ok(())
        })?;
    }
    let mut updates: Vec<(Query, Vec<Value<'_>>)> = Vec::new();
    let mut new_chunks = Vec::new();
    for series in logged {
        let Stored { id, mut chunks, last_chunk_points } = known[&series.name];
        let mut points = points_of(series);
        let mut last = last_chunk_points;
        if let Some(chunk) = last_chunks.get(&id) {
            points = chunk.points().chain(points).collect();
            let bytes = Value::Blob(Chunk::of(&points).encode_to_vec().into());
            updates.push((METRIC_CHUNK_UPDATE, vec![bytes, id.into(), chunks.into()]));
            last = points.len() as i64;
        } else {
            for part in points.chunks(METRIC_CHUNK_POINTS_MAX) {
                chunks += 1;
                last = part.len() as i64;
                let bytes = Value::Blob(Chunk::of(part).encode_to_vec().into());
                new_chunks.extend([id.into(), chunks.into(), bytes]);
            }
        }
        updates.push((METRIC_UPDATE, vec![chunks.into(), last.into(), id.into()]));
    }
    session.insert(&METRIC_CHUNK_INSERT, new_chunks)?;
    session.executes(updates)
}

/// Brings the properties up to date that say what the points come to.
fn summarize(
    session: &mut Session<'_>,
    execution: Execution,
    logged: &[&MetricSeries],
) -> Result<()> {
    let mut changed = BTreeMap::new();
    for series in logged {
        summary(&execution, series, &mut changed);
    }
    let paths: Vec<String> =
        changed.keys().map(|name| format!("custom_properties.{name}")).collect();
    if paths.is_empty() {
        return Ok(());
    }
    let update = Execution {
        id: execution.id,
        type_id: execution.type_id,
        custom_properties: changed,
        ..Execution::default()
    };
    let options = PutOptions { mask: Mask::new(&paths), ..PutOptions::default() };
    nodes::update_stored(session, &[update], vec![execution], &options)
}

fn summary(
    execution: &Execution,
    series: &MetricSeries,
    changed: &mut BTreeMap<String, PropertyValue>,
) {
    let stored = |name: &str| execution.custom_properties.get(name)?.value.clone();
    let double = |name: &str| match stored(name) {
        Some(value::Value::DoubleValue(double)) => Some(double),
        _ => None,
    };
    let last = format!("metrics.{}", series.name);
    let (step, min, max) = (format!("{last}.step"), format!("{last}.min"), format!("{last}.max"));
    let last_step = match stored(&step) {
        Some(value::Value::IntValue(step)) => step,
        _ => i64::MIN,
    };
    // Of points at one step the later one counts.
    let points = points_of(series);
    let newest = points.iter().reduce(|a, b| if b.step >= a.step { b } else { a });
    let mut put = |name, value| {
        changed.insert(name, PropertyValue { value: Some(value) });
    };
    if let Some(newest) = newest.filter(|newest| newest.step >= last_step) {
        put(last, value::Value::DoubleValue(newest.value));
        put(step, value::Value::IntValue(newest.step));
    }
    // `min` and `max` of a number and a NaN are the number.
    let values = || series.values.iter().copied();
    let least = values().chain(double(&min)).fold(f64::NAN, f64::min);
    let most = values().chain(double(&max)).fold(f64::NAN, f64::max);
    put(min, value::Value::DoubleValue(least));
    put(max, value::Value::DoubleValue(most));
}

/// Reads points of metrics.
pub(crate) fn get(
    session: &mut Session<'_>,
    request: &GetMetricsRequest,
) -> Result<GetMetricsResponse> {
    let execution_id = request.execution_id;
    if nodes::existing::<Execution>(session, &[execution_id])?.is_empty() {
        return Err(no_execution(execution_id));
    }
    let wanted: HashSet<&str> = request.names.iter().map(String::as_str).collect();
    let mut names = Vec::new();
    let mut places = HashMap::new();
    session.query(METRIC_SELECT, vec![execution_id.into()], &mut |row| {
        let (name, Stored { id, .. }) = stored(row)?;
        if wanted.is_empty() || wanted.contains(&*name) {
            places.insert(id, names.len());
            names.push(name);
        }
        Ok(())
    })?;
    let mut found: Vec<Vec<Point>> = vec![Vec::new(); names.len()];
    let ids: Vec<i64> = places.keys().copied().collect();
    let steps = request.first_step.unwrap_or(i64::MIN)..=request.last_step.unwrap_or(i64::MAX);
    let mut bytes = 0;
    if !ids.is_empty() {
        session.query(METRIC_CHUNK_SELECT, vec![ids[..].into()], &mut |row| {
            let Some(at) = places.get(&rows::int(row, 0)?) else { return Ok(()) };
            let before = found[*at].len();
            let chunk = Chunk::read(row, 1)?;
            found[*at].extend(chunk.points().filter(|point| steps.contains(&point.step)));
            bytes += (found[*at].len() - before) * size_of::<Point>();
            check_size("answer", bytes)
        })?;
    }
    let points_max = usize::try_from(request.points_max).ok().filter(|most| *most > 0);
    let mut response = GetMetricsResponse::default();
    for (name, mut points) in names.into_iter().zip(found).filter(|(_, points)| !points.is_empty())
    {
        // Processes that log together take turns; of equals the first that arrived comes first.
        points.sort_by_key(|point| (point.step, point.time_ms));
        response.points.push(points.len() as i64);
        if let Some(most) = points_max {
            points = thinned(points, most);
        }
        response.series.push(MetricSeries {
            name,
            steps: points.iter().map(|point| point.step).collect(),
            times_ms: points.iter().map(|point| point.time_ms).collect(),
            values: points.iter().map(|point| point.value).collect(),
        });
    }
    Ok(response)
}

/// The first and the last point, and of each stretch between them the smallest, the largest and the
/// first that is not a number.
fn thinned(points: Vec<Point>, most: usize) -> Vec<Point> {
    if points.len() <= most {
        return points;
    }
    let stretches = (most.max(METRIC_POINTS_LEAST) - 2) / 3;
    let inner = &points[1..points.len() - 1];
    let mut kept = vec![0];
    let mut begin = 0;
    for stretch in 1..=stretches {
        let end = inner.len() * stretch / stretches;
        let part = || (begin + 1..=end).map(|at| (at, points[at].value));
        let numbers = || part().filter(|(_, value)| value.is_finite());
        let by_value = |a: &(usize, f64), b: &(usize, f64)| a.1.total_cmp(&b.1);
        let mut of_stretch: Vec<usize> = [
            numbers().min_by(by_value),
            numbers().max_by(by_value),
            part().find(|(_, value)| !value.is_finite()),
        ]
        .into_iter()
        .flatten()
        .map(|(at, _)| at)
        .collect();
        of_stretch.sort_unstable();
        of_stretch.dedup();
        kept.extend(of_stretch);
        begin = end;
    }
    kept.push(points.len() - 1);
    kept.into_iter().map(|at| points[at]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(step: i64, value: f64) -> Point {
        Point { step, time_ms: 1_700_000_000_000 + step * 40, value }
    }

    #[test]
    fn a_chunk_keeps_every_bit_in_eleven_bytes_a_point() {
        let odd = [f64::NAN, f64::from_bits(0x7ff0_0000_0000_0001), f64::INFINITY, -0.0, 5e-324];
        let steps = [i64::MIN, i64::MAX, 0, -1, 7];
        let points: Vec<Point> = steps
            .into_iter()
            .zip(odd)
            .map(|(at, of)| Point { step: at, time_ms: at, value: of })
            .collect();
        let bytes = Chunk::of(&points).encode_to_vec();
        let read: Vec<Point> = Chunk::decode(&bytes[..]).expect("a chunk").points().collect();
        let bits = |points: &[Point]| -> Vec<(i64, i64, u64)> {
            points.iter().map(|p| (p.step, p.time_ms, p.value.to_bits())).collect()
        };
        assert_eq!(bits(&read), bits(&points));
        let usual: Vec<Point> = (0..1000).map(|at| point(at, 0.1)).collect();
        assert!(Chunk::of(&usual).encode_to_vec().len() < 11 * usual.len());
    }

    #[test]
    fn what_is_thinned_keeps_its_extremes_ends_and_what_is_no_number() {
        let mut points: Vec<Point> = (0..100_000).map(|at| point(at, (at % 7) as f64)).collect();
        points[40_000].value = 1e9;
        points[70_001].value = -1e9;
        points[55_555].value = f64::NAN;
        let thin = thinned(points.clone(), 100);
        assert!(thin.len() <= 100 && thin.len() > 50, "{}", thin.len());
        let steps: Vec<i64> = thin.iter().map(|point| point.step).collect();
        assert!(steps.is_sorted_by(|a, b| a < b));
        for kept in [0, 40_000, 55_555, 70_001, 99_999] {
            assert!(steps.contains(&kept), "{kept}");
        }
        assert_eq!(thinned(points[..100].to_vec(), 100).len(), 100);
    }
}
