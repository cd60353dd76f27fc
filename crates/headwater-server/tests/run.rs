//! `headwater run` with real commands, looked at through `headwater call`.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A folder to run in, with a store beside it.
struct Scene {
    folder: TempDir,
    place: TempDir,
}

/// A run as it is stored.
#[derive(Debug)]
struct Run {
    id: String,
    state: String,
    properties: BTreeMap<String, Value>,
    /// Role, name of the file, and properties of each artifact.
    inputs: Vec<(String, String, Value)>,
    outputs: Vec<(String, String, Value)>,
}

impl Scene {
    fn new(files: &[(&str, &str)]) -> Self {
        let scene = Self { folder: TempDir::new().unwrap(), place: TempDir::new().unwrap() };
        for (name, text) in files {
            fs::create_dir_all(scene.path(name).parent().unwrap()).unwrap();
            fs::write(scene.path(name), text).unwrap();
        }
        scene
    }

    fn path(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.folder.path().join(name.as_ref())
    }

    fn store(&self) -> String {
        format!("sqlite:{}", self.place.path().join("store.db").display())
    }

    fn command(&self, options: &[&str], command: &[&str]) -> Command {
        let mut made = Command::new(env!("CARGO_BIN_EXE_headwater"));
        made.current_dir(self.folder.path())
            .env("HEADWATER_STORE", self.store())
            .arg("run")
            .args(options)
            .arg("--")
            .args(command);
        made
    }

    fn run(&self, options: &[&str], command: &[&str]) -> Output {
        self.command(options, command).stdin(Stdio::null()).output().unwrap()
    }

    fn shell(&self, script: &str) -> Output {
        self.run(&[], &["sh", "-c", script])
    }

    fn python(&self, script: &str) -> Output {
        fs::write(self.path("script.py"), script).unwrap();
        self.run(&[], &["python3", "script.py"])
    }

    fn call(&self, method: &str, request: &Value) -> Value {
        let done = Command::new(env!("CARGO_BIN_EXE_headwater"))
            .args(["call", "--store", &self.store(), method, &request.to_string()])
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", text(&done.stderr));
        serde_json::from_slice(&done.stdout).unwrap()
    }

    /// The only run there is.
    fn recorded(&self) -> Run {
        let found = self.call("GetExecutions", &json!({}));
        let executions = found["executions"].as_array().unwrap();
        assert_eq!(executions.len(), 1, "{found}");
        let execution = &executions[0];
        let id = execution["id"].as_str().unwrap().to_owned();
        let of = json!({ "execution_ids": [id] });
        let events = self.call("GetEventsByExecutionIDs", &of);
        let artifacts = self.call("GetArtifacts", &json!({}));
        let mut run = Run {
            id,
            state: execution["lastKnownState"].as_str().unwrap().to_owned(),
            properties: plain(&execution["customProperties"]),
            inputs: Vec::new(),
            outputs: Vec::new(),
        };
        for event in events["events"].as_array().into_iter().flatten() {
            let all = artifacts["artifacts"].as_array().unwrap();
            let artifact = all.iter().find(|each| each["id"] == event["artifactId"]).unwrap();
            let role = event["path"]["steps"][0]["key"].as_str().unwrap().to_owned();
            let uri = artifact["uri"].as_str().unwrap_or_default();
            let name = uri.rsplit('/').next().unwrap_or_default().to_owned();
            let of = if event["type"] == "INPUT" { &mut run.inputs } else { &mut run.outputs };
            of.push((role, name, json!(plain(&artifact["customProperties"]))));
        }
        run
    }
}

impl Run {
    fn property(&self, name: &str) -> &Value {
        self.properties.get(name).unwrap_or(&Value::Null)
    }

    fn text(&self, name: &str) -> &str {
        self.property(name).as_str().unwrap_or_default()
    }

    fn input_names(&self) -> Vec<&str> {
        names(&self.inputs)
    }

    fn output_names(&self) -> Vec<&str> {
        names(&self.outputs)
    }
}

