//! The runs of the demo, in their order. `docs/demo.md` tells the same to people.

use headwater_proto::headwater::v1::MetricSeries;
use headwater_proto::ml_metadata::execution::State;
use headwater_store::vocabulary::{
    ALIAS, DEPLOY_REASON, DEPLOY_TARGET, FEATURES, METRIC, PARAM, RUN_ENDED, RUN_ERROR,
    RUN_LOG_TAIL, RUN_NAME, RUN_STARTED, RUN_TRACEBACK, RUN_USER, SLICE, TRIGGER_KIND,
    TRIGGER_METRIC, TRIGGER_REASON, TRIGGER_THRESHOLD, TRIGGER_VALUE,
};
use serde_json::json;

use super::churn::{MODELS, holdout};
use super::curves::{self, Pace};
use super::provenance::{COMMIT, machine};
use super::story::{
    Cause, MINUTE_MS, PipelineRun, Properties, Run, Story, boolean, double, int, september, text,
};
use super::versions;

/// Before the names of the demo's executions.
pub(crate) const KEY: &str = "demo-churn/";
/// The alias of the model that is live.
pub(crate) const PRODUCTION: &str = "production";

/// All of it.
pub(crate) fn story() -> Story {
    let mut versions = versions::all();
    let train_b = train_b("p1/train-b");
    versions.extend(versions::checkpoints(&train_b.key, &train_b.series));
    let by_name = versions.into_iter().map(|version| (version.full_name(), version)).collect();
    let (p4, last) = p4();
    let chapters = vec![[by_hand(), p1(train_b)].concat(), [p2(), p3()].concat(), p4, vec![last]];
    Story { versions: by_name, pipeline_runs: pipeline_runs(), chapters }
}

fn key(of: &str) -> String {
    format!("{KEY}{of}")
}

/// What each run says. Its name is the last part of its key.
fn run(of: &str, kind: &'static str, started_ms: i64, minutes: i64) -> Run {
    let ended_ms = started_ms + minutes * MINUTE_MS;
    let (place, name) = of.rsplit_once('/').unwrap_or(("", of));
    let pipeline_run = ["p1", "p2", "p3", "p4"].into_iter().find(|each| *each == place);
    let user = if pipeline_run.is_some() { "pipeline" } else { "ada" };
    let made = Run {
        key: key(of),
        kind,
        pipeline_run,
        state: State::Complete,
        started_ms,
        ended_ms,
        ..Run::default()
    };
    made.says(&[
        (RUN_NAME, text(name)),
        (RUN_STARTED, int(started_ms)),
        (RUN_ENDED, int(ended_ms)),
        (RUN_USER, text(user)),
    ])
}

/// With code, environment and machine.
fn described(mut run: Run, entry_point: &str, argv: &[&str], is_training: bool) -> Run {
    run.is_dirty = Some(false);
    run.in_training_image = Some(is_training);
    run.properties.extend(machine(is_training));
    run.says(&[
        ("run.argv", text(&json!([&["python", entry_point], argv].concat()).to_string())),
        ("run.folder", text("/work")),
        ("code.entry_point", text(entry_point)),
        ("code.branch", text("main")),
        ("code.commit", text(COMMIT)),
    ])
}

fn param(name: &str) -> String {
    format!("{PARAM}{name}")
}

/// Customers of a day, from the system that knows them.
fn export(of: &str, started_ms: i64, raw: &str) -> Run {
    run(of, "process", started_ms, 4).making("data", raw).says(&[
        (RUN_USER, text("crm")),
        (TRIGGER_KIND, text("schedule")),
        (TRIGGER_REASON, text("twice a month")),
    ])
}

fn ingest(of: &str, started_ms: i64, day: &str, number: u8) -> Run {
    let mut made = run(of, "process", started_ms, 4)
        .making("data", &format!("raw@{number}"))
        .making("validation", &format!("raw-validation@{number}"))
        .says(&[(&param("export"), text(day))]);
    made.step = Some("ingest");
    described(made, "ingest.py", &[day], false)
}

fn featurize(of: &str, started_ms: i64, number: u8) -> Run {
    let made = run(of, "transform", started_ms, 1)
        .reading("raw", &format!("raw@{number}"))
        .making("features", &format!("features@{number}"))
        .says(&[
            (&param("fee_max"), double(60.0)),
            (&param("tenure_months_min"), int(12)),
            (FEATURES, text(&versions::features())),
        ]);
    described(made, "featurize.py", &[], false)
}

/// A training; `makes` is the number of its model.
fn train(of: &str, started_ms: i64, lr: f64, features: u8, makes: Option<u8>) -> Run {
    let made = run(of, "train", started_ms, 42)
        .reading("training", &format!("features@{features}"))
        .says(&[
            (&param("lr"), double(lr)),
            (&param("batch_size"), int(256)),
            (&param("steps"), int(curves::STEPS)),
            (&param("loss"), text("binary_crossentropy")),
            (&param("optimizer.name"), text("SGD")),
            (&param("optimizer.momentum"), double(0.9)),
            (&param("seed"), int(42)),
            (&param("shuffle"), boolean(true)),
            (FEATURES, text(&versions::features())),
            ("tag.team", text("retention")),
        ]);
    let argv = ["features.csv", "model.json", "--lr", &lr.to_string()];
    let made = described(made, "train.py", &argv, true);
    match makes {
        Some(number) => made.making("model", &format!("churn@{number}")),
        None => made,
    }
}

