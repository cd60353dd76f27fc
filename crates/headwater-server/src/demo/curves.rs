//! What the trainings of the demo logged, point by point.
//!
//! Sums and quotients only, rounded: the same doubles on every machine.

use headwater_proto::headwater::v1::MetricSeries;

use super::churn::{Random, parts};

/// Memory of the demo's GPU.
pub(crate) const GPU_MEMORY_MIB: i64 = 16_384;
/// How much of it was in use when `train-d` ended.
pub(crate) const GPU_MEMORY_USED_MAX_MIB: i64 = 16_160;
/// Steps of a whole training.
pub(crate) const STEPS: i64 = 1000;
/// The step at which `train-d` ended.
pub(crate) const LAST_STEP: i64 = 310;
/// Every how many steps the GPU was looked at.
const GPU_EVERY_STEPS: i64 = 10;

/// A value that falls from `floor + height` towards `floor`, half of the way in `half` steps.
#[derive(Clone, Copy, Debug)]
struct Fall {
    floor: f64,
    height: f64,
    half: f64,
    noise: f64,
}

/// When and how fast a training went.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) started_ms: i64,
    pub(crate) step_ms: i64,
}

/// One series of each step from the first on.
fn series(name: &str, steps: i64, pace: Pace, value: &mut dyn FnMut(i64) -> f64) -> MetricSeries {
    sparse(name, (1..=steps).collect(), pace, value)
}

fn sparse(
    name: &str,
    steps: Vec<i64>,
    pace: Pace,
    value: &mut dyn FnMut(i64) -> f64,
) -> MetricSeries {
    MetricSeries {
        name: name.to_owned(),
        times_ms: steps.iter().map(|step| pace.started_ms + step * pace.step_ms).collect(),
        values: steps.iter().map(|step| rounded(value(*step))).collect(),
        steps,
    }
}

/// Five digits after the point.
#[allow(clippy::cast_possible_truncation)]
fn rounded(value: f64) -> f64 {
    parts((value * 1e5).round() as i64, 100_000)
}

impl Fall {
    fn at(self, step: i64, random: &mut Random) -> f64 {
        let noise = parts(random.below(2001) - 1000, 1000) * self.noise;
        self.floor + self.height / (1.0 + parts(step, 1) / self.half) + noise
    }
}

/// The same with what is added to it, as of a model that learns its data by heart.
fn fall(
    name: &str,
    seed: u64,
    steps: i64,
    pace: Pace,
    fall: Fall,
    more: fn(i64) -> f64,
) -> MetricSeries {
    let mut random = Random(seed);
    series(name, steps, pace, &mut |step| fall.at(step, &mut random) + more(step))
}

fn nothing(_: i64) -> f64 {
    0.0
}

/// The series ends at a value that is known: what the model is worth.
fn ending(mut of: MetricSeries, value: f64) -> MetricSeries {
    if let Some(last) = of.values.last_mut() {
        *last = value;
    }
    of
}

/// Memory that is in use from the first steps on.
fn gpu(steps: i64, pace: Pace, memory_mib: &mut dyn FnMut(i64) -> i64) -> MetricSeries {
    let looked_at = (0..=steps).step_by(usize::try_from(GPU_EVERY_STEPS).unwrap_or(1)).collect();
    sparse("system/gpu0_memory_mib", looked_at, pace, &mut |step| parts(memory_mib(step), 1))
}

/// A large learning rate: quick, and unsteady.
pub(crate) fn train_a(pace: Pace) -> Vec<MetricSeries> {
    let loss = Fall { floor: 0.27, height: 0.42, half: 18.0, noise: 0.030 };
    let val_loss = Fall { floor: 0.31, height: 0.40, half: 18.0, noise: 0.022 };
    let accuracy = Fall { floor: 0.912, height: -0.36, half: 14.0, noise: 0.012 };
    vec![
        fall("loss", 11, STEPS, pace, loss, nothing),
        fall("val_loss", 12, STEPS, pace, val_loss, nothing),
        ending(fall("accuracy", 13, STEPS, pace, accuracy, nothing), 0.91),
        gpu(STEPS, pace, &mut |step| if step == 0 { 412 } else { 6212 }),
    ]
}

