//! A store that is filled by the built binary, and asked through it.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A place for a store, by the flags that lead to it.
pub(crate) struct Scene {
    pub(crate) folder: TempDir,
    pub(crate) flags: Vec<String>,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let store = format!("sqlite:{}", folder.path().join("store.db").display());
        Self { folder, flags: vec!["--store".to_owned(), store] }
    }

    pub(crate) fn loaded() -> Self {
        let scene = Self::new();
        scene.load(&[]);
        scene
    }

    pub(crate) fn headwater(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_headwater"))
            .current_dir(self.folder.path())
            .args(args)
            .args(&self.flags)
            .output()
            .unwrap()
    }

    pub(crate) fn load(&self, args: &[&str]) -> String {
        let done = self.headwater(&[&["demo", "load"], args].concat());
        assert!(done.status.success(), "{done:?}");
        assert!(done.stderr.is_empty(), "{done:?}");
        String::from_utf8(done.stdout).unwrap()
    }

    pub(crate) fn refused(&self, args: &[&str]) -> String {
        let done = self.headwater(&[&["demo", "load"], args].concat());
        assert_eq!(done.status.code(), Some(1), "{done:?}");
        assert!(done.stdout.is_empty(), "{done:?}");
        String::from_utf8(done.stderr).unwrap()
    }

    pub(crate) fn call(&self, method: &str, request: &Value) -> Value {
        let done = self.headwater(&["call", method, &request.to_string()]);
        assert!(done.status.success(), "{method} {request}: {done:?}");
        serde_json::from_slice(&done.stdout).unwrap()
    }

    pub(crate) fn list(&self, method: &str, filter: &str, order_by: &str) -> Vec<Node> {
        let request = json!({"filter": filter, "orderBy": order_by, "pageSize": 500});
        let answer = self.call(method, &request);
        let (_, nodes) = answer.as_object().unwrap().iter().next().unwrap_or_else(|| {
            panic!("{method} {filter} finds nothing");
        });
        nodes.as_array().unwrap().iter().cloned().map(Node).collect()
    }

    pub(crate) fn artifacts(&self, filter: &str) -> Vec<Node> {
        self.list("ListArtifacts", filter, "")
    }

    pub(crate) fn artifact(&self, name: &str) -> Node {
        self.artifacts(&format!("name = '{name}'")).pop().unwrap()
    }

    /// Runs in the order in which they began.
    pub(crate) fn runs(&self, filter: &str) -> Vec<Node> {
        self.list("ListExecutions", filter, "custom_properties.`run.started_ms`, id")
    }

    pub(crate) fn run(&self, name: &str) -> Node {
        self.runs(&format!("name = 'demo-churn/{name}'")).pop().unwrap()
    }

    /// Roles and names of what a run reads or makes.
    pub(crate) fn linked(&self, run: &Node, kind: &str) -> Vec<(String, String)> {
        let request = json!({"executionIds": [run.id()]});
        let events = self.call("GetEventsByExecutionIDs", &request);
        let names = self.artifact_names();
        let events = events["events"].as_array().unwrap().iter();
        let of_kind = events.filter(|event| event["type"] == kind);
        let named = of_kind.map(|event| {
            let role = event["path"]["steps"][0]["key"].as_str().unwrap();
            (role.to_owned(), names[event["artifactId"].as_str().unwrap()].clone())
        });
        let mut found: Vec<(String, String)> = named.collect();
        found.sort();
        found
    }

    /// By id. What has no name is called by what is said of it.
    pub(crate) fn artifact_names(&self) -> BTreeMap<String, String> {
        let said = |of: &Node| json!([of.0["type"], of.0["customProperties"]]).to_string();
        let named = |of: &Node| of.0["name"].as_str().map_or_else(|| said(of), str::to_owned);
        self.artifacts("").iter().map(|of| (of.id(), named(of))).collect()
    }

    pub(crate) fn traced(&self, name: &str, direction: &str, kept: &str) -> Vec<String> {
        let traced = self.call(
            "TraceLineage",
            &json!({
                "startArtifacts": [format!("name = '{name}'")],
                "direction": direction,
                "keepArtifacts": kept,
                "keepExecutions": "false",
            }),
        );
        let nodes = traced["nodes"].as_array().unwrap().iter();
        let names = nodes.map(|node| node["artifact"]["name"].as_str().unwrap_or_default());
        let mut found: Vec<String> = names.filter(|of| *of != name).map(str::to_owned).collect();
        found.sort();
        found
    }

    pub(crate) fn series(&self, run: &Node, name: &str) -> Vec<(i64, f64)> {
        let request = json!({"executionId": run.id(), "names": [name]});
        let answer = self.call("GetMetrics", &request);
        let series = &answer["series"][0];
        let steps = series["steps"].as_array().unwrap().iter();
        let values = series["values"].as_array().unwrap().iter();
        steps
            .map(|step| step.as_str().unwrap().parse().unwrap())
            .zip(values.map(|value| value.as_f64().unwrap()))
            .collect()
    }

    pub(crate) fn content(&self, digest: &str) -> Vec<u8> {
        let answer = self.call("GetContent", &json!({"digest": digest}));
        unbase64(answer["content"].as_str().unwrap())
    }

    /// Everything that can be asked for, without ids and the store's times, in an order of its own.
    pub(crate) fn everything(&self) -> Vec<String> {
        let artifacts = self.artifact_names();
        let executions: BTreeMap<String, String> =
            self.runs("").iter().map(|of| (of.id(), of.name().to_owned())).collect();
        let mut found = BTreeSet::new();
        let lists = ["ListArtifacts", "ListExecutions", "ListContexts"];
        for node in lists.iter().flat_map(|list| self.list(list, "", "")) {
            found.insert(node.without_ids(&artifacts, &executions).to_string());
        }
        let ids: Vec<&String> = executions.keys().collect();
        let events = self.call("GetEventsByExecutionIDs", &json!({"executionIds": ids}));
        for event in events["events"].as_array().unwrap() {
            let mut event = event.clone();
            let name = |id: &Value| json!(artifacts[id.as_str().unwrap()]);
            event["artifactId"] = name(&event["artifactId"]);
            event["executionId"] = json!(executions[event["executionId"].as_str().unwrap()]);
            for step in event["path"]["steps"].as_array_mut().unwrap() {
                if !step["index"].is_null() {
                    step["index"] = name(&step["index"]);
                }
            }
            found.insert(event.to_string());
        }
        for (id, name) in &executions {
            let series = self.call("GetMetrics", &json!({"executionId": id}));
            found.insert(format!("{name} {series}"));
            let contexts = self.call("GetContextsByExecution", &json!({"executionId": id}));
            let names = contexts["contexts"].as_array().unwrap().iter().map(|of| &of["name"]);
            found.insert(format!("{name} in {:?}", names.collect::<Vec<_>>()));
        }
        for (id, name) in &artifacts {
            let contexts = self.call("GetContextsByArtifact", &json!({"artifactId": id}));
            let contexts = contexts["contexts"].as_array().cloned().unwrap_or_default();
            let names: BTreeSet<String> =
                contexts.iter().map(|of| of["name"].to_string()).collect();
            found.insert(format!("{name} in {names:?}"));
        }
        found.into_iter().collect()
    }
}

