//! The data of the demo: customers, what is made of them for a model, models and what they say.
//!
//! Everything is whole numbers until it is written, so that the bytes are the same everywhere.

use std::collections::BTreeMap;

use super::table::{Cell, Table};

/// Rows of `raw@1` and of `holdout@1`.
const ROWS: usize = 400;
/// What `raw@2` has more.
const NEW_ROWS: usize = 40;
/// Labels of `raw@1` that are flipped in `raw@2`: 12 %.
pub(crate) const FLIPPED: usize = 48;
/// Labels of `holdout@1` that no model of this kind can know: 7 %.
const UNKNOWABLE: usize = 28;

/// What a model reads, in this order.
pub(crate) const FEATURES: [&str; 7] =
    ["tenure_years", "fee_share", "calls_per_year", "data_share", "is_premium", "is_de", "is_fr"];
/// Columns that are shown to nobody.
const MASKED: &[&str] = &["email"];

/// A customer, and whether they left.
#[derive(Clone, Debug)]
pub(crate) struct Customer {
    id: i64,
    country: &'static str,
    plan: &'static str,
    tenure_months: i64,
    fee_cents: i64,
    support_calls: i64,
    data_tenths_gb: i64,
    churned: bool,
}

/// A generator of random numbers that stays as it is (SplitMix64).
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 on, below `end`.
    pub(crate) fn below(&mut self, end: i64) -> i64 {
        let end = end.unsigned_abs().max(1);
        i64::try_from(self.next() % end).unwrap_or_default()
    }

    /// So many different numbers below `end`.
    fn chosen(&mut self, count: usize, end: usize) -> Vec<usize> {
        let mut all: Vec<usize> = (0..end).collect();
        for at in 0..count.min(end) {
            let rest = i64::try_from(end - at).unwrap_or_default();
            all.swap(at, at + usize::try_from(self.below(rest)).unwrap_or_default());
        }
        all.truncate(count);
        all
    }
}

fn customer(id: i64, random: &mut Random) -> Customer {
    let country = match random.below(20) {
        0..8 => "DE",
        8..14 => "FR",
        14..17 => "ES",
        _ => "IT",
    };
    let (plan, fee_cents) = match random.below(10) {
        0..5 => ("basic", 1999),
        5..8 => ("plus", 2999),
        _ => ("premium", 4999),
    };
    let mut made = Customer {
        id,
        country,
        plan,
        tenure_months: 1 + random.below(72),
        fee_cents: fee_cents + 50 * random.below(20),
        support_calls: random.below(10).min(random.below(10)),
        data_tenths_gb: random.below(600),
        churned: false,
    };
    made.churned = TRUTH.score(&made.features()) > 0;
    made
}

impl Customer {
    /// In thousandths.
    fn features(&self) -> [i64; 7] {
        let is = |yes: bool| if yes { 1000 } else { 0 };
        [
            self.tenure_months * 1000 / 12,
            self.fee_cents * 1000 / 6000,
            self.support_calls * 12_000 / self.tenure_months.max(12),
            self.data_tenths_gb * 1000 / 600,
            is(self.plan == "premium"),
            is(self.country == "DE"),
            is(self.country == "FR"),
        ]
    }

    fn row(&self) -> Vec<Cell> {
        vec![
            Cell::Int(self.id),
            Cell::Text(format!("customer{}@example.com", self.id)),
            Cell::text(self.country),
            Cell::text(self.plan),
            Cell::Int(self.tenure_months),
            Cell::Number(parts(self.fee_cents, 100)),
            Cell::Int(self.support_calls),
            Cell::Number(parts(self.data_tenths_gb, 10)),
            Cell::Int(i64::from(self.churned)),
        ]
    }
}

/// `number / unit`, the double that is nearest.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn parts(number: i64, unit: i64) -> f64 {
    number as f64 / unit as f64
}

/// `raw@1`.
pub(crate) fn raw_1() -> Vec<Customer> {
    let mut random = Random(1);
    let mut made: Vec<Customer> =
        (0..ROWS).map(|at| customer(10_001 + id(at), &mut random)).collect();
    flip(&mut made, &mut random, UNKNOWABLE);
    made
}

/// `raw@2`: spoiled.
pub(crate) fn raw_2() -> Vec<Customer> {
    let mut made = raw_1();
    flip(&mut made, &mut Random(2), FLIPPED);
    let mut random = Random(3);
    made.extend((0..NEW_ROWS).map(|at| customer(10_001 + id(ROWS + at), &mut random)));
    made
}

/// `holdout@1`.
pub(crate) fn holdout() -> Vec<Customer> {
    let mut random = Random(4);
    let mut made: Vec<Customer> =
        (0..ROWS).map(|at| customer(90_001 + id(at), &mut random)).collect();
    flip(&mut made, &mut random, UNKNOWABLE);
    made
}

fn id(at: usize) -> i64 {
    i64::try_from(at).unwrap_or_default()
}

fn flip(customers: &mut [Customer], random: &mut Random, count: usize) {
    for at in random.chosen(count, customers.len()) {
        customers[at].churned = !customers[at].churned;
    }
}

