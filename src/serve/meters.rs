//! What is counted, in the text format of Prometheus.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::queue::Load;

/// Upper bounds of durations, in seconds.
const SECONDS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Upper bounds of the number of texts of a batch.
const TEXTS: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// How often a value was up to each of some bounds.
#[derive(Debug, Clone)]
struct Histogram<const N: usize> {
    bounds: [f64; N],
    counts: [u64; N],
    all: u64,
    sum: f64,
}

impl<const N: usize> Histogram<N> {
    fn new(bounds: [f64; N]) -> Self {
        Self { bounds, counts: [0; N], all: 0, sum: 0.0 }
    }

    fn add(&mut self, value: f64) {
        self.bounds.iter().zip(&mut self.counts).filter(|(bound, _)| value <= **bound).for_each(|(_, n)| *n += 1);
        self.all += 1;
        self.sum += value;
    }

    fn write(&self, page: &mut Page, name: &str, labels: &[(&str, &str)]) {
        for (bound, count) in self.bounds.iter().zip(&self.counts) {
            page.value(&format!("{name}_bucket"), &[labels, &[("le", &bound.to_string())]].concat(), *count as f64);
        }
        page.value(&format!("{name}_bucket"), &[labels, &[("le", "+Inf")]].concat(), self.all as f64);
        page.value(&format!("{name}_sum"), labels, self.sum);
        page.value(&format!("{name}_count"), labels, self.all as f64);
    }
}

/// A page of values.
#[derive(Default)]
struct Page(String);

impl Page {
    fn heading(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let labels: Vec<String> = labels.iter().map(|(name, of)| format!("{name}=\"{}\"", escaped(of))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }
}

/// What a model has done.
#[derive(Debug)]
pub struct ModelMeters(Mutex<ModelCounts>);

#[derive(Debug, Clone)]
struct ModelCounts {
    texts: u64,
    tokens: u64,
    batch_seconds: Histogram<14>,
    batch_texts: Histogram<9>,
    /// Replaced, and kept because the new files cannot be used.
    reloads: [u64; 2],
}

impl Default for ModelMeters {
    fn default() -> Self {
        let (batch_seconds, batch_texts) = (Histogram::new(SECONDS), Histogram::new(TEXTS));
        Self(Mutex::new(ModelCounts { texts: 0, tokens: 0, batch_seconds, batch_texts, reloads: [0; 2] }))
    }
}

impl ModelMeters {
    /// Counts a batch.
    pub fn batch(&self, texts: usize, tokens: usize, took: Duration) {
        self.count(|counts| {
            counts.texts += texts as u64;
            counts.tokens += tokens as u64;
            counts.batch_texts.add(texts as f64);
            counts.batch_seconds.add(took.as_secs_f64());
        });
    }

    /// Counts a new version, or one that cannot be used.
    pub fn reloaded(&self, usable: bool) {
        self.count(|counts| counts.reloads[usize::from(!usable)] += 1);
    }

    /// The time that so many tokens take, by what batches took so far; a second if there were none.
    pub fn time_for(&self, tokens: usize) -> Duration {
        let ModelCounts { tokens: done, batch_seconds, .. } = self.counts();
        let seconds = if done == 0 { 1.0 } else { tokens as f64 * batch_seconds.sum / done as f64 };
        Duration::from_secs_f64(seconds.clamp(0.0, 60.0))
    }

