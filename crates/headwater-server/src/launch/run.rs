//! `headwater run`: what happens before, while and after the command runs.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};
use std::{env, process, thread};

use globset::{Glob, GlobSet};
use headwater_store::vocabulary::{
    EXPERIMENT, PARAM, PIPELINE, PIPELINE_RUN, RUN_ARGV, RUN_FOLDER, RUN_HEARTBEAT, RUN_HOST,
    RUN_NAME, RUN_PID, RUN_PROBLEMS, RUN_STARTED, RUN_USER, TAG,
};
use headwater_store::{Access, StoreUrl};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::libc;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::SignalFd;
use nix::unistd::{Pid, User, gethostname, getuid};

use super::capture::{Capture, capture};
use super::ending::{Ended, finish};
use super::files::Rules;
use super::graph::{Begin, Properties, int, of_json, text, typed};
use super::keeper::PROGRAM;
use super::params::{Line, program};
use super::record::Recorder;
use super::resources::{Sampler, now_ms};
use super::{End, FORWARDED, Message, Outcome};
use crate::Failure;
use crate::cli::{Cli, RunArgs};
use crate::client::Place;
use crate::config::FileSettings;

/// The keeper tells of a signal for the whole process group within this time, so that it is not
/// passed on to the command, which has it.
const SIGNAL_WAIT: Duration = Duration::from_millis(50);

/// What a signal means to us, by what is going on.
pub(super) struct Phase(AtomicU8);

impl Phase {
    const BEFORE: u8 = 0;
    const DURING: u8 = 1;
    const AFTER: u8 = 2;
    const HURRY: u8 = 3;

    /// Whether the caller has asked us to come to an end.
    pub(super) fn hurries(&self) -> bool {
        self.0.load(Ordering::Acquire) == Self::HURRY
    }

    fn set(&self, phase: u8) {
        self.0.store(phase, Ordering::Release);
    }
}

/// Something that happens while the command runs.
enum Event {
    /// What the keeper says.
    Said(Message),
    /// The keeper has nothing more to say.
    Silent,
    /// This process got a signal; whether a person at the terminal sent it to the whole group.
    Signal(i32, bool),
}

/// A run that is about to begin.
pub(super) struct Launch<'a> {
    pub(super) args: &'a RunArgs,
    pub(super) place: Place,
    pub(super) name: String,
    pub(super) capture: Capture,
    pub(super) rules: Rules,
}

/// Runs a command and records it. The exit code is the command's.
pub(crate) fn run(cli: &Cli, args: &RunArgs, file: &FileSettings) -> Result<ExitCode, Failure> {
    let place = Place::of(cli, args.server.as_deref(), file, Access::Write)?;
    let ignored = globs(&args.ignored)?;
    for path in &args.inputs {
        fs::metadata(path).map_err(|e| format!("`--input {}`: {e}", path.display()))?;
    }
    if program(&args.command[0]).is_none() {
        let name = args.command[0].to_string_lossy();
        let hint = "hint: the first word behind `--` is a program, as in `-- python train.py`";
        writeln!(io::stderr(), "error: there is no program `{name}`\n{hint}")?;
        return Ok(ExitCode::from(127));
    }
    let phase = Arc::new(Phase(AtomicU8::new(Phase::BEFORE)));
    let (tell, events) = mpsc::channel();
    watch_signals(Arc::clone(&phase), tell.clone())?;
    let words = args.command.iter().map(|word| word.to_string_lossy().into_owned());
    let line = Line::read(&args.command);
    let capture = capture(&words.collect::<Vec<_>>(), &line);
    let rules = rules(&capture, &place, ignored);
    let name = args.name.clone().unwrap_or_else(|| name_of(args, &line));
    let launch = Launch { args, place, name, capture, rules };
    let mut recorder = Recorder::start(launch.place.clone(), launch.begin(&line));
    if let Some(problem) = recorder.problem() {
        let problem = problem.lines().next().unwrap_or_default();
        writeln!(io::stderr(), "headwater: this run is not recorded yet: {problem}")?;
    }
    let keeper = start_keeper(args, tell)?;
    phase.set(Phase::DURING);
    let giver = recorder.giver();
    let sampler = Sampler::start(keeper.id(), move |points| giver.give(points));
    let (outcome, signal) = follow(&events);
    phase.set(Phase::AFTER);
    sampler.stop();
    let ended = Ended { outcome, signal };
    let code = ended.outcome.end.exit_code();
    finish(&launch, ended, &mut recorder, &phase);
    Ok(ExitCode::from(code))
}

