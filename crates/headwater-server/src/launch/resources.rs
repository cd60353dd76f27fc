//! What a command and all that it started use, every second.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::params::program;

const EVERY: Duration = Duration::from_secs(1);
/// A command that ends soon has a point or more, too.
const FIRST: Duration = Duration::from_millis(100);
/// What the kernel counts CPU time in, and pages: the same on every Linux of our two architectures,
/// but for pages, which `AT_PAGESZ` tells.
const TICKS_PER_SECOND: f64 = 100.0;
const MIB: f64 = 1_048_576.0;

/// A point of a metric.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub(super) name: String,
    pub(super) step: i64,
    pub(super) time_ms: i64,
    pub(super) value: f64,
}

/// Looks every second, until it is dropped or told to stop.
pub(super) struct Sampler {
    stop: Sender<()>,
    threads: Vec<JoinHandle<()>>,
    gpus: Option<Child>,
}

impl Sampler {
    /// Looks at a process and all below it, and gives away the points of each second.
    pub(super) fn start(root: u32, give: impl Fn(Vec<Point>) + Clone + Send + 'static) -> Self {
        let (stop, stopped) = mpsc::channel();
        let begun = Instant::now();
        let mut threads = Vec::new();
        let mut gpus = start_gpus();
        if let Some(lines) = gpus.as_mut().and_then(|child| child.stdout.take()) {
            let give = give.clone();
            threads.push(thread::spawn(move || {
                for line in BufReader::new(lines).lines().map_while(Result::ok) {
                    give(of_gpu(&line, begun));
                }
            }));
        }
        threads.push(thread::spawn(move || {
            let mut last = Usage::of_tree(root);
            let mut pause = FIRST;
            while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                pause = (pause * 2).min(EVERY);
                let now = Usage::of_tree(root);
                if now.processes > 0 {
                    give(now.points(&last, begun));
                }
                last = now;
            }
        }));
        Self { stop, threads, gpus }
    }

    /// Stops, and waits until all points are given away.
    pub(super) fn stop(mut self) {
        let _ = self.stop.send(());
        if let Some(mut child) = self.gpus.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        for each in self.threads {
            let _ = each.join();
        }
    }
}

/// What a tree of processes has used until now, and has now.
#[derive(Debug)]
struct Usage {
    at: Instant,
    processes: usize,
    /// Of those that have ended, too.
    cpu_ticks: u64,
    memory_bytes: u64,
    read_bytes: u64,
    written_bytes: u64,
}

impl Usage {
    /// Of all below the root; the root itself is the keeper.
    fn of_tree(root: u32) -> Self {
        let mut usage = Self {
            at: Instant::now(),
            processes: 0,
            cpu_ticks: 0,
            memory_bytes: 0,
            read_bytes: 0,
            written_bytes: 0,
        };
        let all: Vec<Process> = fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter_map(Process::of)
            .collect();
        let page_bytes = rustix::param::page_size() as u64;
        let mut tree = vec![root];
        while let Some(id) = tree.pop() {
            tree.extend(all.iter().filter(|each| each.parent == id).map(|each| each.id));
            let Some(process) = all.iter().find(|each| each.id == id) else { continue };
            usage.cpu_ticks += process.ended_ticks;
            if id == root {
                continue;
            }
            usage.processes += 1;
            usage.cpu_ticks += process.own_ticks;
            usage.memory_bytes += process.pages * page_bytes;
            let io = fs::read_to_string(format!("/proc/{id}/io")).unwrap_or_default();
            let of = |name: &str| -> u64 {
                let line = io.lines().find_map(|line| line.strip_prefix(name));
                line.and_then(|count| count.trim().parse().ok()).unwrap_or_default()
            };
            usage.read_bytes += of("read_bytes:");
            usage.written_bytes += of("write_bytes:");
        }
        usage
    }

    #[allow(clippy::cast_precision_loss)]
    fn points(&self, last: &Self, begun: Instant) -> Vec<Point> {
        let seconds = self.at.duration_since(last.at).as_secs_f64();
        let ticks = self.cpu_ticks.saturating_sub(last.cpu_ticks) as f64;
        let cpu = if seconds > 0.0 { ticks / TICKS_PER_SECOND / seconds * 100.0 } else { 0.0 };
        let values = [
            ("system/cpu_percent", cpu),
            ("system/memory_mib", self.memory_bytes as f64 / MIB),
            ("system/read_mib", self.read_bytes as f64 / MIB),
            ("system/write_mib", self.written_bytes as f64 / MIB),
        ];
        values.map(|(name, value)| point(name.to_owned(), value, begun)).into()
    }
}

fn point(name: String, value: f64, begun: Instant) -> Point {
    let step = i64::try_from(begun.elapsed().as_secs()).unwrap_or(i64::MAX);
    Point { name, step, time_ms: now_ms(), value }
}

/// Milliseconds since the Unix epoch.
pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

struct Process {
    id: u32,
    parent: u32,
    own_ticks: u64,
    /// Of its children that have ended and were waited for.
    ended_ticks: u64,
    pages: u64,
}

impl Process {
    fn of(id: u32) -> Option<Self> {
        let text = fs::read(format!("/proc/{id}/stat")).ok()?;
        let text = String::from_utf8_lossy(&text);
        // Behind the name, which may hold anything; see proc_pid_stat(5).
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let field = |at: usize| fields.get(at).and_then(|text| text.parse::<i64>().ok());
        let count = |at: usize| field(at).map(|count| u64::try_from(count).unwrap_or_default());
        Some(Self {
            id,
            parent: u32::try_from(field(1)?).ok()?,
            own_ticks: count(11)? + count(12)?,
            ended_ticks: count(13)? + count(14)?,
            pages: count(21)?,
        })
    }
}

/// A program of NVIDIA that prints a line for each GPU every second, where it is installed.
fn start_gpus() -> Option<Child> {
    Command::new(program("nvidia-smi".as_ref())?)
        .args(["--query-gpu=index,memory.used,utilization.gpu", "--format=csv,noheader,nounits"])
        .args(["--loop", "1"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()
}

/// The points in a line such as `0, 1024, 37`.
fn of_gpu(line: &str, begun: Instant) -> Vec<Point> {
    let fields: Vec<&str> = line.split(',').map(str::trim).collect();
    let [index, memory, percent] = fields[..] else { return Vec::new() };
    [("memory_mib", memory), ("percent", percent)]
        .into_iter()
        .filter_map(|(name, text)| {
            let name = format!("system/gpu{index}_{name}");
            Some(point(name, text.parse().ok()?, begun))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_its_name() {
        let own = Process::of(std::process::id()).expect("this process is there");
        assert!(own.pages > 0);
        assert_eq!(own.parent, std::os::unix::process::parent_id());
    }

    #[test]
    fn a_line_of_the_gpu_program_becomes_two_points() {
        let found = of_gpu("1, 2048, [N/A]", Instant::now());
        let found: Vec<_> = found.iter().map(|point| (&*point.name, point.value)).collect();
        assert_eq!(found, [("system/gpu1_memory_mib", 2048.0)]);
    }
}
