//! `headwater demo load`: what the fixture is said to hold is there, by public calls.

#![allow(clippy::unwrap_used)]

#[path = "demo/scene.rs"]
mod scene;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use mysql::prelude::Queryable as _;
use serde_json::{Value, json};

use scene::{Node, Scene};

fn rows(path: &Path) -> Vec<Vec<String>> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

fn pair(role: &str, name: &str) -> (String, String) {
    (role.to_owned(), name.to_owned())
}

/// Midnight before 1 September 2026, UTC.
const SEPTEMBER_MS: i64 = 1_788_220_800_000;
const DAY_MS: i64 = 24 * HOUR_MS;
const HOUR_MS: i64 = 3_600_000;

#[test]
fn features_come_from_raw_data_of_which_the_second_version_is_spoiled() {
    let scene = Scene::new();
    scene.load(&["--data", "files"]);
    for number in [1, 2] {
        let features = format!("features@{number}");
        let raw = scene.traced(&features, "UPSTREAM", "type = 'headwater.Dataset'");
        assert_eq!(raw, [format!("raw@{number}")]);
    }
    let path = |name: &str| {
        let uri = scene.artifact(name).0["uri"].as_str().unwrap().to_owned();
        PathBuf::from(uri.strip_prefix("file://").unwrap())
    };
    let (first, second) = (rows(&path("raw@1")), rows(&path("raw@2")));
    assert_eq!((first.len(), second.len()), (400, 440));
    let label = first[0].len() - 1;
    let flipped = first.iter().zip(&second).filter(|(one, other)| one[label] != other[label]);
    assert_eq!(flipped.count(), 48, "12 %");
    assert!(first.iter().zip(&second).all(|(one, other)| one[..label] == other[..label]));
}

#[test]
fn bytes_on_disk_have_the_digests_sizes_and_columns_that_are_recorded() {
    let scene = Scene::new();
    // A blank and a letter that a URI escapes.
    scene.load(&["--data", "a folder é"]);
    let versions = scene.artifacts("custom_properties.`version.name` IS NOT NULL");
    assert_eq!(versions.len(), 18);
    let mut checked = 0;
    for version in &versions {
        let uri = version.0["uri"].as_str().unwrap();
        let (root, relative) = uri.split_once("/a%20folder%20%C3%A9/").unwrap();
        assert!(root.starts_with("file:///"), "{uri}");
        let path = scene.folder.path().join("a folder é").join(relative);
        let bytes = fs::read(&path).unwrap();
        assert_eq!(version.int("size_bytes"), i64::try_from(bytes.len()).unwrap());
        for (tool, property) in [("md5sum", "digest.md5"), ("sha256sum", "digest.sha256")] {
            let printed = Command::new(tool).arg(&path).output().unwrap().stdout;
            assert!(String::from_utf8(printed).unwrap().starts_with(version.text(property)));
        }
        assert_eq!(version.text("digest"), format!("sha256:{}", version.text("digest.sha256")));
        if version.text("format") == "csv" {
            let header = fs::read_to_string(&path).unwrap();
            let names: Vec<&str> = header.lines().next().unwrap().split(',').collect();
            let profile = scene.content(version.text("profile"));
            let profile: Value = serde_json::from_slice(&profile).unwrap();
            let shown = profile["columns"].as_array().unwrap().iter().map(|of| &of["name"]);
            assert_eq!(shown.collect::<Vec<_>>(), names);
            assert_eq!(version.int("rows"), profile["rows"].as_i64().unwrap());
            let types = profile["columns"].as_array().unwrap().iter().map(|of| &of["type"]);
            for (name, kind) in names.iter().zip(types) {
                assert_eq!(version.said(&format!("column.{name}")), kind);
            }
            checked += 1;
        }
    }
    assert_eq!(checked, 7);
}

#[test]
fn a_masked_column_is_shown_nowhere() {
    let scene = Scene::loaded();
    let profile = scene.content(scene.artifact("raw@1").text("profile"));
    assert!(!String::from_utf8(profile.clone()).unwrap().contains("@example.com"));
    let profile: Value = serde_json::from_slice(&profile).unwrap();
    assert_eq!(profile["columns"][1]["name"], "email");
    assert_eq!(profile["columns"][1]["is_masked"], true);
    assert_eq!(profile["preview"][9][1], "***");
    assert_eq!(profile["columns"][1]["statistics"]["distinct"], 400);
}