/// Names of files, without code and environment, which have none.
fn names(of: &[(String, String, Value)]) -> Vec<&str> {
    let mut found: Vec<&str> = of.iter().map(|(_, name, _)| &**name).collect();
    found.retain(|name| !name.is_empty());
    found.sort_unstable();
    found
}

fn plain(properties: &Value) -> BTreeMap<String, Value> {
    let of = properties.as_object().unwrap();
    let value = |of: &Value| of.as_object().unwrap().values().next().unwrap().clone();
    of.iter().map(|(name, of)| (name.clone(), value(of))).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Waits for what must come.
fn until(what: &str, is_there: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_there() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what} does not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn signal(child: &Child, signal: Signal, whole_group: bool) {
    let pid = i32::try_from(child.id()).unwrap();
    kill(Pid::from_raw(if whole_group { -pid } else { pid }), signal).unwrap();
}

#[test]
fn a_script_without_a_line_of_ours_is_recorded_whole() {
    let script = "import csv, os, pickle\n\
                  rows = list(csv.reader(open('data.csv')))\n\
                  with open('model.tmp', 'wb') as file:\n    pickle.dump(rows, file)\n\
                  os.rename('model.tmp', 'model.pkl')\n\
                  open('scratch', 'w').close()\n\
                  os.remove('scratch')\n\
                  print(len(rows), 'rows')\n";
    let requirements = "requests==2.31.0\r\n# as it is\n";
    let files = [("train.py", script), ("data.csv", "a\n1\n"), ("requirements.txt", requirements)];
    let scene = Scene::new(&files);
    let options = ["--kind=train", "--experiment=churn", "--param=depth=3", "--tag=team=ml"];
    let words = ["python3", "train.py", "--lr", "0.1", "--api-key", "hidden"];
    let done = scene.run(&options, &words);
    assert_eq!((done.status.code(), text(&done.stdout)), (Some(0), "2 rows\n".into()));
    let run = scene.recorded();
    let said = text(&done.stderr);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains(&format!("run {} `train` is COMPLETE: 1 inputs, 1 outputs", run.id)));
    assert_eq!((&*run.state, run.text("run.error")), ("COMPLETE", ""));
    assert_eq!(run.property("params.lr"), &json!(0.1));
    assert_eq!(run.property("params.depth"), &json!("3"), "64 bits are text in JSON");
    assert_eq!(run.property("tag.team"), &json!("ml"));
    assert_eq!(run.property("run.exit_code"), &json!("0"));
    assert_eq!(run.text("run.log_tail"), "2 rows");
    assert!(!format!("{run:?}").contains("hidden"), "a secret is stored");
    assert_eq!(run.text("code.entry_point"), "train.py");
    assert!(run.text("host.kernel").len() > 3, "{run:?}");
    let roles: Vec<_> = run.inputs.iter().map(|(role, name, _)| (&**role, &**name)).collect();
    assert_eq!(roles, [("code", ""), ("environment", ""), ("input", "data.csv")]);
    assert_eq!((&*run.outputs[0].0, run.output_names()), ("model", vec!["model.pkl"]));
    let md5 = Command::new("md5sum").arg(scene.path("data.csv")).output().unwrap();
    let known = run.inputs[2].2["digest.md5"].as_str().unwrap();
    assert!(text(&md5.stdout).starts_with(known));
    assert!(run.inputs[0].2["code.snapshot"].is_string());
    let file = &run.inputs[1].2["file.requirements.txt"];
    let kept = scene.call("GetContent", &json!({ "digest": file }));
    assert_eq!(kept["content"], "cmVxdWVzdHM9PTIuMzEuMA0KIyBhcyBpdCBpcwo=");
}

#[test]
fn the_same_bytes_are_the_same_version_in_the_next_run() {
    let scene = Scene::new(&[("a.csv", "1\n")]);
    scene.shell("cat a.csv > b.csv");
    scene.shell("cat b.csv > c.csv");
    let artifacts = scene.call("GetArtifactsByType", &json!({ "type_name": "headwater.Dataset" }));
    assert_eq!(artifacts["artifacts"].as_array().unwrap().len(), 1, "{artifacts}");
}

