//! The versions of the demo.

use headwater_proto::headwater::v1::MetricSeries;
use headwater_store::vocabulary::{ARTIFACT, DATASET, MODEL};
use serde_json::json;

use super::churn::{self, Customer, FEATURES, MODELS};
use super::curves::{STEPS, at, lowest};
use super::story::{Version, double, int, text};
use super::table::{Cell, Table};

/// Steps after which `train-b` kept its weights, besides that with the lowest `val_loss`.
const CHECKPOINT_EVERY_STEPS: i64 = 200;

/// The ordered names of what models read.
pub(crate) fn features() -> String {
    json!(FEATURES).to_string()
}

/// Data sets, models, and what was said of both.
pub(crate) fn all() -> Vec<Version> {
    let (raw_1, raw_2, holdout) = (churn::raw_1(), churn::raw_2(), churn::holdout());
    let mut made = Vec::new();
    for (number, day, customers) in [(1, "2026-09-01", &raw_1), (2, "2026-09-14", &raw_2)] {
        let table = churn::raw_table(customers);
        let path = format!("raw/{day}/customers.csv");
        made.push(Version::of_table(DATASET, "raw", number, &path, &table));
        let path = format!("raw/{day}/validation.json");
        let report = report(number, &table);
        made.push(Version::new(ARTIFACT, "raw-validation", number, &path, report));
        let path = format!("features/{day}/features.csv");
        let table = churn::features_table(customers);
        let version = Version::of_table(DATASET, "features", number, &path, &table);
        made.push(version.with(&[("features", text(&features()))]));
    }
    let path = "holdout/2026-08/customers.csv";
    let table = churn::raw_table(&holdout);
    made.push(Version::of_table(DATASET, "holdout", 1, path, &table));
    for (number, name) in [(1, "train-a"), (2, "train-b"), (3, "train-c")] {
        let path = format!("models/{name}/model.json");
        made.push(model("churn", number, &path, &MODELS[usize::from(number - 1)]));
    }
    made.push(predictions(1, 2, &holdout));
    made.push(predictions(2, 3, &holdout));
    made
}

fn model(name: &str, number: u8, path: &str, of: &churn::Model) -> Version {
    Version::new(MODEL, name, i64::from(number), path, of.file()).with(&[
        ("framework", text("tensorflow")),
        ("framework_version", text("2.15.0")),
        ("model_type", text("Sequential")),
        ("features", text(&features())),
    ])
}

/// What a model says of each customer of the holdout.
fn predictions(number: i64, of_model: u8, holdout: &[Customer]) -> Version {
    let table = MODELS[usize::from(of_model - 1)].predictions(holdout);
    let path = format!("predictions/churn-{of_model}/holdout-1.csv");
    Version::of_table(DATASET, "predictions", number, &path, &table)
}

/// What the checks of a delivery said. They look at forms, so flipped labels pass.
fn report(number: i64, table: &Table) -> Vec<u8> {
    let label = table.names.len() - 1;
    let churned = table.rows.iter().filter(|row| row[label] == Cell::Int(1)).count();
    let mut ids: Vec<String> = table.rows.iter().map(|row| format!("{:?}", row[0])).collect();
    ids.sort_unstable();
    ids.dedup();
    let share = 1000 * churned / table.rows.len().max(1);
    let said = json!({
        "dataset": format!("raw@{number}"),
        "rows": table.rows.len(),
        "churned_per_mille": share,
        "checks": [
            {"name": "columns are as agreed", "passed": table.names[label] == "churned"},
            {"name": "customer_id is unique", "passed": ids.len() == table.rows.len()},
            {"name": "20 % to 50 % churned", "passed": (200..=500).contains(&share)},
        ],
    });
    format!("{said:#}\n").into_bytes()
}

/// The weights that `train-b` kept, by its series.
pub(crate) fn checkpoints(of_run: &str, series: &[MetricSeries]) -> Vec<Version> {
    let named = |name: &str| series.iter().find(|each| each.name == name);
    let best = named("val_loss").map_or(STEPS, |of| lowest(of).0);
    let mut steps: Vec<i64> = (1..=STEPS / CHECKPOINT_EVERY_STEPS)
        .map(|number| number * CHECKPOINT_EVERY_STEPS)
        .chain([best])
        .collect();
    steps.sort_unstable();
    steps.dedup();
    let name = format!("{of_run}/checkpoint");
    let numbered = (1..).zip(&steps);
    numbered
        .map(|(number, step)| {
            let path = format!("models/train-b/checkpoints/step-{step:04}.json");
            let mut made = model(&name, number, &path, &MODELS[1].after(*step));
            for metric in ["loss", "val_loss", "accuracy"] {
                if let Some(of) = named(metric) {
                    made = made.with(&[(&format!("metrics.{metric}"), double(at(of, *step)))]);
                }
            }
            made.with(&[("step", int(*step))])
        })
        .collect()
}