/// How fast the trainings went: 1,000 steps in 41 minutes.
fn pace(run: &Run) -> Pace {
    Pace { started_ms: run.started_ms + MINUTE_MS / 2, step_ms: 2460 }
}

/// What a model is worth on `holdout@1`.
fn evaluate(of: &str, started_ms: i64, number: u8) -> Run {
    let (model, data) = (MODELS[usize::from(number - 1)], holdout());
    let mut made = run(of, "evaluate", started_ms, 2)
        .reading("model", &format!("churn@{number}"))
        .reading("evaluation", "holdout@1");
    let mut metrics = Properties::new();
    for (name, of) in model.metrics(&data, None) {
        metrics.insert(format!("{METRIC}{name}"), double(of));
        made.series.push(MetricSeries {
            name: name.to_owned(),
            steps: vec![0],
            times_ms: vec![made.ended_ms],
            values: vec![of],
        });
    }
    for country in ["DE", "FR"] {
        for (name, of) in model.metrics(&data, Some(country)) {
            metrics.insert(format!("{SLICE}country={country}.{METRIC}{name}"), double(of));
        }
    }
    made.metrics = Some(metrics);
    described(made, "evaluate.py", &[], false)
}

/// A model goes to production.
fn deploy(of: &str, started_ms: i64, number: u8) -> Run {
    let made = run(of, "deploy", started_ms, 1).reading("model", &format!("churn@{number}"));
    described(made, "deploy.py", &["--target", "prod"], false).says(&[
        (DEPLOY_TARGET, text("prod")),
        (&format!("{ALIAS}{PRODUCTION}"), int(i64::from(number))),
    ])
}

/// What a model says of each customer of `holdout@1`.
fn predict(of: &str, started_ms: i64, model: u8, makes: &str) -> Run {
    let made = run(of, "process", started_ms, 3)
        .reading("model", &format!("churn@{model}"))
        .reading("data", "holdout@1")
        .making("predictions", makes);
    described(made, "predict.py", &[], false)
}

/// Before there was a pipeline: `train-a`, `churn@1`, live from t1 on.
fn by_hand() -> Vec<Run> {
    let mut train_a = train("train-a", september(1, 7, 10), 0.1, 1, Some(1));
    train_a.series = curves::train_a(pace(&train_a));
    vec![
        export("crm-export-1", september(1, 6, 0), "raw@1").says(&[(RUN_NAME, text("crm-export"))]),
        featurize("featurize", september(1, 7, 0), 1),
        train_a,
        evaluate("evaluate", september(1, 8, 30), 1),
        deploy("deploy", september(1, 10, 0), 1),
    ]
}

/// `train-b`, `churn@2`, live from t2 on.
fn p1(train_b: Run) -> Vec<Run> {
    vec![
        ingest("p1/ingest", september(8, 8, 0), "2026-09-01", 1),
        memoized(featurize("p1/featurize", september(8, 8, 5), 1), "featurize"),
        train_b,
        evaluate("p1/evaluate", september(8, 9, 0), 2),
        deploy("p1/deploy", september(8, 10, 0), 2),
        predict("predict-2", september(8, 11, 0), 2, "predictions@1")
            .says(&[(RUN_NAME, text("predict"))]),
    ]
}

fn train_b(of: &str) -> Run {
    let mut made = memoized(train(of, september(8, 8, 10), 0.01, 1, Some(2)), "train");
    made.series = curves::train_b(pace(&made));
    for checkpoint in versions::checkpoints(&made.key, &made.series) {
        made = made.making("checkpoint", &checkpoint.full_name());
    }
    made
}

fn memoized(mut run: Run, step: &'static str) -> Run {
    run.step = Some(step);
    run
}

/// `train-d`: a batch that the GPU cannot hold.
fn p2() -> Vec<Run> {
    let mut train_d = memoized(train("p2/train-d", september(10, 8, 1), 0.01, 1, None), "train");
    train_d.series = curves::train_d(Pace { step_ms: 6000, ..pace(&train_d) });
    train_d.ended_ms = train_d.series[0].times_ms.last().copied().unwrap_or_default() + 4000;
    train_d.state = State::Failed;
    train_d.is_dirty = Some(true);
    let (ended, log_tail) = (int(train_d.ended_ms), log_tail(&train_d.series));
    let train_d = train_d.says(&[
        (RUN_ENDED, ended),
        (RUN_USER, text("ben")),
        (&param("batch_size"), int(65_536)),
        (RUN_ERROR, text(&format!("ResourceExhaustedError: {OUT_OF_MEMORY}"))),
        (RUN_TRACEBACK, text(&traceback())),
        (RUN_LOG_TAIL, text(&log_tail)),
    ]);
    vec![
        ingest("p2/ingest", september(10, 8, 0), "2026-09-01", 1).cached(),
        memoized(featurize("p2/featurize", september(10, 8, 0), 1), "featurize").cached(),
        train_d,
    ]
}

