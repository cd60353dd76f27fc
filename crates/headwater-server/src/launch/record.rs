//! Records a run from a thread of its own, so that a store that is slow, or away, holds up nothing.
//!
//! Everything that is sent can be sent again: the execution has a unique name, requests of points
//! have numbers, the rest says what is.

use std::collections::BTreeMap;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use headwater_proto::headwater::v1::{LogMetricsRequest, MetricSeries};
use headwater_proto::ml_metadata::execution::State;
use headwater_store::vocabulary::RUN_HEARTBEAT;

use super::graph::{Begin, Graph, Properties, Shared, Version, int};
use super::resources::{Point, now_ms};
use crate::client::{Place, Refusal};

/// How long the command waits for the store, before it begins without it.
const BEGIN_WAIT: Duration = Duration::from_secs(5);
/// How long the end waits.
const END_WAIT: Duration = Duration::from_secs(30);
const HEARTBEAT_EVERY: Duration = Duration::from_secs(30);
const SEND_EVERY: Duration = Duration::from_secs(10);
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(15);

/// How a run ended, and all that is to be said of it.
#[derive(Clone, Debug)]
pub(super) struct Ending {
    pub(super) state: State,
    pub(super) properties: Properties,
    pub(super) shared: Vec<Shared>,
    pub(super) versions: Vec<Version>,
}

enum Job {
    Points(Vec<Point>),
    End(Box<Ending>),
}

/// Gives points to the thread.
#[derive(Clone)]
pub(super) struct Giver(Sender<Job>);

impl Giver {
    pub(super) fn give(&self, points: Vec<Point>) {
        // After the end there is nobody to take them.
        let _ = self.0.send(Job::Points(points));
    }
}

/// The recording of a run.
pub(super) struct Recorder {
    jobs: Sender<Job>,
    news: Receiver<News>,
    id: Option<i64>,
    problem: Option<String>,
}

/// What the thread tells.
enum News {
    Begun(i64),
    Problem(String),
    /// What was refused.
    Ended(Vec<String>),
}

impl Recorder {
    /// Begins, and waits until the execution is made, for a while.
    pub(super) fn start(place: Place, begin: Begin) -> Self {
        let (jobs, taken) = mpsc::channel();
        let (tell, news) = mpsc::channel();
        thread::spawn(move || Worker::new(place, begin, tell).work(&taken));
        let mut recorder = Self { jobs, news, id: None, problem: None };
        recorder.hear(BEGIN_WAIT, |recorder| recorder.id.is_some() || recorder.problem.is_some());
        recorder
    }

    /// What resources are given to.
    pub(super) fn giver(&self) -> Giver {
        Giver(self.jobs.clone())
    }

    /// The id of the execution, if there is one.
    pub(super) fn id(&self) -> Option<i64> {
        self.id
    }

    /// Why nothing is recorded so far.
    pub(super) fn problem(&self) -> Option<&str> {
        self.problem.as_deref().filter(|_| self.id.is_none())
    }

    /// Ends the run. The error says what could not be recorded.
    pub(super) fn finish(&mut self, ending: Ending) -> Result<(), String> {
        let _ = self.jobs.send(Job::End(Box::new(ending)));
        self.problem = None;
        let is_over = self.hear(END_WAIT, |_| false);
        match self.problem.take() {
            None if is_over => Ok(()),
            problem => Err(problem.unwrap_or_else(|| "the store does not answer".to_owned())),
        }
    }

    /// Listens until the end, or something else that is waited for; answers whether it was the end.
    fn hear(&mut self, wait: Duration, is_enough: impl Fn(&Self) -> bool) -> bool {
        let until = Instant::now() + wait;
        while !is_enough(self) {
            match self.news.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(News::Begun(id)) => self.id = Some(id),
                Ok(News::Problem(problem)) => self.problem = Some(problem),
                Ok(News::Ended(refused)) => {
                    self.problem = (!refused.is_empty()).then(|| refused.join("; "));
                    return true;
                }
                Err(_) => return false,
            }
        }
        false
    }
}

/// The thread.
struct Worker {
    place: Place,
    begin: Begin,
    tell: Sender<News>,
    graph: Option<Graph>,
    id: Option<i64>,
    points: Vec<Point>,
    batch: Option<LogMetricsRequest>,
    writer: String,
    sequence: i64,
    sent: Instant,
    beat: Instant,
}

impl Worker {
    fn new(place: Place, begin: Begin, tell: Sender<News>) -> Self {
        let writer = begin.key.chars().rev().take(32).collect();
        let now = Instant::now();
        Self {
            place,
            begin,
            tell,
            graph: None,
            id: None,
            points: Vec::new(),
            batch: None,
            writer,
            sequence: 0,
            sent: now,
            beat: now,
        }
    }

