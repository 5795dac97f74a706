//! Fills the folder of a report.

use std::path::{Path, PathBuf};

use fontdb::Database;

use super::{
    ReportError, ReportInput,
    analysis::Analysis,
    charts::{self, Figure, Fonts},
    files, format,
    input::{Settings, split_name},
    pictures,
    staged::Staged,
    tables, templates,
    view::{Picture, Pictures, View},
};
use crate::metrics::Metric;

/// Writes the report into the folder `out`, which is made where it is missing, and returns the files written: all of them, or
/// after an error none. Files that no report wrote are not replaced.
///
/// Text in the PNG charts is drawn with a font of this machine that has its characters; where there is none, probes and
/// labels are named by number, and the page lists them.
pub fn render(input: &ReportInput, out: &Path) -> Result<Vec<PathBuf>, ReportError> {
    render_with_fonts(input, out, system_fonts)
}

/// As [`render`], replacing files that no report wrote too.
pub fn render_over(input: &ReportInput, out: &Path) -> Result<Vec<PathBuf>, ReportError> {
    land(input, out, true, system_fonts)
}

fn system_fonts() -> Database {
    let mut database = Database::new();
    database.load_system_fonts();
    database
}

/// Whether this machine has a font that PNG charts can draw Chinese text with.
pub fn draws_chinese() -> bool {
    const SAMPLE: &str = "这家饭店真贴心";
    Fonts::for_texts([SAMPLE], system_fonts).is_some_and(|fonts| fonts.cover(SAMPLE))
}

/// As [`render`], with the fonts that `system` gives; it is asked only where a chart has more than Latin letters.
pub fn render_with_fonts(
    input: &ReportInput,
    out: &Path,
    system: impl FnOnce() -> Database,
) -> Result<Vec<PathBuf>, ReportError> {
    land(input, out, false, system)
}

fn land(
    input: &ReportInput,
    out: &Path,
    force: bool,
    system: impl FnOnce() -> Database,
) -> Result<Vec<PathBuf>, ReportError> {
    let desk = Staged::begin(out)?;
    let written = fill(input, desk.path(), system)?;
    desk.land(&written, force)
}

/// Writes all files of the report into a folder; gives back their names.
fn fill(input: &ReportInput, out: &Path, system: impl FnOnce() -> Database) -> Result<Vec<String>, ReportError> {
    let settings = Settings::of(&input.experiment);
    let analysis = Analysis::new(input);
    let mut desk = Desk { out, written: Vec::new() };
    let pictures = desk.draw(input, &settings, &analysis, system)?;
    let view = View::new(input, &settings, &analysis, pictures)?;
    for (name, _) in tables::FILES {
        tables::write(name, input, &analysis, &desk.file(name))?;
    }
    files::write(&desk.file("report.md"), templates::markdown(&view).map_err(ReportError::Page)?.as_bytes())?;
    // The page last: where it is, the rest is too.
    files::write(&desk.file("report.html"), templates::html(&view).map_err(ReportError::Page)?.as_bytes())?;
    Ok(desk.written)
}

/// The folder being filled.
struct Desk<'a> {
    out: &'a Path,
    written: Vec<String>,
}