impl Launch<'_> {
    /// What is known before the command runs.
    fn begin(&self, line: &Line) -> Begin {
        let started = now_ms();
        let args = self.args;
        let mut properties = Properties::from([
            (RUN_NAME.to_owned(), text(&self.name)),
            (RUN_STARTED.to_owned(), int(started)),
            (RUN_HEARTBEAT.to_owned(), int(started)),
            (RUN_PID.to_owned(), int(process::id().into())),
            (RUN_USER.to_owned(), text(user())),
        ]);
        if let Ok(host) = gethostname() {
            properties.insert(RUN_HOST.to_owned(), text(host.to_string_lossy()));
        }
        if let Ok(folder) = env::current_dir() {
            properties.insert(RUN_FOLDER.to_owned(), text(folder.to_string_lossy()));
        }
        // Without a Python nothing is redacted, so nothing is said.
        if let Some(argv) = &self.capture.argv {
            let argv = serde_json::to_string(argv).unwrap_or_default();
            properties.insert(RUN_ARGV.to_owned(), text(argv));
        }
        let redacted = |name: &String| self.capture.params.get(name);
        let said = line.params.iter().filter_map(|(name, _)| Some((name, redacted(name)?)));
        let given = args.params.iter().map(|(name, value)| (name, value));
        for (name, value) in said.filter(|(_, value)| *value != "***").chain(given) {
            properties.insert(format!("{PARAM}{name}"), typed(value));
        }
        for (name, value) in &args.tags {
            properties.insert(format!("{TAG}{name}"), text(value));
        }
        properties.extend(self.of_capture());
        let pipeline_run = args.pipeline.as_ref().zip(args.pipeline_run.as_ref());
        let contexts = [
            (EXPERIMENT, args.experiment.clone()),
            (PIPELINE, args.pipeline.clone()),
            (PIPELINE_RUN, pipeline_run.map(|(pipeline, run)| format!("{pipeline}/{run}"))),
        ];
        Begin {
            kind: args.kind.clone(),
            key: format!("{}-{}", self.name.chars().take(80).collect::<String>(), random()),
            contexts: contexts.into_iter().filter_map(|(kind, name)| Some((kind, name?))).collect(),
            properties,
        }
    }

    fn of_capture(&self) -> Properties {
        let mut properties = Properties::new();
        let mut put = |name: String, value: Option<&str>| {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                properties.insert(name, text(value));
            }
        };
        if let Some(code) = &self.capture.code {
            put("code.commit".into(), code.commit.as_deref());
            put("code.branch".into(), code.branch.as_deref());
            put("code.entry_point".into(), Some(&code.entry_point));
            put("code.digest".into(), Some(&code.digest));
        }
        let problems = self.capture.problems.join("\n");
        put(RUN_PROBLEMS.into(), Some(&problems));
        if let Some(environment) = &self.capture.environment {
            put("environment.digest".into(), Some(&environment.digest));
            for (name, value) in &environment.variables {
                put(format!("env.{name}"), Some(value));
            }
            for (name, value) in &environment.seeds {
                put(format!("seed.{name}"), Some(value));
            }
            for (name, value) in &environment.host {
                if let Some(value) = of_json(value) {
                    properties.insert(format!("host.{name}"), value);
                }
            }
        }
        properties
    }
}

fn globs(patterns: &[String]) -> Result<GlobSet, Failure> {
    let mut set = GlobSet::builder();
    for pattern in patterns {
        set.add(Glob::new(pattern).map_err(|error| format!("`--ignore`: {error}"))?);
    }
    Ok(set.build()?)
}

fn rules(capture: &Capture, place: &Place, ignored: GlobSet) -> Rules {
    let code =
        capture.code.as_ref().map(|code| (PathBuf::from(&code.folder), capture.suffixes.clone()));
    let store = match place {
        Place::Store(url) => file_of(url),
        Place::Server(_) => None,
    };
    // A home or the root is no installation, although an interpreter may say that it is in `/usr`.
    let wide = ["/", "/usr", "/usr/local"];
    let installed =
        capture.folders.iter().filter(|path| !wide.iter().any(|each| *path == Path::new(each)));
    let home = env::var_os("HOME").and_then(|home| fs::canonicalize(home).ok());
    Rules { installed: installed.cloned().collect(), code, store, home, ignored }
}

/// The file of a store that is one, as an absolute path.
fn file_of(url: &StoreUrl) -> Option<PathBuf> {
    let path = url.path()?;
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let folder = fs::canonicalize(folder.unwrap_or(Path::new("."))).ok()?;
    Some(folder.join(path.file_name()?))
}

/// What a run is called that has no name.
fn name_of(args: &RunArgs, line: &Line) -> String {
    let path = line.entry_point.clone().unwrap_or_else(|| PathBuf::from(&args.command[0]));
    let name = path.file_stem().map(|name| name.to_string_lossy().into_owned());
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| "run".to_owned())
}

fn user() -> String {
    let found = User::from_uid(getuid()).ok().flatten().map(|user| user.name);
    env::var("USER").ok().or(found).unwrap_or_else(|| getuid().to_string())
}