/// The table of customers.
pub(crate) fn raw_table(customers: &[Customer]) -> Table {
    let names = [
        "customer_id",
        "email",
        "country",
        "plan",
        "tenure_months",
        "monthly_fee",
        "support_calls",
        "data_gb",
        "churned",
    ];
    Table {
        names: names.map(str::to_owned).to_vec(),
        rows: customers.iter().map(Customer::row).collect(),
        masked: MASKED,
    }
}

/// What is made of customers for a model.
pub(crate) fn features_table(customers: &[Customer]) -> Table {
    let names = ["customer_id"].into_iter().chain(FEATURES).chain(["churned"]);
    let row = |of: &Customer| {
        let features = of.features().map(|each| Cell::Number(parts(each, 1000)));
        [Cell::Int(of.id)]
            .into_iter()
            .chain(features)
            .chain([Cell::Int(i64::from(of.churned))])
            .collect()
    };
    Table {
        names: names.map(str::to_owned).collect(),
        rows: customers.iter().map(row).collect(),
        masked: &[],
    }
}

/// A model of one layer: weights of the features and a bias, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Model {
    pub(crate) weights: [i64; 7],
    pub(crate) bias: i64,
}

/// What makes customers leave.
const TRUTH: Model = Model { weights: [-310, 900, 620, -700, -450, -120, 160], bias: -80 };

impl Model {
    /// In millionths; above 0 they leave.
    fn score(&self, features: &[i64; 7]) -> i64 {
        let products = self.weights.iter().zip(features).map(|(weight, of)| weight * of);
        products.sum::<i64>() + self.bias * 1000
    }

    /// How probable it is that they leave, in ten-thousandths.
    fn probability(&self, features: &[i64; 7]) -> i64 {
        let score = self.score(features);
        5000 + 5000 * score / (1_000_000 + score.abs())
    }

    /// As a checkpoint of an early step has it: part of the way.
    pub(crate) fn after(&self, step: i64) -> Self {
        let part = |of: i64| of * step / (step + 40);
        Self { weights: self.weights.map(part), bias: part(self.bias) }
    }

    /// The bytes of its file.
    pub(crate) fn file(&self) -> Vec<u8> {
        let weights: Vec<f64> = self.weights.iter().map(|of| parts(*of, 1000)).collect();
        let said = serde_json::json!({
            "class_name": "Sequential",
            "features": FEATURES,
            "layers": [{
                "class_name": "Dense",
                "units": 1,
                "activation": "share",
                "kernel": weights,
                "bias": parts(self.bias, 1000),
            }],
        });
        format!("{said:#}\n").into_bytes()
    }

    /// What it says of each customer, one a row.
    pub(crate) fn predictions(&self, customers: &[Customer]) -> Table {
        let names = ["customer_id", "country", "churned", "predicted", "probability"];
        let row = |of: &Customer| {
            let features = of.features();
            vec![
                Cell::Int(of.id),
                Cell::text(of.country),
                Cell::Int(i64::from(of.churned)),
                Cell::Int(i64::from(self.score(&features) > 0)),
                Cell::Number(parts(self.probability(&features), 10_000)),
            ]
        };
        Table {
            names: names.map(str::to_owned).to_vec(),
            rows: customers.iter().map(row).collect(),
            masked: &[],
        }
    }

    /// What it is worth, by the name of the metric; of one country only, if it is given.
    pub(crate) fn metrics(
        &self,
        customers: &[Customer],
        country: Option<&str>,
    ) -> BTreeMap<&'static str, f64> {
        let (mut right, mut all, mut found, mut claimed, mut there) = (0, 0, 0, 0, 0);
        for of in customers.iter().filter(|of| country.is_none_or(|one| one == of.country)) {
            let predicted = self.score(&of.features()) > 0;
            all += 1;
            right += i64::from(predicted == of.churned);
            found += i64::from(predicted && of.churned);
            claimed += i64::from(predicted);
            there += i64::from(of.churned);
        }
        BTreeMap::from([
            ("accuracy", parts(right, all)),
            ("precision", parts(found, claimed)),
            ("recall", parts(found, there)),
            ("f1", parts(2 * found, claimed + there)),
        ])
    }
}

/// `churn@1`, `churn@2` and `churn@3`: of the 400 customers of `holdout@1` they are right about
/// 364, 372 and 284.
pub(crate) const MODELS: [Model; 3] = [
    Model { weights: [-210, 820, 520, -610, -460, -140, 80], bias: -80 },
    TRUTH,
    Model { weights: [-73, 189, 265, 11, -450, -120, -195], bias: 97 },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_models_are_as_good_as_the_story_says() {
        let accuracy = MODELS.map(|model| model.metrics(&holdout(), None)["accuracy"]);
        assert_eq!(accuracy, [0.91, 0.93, 0.71]);
    }

    #[test]
    fn twelve_percent_of_the_labels_are_flipped_and_nothing_else() {
        let (first, second) = (raw_1(), raw_2());
        assert_eq!(second.len(), first.len() + NEW_ROWS);
        let mut flipped = 0;
        for (one, other) in raw_table(&first).rows.iter().zip(raw_table(&second).rows) {
            let label = one.len() - 1;
            assert_eq!(one[..label], other[..label]);
            flipped += usize::from(one[label] != other[label]);
        }
        assert_eq!((flipped, flipped * 100), (FLIPPED, 12 * first.len()));
    }
}