#[test]
fn processes_of_a_pipeline_and_names_given_later_are_seen() {
    let scene = Scene::new(&[("a.csv", "2\n"), ("b.csv", "1\n")]);
    let done = scene.shell(
        "cat a.csv b.csv | sort > sorted.tmp && mv sorted.tmp sorted.csv && cp sorted.csv copy.csv \
         && mkdir part && cp a.csv part/x.csv && mv part done && ln copy.csv hard.csv",
    );
    assert!(done.status.success(), "{}", text(&done.stderr));
    let run = scene.recorded();
    assert_eq!(run.input_names(), ["a.csv", "b.csv"]);
    let mut outputs = run.outputs.iter().map(|(_, name, _)| name.clone()).collect::<Vec<_>>();
    outputs.sort();
    // What is a copy of an input is the same version, under the name it was first seen by.
    assert!(outputs.contains(&"a.csv".to_owned()), "{outputs:?}");
    assert!(!outputs.iter().any(|name| name.ends_with(".tmp")), "{outputs:?}");
    assert_eq!(outputs.len(), 2, "{outputs:?}");
}

#[test]
fn threads_that_open_files_are_seen() {
    let scene = Scene::new(&[]);
    for at in 0..20 {
        fs::write(scene.path(format!("in{at}.csv")), format!("{at}")).unwrap();
    }
    let done = scene.python(
        "from concurrent.futures import ThreadPoolExecutor\n\
         def copy(at):\n    \
             text = open(f'in{at}.csv').read()\n    \
             open(f'out{at}.csv', 'w').write(text + 'x')\n\
         list(ThreadPoolExecutor(8).map(copy, range(20)))\n",
    );
    assert!(done.status.success(), "{}", text(&done.stderr));
    let run = scene.recorded();
    assert_eq!((run.input_names().len(), run.output_names().len()), (20, 20));
}

#[test]
fn a_static_program_is_seen() {
    let scene = Scene::new(&[]);
    let cache = scene.path("linker.db");
    let (ldconfig, cache) = ("/sbin/ldconfig", cache.to_str().unwrap());
    let kind = Command::new("readelf").args(["-l", ldconfig]).output().unwrap();
    assert!(!text(&kind.stdout).contains("interpreter"), "it is not static here");
    Command::new(ldconfig).args(["-X", "-C", cache]).output().unwrap();
    scene.run(&[], &[ldconfig, "-p", "-C", cache]);
    assert_eq!(scene.recorded().input_names(), ["linker.db"]);
}

#[test]
fn paths_are_found_from_wherever_the_command_goes() {
    let scene = Scene::new(&[("deep/down/a.csv", "1"), ("deep/b.csv", "2")]);
    let done = scene.python(
        "import os\n\
         os.chdir('deep/down')\n\
         open('a.csv').read()\n\
         here = os.open('..', os.O_RDONLY)\n\
         os.chdir('/')\n\
         os.read(os.open('b.csv', os.O_RDONLY, dir_fd=here), 9)\n\
         os.write(os.open('c.csv', os.O_WRONLY | os.O_CREAT, dir_fd=here), b'3')\n\
         os.rename('c.csv', 'd.csv', src_dir_fd=here, dst_dir_fd=here)\n",
    );
    assert!(done.status.success(), "{}", text(&done.stderr));
    let run = scene.recorded();
    assert_eq!(run.input_names(), ["a.csv", "b.csv"]);
    assert_eq!(run.output_names(), ["d.csv"]);
}

#[test]
fn names_that_are_not_utf8_are_recorded() {
    let scene = Scene::new(&[]);
    fs::write(scene.path(OsStr::from_bytes(b"in\xff.csv")), "1").unwrap();
    let done = scene.shell(
        "cat in*.csv > \"$(printf 'out\\376 x.bin')\"; for f in out*; do echo 2 >> \"$f\"; done",
    );
    assert!(done.status.success(), "{}", text(&done.stderr));
    let run = scene.recorded();
    assert_eq!(
        (run.input_names(), run.output_names()),
        (vec!["in%FF.csv"], vec!["out%FE%20x.bin"])
    );
}