impl Desk<'_> {
    /// The path of a file that is about to be written.
    fn file(&mut self, name: &str) -> PathBuf {
        self.written.push(name.into());
        self.out.join(name)
    }

    fn draw(
        &mut self,
        input: &ReportInput,
        settings: &Settings,
        analysis: &Analysis,
        system: impl FnOnce() -> Database,
    ) -> Result<Pictures, ReportError> {
        let best = analysis.best().map(|i| &input.runs[i]);
        let loss = pictures::loss(input, analysis, settings.smoothing);
        let accuracy = pictures::accuracy(input, analysis);
        let change = pictures::before_after(input, analysis);
        let probes = best.or(input.runs.first()).and_then(pictures::probes);
        let confusion = best.and_then(pictures::confusion);
        let reliability = best.and_then(pictures::reliability);

        let mut texts: Vec<&str> = Vec::new();
        texts.extend(loss.iter().flat_map(Figure::texts));
        texts.extend(accuracy.iter().flat_map(Figure::texts));
        texts.extend(change.iter().flat_map(|(figure, _)| figure.texts()));
        texts.extend(probes.iter().flat_map(|(figure, _)| figure.texts()));
        texts.extend(confusion.iter().flat_map(Figure::texts));
        let fonts = Fonts::for_texts(texts, system).ok_or(ReportError::Font)?;
        files::write(&self.file("png-fonts.txt"), fonts.describe().as_bytes())?;

        let mut done = Pictures::default();
        if let Some(figure) = &loss {
            let cut = match figure.cut() {
                0 => String::new(),
                n => format!(" {} above the axis drawn at its upper end.", format::plural(n, "value")),
            };
            let caption = format!(
                "Mean loss of each step's rows before the update; bold: exponential moving average with the bias of its \
                 start taken out.{cut} A cross marks a run that ended before its last step."
            );
            done.training.push(self.chart("loss", "Training loss by step", caption, figure, &fonts)?);
        }
        if let Some(figure) = &accuracy {
            let caption = "Evaluations while training; the first is before the first step.".to_string();
            done.training.push(self.chart("accuracy", "Accuracy while training", caption, figure, &fonts)?);
        }
        if let Some((figure, left_out)) = &change {
            let more = pictures::left_out(*left_out, "run");
            let order = match best {
                Some(run) if run.measured_on() != analysis.judge.split => format!(
                    "In the order of their {} {}, which chooses, best first; drawn is the {} accuracy.",
                    split_name(analysis.judge.split),
                    analysis.judge.metric.name(),
                    split_name(run.measured_on())
                ),
                _ => "Best first.".into(),
            };
            let unmeasured = match input.runs.len() - analysis.ranked.len() {
                0 => String::new(),
                1 => " 1 run without a final evaluation is not drawn.".into(),
                n => format!(" {n} runs without a final evaluation are not drawn."),
            };
            let caption =
                format!("{order} Intervals are Wilson's 95% intervals for a share of rows.{more}{unmeasured}");
            let alt = "Accuracy before and after training";
            done.outcome.push(self.chart("before-after", alt, caption, figure, &fonts)?);
        }
        if let Some((figure, left_out)) = &probes {
            let more = pictures::left_out(*left_out, "probe");
            let caption = format!("Probability of the expected label; the table below lists the sentences.{more}");
            let alt = "Probability of the expected label of each probe before and after training";
            done.probes = Some(self.chart("probes", alt, caption, figure, &fonts)?);
        }
        if let Some(figure) = &confusion {
            let split = best.map_or("", |run| split_name(run.measured_on()));
            let caption =
                format!("Rows of the {split} split: their label, and what the best run said. Shares are of the row.");
            let alt = "Confusion matrix of the best run";
            done.details.push(self.chart("confusion", alt, caption, figure, &fonts)?);
        }
        if let Some(figure) = &reliability {
            let error = best
                .and_then(|run| run.run.final_metrics.as_ref())
                .map_or(f64::NAN, |m| m.get(Metric::CalibrationError));
            let caption = format!(
                "Bars above the dashed line: more often right than sure. Expected calibration error over these ten equal bins: {}.",
                format::percent(error)
            );
            let alt = "Share predicted rightly by confidence";
            done.details.push(self.chart("reliability", alt, caption, figure, &fonts)?);
        }
        Ok(done)
    }

    /// Draws one chart into its two files.
    fn chart(
        &mut self,
        name: &'static str,
        alt: &str,
        caption: String,
        figure: &impl Figure,
        fonts: &Fonts,
    ) -> Result<Picture, ReportError> {
        let svg = charts::svg(name, figure)?;
        let alone = svg.replacen(">\n", &format!(">\n{}", charts::STANDALONE_STYLE), 1);
        files::write(&self.file(&format!("{name}.svg")), alone.as_bytes())?;
        charts::png(name, figure, fonts, &self.file(&format!("{name}.png")))?;
        Ok(Picture { name, alt: alt.into(), caption, svg })
    }
}