const OUT_OF_MEMORY: &str = "Graph execution error: OOM when allocating tensor with \
    shape[65536,1000,7] and type float on /job:localhost/replica:0/task:0/device:GPU:0 by \
    allocator GPU_0_bfc [Op:__inference_train_function_861]";

fn traceback() -> String {
    format!(
        "Traceback (most recent call last):\n  \
         File \"/app/train.py\", line 39, in <module>\n    main()\n  \
         File \"/app/train.py\", line 34, in main\n    \
         model.fit(batches, steps_per_epoch=STEPS, epochs=1)\n  \
         File \"/usr/local/lib/python3.11/dist-packages/keras/src/utils/traceback_utils.py\", \
         line 70, in error_handler\n    raise e.with_traceback(filtered_tb) from None\n\
         tensorflow.python.framework.errors_impl.ResourceExhaustedError: {OUT_OF_MEMORY}\n"
    )
}

/// The last lines that the run printed.
fn log_tail(series: &[MetricSeries]) -> String {
    let mut lines: Vec<String> = (curves::LAST_STEP - 7..=curves::LAST_STEP)
        .map(|step| {
            let value = |at: usize| curves::at(&series[at], step);
            let (loss, accuracy) = (value(0), value(2));
            format!("{step:>4}/1000 - 6s/step - loss: {loss:.4} - accuracy: {accuracy:.4}")
        })
        .collect();
    let (used, all) = (curves::GPU_MEMORY_USED_MAX_MIB, curves::GPU_MEMORY_MIB);
    lines.push(format!(
        "W tensorflow/tsl/framework/bfc_allocator.cc:485] Allocator (GPU_0_bfc) ran out of memory \
         trying to allocate 1.71GiB: {used} MiB of {all} MiB are in use"
    ));
    lines.extend(traceback().lines().map(str::to_owned));
    lines.join("\n")
}

/// `train-c` on spoiled data, `churn@3`, live from t3 on. Nobody looked at its evaluation.
fn p3() -> Vec<Run> {
    let mut train_c =
        memoized(train("p3/train-c", september(14, 6, 15), 0.01, 2, Some(3)), "train");
    train_c.series = curves::train_c(pace(&train_c));
    vec![
        export("crm-export-2", september(14, 6, 0), "raw@2")
            .says(&[(RUN_NAME, text("crm-export"))]),
        ingest("p3/ingest", september(14, 6, 5), "2026-09-14", 2),
        memoized(featurize("p3/featurize", september(14, 6, 10), 2), "featurize"),
        train_c,
        evaluate("p3/evaluate", september(14, 7, 10), 3),
        deploy("p3/deploy", september(14, 8, 0), 3),
        predict("predict-3", september(14, 9, 0), 3, "predictions@2")
            .says(&[(RUN_NAME, text("predict"))]),
    ]
}

/// On the last good data everything is there already; `churn@2` is live again from t4 on.
fn p4() -> (Vec<Run>, Run) {
    let train = train("p4/train", september(15, 8, 0), 0.01, 1, None);
    let steps = vec![
        ingest("p4/ingest", september(15, 8, 0), "2026-09-01", 1).cached(),
        memoized(featurize("p4/featurize", september(15, 8, 0), 1), "featurize").cached(),
        memoized(train, "train").cached(),
        evaluate("p4/evaluate", september(15, 9, 0), 2),
    ];
    let rollback = deploy("p4/deploy", september(15, 10, 0), 2);
    (steps, rollback.says(&[(DEPLOY_REASON, text("rollback of v3"))]))
}

fn pipeline_runs() -> Vec<PipelineRun> {
    let run = |name, kind, reason, day, from: (i64, i64), to: (i64, i64), cause| {
        let said = [
            (TRIGGER_KIND, text(kind)),
            (TRIGGER_REASON, text(reason)),
            (RUN_STARTED, int(september(day, from.0, from.1))),
            (RUN_ENDED, int(september(day, to.0, to.1))),
        ];
        let properties = said.map(|(name, of)| (name.to_owned(), of)).into();
        PipelineRun { name, properties, cause }
    };
    let raw_2 = Cause::Version("raw@2");
    let evaluation = Cause::Run("demo-churn/p3/evaluate");
    let slow = "a larger batch, to train in less time";
    let mut made = vec![
        run("p1", "manual", "the first run of the pipeline", 8, (8, 0), (10, 1), Cause::Nothing),
        run("p2", "manual", slow, 10, (8, 0), (8, 33), Cause::Nothing),
        run("p3", "new data", "raw@2", 14, (6, 5), (8, 1), raw_2),
        run("p4", "performance drop", "acc 0.71 < 0.85", 15, (8, 0), (10, 1), evaluation),
    ];
    let threshold = [
        (TRIGGER_METRIC, text("accuracy")),
        (TRIGGER_VALUE, double(0.71)),
        (TRIGGER_THRESHOLD, double(0.85)),
    ];
    made[3].properties.extend(threshold.map(|(name, of)| (name.to_owned(), of)));
    made
}