#[test]
fn what_cannot_be_recorded_is_said() {
    let scene = Scene::new(&[("gone.csv", "1"), ("changed.csv", "2"), ("same.db", "3")]);
    scene.shell(
        "cat gone.csv changed.csv >/dev/null; rm gone.csv; echo 3 >> changed.csv; \
         exec 3<>same.db; echo t > temporary; cat temporary; rm temporary",
    );
    let run = scene.recorded();
    let problems = run.text("run.problems");
    assert!(problems.contains("gone.csv` was read and is gone"), "{problems}");
    assert!(problems.contains("changed.csv` was read and then changed"), "{problems}");
    assert!(!problems.contains("temporary"), "{problems}");
    assert_eq!((run.input_names(), run.output_names()), (vec!["same.db"], vec!["changed.csv"]));
}

#[test]
fn of_ten_thousand_files_the_folder_is_recorded() {
    let scene = Scene::new(&[("labels.csv", "1")]);
    fs::create_dir(scene.path("images")).unwrap();
    for at in 0..2_000 {
        fs::write(scene.path(format!("images/{at}.png")), format!("{at}")).unwrap();
    }
    let done = scene.python(
        "open('labels.csv').read()\n\
         for at in range(10_000):\n    \
             open(f'images/{at % 2000}.png', 'rb').close()\n",
    );
    assert!(done.status.success(), "{}", text(&done.stderr));
    let run = scene.recorded();
    assert_eq!(run.input_names(), ["images", "labels.csv"]);
    let (_, _, folder) = run.inputs.iter().find(|(_, name, _)| name == "images").unwrap();
    assert_eq!((&folder["files"], &folder["format"]), (&json!("2000"), &json!("folder")));
    assert!(run.text("run.problems").contains("2001 inputs are too many"));
}

#[test]
fn resources_of_all_processes_are_metrics() {
    let scene = Scene::new(&[]);
    let script = "held = bytearray(64 << 20)\nimport time\ntime.sleep(1.5)\n";
    fs::write(scene.path("hold.py"), script).unwrap();
    scene.shell("python3 hold.py & python3 hold.py; wait");
    let run = scene.recorded();
    let most = |name: &str| run.property(&format!("metrics.system/{name}.max")).as_f64().unwrap();
    assert!(most("memory_mib") > 128.0, "{run:?}");
    assert!(most("cpu_percent") > 0.0 && most("read_mib") >= 0.0 && most("write_mib") >= 0.0);
    let found = scene.call("GetMetrics", &json!({ "execution_id": run.id }));
    assert_eq!(found["series"].as_array().unwrap().len(), 4, "{found}");
}

#[test]
fn a_failing_script_says_why() {
    let scene = Scene::new(&[]);
    let done = scene.python("print('epoch 1', flush=True)\nraise ValueError('no data')\n");
    assert_eq!(done.status.code(), Some(1));
    let run = scene.recorded();
    assert_eq!((&*run.state, run.text("run.error")), ("FAILED", "ValueError: no data"));
    let traceback = run.text("run.traceback");
    assert!(traceback.starts_with("Traceback (most recent") && traceback.contains("script.py"));
    // Lines are whole; of two streams it is not always to be told which came first.
    let tail: Vec<&str> = run.text("run.log_tail").lines().collect();
    let mut printed = traceback.lines().chain(["epoch 1"]);
    assert!(printed.all(|line| tail.contains(&line)), "{tail:?}");
    assert_eq!(run.property("run.exit_code"), &json!("1"));
}