/// An artifact, an execution or a context.
#[derive(Clone, Debug)]
pub(crate) struct Node(pub(crate) Value);

impl Node {
    pub(crate) fn id(&self) -> String {
        self.0["id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn name(&self) -> &str {
        self.0["name"].as_str().unwrap()
    }

    pub(crate) fn state(&self) -> &str {
        self.0["lastKnownState"].as_str().unwrap()
    }

    /// As it is in JSON: an int is a text there.
    pub(crate) fn said(&self, name: &str) -> &Value {
        let value = self.0["customProperties"][name].as_object();
        value.and_then(|value| value.values().next()).unwrap_or(&Value::Null)
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.said(name).as_str().unwrap_or_else(|| panic!("no `{name}` in {self:?}"))
    }

    pub(crate) fn int(&self, name: &str) -> i64 {
        self.text(name).parse().unwrap()
    }

    /// What a memoized step depends on.
    pub(crate) fn step_parts(&self) -> BTreeMap<&str, &Value> {
        let names = self.0["customProperties"].as_object().unwrap().keys();
        names.filter_map(|name| Some((name.strip_prefix("step.part.")?, self.said(name)))).collect()
    }

    fn without_ids(
        mut self,
        artifacts: &BTreeMap<String, String>,
        executions: &BTreeMap<String, String>,
    ) -> Value {
        let node = self.0.as_object_mut().unwrap();
        for name in ["id", "typeId", "createTimeSinceEpoch", "lastUpdateTimeSinceEpoch"] {
            node.remove(name);
        }
        for (name, names) in [
            ("step.same_as", executions),
            ("trigger.execution", executions),
            ("trigger.artifact", artifacts),
        ] {
            let said = node.get("customProperties").and_then(|said| said.get(name));
            if let Some(id) = said.cloned() {
                let id = id["intValue"].as_str().unwrap().to_owned();
                node["customProperties"][name] = json!(names[&id]);
            }
        }
        self.0
    }
}

fn unbase64(text: &str) -> Vec<u8> {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    let (mut held, mut bits) = (0_u32, 0);
    for digit in text.bytes().filter(|digit| *digit != b'=') {
        let value = alphabet.iter().position(|each| *each == digit).unwrap();
        held = held << 6 | u32::try_from(value).unwrap();
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits & 0xff).unwrap());
        }
    }
    bytes
}