#[test]
fn trainings_are_as_described() {
    let scene = Scene::loaded();
    let training = |run: &str, lr: f64, features: &str, version: Option<(&str, f64)>| {
        let run = scene.run(run);
        assert_eq!(run.0["type"], "headwater.Train");
        assert_eq!(*run.said("params.lr"), lr);
        assert!(run.text("code.commit").starts_with("aaa111"));
        let reads = scene.linked(&run, "INPUT");
        assert!(reads.contains(&pair("training", features)), "{reads:?}");
        let mut makes = scene.linked(&run, "OUTPUT");
        makes.retain(|(role, _)| role != "checkpoint");
        match version {
            Some((name, accuracy)) => {
                assert_eq!(run.state(), "COMPLETE");
                assert_eq!(makes, [pair("model", name)]);
                assert_eq!(*run.said("metrics.accuracy"), accuracy);
                for series in ["loss", "val_loss", "accuracy"] {
                    let points = scene.series(&run, series);
                    assert_eq!((points.len(), points[999].0), (1000, 1000));
                }
            }
            None => assert!(makes.is_empty()),
        }
        run
    };
    let train_a = training("train-a", 0.1, "features@1", Some(("churn@1", 0.91)));
    let train_b = training("p1/train-b", 0.01, "features@1", Some(("churn@2", 0.93)));
    let train_c = training("p3/train-c", 0.01, "features@2", Some(("churn@3", 0.71)));
    let train_d = training("p2/train-d", 0.01, "features@1", None);
    for other in [&train_b, &train_c] {
        assert_eq!(other.text("code.digest"), train_a.text("code.digest"), "same code");
    }
    assert_ne!(train_d.text("code.digest"), train_a.text("code.digest"));
    let params = |run: &Node| -> Vec<(String, Value)> {
        let said = run.0["customProperties"].as_object().unwrap().iter();
        let said = said.filter(|(name, _)| name.starts_with("params.") && *name != "params.lr");
        said.map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    assert_eq!(params(&train_a), params(&train_b), "only lr differs");
    assert_eq!(params(&train_b), params(&train_c));
}

#[test]
fn the_trainings_and_nothing_else_ran_with_tensorflow_2_15() {
    let scene = Scene::loaded();
    let environments = scene.artifacts("custom_properties.`package.tensorflow` < '2.16'");
    assert_eq!(environments.len(), 1);
    let environment = &environments[0];
    assert_eq!(environment.text("package.tensorflow"), "2.15.0");
    let runs = scene.runs(&format!("events_e.artifact_id = {}", environment.id()));
    let names: Vec<&str> = runs.iter().map(|run| run.text("run.name")).collect();
    assert_eq!(names, ["train-a", "train-b", "train-d", "train-c"]);
    let lock = scene.content(environment.text("file.requirements.lock"));
    let lock = String::from_utf8(lock).unwrap();
    assert!(lock.lines().count() >= 40);
    for line in lock.lines() {
        let (name, version) = line.split_once("==").unwrap();
        assert_eq!(environment.text(&format!("package.{name}")), version);
    }
    let requirements = scene.content(environment.text("requirements"));
    assert!(String::from_utf8(requirements).unwrap().ends_with(&lock));
    let dockerfile = scene.content(environment.text("file.Dockerfile"));
    assert!(dockerfile.starts_with(b"FROM tensorflow/tensorflow:2.15.0"));
}

#[test]
fn the_gpu_of_train_d_ran_out_of_memory_at_step_310() {
    let scene = Scene::loaded();
    let run = scene.run("p2/train-d");
    assert_eq!(run.state(), "FAILED");
    assert!(run.text("run.error").starts_with("ResourceExhaustedError: "));
    assert!(run.text("run.traceback").starts_with("Traceback (most recent call last):\n"));
    assert!(run.text("run.log_tail").contains("ran out of memory"));
    assert_eq!(run.int("metrics.loss.step"), 310);
    let memory = scene.series(&run, "system/gpu0_memory_mib");
    assert_eq!(memory.last(), Some(&(310, 16_160.0)));
    assert!(memory.windows(2).all(|pair| pair[0].1 <= pair[1].1), "it only rises");
    assert_eq!(*run.said("metrics.system/gpu0_memory_mib.max"), 16_160.0);
    let codes = scene.artifacts("custom_properties.`code.is_dirty` = true");
    let patch = String::from_utf8(scene.content(codes[0].text("code.patch"))).unwrap();
    assert!(patch.contains("\n-BATCH_SIZE = 256\n+BATCH_SIZE = 65_536\n"), "{patch}");
    assert_eq!(run.text("code.digest"), codes[0].text("digest"));
}

#[test]
fn the_best_checkpoint_is_that_of_the_lowest_validation_loss() {
    let scene = Scene::loaded();
    let run = scene.run("p1/train-b");
    let points = scene.series(&run, "val_loss");
    let lowest = points.iter().min_by(|one, other| one.1.total_cmp(&other.1)).unwrap();
    let best = "custom_properties.`version.name` = 'demo-churn/p1/train-b/checkpoint'";
    let order = "custom_properties.`metrics.val_loss`";
    let checkpoints = scene.list("ListArtifacts", best, order);
    let first = &checkpoints[0];
    assert_eq!((first.int("step"), first.said("metrics.val_loss")), (lowest.0, &json!(lowest.1)));
    let steps: BTreeSet<i64> = checkpoints.iter().map(|of| of.int("step")).collect();
    assert_eq!(steps, BTreeSet::from([200, 400, 600, 800, 986, 1000]));
    let makes = scene.linked(&run, "OUTPUT");
    assert_eq!(makes.iter().filter(|(role, _)| role == "checkpoint").count(), 6);
}

#[test]
fn only_train_c_learns_by_heart() {
    let scene = Scene::loaded();
    let gaps = |run: &str| {
        let run = scene.run(run);
        let mean = |name: &str, from: usize| {
            let points = scene.series(&run, name);
            points[from..from + 100].iter().map(|point| point.1).sum::<f64>() / 100.0
        };
        let gap = |from| mean("val_loss", from) - mean("loss", from);
        (mean("loss", 900) < mean("loss", 200), gap(900) - gap(200))
    };
    let (falls, grows) = gaps("p1/train-b");
    assert!(falls && grows.abs() < 0.02, "{grows}");
    let (falls, grows) = gaps("p3/train-c");
    assert!(falls && grows > 0.2, "{grows}");
}

#[test]
fn each_model_is_evaluated_on_the_holdout_and_its_slices() {
    let scene = Scene::new();
    scene.load(&["--data", "files"]);
    let evaluations = scene.runs("type = 'headwater.Evaluate'");
    let mut found = Vec::new();
    for run in &evaluations {
        let reads = scene.linked(run, "INPUT");
        assert!(reads.contains(&pair("evaluation", "holdout@1")), "{reads:?}");
        let model = reads.iter().find(|(role, _)| role == "model").unwrap().1.clone();
        let filter = format!("events_e.execution_id = {} AND events_e.type = OUTPUT", run.id());
        let metrics = scene.artifacts(&filter).pop().unwrap();
        assert_eq!(metrics.0["type"], "headwater.Metrics");
        for country in ["DE", "FR"] {
            let of = metrics.said(&format!("slice.country={country}.metrics.accuracy"));
            assert!((0.6..1.0).contains(&of.as_f64().unwrap()), "{metrics:?}");
        }
        let accuracy = metrics.said("metrics.accuracy").as_f64().unwrap();
        assert_eq!(*run.said("metrics.accuracy"), accuracy);
        found.push((model, accuracy, metrics));
    }
    let pairs: Vec<(&str, f64)> = found.iter().map(|of| (&*of.0, of.1)).collect();
    let wanted = [("churn@1", 0.91), ("churn@2", 0.93), ("churn@3", 0.71), ("churn@2", 0.93)];
    assert_eq!(pairs, wanted);
    let began = |at: usize| evaluations[at].int("run.started_ms");
    assert_eq!(began(3) - began(1), 7 * DAY_MS, "twice, a week apart");
    // They are what the predictions come to, row by row.
    for (at, predictions) in [(1, "churn-2"), (2, "churn-3")] {
        let path = format!("files/predictions/{predictions}/holdout-1.csv");
        let rows = rows(&scene.folder.path().join(path));
        assert_eq!(rows.len(), 400);
        for (slice, name) in [("DE", "slice.country=DE.metrics.accuracy"), ("", "metrics.accuracy")]
        {
            let of_slice: Vec<_> = rows.iter().filter(|row| row[1].contains(slice)).collect();
            let right = of_slice.iter().filter(|row| row[2] == row[3]).count();
            #[allow(clippy::cast_precision_loss)]
            let accuracy = right as f64 / of_slice.len() as f64;
            assert_eq!(*found[at].2.said(name), accuracy);
        }
    }
}

#[test]
fn what_was_deployed_last_is_version_two_though_three_is_the_highest() {
    let scene = Scene::loaded();
    let filter = "type = 'headwater.Deploy' AND custom_properties.`deploy.target` = 'prod'";
    let deployments = scene.runs(filter);
    let models = deployments.iter().map(|run| {
        let reads = scene.linked(run, "INPUT");
        let model = reads.into_iter().find(|(role, _)| role == "model").unwrap().1;
        (model, run.int("run.started_ms") - SEPTEMBER_MS)
    });
    let wanted = [
        ("churn@1", 10 * HOUR_MS),
        ("churn@2", 7 * DAY_MS + 10 * HOUR_MS),
        ("churn@3", 13 * DAY_MS + 8 * HOUR_MS),
        ("churn@2", 14 * DAY_MS + 10 * HOUR_MS),
    ];
    let wanted = wanted.map(|(name, time)| (name.to_owned(), time));
    assert_eq!(models.collect::<Vec<_>>(), wanted);
    assert_eq!(deployments[3].text("deploy.reason"), "rollback of v3");
    assert!(deployments[..3].iter().all(|run| run.said("deploy.reason").is_null()));
    let filter = "type = 'headwater.RegisteredModel' AND name = 'churn'";
    let series = scene.list("ListContexts", filter, "").pop().unwrap();
    assert_eq!((series.int("versions"), series.int("alias.production")), (3, 2));
    assert_eq!(series.text("owner"), "Retention team <retention@example.com>");
}

#[test]
fn the_pipeline_runs_are_as_described() {
    let scene = Scene::loaded();
    let steps = |name: &str| {
        let runs = scene.runs(&format!("contexts_c.name = 'churn-train/{name}'"));
        let said = runs.iter().map(|run| format!("{} {}", run.text("run.name"), run.state()));
        said.collect::<Vec<_>>()
    };
    let all = ["ingest", "featurize", "train-b", "evaluate", "deploy"];
    assert_eq!(steps("p1"), all.map(|step| format!("{step} COMPLETE")));
    assert_eq!(steps("p2"), ["ingest CACHED", "featurize CACHED", "train-d FAILED"]);
    let all = ["ingest", "featurize", "train-c", "evaluate", "deploy"];
    assert_eq!(steps("p3"), all.map(|step| format!("{step} COMPLETE")));
    let p4 = ["ingest CACHED", "featurize CACHED", "train CACHED"];
    assert_eq!(steps("p4"), [&p4[..], &["evaluate COMPLETE", "deploy COMPLETE"]].concat());
    let filter = "parent_contexts_p.name = 'churn-train'";
    let runs = scene.list("ListContexts", filter, "name");
    assert_eq!(runs.len(), 4);
    assert_eq!(runs[2].text("trigger.kind"), "new data");
    assert_eq!(runs[2].text("trigger.reason"), "raw@2");
    assert_eq!(runs[2].text("trigger.artifact"), scene.artifact("raw@2").id());
    assert_eq!(runs[3].text("trigger.kind"), "performance drop");
    assert_eq!(runs[3].text("trigger.reason"), "acc 0.71 < 0.85");
    assert_eq!(runs[3].text("trigger.execution"), scene.run("p3/evaluate").id());
    assert_eq!(*runs[3].said("trigger.value"), 0.71);
    assert_eq!(*runs[3].said("trigger.threshold"), 0.85);
}

#[test]
fn a_step_that_is_the_same_is_found_and_one_that_is_not_says_why() {
    let scene = Scene::loaded();
    let of_p1 = scene.run("p1/featurize");
    for later in ["p2/featurize", "p4/featurize"] {
        let later = scene.run(later);
        assert_eq!(later.text("step.same_as"), of_p1.id());
        assert_eq!(scene.linked(&later, "OUTPUT"), [pair("features", "features@1")]);
    }
    let parts = of_p1.step_parts();
    let request = json!({
        "name": "featurize", "parts": parts, "claimant": "another", "leaseMs": 1000,
    });
    let begun = scene.call("BeginStep", &request);
    assert_eq!(begun["execution"]["id"], of_p1.id());
    assert_eq!(begun["fingerprint"], of_p1.text("step.fingerprint"));
    let explained =
        scene.call("ExplainStep", &json!({"executionId": scene.run("p3/featurize").id()}));
    let different: Vec<&Value> = explained["different"].as_array().unwrap().iter().collect();
    assert_eq!(different.len(), 1);
    assert_eq!(different[0]["name"], "input.raw");
    assert_eq!(different[0]["here"], scene.artifact("raw@2").text("digest"));
    // What failed is not found.
    let failed = scene.run("p2/train-d");
    let parts = failed.step_parts();
    let request = json!({"name": "train", "parts": parts, "claimant": "another", "leaseMs": 1000});
    assert_eq!(scene.call("BeginStep", &request)["isClaimed"], true);
}

#[test]
fn lineage_leads_from_models_to_their_data_and_back() {
    let scene = Scene::loaded();
    let datasets = "type = 'headwater.Dataset'";
    for (model, wanted) in
        [("churn@2", ["features@1", "raw@1"]), ("churn@3", ["features@2", "raw@2"])]
    {
        assert_eq!(scene.traced(model, "UPSTREAM", datasets), wanted);
    }
    let named = "type IN ('headwater.Dataset', 'headwater.Model')";
    let found = scene.traced("raw@2", "DOWNSTREAM", named);
    assert_eq!(found, ["churn@3", "features@2", "predictions@2"]);
    let models = "type = 'headwater.Model' AND custom_properties.step IS NULL";
    assert_eq!(scene.traced("features@1", "DOWNSTREAM", models), ["churn@1", "churn@2"]);
    let predictions = "custom_properties.`version.name` = 'predictions'";
    assert_eq!(scene.traced("churn@2", "DOWNSTREAM", predictions), ["predictions@1"]);
    let inference = scene.run("predict-2");
    assert_eq!(scene.linked(&inference, "OUTPUT"), [pair("predictions", "predictions@1")]);
}

#[test]
fn all_six_stages_are_in_the_lineage_of_the_first_run_of_the_pipeline() {
    let scene = Scene::loaded();
    let stage = |run: &str, kind: &str, role: &str| {
        let run = scene.run(run);
        let linked = scene.linked(&run, kind);
        assert!(linked.iter().any(|(each, _)| each == role), "{run:?}: {linked:?}");
    };
    stage("p1/ingest", "OUTPUT", "data");
    stage("p1/ingest", "OUTPUT", "validation");
    stage("p1/featurize", "OUTPUT", "features");
    stage("p1/train-b", "OUTPUT", "model");
    stage("p1/evaluate", "OUTPUT", "metrics");
    stage("p1/deploy", "INPUT", "model");
}

#[test]
fn the_features_stand_in_order_on_what_makes_them_and_what_is_trained_on_them() {
    let scene = Scene::loaded();
    let made = scene.run("p1/featurize").text("features").to_owned();
    let names: Vec<String> = serde_json::from_str(&made).unwrap();
    assert_eq!(names[..2], ["tenure_years", "fee_share"]);
    assert_eq!(scene.run("p1/train-b").text("features"), made);
    assert_eq!(scene.artifact("churn@2").text("features"), made);
    assert_eq!(scene.artifact("features@1").text("features"), made);
    for name in names {
        assert_eq!(scene.artifact("features@1").text(&format!("column.{name}")), "float64");
    }
}

#[test]
fn two_stores_get_the_same() {
    let (one, other) = (Scene::loaded(), Scene::loaded());
    let everything = one.everything();
    assert!(everything.len() > 200, "only {}", everything.len());
    assert_eq!(everything, other.everything());
}

#[test]
fn a_second_load_is_refused_and_changes_nothing() {
    let scene = Scene::loaded();
    let before = scene.everything();
    let said = scene.refused(&["--data", "files"]);
    assert_eq!(
        said,
        "error: the store has `demo-churn` already, and nothing was changed\n\
         hint: load it into another store, as in `--store sqlite:demo.db`\n"
    );
    assert_eq!(scene.everything(), before);
    assert!(!scene.folder.path().join("files").exists());
}

#[test]
fn other_things_in_the_store_stay_and_are_no_obstacle() {
    let (scene, alone) = (Scene::new(), Scene::loaded());
    let put = json!({"contextType": {"name": "headwater.RegisteredDataset"}});
    let series = scene.call("PutContextType", &put)["typeId"].clone();
    let put = json!({"artifactType": {"name": "headwater.Dataset", "baseType": "DATASET",
                                      "properties": {"mine": "INT"}}});
    let dataset = scene.call("PutArtifactType", &put)["typeId"].clone();
    let register = json!({"artifact": {"typeId": dataset, "uri": "s3://mine"},
                          "contextTypeId": series, "name": "mine", "digest": "sha256:1"});
    scene.call("RegisterVersion", &register);
    let put = json!({"executionType": {"name": "headwater.Train", "baseType": "TRAIN"}});
    let train = scene.call("PutExecutionType", &put)["typeId"].clone();
    let put = json!({"execution": {"typeId": train, "name": "mine"},
                     "contexts": [{"typeId": series, "name": "mine"}],
                     "options": {"reuseContextIfAlreadyExist": true}});
    scene.call("PutExecution", &put);
    let mine = scene.artifact("mine@1").0;
    scene.load(&[]);
    assert_eq!(scene.artifact("mine@1").0, mine);
    let mut everything = scene.everything();
    everything.retain(|line| !line.contains("mine"));
    assert_eq!(everything, alone.everything());
}

#[test]
fn a_series_of_the_same_name_that_is_somebody_elses_is_left_alone() {
    let scene = Scene::new();
    let put = json!({"contextType": {"name": "headwater.RegisteredModel"}});
    let type_id = scene.call("PutContextType", &put)["typeId"].clone();
    scene.call("PutContexts", &json!({"contexts": [{"typeId": type_id, "name": "churn"}]}));
    let said = scene.refused(&[]);
    assert!(
        said.starts_with(
            "error: the store has a `headwater.RegisteredModel` called `churn` that is not the \
             demo's, and nothing was changed\nhint: "
        ),
        "{said}"
    );
    assert_eq!(scene.call("GetArtifactTypes", &json!({})), json!({}));
    assert_eq!(scene.list("ListContexts", "", "").len(), 1);
}

#[test]
fn a_load_that_failed_is_repeated() {
    let (scene, whole) = (Scene::new(), Scene::loaded());
    // In the middle of the story, somebody else runs the step of `train-d`.
    let train_d = whole.run("p2/train-d");
    let parts = train_d.step_parts();
    let claim =
        json!({"name": "train", "parts": parts, "claimant": "another", "leaseMs": 3_600_000});
    let begun = scene.call("BeginStep", &claim);
    for _ in 0..2 {
        let said = scene.refused(&[]);
        assert!(
            said.starts_with("error: somebody else runs the step `train` on the same"),
            "{said}"
        );
        assert!(
            said.ends_with("hint: what was loaded stays; the same command goes on from there\n")
        );
    }
    assert_eq!(scene.run("p1/deploy").state(), "COMPLETE");
    let finish = json!({"fingerprint": begun["fingerprint"], "claimant": "another"});
    scene.call("FinishStep", &finish);
    scene.load(&[]);
    assert_eq!(scene.everything(), whole.everything());
    assert!(scene.refused(&[]).contains("already"));
}

#[test]
fn a_file_with_other_content_is_not_overwritten() {
    let scene = Scene::new();
    let place = scene.folder.path().join("files/raw/2026-09-14/customers.csv");
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::write(&place, "mine").unwrap();
    let said = scene.refused(&["--data", "files"]);
    assert!(said.contains("customers.csv` is there already, with other content\nhint: "), "{said}");
    assert_eq!(fs::read_to_string(&place).unwrap(), "mine");
    assert!(!scene.folder.path().join("files/models").exists());
    scene.load(&["--data", "others"]);
}

#[test]
fn what_is_printed_counts_what_is_there_and_its_commands_work() {
    let scene = Scene::new();
    let said = scene.load(&[]);
    let first = said.lines().next().unwrap();
    assert!(first.starts_with("loaded `demo-churn` into `sqlite:"), "{said}");
    let versions = scene.artifacts("custom_properties.`version.name` IS NOT NULL").len();
    assert!(said.contains(&format!("\n  {versions} versions: ")), "{said}");
    let runs = scene.runs("").len();
    assert!(said.contains(&format!("\n  {runs} runs (5 of them cached)")), "{said}");
    let commands: Vec<&str> =
        said.lines().filter(|line| line.starts_with("  headwater call ")).collect();
    assert_eq!(commands.len(), 3);
    let wanted = ["\"raw@1\"", "\"rollback of v3\"", "ResourceExhaustedError"];
    for (command, wanted) in commands.iter().zip(wanted) {
        let binary = PathBuf::from(env!("CARGO_BIN_EXE_headwater"));
        let path = format!("{}:{}", binary.parent().unwrap().display(), std::env!("PATH"));
        let done = Command::new("sh")
            .args(["-c", command])
            .env("PATH", path)
            .current_dir(scene.folder.path())
            .output()
            .unwrap();
        assert!(done.status.success(), "{command}: {done:?}");
        assert!(String::from_utf8(done.stdout).unwrap().contains(wanted), "{command}");
    }
}

/// A server of our own on a free port.
struct Server {
    child: Child,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_running_server_is_filled_with_the_same() {
    let (mut scene, alone) = (Scene::new(), Scene::loaded());
    let mut child = Command::new(env!("CARGO_BIN_EXE_headwater"))
        .args(["serve", "--listen", "127.0.0.1:0"])
        .args(&scene.flags)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let _server = Server { child };
    let address = line.strip_prefix("headwater ready on ").and_then(|rest| rest.split(',').next());
    let server = format!("http://{}", address.unwrap());
    scene.flags = vec!["--server".to_owned(), server];
    scene.load(&[]);
    assert!(scene.refused(&[]).contains("already"));
    assert_eq!(scene.everything(), alone.everything());
}

/// The environment variable that says where a server is. Without it the test is skipped at home.
fn url(variable: &str) -> Option<String> {
    let found = std::env::var(variable).ok().filter(|url| !url.is_empty());
    let required = std::env::var_os("HEADWATER_TEST_REQUIRED").is_some();
    assert!(found.is_some() || !required, "HEADWATER_TEST_REQUIRED is set, but not {variable}");
    found.map(|url| format!("{}/", url.trim_end_matches('/')))
}

fn database_name() -> String {
    format!("hw_demo_{}", std::process::id())
}

fn filled_alike(server: &str) {
    let mut scene = Scene::new();
    scene.flags = vec!["--store".to_owned(), format!("{server}{}", database_name())];
    scene.load(&[]);
    assert!(scene.refused(&[]).contains("already"));
    assert_eq!(scene.everything(), Scene::loaded().everything());
}

#[test]
fn postgres_is_filled_with_the_same() {
    let Some(server) = url("HEADWATER_TEST_POSTGRES") else { return };
    let remove = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let place = format!("{server}postgres");
            let (client, connection) =
                tokio_postgres::connect(&place, tokio_postgres::NoTls).await.unwrap();
            tokio::spawn(connection);
            let text = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", database_name());
            client.batch_execute(&text).await.unwrap();
        });
    };
    remove();
    filled_alike(&server);
    remove();
}

#[test]
fn mysql_is_filled_with_the_same() {
    let Some(server) = url("HEADWATER_TEST_MYSQL") else { return };
    let remove = || {
        let options = mysql::Opts::from_url(&server).unwrap();
        let text = format!("DROP DATABASE IF EXISTS {}", database_name());
        mysql::Conn::new(options).unwrap().query_drop(text).unwrap();
    };
    remove();
    filled_alike(&server);
    remove();
}