#[test]
fn exit_codes_and_signals_pass_through() {
    for (script, code, error) in [
        ("exit 42", 42, "exit code 42"),
        ("kill -KILL $$", 137, "killed by SIGKILL (out of memory?)"),
        ("kill -SEGV $$", 139, "killed by SIGSEGV"),
    ] {
        let scene = Scene::new(&[]);
        assert_eq!(scene.shell(script).status.code(), Some(code), "{script}");
        let run = scene.recorded();
        assert_eq!((&*run.state, run.text("run.error")), ("FAILED", error));
    }
}

/// Starts a script that counts its signals, and waits until it listens.
fn counting(scene: &Scene, wanted: &str) -> Child {
    let script = format!(
        "import signal, sys, time\n\
         got = []\n\
         signal.signal(signal.{wanted}, lambda *_: got.append(1))\n\
         print('ready', flush=True)\n\
         while not got:\n    time.sleep(0.01)\n\
         time.sleep(0.5)\n\
         print(len(got), flush=True)\n\
         sys.exit(7)\n"
    );
    fs::write(scene.path("count.py"), script).unwrap();
    let mut command = scene.command(&[], &["python3", "count.py"]);
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    child.stdout = Some(output.into_inner());
    child
}

#[test]
fn signals_reach_the_command_once_however_they_are_sent() {
    for (name, number) in [("SIGINT", Signal::SIGINT), ("SIGTERM", Signal::SIGTERM)] {
        for whole_group in [false, true] {
            let scene = Scene::new(&[]);
            let child = counting(&scene, name);
            signal(&child, number, whole_group);
            let done = child.wait_with_output().unwrap();
            assert_eq!((done.status.code(), text(&done.stdout)), (Some(7), "1\n".into()));
            let run = scene.recorded();
            assert_eq!(
                (&*run.state, run.text("run.error")),
                ("CANCELED", &*format!("ended by {name}"))
            );
        }
    }
}

#[test]
fn a_command_that_is_stopped_goes_on_when_told() {
    let scene = Scene::new(&[("a.csv", "1")]);
    let words = ["sh", "-c", "echo $$ > pid.txt; kill -STOP $$; cat a.csv > b.txt; exit 3"];
    let child = scene.command(&[], &words).stderr(Stdio::null()).spawn().unwrap();
    let pid = || fs::read_to_string(scene.path("pid.txt")).ok()?.trim().parse::<i32>().ok();
    until("the process", || pid().is_some());
    let pid = pid().unwrap();
    let state = || fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    until("its standing still", || state().contains(") t ") || state().contains(") T "));
    kill(Pid::from_raw(pid), Signal::SIGCONT).unwrap();
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(3));
    assert_eq!(scene.recorded().input_names(), ["a.csv"]);
}

#[test]
fn what_is_left_in_the_background_goes_on() {
    let scene = Scene::new(&[("a.csv", "1")]);
    let later =
        "while [ ! -e go ]; do sleep 0.05; done; cat a.csv > late.txt; echo done >> late.txt";
    let done = scene.shell(&format!("(trap '' HUP; {later}) >/dev/null 2>&1 & echo first"));
    assert_eq!((done.status.code(), text(&done.stdout)), (Some(0), "first\n".into()));
    assert_eq!(scene.recorded().state, "COMPLETE");
    fs::write(scene.path("go"), "").unwrap();
    let late = || fs::read_to_string(scene.path("late.txt")).unwrap_or_default();
    until("the late file", || late() == "1done\n");
}

#[test]
fn output_passes_byte_for_byte_and_a_reader_that_leaves_ends_the_command() {
    let scene = Scene::new(&[]);
    let done = scene.shell("printf 'a\\000\\377b\\r\\nc'; printf 'err' >&2");
    assert_eq!(done.stdout, b"a\0\xffb\r\nc");
    assert!(done.stderr.starts_with(b"err"), "{}", text(&done.stderr));
    let scene = Scene::new(&[]);
    let mut child = scene.command(&[], &["yes"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "y\n");
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(128 + Signal::SIGPIPE as i32));
}

