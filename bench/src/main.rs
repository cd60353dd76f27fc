//! A side of the benchmarks: reads questions, a line of JSON each, and answers each with a line.
//!
//! ```text
//! headwater-bench rust STORE      the store in this process
//! headwater-bench grpc ADDRESS    a server, each caller on a connection of its own
//! headwater-bench raw STORE       nothing but the rows, straight to the database
//! ```
//!
//! `run.py` asks. What takes time is asked in two steps, so that reading a question and making its
//! messages is not counted: `prepare`, which warms up too, and `run`.

mod caller;
mod raw;
mod scale;
mod steps;

use std::error::Error;
use std::io::{self, BufRead as _, Write as _};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use headwater_store::{Method, Store};
use serde::{Deserialize, Serialize};

use caller::{Caller, Remote};
use raw::Raw;
use steps::{Step, Template};

type Failure = Box<dyn Error + Send + Sync>;

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
enum Question {
    /// One call, for its answer.
    Call {
        method: String,
        request: String,
    },
    Prepare(Work),
    Run,
}

#[derive(Deserialize)]
#[serde(tag = "work", rename_all = "snake_case")]
enum Work {
    /// The same call, `count` times.
    Ask { method: String, request: String, count: usize },
    /// The rows that these statements give, each with a list of ids bound.
    Read { statements: Vec<(String, Vec<i64>)>, count: usize },
    /// All artifacts, in pages.
    List { page_size: i32 },
    /// What came of the artifacts that a filter finds.
    Trace { start: String, hops: i32 },
    /// Steps with the numbers from `first` on.
    Put { template: Box<Template>, first: i64, count: i64, steps_per_commit: usize },
    /// As many steps as `callers` can put in some time, each with numbers of its own.
    Load { template: Box<Template>, firsts: Vec<i64>, begin_at: f64, seconds: f64 },
}

/// Work whose messages are made.
enum Prepared {
    Ask(Method, Vec<u8>, usize),
    Read(Vec<(String, Vec<i64>)>, usize),
    List(i32),
    Trace(String, i32),
    Put(Vec<Step>, usize),
    Load {
        callers: Vec<(Box<dyn Caller>, i64)>,
        template: Box<Template>,
        begin_at: f64,
        seconds: f64,
    },
}

/// What a run gives.
#[derive(Default, Serialize)]
struct Times {
    /// Of each call, or step where several share a commit.
    times_us: Vec<f64>,
    failed: usize,
    /// From the common beginning to the last answer.
    seconds: f64,
    /// Rows of the last read, or nodes of all answers.
    rows: usize,
    /// The first failure.
    failure: Option<String>,
}

impl Times {
    fn add(&mut self, took: Duration, steps: usize) {
        let each = took.as_nanos() as f64 / 1000.0 / steps as f64;
        self.times_us.extend(std::iter::repeat_n((each * 10.0).round() / 10.0, steps));
    }

    fn join(&mut self, other: Self) {
        self.times_us.extend(other.times_us);
        self.failed += other.failed;
        self.seconds = self.seconds.max(other.seconds);
        self.failure = self.failure.take().or(other.failure);
    }
}

/// Where callers come from.
enum Side {
    Rust(Arc<Store>),
    Grpc(String),
    Raw(String),
}

impl Side {
    fn open(name: &str, place: &str) -> Result<Self, Failure> {
        Ok(match name {
            "rust" => Self::Rust(Arc::new(Store::open(&place.parse()?)?)),
            "grpc" => Self::Grpc(place.to_owned()),
            "raw" => Self::Raw(place.to_owned()),
            other => return Err(format!("there is no side `{other}`").into()),
        })
    }

    fn caller(&self) -> Result<Box<dyn Caller>, Failure> {
        Ok(match self {
            Self::Rust(store) => Box::new(Arc::clone(store)),
            Self::Grpc(address) => Box::new(Remote::connect(address)?),
            Self::Raw(place) => Box::new(Raw::open(place)?),
        })
    }
}

struct Worker {
    side: Side,
    caller: Box<dyn Caller>,
    prepared: Option<Prepared>,
}

impl Worker {
    fn answer(&mut self, question: Question) -> Result<serde_json::Value, Failure> {
        Ok(match question {
            Question::Call { method, request } => {
                let answer = self.caller.call(method_of(&method)?, &BASE64.decode(request)?)?;
                serde_json::to_value(BASE64.encode(answer))?
            }
            Question::Prepare(work) => {
                self.prepared = Some(self.prepare(work)?);
                serde_json::Value::Null
            }
            Question::Run => {
                let prepared = self.prepared.take().ok_or("nothing is prepared")?;
                serde_json::to_value(self.run(prepared)?)?
            }
        })
    }