    fn count(&self, change: impl FnOnce(&mut ModelCounts)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn counts(&self) -> ModelCounts {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The present state of a model.
pub struct ModelNow<'a> {
    /// Its name.
    pub name: &'a str,
    /// SHA-256 of its weights file.
    pub sha256: String,
    /// Whether it answers.
    pub alive: bool,
    /// What waits for it.
    pub load: Load,
    /// What it has done.
    pub meters: &'a ModelMeters,
}

/// What the server has done.
#[derive(Debug, Default)]
pub struct Meters {
    /// Requests of which the head was read.
    pub accepted: AtomicU64,
    /// Requests that are being answered.
    pub open: AtomicU64,
    /// Connections.
    pub connections: AtomicU64,
    answered: Mutex<Answered>,
}

#[derive(Debug, Default)]
struct Answered {
    by_status: BTreeMap<(&'static str, u16), u64>,
    seconds: BTreeMap<&'static str, Histogram<14>>,
}

impl Meters {
    /// Counts an answer.
    pub fn answered(&self, route: &'static str, status: u16, took: Duration) {
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        *answered.by_status.entry((route, status)).or_default() += 1;
        answered.seconds.entry(route).or_insert_with(|| Histogram::new(SECONDS)).add(took.as_secs_f64());
    }

    /// All values.
    pub fn page(&self, models: &[ModelNow<'_>]) -> String {
        let mut page = Page::default();
        let gauge = |meter: &AtomicU64| meter.load(Ordering::Relaxed) as f64;
        let answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        page.heading("taper_requests_total", "counter", "Requests that were answered.");
        for ((route, status), count) in &answered.by_status {
            page.value("taper_requests_total", &[("route", route), ("status", &status.to_string())], *count as f64);
        }
        let name = "taper_request_duration_seconds";
        page.heading(name, "histogram", "From the head of a request to its answer.");
        for (route, seconds) in &answered.seconds {
            seconds.write(&mut page, name, &[("route", route)]);
        }
        drop(answered);
        page.heading("taper_requests_open", "gauge", "Requests that are being answered.");
        page.value("taper_requests_open", &[], gauge(&self.open));
        page.heading("taper_connections", "gauge", "Open connections.");
        page.value("taper_connections", &[], gauge(&self.connections));
        of_models(&mut page, models);
        page.0
    }
}

fn of_models(page: &mut Page, models: &[ModelNow<'_>]) {
    let all: Vec<(&ModelNow<'_>, ModelCounts)> = models.iter().map(|model| (model, model.meters.counts())).collect();
    page.heading("taper_model_info", "gauge", "The loaded version of a model: the digest of its weights file.");
    for model in models {
        page.value("taper_model_info", &[("model", model.name), ("sha256", &model.sha256)], 1.0);
    }
    let mut each = |name: &str, kind: &str, help: &str, value: &dyn Fn(&ModelNow<'_>, &ModelCounts) -> f64| {
        page.heading(name, kind, help);
        all.iter().for_each(|(model, counts)| page.value(name, &[("model", model.name)], value(model, counts)));
    };
    each("taper_model_up", "gauge", "Whether a model answers.", &|model, _| f64::from(model.alive));
    each("taper_queue_requests", "gauge", "Requests that wait for a model.", &|model, _| model.load.requests as f64);
    each("taper_queue_tokens", "gauge", "Tokens that wait for a model.", &|model, _| model.load.tokens as f64);
    each("taper_texts_total", "counter", "Texts that a model has read.", &|_, counts| counts.texts as f64);
    each("taper_tokens_total", "counter", "Tokens that a model has read.", &|_, counts| counts.tokens as f64);
    page.heading("taper_batch_texts", "histogram", "Texts in a batch of a model.");
    for (model, counts) in &all {
        counts.batch_texts.write(page, "taper_batch_texts", &[("model", model.name)]);
    }
    page.heading("taper_batch_duration_seconds", "histogram", "The time that a model takes to compute a batch.");
    for (model, counts) in &all {
        counts.batch_seconds.write(page, "taper_batch_duration_seconds", &[("model", model.name)]);
    }
    page.heading(
        "taper_reloads_total",
        "counter",
        "New files of a model: loaded, or kept out because they cannot be used.",
    );
    for (model, counts) in &all {
        for (result, count) in ["loaded", "kept_out"].into_iter().zip(counts.reloads) {
            page.value("taper_reloads_total", &[("model", model.name), ("result", result)], count as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand, after Prometheus' text format 0.0.4: buckets count all values up to their bound, labels are escaped.
    #[test]
    fn a_histogram_is_as_prometheus_reads_it() {
        let mut histogram = Histogram::new([0.5, 1.0]);
        [0.25, 0.5, 0.75, 2.0].into_iter().for_each(|value| histogram.add(value));
        let mut page = Page::default();
        page.heading("t", "histogram", "Times.");
        histogram.write(&mut page, "t", &[("route", "a\"\\b\n")]);
        let route = r#"route="a\"\\b\n""#;
        let want = format!(
            "# HELP t Times.\n# TYPE t histogram\nt_bucket{{{route},le=\"0.5\"}} 2\nt_bucket{{{route},le=\"1\"}} 3\n\
             t_bucket{{{route},le=\"+Inf\"}} 4\nt_sum{{{route}}} 3.5\nt_count{{{route}}} 4\n"
        );
        assert_eq!(page.0, want);
    }

    #[test]
    fn the_time_of_tokens_is_that_of_tokens_before() {
        let meters = ModelMeters::default();
        assert_eq!(meters.time_for(1_000_000), Duration::from_secs(1));
        meters.batch(2, 100, Duration::from_millis(50));
        meters.batch(1, 100, Duration::from_millis(150));
        assert_eq!(meters.time_for(3000), Duration::from_secs(3));
        assert_eq!(meters.time_for(1_000_000), Duration::from_secs(60));
    }
}