#[test]
fn on_a_terminal_the_command_has_one() {
    let scene = Scene::new(&[]);
    let look = "import os, sys; print([os.isatty(at) for at in range(3)], \
                tuple(os.get_terminal_size(1)))";
    let spawn = "import fcntl, os, pty, struct, sys, termios\n\
                 pid, master = pty.fork()\n\
                 if pid == 0:\n    \
                     fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack('4H', 41, 123, 0, 0))\n    \
                     os.execvp(sys.argv[1], sys.argv[1:])\n\
                 said = b''\n\
                 try:\n    \
                     while True:\n        said += os.read(master, 9999)\n\
                 except OSError:\n    pass\n\
                 sys.stdout.buffer.write(said)\n\
                 sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n";
    let command = scene.command(&[], &["python3", "-c", look]);
    let done = Command::new("python3")
        .args(["-c", spawn])
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(scene.folder.path())
        .env("HEADWATER_STORE", scene.store())
        .output()
        .unwrap();
    let said = text(&done.stdout);
    assert!(said.starts_with("[True, True, True] (123, 41)\r\n"), "{said:?}");
    assert!(scene.recorded().text("run.log_tail").starts_with("[True"));
}

#[test]
fn a_program_that_is_not_there_leaves_no_run() {
    let scene = Scene::new(&[]);
    let done = scene.run(&[], &["no-such-program", "x"]);
    assert_eq!(done.status.code(), Some(127));
    let said = text(&done.stderr);
    assert!(said.starts_with("error: there is no program `no-such-program`\nhint: "), "{said}");
    assert!(!scene.place.path().join("store.db").exists());
}

#[test]
fn bad_options_run_nothing() {
    let scene = Scene::new(&[]);
    for (options, expected) in [
        (&["--input=missing.csv"][..], "`--input missing.csv`"),
        (&["--param=novalue"], "it is not NAME=VALUE"),
        (&["--kind=cook"], "possible values: run, train"),
        (&["--ignore=a[b"], "`--ignore`"),
        (&["--pipeline-run=1"], "--pipeline <PIPELINE>"),
    ] {
        let done = scene.run(options, &["touch", "begun"]);
        assert!(!done.status.success());
        assert!(text(&done.stderr).contains(expected), "{}", text(&done.stderr));
        assert!(!scene.path("begun").exists(), "{options:?}");
    }
}

#[test]
fn a_store_that_is_away_does_not_keep_the_command_from_running() {
    let scene = Scene::new(&[]);
    let done =
        scene.run(&["--store=sqlite:/no/such/folder/a.db"], &["sh", "-c", "echo ran; exit 5"]);
    assert_eq!((done.status.code(), text(&done.stdout)), (Some(5), "ran\n".into()));
    let said = text(&done.stderr);
    assert!(said.contains("is not recorded yet") && said.contains("is not recorded in"), "{said}");
}

#[test]
fn what_is_named_is_recorded_and_what_is_ignored_is_not() {
    let scene = Scene::new(&[("data/a.csv", "1"), ("b.csv", "2"), ("x.log", "3")]);
    let options = ["--input=data", "--output=made", "--output=absent", "--ignore=*.log"];
    scene.run(&options, &["sh", "-c", "cat b.csv x.log > y.log; mkdir made; echo 1 > made/z"]);
    let run = scene.recorded();
    assert_eq!((run.input_names(), run.output_names()), (vec!["b.csv", "data"], vec!["made"]));
    assert!(run.text("run.problems").contains("`absent` is not there"), "{run:?}");
}

#[test]
fn without_tracing_the_rest_is_recorded() {
    let scene = Scene::new(&[("a.csv", "1")]);
    let done = scene.run(&["--no-trace"], &["sh", "-c", "cat a.csv; exit 4"]);
    assert_eq!((done.status.code(), text(&done.stdout)), (Some(4), "1".into()));
    let run = scene.recorded();
    assert_eq!((run.input_names().len(), run.text("run.log_tail")), (0, "1"));
}

