//! The temperature and the thresholds of a model, in one line.

use taper::{event::Decided, format};

/// The most thresholds that are listed.
const MOST: usize = 12;

/// What a model decides by: `temperature 1.063, thresholds 味道 0.411, 配送 0.350`.
pub fn decision(decided: &Decided, labels: &[String]) -> String {
    let temperature = decided.decision.temperature;
    let mut parts = Vec::new();
    parts.extend((temperature != 1.0).then(|| format!("temperature {}", format::decimals(temperature, 3))));
    parts.extend(decided.metric.map(|_| format!("thresholds {}", thresholds(decided, labels))));
    parts.join(", ")
}

/// The first of its thresholds, with their labels.
pub fn thresholds(decided: &Decided, labels: &[String]) -> String {
    let named = || decided.decision.named(labels);
    let more = named().count().saturating_sub(MOST);
    let each = |(label, at): (&String, f64)| format!("{} {}", format::one_line(label), threshold(at));
    let mut all: Vec<String> = named().take(MOST).map(each).collect();
    all.extend((more > 0).then(|| format!("and {} more (decision.json)", format::count(more as u64))));
    all.join(", ")
}

/// `0.411`, `3.2e-5`.
fn threshold(value: f64) -> String {
    if value < 5e-4 { format!("{value:.1e}") } else { format::decimals(value, 3) }
}
