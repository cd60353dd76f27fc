//! Code and environment, as the modules of the Python package find them out, run in the Python that
//! the command runs with. They need its standard library only.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::params::{Line, program};

/// How long the command waits for it.
const TIMEOUT: Duration = Duration::from_secs(30);
const DRIVER: &str = include_str!("capture.py");
const MODULES: [(&str, &str); 3] = [
    ("code", include_str!("../../../../python/headwater/code.py")),
    ("repository", include_str!("../../../../python/headwater/repository.py")),
    ("environment", include_str!("../../../../python/headwater/environment.py")),
];

/// What was found out. Without a Python it is empty but for the problems.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Capture {
    version: String,
    /// The command, secrets redacted.
    pub(super) argv: Option<Vec<String>>,
    /// Parameters, secrets redacted.
    pub(super) params: BTreeMap<String, String>,
    /// Where the interpreter and its packages are.
    pub(super) folders: Vec<PathBuf>,
    /// What names of source files end with.
    pub(super) suffixes: Vec<String>,
    pub(super) code: Option<Code>,
    pub(super) environment: Option<Environment>,
    pub(super) problems: Vec<String>,
}

/// The version of the code; see `python/headwater/code.py`.
#[derive(Debug, Deserialize)]
pub(super) struct Code {
    pub(super) entry_point: String,
    pub(super) folder: String,
    pub(super) digest: String,
    pub(super) commit: Option<String>,
    pub(super) branch: Option<String>,
    pub(super) remote: Option<String>,
    pub(super) is_dirty: Option<bool>,
    #[serde(deserialize_with = "bytes")]
    pub(super) patch: Option<Vec<u8>>,
    #[serde(deserialize_with = "bytes")]
    pub(super) snapshot: Option<Vec<u8>>,
    #[serde(deserialize_with = "bytes")]
    pub(super) details: Option<Vec<u8>>,
}

/// What the command runs in; see `python/headwater/environment.py`.
#[derive(Debug, Deserialize)]
pub(super) struct Environment {
    pub(super) digest: String,
    pub(super) python: BTreeMap<String, String>,
    pub(super) packages: BTreeMap<String, String>,
    #[serde(deserialize_with = "bytes")]
    pub(super) requirements: Option<Vec<u8>>,
    pub(super) files: BTreeMap<String, Encoded>,
    pub(super) system: BTreeMap<String, Value>,
    pub(super) host: BTreeMap<String, Value>,
    pub(super) variables: BTreeMap<String, String>,
    pub(super) seeds: BTreeMap<String, String>,
    #[serde(deserialize_with = "bytes")]
    pub(super) details: Option<Vec<u8>>,
}

/// Bytes in JSON.
#[derive(Debug, Deserialize)]
pub(super) struct Encoded(#[serde(deserialize_with = "bytes")] pub(super) Option<Vec<u8>>);

fn bytes<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<u8>>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    text.map(|text| STANDARD.decode(text)).transpose().map_err(D::Error::custom)
}

/// Finds out code and environment of a command. Takes a few tenths of a second, and never fails.
pub(super) fn capture(argv: &[String], line: &Line) -> Capture {
    let mut problems = Vec::new();
    if line.python.is_none() {
        problems.push(
            "The command's own Python is not known: the environment is that of `python3`."
                .to_owned(),
        );
    }
    let candidates = [line.python.clone(), program(OsStr::new("python3"))];
    for python in candidates.iter().flatten() {
        match ask(python, argv, line, &problems) {
            Ok(found) if found.code.is_some() => return found,
            Ok(found) => problems.push(format!(
                "The command's Python is {}; packages are recorded from 3.9 on.",
                found.version
            )),
            Err(reason) => {
                problems.push(format!("`{}` was of no help: {reason}.", python.display()));
            }
        }
    }
    problems
        .push("Without a Python of 3.9 or later no code and no environment is recorded.".into());
    Capture { problems, ..Capture::default() }
}

fn ask(
    python: &Path,
    argv: &[String],
    line: &Line,
    problems: &[String],
) -> Result<Capture, String> {
    let entry_point = line.entry_point.as_deref().unwrap_or(Path::new("."));
    let script_folder = match entry_point.parent() {
        Some(folder) if line.entry_point.is_some() && folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let script_folder = std::path::absolute(script_folder).map_err(|error| error.to_string())?;
    let question = json!({
        "modules": MODULES,
        "argv": argv,
        "params": line.params,
        // What is not UTF-8 Python finds under the same name that it would give it.
        "entry_point": entry_point.to_string_lossy(),
        "script_folder": script_folder.to_string_lossy(),
        "problems": problems,
    });
    let mut child = Command::new(python)
        .args(["-I", "-B", "-c", DRIVER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let (mut stdin, stdout, stderr) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (answers, answer) = mpsc::channel();
    thread::spawn(move || {
        let said = thread::spawn(move || {
            let mut said = String::new();
            let _ = stderr.map(|mut stderr| stderr.read_to_string(&mut said));
            said
        });
        let _ = stdin.as_mut().map(|stdin| stdin.write_all(question.to_string().as_bytes()));
        drop(stdin);
        let mut text = String::new();
        let _ = stdout.map(|mut stdout| stdout.read_to_string(&mut text));
        let _ = answers.send((text, said.join().unwrap_or_default()));
    });
    let answer = answer.recv_timeout(TIMEOUT);
    if answer.is_err() {
        let _ = child.kill();
    }
    let _ = child.wait();
    let (text, said) = answer.map_err(|_| format!("it takes more than {TIMEOUT:?}"))?;
    serde_json::from_str(&text).map_err(|error| {
        let last = said.lines().last().unwrap_or_default();
        if last.is_empty() { error.to_string() } else { last.to_owned() }
    })
}