#[test]
fn where_tracing_is_refused_the_command_runs_and_the_run_says_so() {
    // A process has one tracer, so a run in a run has none for itself.
    let scene = Scene::new(&[("a.csv", "1")]);
    let inner = [env!("CARGO_BIN_EXE_headwater"), "run", "--name=inner", "--", "cat"];
    let mut outer = scene.command(&["--name=outer"], &inner);
    let done = outer.stdin(fs::File::open(scene.path("a.csv")).unwrap()).output().unwrap();
    assert_eq!((done.status.code(), text(&done.stdout)), (Some(0), "1".into()));
    let said = text(&done.stderr);
    assert!(said.contains("files were not observed"), "{said}");
    let found = scene.call("GetExecutions", &json!({}));
    let inner = plain(&found["executions"][1]["customProperties"]);
    assert_eq!(inner["run.name"], "inner");
    assert!(inner["run.problems"].as_str().unwrap().contains("files were not observed"));
}

#[test]
fn a_signal_that_tracing_swallows_is_said() {
    let scene = Scene::new(&[]);
    let script = "import os, signal\n\
                  signal.signal(signal.SIGRTMIN, lambda *_: print('got it'))\n\
                  os.kill(os.getpid(), signal.SIGRTMIN)\n";
    let done = scene.python(script);
    let said = text(&done.stderr);
    assert!(said.contains("signal 34 is kept from the command"), "{said}");
    assert!(scene.recorded().text("run.problems").contains("signal 34 is kept"));
    let done = scene.run(&["--no-trace"], &["python3", "script.py"]);
    assert_eq!(text(&done.stdout), "got it\n");
}

#[test]
fn a_program_that_cannot_be_run_ends_as_in_a_shell() {
    use std::os::unix::fs::PermissionsExt as _;
    let scene = Scene::new(&[("broken", "#!/no/such/interpreter\n")]);
    fs::set_permissions(scene.path("broken"), fs::Permissions::from_mode(0o755)).unwrap();
    let done = scene.run(&[], &["./broken"]);
    assert_eq!(done.status.code(), Some(127));
    assert!(text(&done.stderr).starts_with("error: `./broken` cannot be run"));
    assert_eq!(scene.recorded().state, "FAILED");
}

#[test]
fn a_commit_and_what_differs_from_it_are_recorded() {
    let scene = Scene::new(&[("train.py", "print(1)\n")]);
    let git = |args: &[&str]| {
        let identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"];
        let mut git = Command::new("git");
        let done = git.args(identity).args(args).current_dir(&scene.folder).output().unwrap();
        text(&done.stdout).trim().to_owned()
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-qm", "first"]);
    fs::write(scene.path("train.py"), "print(2)\n").unwrap();
    scene.run(&[], &["python3", "train.py"]);
    let run = scene.recorded();
    assert_eq!(run.text("code.commit"), git(&["rev-parse", "HEAD"]));
    let code = &run.inputs[0].2;
    assert_eq!((&code["code.is_dirty"], &code["code.snapshot"]), (&json!(true), &Value::Null));
    let patch = scene.call("GetContent", &json!({ "digest": code["code.patch"] }));
    assert!(patch["content"].as_str().unwrap().len() > 50);
}

#[test]
fn a_server_records_as_a_store_does() {
    let scene = Scene::new(&[("a.csv", "1")]);
    let mut server = Command::new(env!("CARGO_BIN_EXE_headwater"))
        .args(["serve", "--listen=127.0.0.1:0", "--store", &scene.store()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines().map_while(Result::ok);
    let port = lines.find_map(|line| {
        let (_, port) = line.split_once("127.0.0.1:")?;
        Some(port.chars().take_while(char::is_ascii_digit).collect::<String>())
    });
    let option = format!("--server=http://127.0.0.1:{}", port.unwrap());
    let done = scene.run(&[&option], &["cat", "a.csv"]);
    signal(&server, Signal::SIGTERM, false);
    server.wait().unwrap();
    assert_eq!(text(&done.stdout), "1", "{}", text(&done.stderr));
    assert_eq!(scene.recorded().input_names(), ["a.csv"]);
}