/// A good training: both losses fall, and stay as near to each other as they were.
pub(crate) fn train_b(pace: Pace) -> Vec<MetricSeries> {
    let loss = Fall { floor: 0.175, height: 0.50, half: 110.0, noise: 0.006 };
    let val_loss = Fall { floor: 0.195, height: 0.49, half: 105.0, noise: 0.005 };
    let accuracy = Fall { floor: 0.961, height: -0.43, half: 80.0, noise: 0.004 };
    vec![
        fall("loss", 21, STEPS, pace, loss, nothing),
        fall("val_loss", 22, STEPS, pace, val_loss, nothing),
        ending(fall("accuracy", 23, STEPS, pace, accuracy, nothing), 0.93),
        gpu(STEPS, pace, &mut |step| if step == 0 { 412 } else { 6212 }),
    ]
}

/// On spoiled labels: the training loss looks as it should, but from step 300 on wrong labels are
/// learnt by heart.
pub(crate) fn train_c(pace: Pace) -> Vec<MetricSeries> {
    let loss = Fall { floor: 0.175, height: 0.50, half: 110.0, noise: 0.006 };
    let val_loss = Fall { floor: 0.425, height: 0.27, half: 60.0, noise: 0.005 };
    let accuracy = Fall { floor: 0.795, height: -0.27, half: 60.0, noise: 0.004 };
    let by_heart = |step: i64| parts((step - 300).max(0), 1);
    let mut random = Random(32);
    let rising = series("val_loss", STEPS, pace, &mut |step| {
        val_loss.at(step, &mut random) + 0.00028 * by_heart(step)
    });
    let mut random = Random(33);
    let falling = series("accuracy", STEPS, pace, &mut |step| {
        accuracy.at(step, &mut random) - 0.0001 * by_heart(step)
    });
    vec![
        fall("loss", 31, STEPS, pace, loss, |step| -0.00002 * parts(step, 1)),
        rising,
        ending(falling, 0.71),
        gpu(STEPS, pace, &mut |step| if step == 0 { 412 } else { 6212 }),
    ]
}

/// A batch that the GPU cannot hold: its memory fills up.
pub(crate) fn train_d(pace: Pace) -> Vec<MetricSeries> {
    let loss = Fall { floor: 0.175, height: 0.50, half: 110.0, noise: 0.002 };
    let val_loss = Fall { floor: 0.195, height: 0.49, half: 105.0, noise: 0.003 };
    let accuracy = Fall { floor: 0.961, height: -0.43, half: 80.0, noise: 0.003 };
    let rise = GPU_MEMORY_USED_MAX_MIB - 11_840;
    vec![
        fall("loss", 41, LAST_STEP, pace, loss, nothing),
        fall("val_loss", 42, LAST_STEP, pace, val_loss, nothing),
        fall("accuracy", 43, LAST_STEP, pace, accuracy, nothing),
        gpu(LAST_STEP, pace, &mut |step| match step {
            0 => 412,
            _ => GPU_MEMORY_USED_MAX_MIB - rise * (LAST_STEP - step) / LAST_STEP,
        }),
    ]
}

/// The step at which a series is smallest, and the value there.
pub(crate) fn lowest(series: &MetricSeries) -> (i64, f64) {
    let points = series.steps.iter().copied().zip(series.values.iter().copied());
    points.min_by(|one, other| one.1.total_cmp(&other.1)).unwrap_or_default()
}

/// The value at a step.
pub(crate) fn at(series: &MetricSeries, step: i64) -> f64 {
    let place = series.steps.iter().position(|each| *each == step);
    place.map_or(f64::NAN, |place| series.values[place])
}