/// 32 hexadecimal digits that nobody else has.
fn random() -> String {
    let mut bytes = [0; 16];
    let _ = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Starts the keeper, with a pipe for what it says.
fn start_keeper(args: &RunArgs, tell: Sender<Event>) -> Result<Child, Failure> {
    let (reader, writer) = io::pipe()?;
    let writer = OwnedFd::from(writer);
    fcntl(&writer, FcntlArg::F_SETFD(FdFlag::empty()))?;
    let child = Command::new(PROGRAM)
        .arg0("headwater")
        .arg("keep")
        .arg(format!("--report={}", writer.as_raw_fd()))
        .args(args.no_trace.then_some("--no-trace"))
        .arg("--")
        .args(&args.command)
        .spawn()?;
    drop(writer);
    let mut lines = BufReader::new(File::from(OwnedFd::from(reader)));
    thread::spawn(move || {
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            if let Ok(message) = serde_json::from_slice(&line) {
                let _ = tell.send(Event::Said(message));
            }
            line.clear();
        }
        let _ = tell.send(Event::Silent);
    });
    Ok(child)
}

/// Tells of signals, which do not end this process from now on but before and after the command.
fn watch_signals(phase: Arc<Phase>, tell: Sender<Event>) -> Result<(), Failure> {
    let mut watched = SigSet::empty();
    for signal in FORWARDED {
        watched.add(signal);
    }
    watched.thread_block()?;
    let signals = SignalFd::new(&watched)?;
    thread::spawn(move || {
        while let Ok(Some(found)) = signals.read_signal() {
            let number = i32::try_from(found.ssi_signo).unwrap_or_default();
            let is_for_group = found.ssi_code == libc::SI_KERNEL;
            match phase.0.load(Ordering::Acquire) {
                Phase::DURING => {
                    let _ = tell.send(Event::Signal(number, is_for_group));
                }
                Phase::AFTER => phase.set(Phase::HURRY),
                // Once the caller has said it twice there is nothing to wait for.
                _ => process::exit(128 + number),
            }
        }
    });
    Ok(())
}

/// Waits for the end of the command and passes signals on; answers with the last of those that ask
/// for an end, too.
fn follow(events: &Receiver<Event>) -> (Outcome, Option<i32>) {
    let mut main = None;
    let mut asked = None;
    let mut waiting: HashMap<i32, Instant> = HashMap::new();
    let mut heard: HashMap<i32, Instant> = HashMap::new();
    loop {
        let wait = if waiting.is_empty() { Duration::from_secs(3600) } else { SIGNAL_WAIT };
        match events.recv_timeout(wait) {
            Ok(Event::Said(Message::Started(pid))) => main = Some(Pid::from_raw(pid)),
            Ok(Event::Said(Message::Signal(number))) => {
                waiting.remove(&number);
                heard.insert(number, Instant::now());
            }
            Ok(Event::Said(Message::Lost(number))) => {
                let hint = "hint: if the command hangs, use `--no-trace`";
                let problem = super::trace::lost_signal(number);
                let _ = writeln!(io::stderr(), "headwater: {problem}\n{hint}");
            }
            Ok(Event::Said(Message::Ended(outcome))) => return (outcome, asked),
            Ok(Event::Signal(number, is_for_group)) => {
                if [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT].contains(&number) {
                    asked = Some(number);
                }
                let is_heard = heard.get(&number).is_some_and(|at| at.elapsed() < SIGNAL_WAIT);
                if !is_for_group && !is_heard {
                    waiting.insert(number, Instant::now());
                }
            }
            Ok(Event::Silent) | Err(RecvTimeoutError::Disconnected) => {
                return (Outcome::of_lost_keeper(), asked);
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        waiting.retain(|number, since| {
            let is_due = since.elapsed() >= SIGNAL_WAIT;
            if is_due && let (Some(main), Ok(signal)) = (main, Signal::try_from(*number)) {
                let _ = kill(main, signal);
            }
            !is_due
        });
    }
}

impl Outcome {
    /// Somebody has killed the keeper, and the command with it.
    fn of_lost_keeper() -> Self {
        Self {
            end: End::Signal(libc::SIGKILL),
            files: Vec::new(),
            tail: Vec::new(),
            error_tail: Vec::new(),
            problems: vec!["The process that watched the command was killed.".to_owned()],
        }
    }
}

/// Problems of a run, each once.
pub(super) fn joined(problems: &[&[String]]) -> String {
    let mut seen = BTreeMap::new();
    for problem in problems.iter().copied().flatten() {
        let at = seen.len();
        seen.entry(problem).or_insert(at);
    }
    let mut all: Vec<_> = seen.into_iter().collect();
    all.sort_by_key(|(_, at)| *at);
    all.into_iter().map(|(problem, _)| problem.as_str()).collect::<Vec<_>>().join("\n")
}