    fn work(mut self, jobs: &Receiver<Job>) {
        let mut ending: Option<Box<Ending>> = None;
        let mut wait = Duration::ZERO;
        let mut pause = PAUSE_MIN;
        let mut next_try = Instant::now();
        loop {
            match jobs.recv_timeout(wait) {
                Ok(Job::Points(points)) => self.points.extend(points),
                Ok(Job::End(said)) => {
                    ending = Some(said);
                    (pause, next_try) = (PAUSE_MIN, Instant::now());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            wait = next_try.saturating_duration_since(Instant::now());
            if wait > Duration::ZERO {
                continue;
            }
            match self.send(ending.as_deref()) {
                Ok(Some(refused)) => {
                    let _ = self.tell.send(News::Ended(refused));
                    return;
                }
                Ok(None) => {
                    pause = PAUSE_MIN;
                    wait = SEND_EVERY;
                }
                Err(refusal) => {
                    let _ = self.tell.send(News::Problem(refusal.message.clone()));
                    if ending.is_some() && !refusal.is_passing() {
                        return;
                    }
                    wait = pause;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
            next_try = Instant::now() + wait;
        }
    }

    /// Sends what there is. At the end it answers with what was refused for good.
    fn send(&mut self, ending: Option<&Ending>) -> Result<Option<Vec<String>>, Refusal> {
        if self.graph.is_none() {
            self.graph = Some(Graph::open(&self.place)?);
        }
        let Some(graph) = &self.graph else { return Ok(None) };
        let id = match self.id {
            Some(id) => id,
            None => {
                let id = graph.begin(&self.begin)?;
                self.id = Some(id);
                let _ = self.tell.send(News::Begun(id));
                id
            }
        };
        if ending.is_some() || self.sent.elapsed() >= SEND_EVERY {
            self.send_points(id)?;
            self.sent = Instant::now();
        }
        let Some(graph) = &self.graph else { return Ok(None) };
        if let Some(ending) = ending {
            return end(graph, id, ending).map(Some);
        }
        if self.beat.elapsed() >= HEARTBEAT_EVERY {
            let beat = [(RUN_HEARTBEAT.to_owned(), int(now_ms()))].into();
            graph.update(id, State::Running.into(), beat)?;
            self.beat = Instant::now();
        }
        Ok(None)
    }

    /// What was sent and not answered is sent again as it was, by its number.
    fn send_points(&mut self, id: i64) -> Result<(), Refusal> {
        while self.batch.is_some() || !self.points.is_empty() {
            if self.batch.is_none() {
                self.sequence += 1;
                self.batch = Some(LogMetricsRequest {
                    execution_id: id,
                    writer: self.writer.clone(),
                    sequence: self.sequence,
                    series: series(self.points.drain(..)),
                });
            }
            if let (Some(graph), Some(batch)) = (&self.graph, &self.batch) {
                graph.log(batch)?;
            }
            self.batch = None;
        }
        Ok(())
    }
}

fn series(points: impl Iterator<Item = Point>) -> Vec<MetricSeries> {
    let mut all: BTreeMap<String, MetricSeries> = BTreeMap::new();
    for point in points {
        let of = all.entry(point.name.clone()).or_default();
        of.name = point.name;
        of.steps.push(point.step);
        of.times_ms.push(point.time_ms);
        of.values.push(point.value);
    }
    all.into_values().collect()
}

/// Records the end; answers with what was refused for good, which keeps nothing else from it.
fn end(graph: &Graph, id: i64, ending: &Ending) -> Result<Vec<String>, Refusal> {
    let time_ms = now_ms();
    let mut refused = Vec::new();
    let mut take = |what: &str, done: Result<(), Refusal>| match done {
        Err(refusal) if !refusal.is_passing() => {
            refused.push(format!("`{what}` is not recorded: {}", refusal.first_line()));
            Ok(())
        }
        done => done,
    };
    for shared in &ending.shared {
        let artifact = graph.share(shared);
        let link = |artifact| graph.link(id, artifact, shared.role, true, time_ms);
        take(shared.role, artifact.and_then(link))?;
    }
    for version in &ending.versions {
        let artifact = graph.register(version);
        let link = |artifact| graph.link(id, artifact, version.role, version.is_input, time_ms);
        take(&version.uri, artifact.and_then(link))?;
    }
    graph.update(id, ending.state.into(), ending.properties.clone())?;
    Ok(refused)
}
