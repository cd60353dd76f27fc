//! A table as a file of CSV, and what is in it, in short.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Rows of a profile that are kept as they are, values that are counted, and bars of a histogram:
/// what Python's `headwater.profile` has.
const PREVIEW_ROWS: usize = 10;
const FREQUENT_MAX: usize = 10;
const BINS: usize = 20;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Int(i64),
    Number(f64),
    Text(String),
}

impl Cell {
    pub(crate) fn text(of: &str) -> Self {
        Self::Text(of.to_owned())
    }

    fn csv(&self) -> String {
        match self {
            Self::Int(number) => number.to_string(),
            // With a point, so that readers see what it is.
            Self::Number(number) => format!("{number:?}"),
            Self::Text(text) => text.clone(),
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Int(number) => json!(number),
            Self::Number(number) => json!(number),
            Self::Text(text) => json!(text),
        }
    }

    #[allow(clippy::cast_precision_loss)]
    fn number(&self) -> Option<f64> {
        match self {
            Self::Int(number) => Some(*number as f64),
            Self::Number(number) => Some(*number),
            Self::Text(_) => None,
        }
    }
}

/// Columns of one length. No text of it needs quotes in CSV.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) names: Vec<String>,
    pub(crate) rows: Vec<Vec<Cell>>,
    /// Columns whose values no profile shows.
    pub(crate) masked: &'static [&'static str],
}

impl Table {
    /// The bytes of the file.
    pub(crate) fn csv(&self) -> Vec<u8> {
        let mut lines = vec![self.names.join(",")];
        for row in &self.rows {
            let cells: Vec<String> = row.iter().map(Cell::csv).collect();
            lines.push(cells.join(","));
        }
        lines.push(String::new());
        lines.join("\n").into_bytes()
    }

    /// Names and types of the columns, in their order.
    pub(crate) fn columns(&self) -> Vec<(&str, &'static str)> {
        let first = self.rows.first();
        let types = (0..self.names.len()).map(|at| match first.map(|row| &row[at]) {
            Some(Cell::Int(_)) => "int64",
            Some(Cell::Number(_)) => "float64",
            _ => "string",
        });
        self.names.iter().map(String::as_str).zip(types).collect()
    }

    /// Columns, first rows and statistics as JSON, with the names of Python's `Profile.to_json`.
    pub(crate) fn profile(&self) -> Vec<u8> {
        let is_masked = |name: &str| self.masked.contains(&name);
        let columns: Vec<Value> = self
            .columns()
            .into_iter()
            .enumerate()
            .map(|(at, (name, kind))| {
                let cells: Vec<&Cell> = self.rows.iter().map(|row| &row[at]).collect();
                let mut said = json!({
                    "name": name,
                    "type": kind,
                    "statistics": statistics(&cells, is_masked(name)),
                });
                if is_masked(name) {
                    said["is_masked"] = json!(true);
                }
                said
            })
            .collect();
        let shown = |row: &Vec<Cell>| -> Value {
            let cells = self.names.iter().zip(row);
            cells.map(|(name, of)| if is_masked(name) { json!("***") } else { of.json() }).collect()
        };
        json!({
            "format": "csv",
            "rows": self.rows.len(),
            "columns": columns,
            "preview": self.rows.iter().take(PREVIEW_ROWS).map(shown).collect::<Vec<Value>>(),
            "details": {"delimiter": ",", "encoding": "utf-8", "has_header": true},
        })
        .to_string()
        .into_bytes()
    }
}

fn statistics(cells: &[&Cell], is_masked: bool) -> Map<String, Value> {
    let mut counts: BTreeMap<String, (usize, Value)> = BTreeMap::new();
    for cell in cells {
        counts.entry(cell.csv()).or_insert((0, cell.json())).0 += 1;
    }
    let mut said = Map::new();
    said.insert("count".to_owned(), json!(cells.len()));
    said.insert("nulls".to_owned(), json!(0));
    said.insert("distinct".to_owned(), json!(counts.len()));
    let numbers: Vec<f64> = cells.iter().filter_map(|cell| cell.number()).collect();
    if !numbers.is_empty() {
        said.insert("nan".to_owned(), json!(0));
        said.insert("infinite".to_owned(), json!(0));
    }
    if is_masked {
        return said;
    }
    if counts.len() < cells.len() {
        let mut often: Vec<&(usize, Value)> = counts.values().collect();
        // Equals stay in the order of their texts.
        often.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        let pairs = often.iter().take(FREQUENT_MAX).map(|(count, value)| json!([value, count]));
        said.insert("frequent".to_owned(), pairs.collect());
    }
    if numbers.is_empty() {
        let texts = || counts.keys();
        said.insert("min".to_owned(), json!(texts().min()));
        said.insert("max".to_owned(), json!(texts().max()));
    } else {
        of_numbers(cells, &numbers, &mut said);
    }
    said
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn of_numbers(cells: &[&Cell], numbers: &[f64], said: &mut Map<String, Value>) {
    let at = |wanted: f64| cells.iter().find(|cell| cell.number() == Some(wanted));
    let low = numbers.iter().copied().fold(f64::INFINITY, f64::min);
    let high = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    said.insert("min".to_owned(), json!(at(low).map(|cell| cell.json())));
    said.insert("max".to_owned(), json!(at(high).map(|cell| cell.json())));
    let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
    said.insert("mean".to_owned(), json!(mean));
    if numbers.len() > 1 {
        let squares: f64 = numbers.iter().map(|each| (each - mean) * (each - mean)).sum();
        said.insert("std".to_owned(), json!((squares / (numbers.len() - 1) as f64).sqrt()));
    }
    let width = high - low;
    if width > 0.0 {
        let mut counts = [0; BINS];
        for each in numbers {
            counts[((each - low) / width * BINS as f64).floor().min((BINS - 1) as f64) as usize] +=
                1;
        }
        let edge = |at: usize| low + width * at as f64 / BINS as f64;
        let edges: Vec<f64> = (0..BINS).map(edge).chain([high]).collect();
        said.insert("histogram".to_owned(), json!({"edges": edges, "counts": counts}));
    }
}