    fn prepare(&mut self, work: Work) -> Result<Prepared, Failure> {
        Ok(match work {
            Work::Ask { method, request, count } => {
                let (method, request) = (method_of(&method)?, BASE64.decode(request)?);
                self.caller.call(method, &request)?;
                Prepared::Ask(method, request, count)
            }
            Work::Read { statements, count } => {
                self.caller.read(&statements)?;
                Prepared::Read(statements, count)
            }
            Work::List { page_size } => Prepared::List(page_size),
            Work::Trace { start, hops } => Prepared::Trace(start, hops),
            Work::Put { template, first, count, steps_per_commit } => {
                let mut steps =
                    (first..first + count).map(|number| template.step(number)).collect::<Vec<_>>();
                self.caller.put(&steps[..1])?;
                steps.remove(0);
                Prepared::Put(steps, steps_per_commit)
            }
            Work::Load { template, firsts, begin_at, seconds } => {
                let caller = |first| Ok((self.side.caller()?, first));
                let callers = firsts.into_iter().map(caller).collect::<Result<_, Failure>>()?;
                Prepared::Load { callers, template, begin_at, seconds }
            }
        })
    }

    fn run(&mut self, prepared: Prepared) -> Result<Times, Failure> {
        let mut times = Times::default();
        match prepared {
            Prepared::Ask(method, request, count) => {
                for _ in 0..count {
                    let began = Instant::now();
                    self.caller.call(method, &request)?;
                    times.add(began.elapsed(), 1);
                }
            }
            Prepared::Read(statements, count) => {
                for _ in 0..count {
                    let began = Instant::now();
                    times.rows = self.caller.read(&statements)?;
                    times.add(began.elapsed(), 1);
                }
            }
            Prepared::List(page_size) => return scale::list(&mut *self.caller, page_size),
            Prepared::Trace(start, hops) => {
                return scale::trace(&mut *self.caller, &start, hops);
            }
            Prepared::Put(steps, steps_per_commit) => {
                for steps in steps.chunks(steps_per_commit) {
                    let began = Instant::now();
                    self.caller.put(steps)?;
                    times.add(began.elapsed(), steps.len());
                }
            }
            Prepared::Load { callers, template, begin_at, seconds } => {
                let begin = moment(begin_at);
                let end = begin + Duration::from_secs_f64(seconds);
                thread::scope(|scope| {
                    let template = &*template;
                    let threads: Vec<_> = callers
                        .into_iter()
                        .map(|(caller, first)| {
                            scope.spawn(move || load(caller, template, first, begin, end))
                        })
                        .collect();
                    for thread in threads {
                        times.join(thread.join().expect("a failed call is counted"));
                    }
                });
            }
        }
        Ok(times)
    }
}

/// The moment at which all callers of all processes begin, in seconds since the Unix epoch.
fn moment(begin_at: f64) -> Instant {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    Instant::now() + Duration::from_secs_f64((begin_at - now).max(0.0))
}

/// One caller of many: step after step, each made while nobody waits for it.
fn load(
    mut caller: Box<dyn Caller>,
    template: &Template,
    first: i64,
    begin: Instant,
    end: Instant,
) -> Times {
    let mut times = Times::default();
    thread::sleep(begin.saturating_duration_since(Instant::now()));
    for number in first.. {
        let step = [template.step(number)];
        let began = Instant::now();
        if began >= end {
            break;
        }
        match caller.put(&step) {
            Ok(()) => times.add(began.elapsed(), 1),
            Err(failure) => {
                times.failed += 1;
                times.failure.get_or_insert_with(|| failure.to_string());
            }
        }
        times.seconds = begin.elapsed().as_secs_f64();
    }
    times
}

fn method_of(name: &str) -> Result<Method, Failure> {
    Ok(Method::from_name(name).ok_or_else(|| format!("there is no method `{name}`"))?)
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, side, place] = arguments.as_slice() else {
        return Err("say a side and a place, as in: headwater-bench rust sqlite:./some.db".into());
    };
    let side = Side::open(side, place)?;
    let mut worker = Worker { caller: side.caller()?, side, prepared: None };
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let answer = serde_json::from_str(&line?).map_err(Failure::from);
        let answer = match answer.and_then(|question| worker.answer(question)) {
            Ok(value) => serde_json::json!({ "value": value }),
            Err(failure) => serde_json::json!({ "failure": failure.to_string() }),
        };
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}
