//! Writes the folder of a report.

use std::path::{Path, PathBuf};

use fontdb::Database;
use sha2::{Digest, Sha256};

use super::{
    ReportError, ReportInput,
    analysis::Analysis,
    change,
    charts::{self, Chart, Drawable, Drawing, Fonts},
    curves, files, format,
    frame::Frame,
    input::{Settings, split_name},
    pictures,
    staged::Staged,
    sweep::{self, Sweep},
    tables, templates,
    view::{Picture, Pictures, View},
};
use crate::{metrics::Metric, task::Task};

/// Writes the report into the folder `out`, creating it if needed, and returns the files written. On error no file is written.
/// Files that no report wrote are not replaced.
///
/// Text in the PNG charts is drawn with a font of this machine that has its characters. If there is none, probes and labels are
/// identified by number, and the page lists them.
pub fn render(input: &ReportInput, out: &Path) -> Result<Vec<PathBuf>, ReportError> {
    render_with_fonts(input, out, system_fonts)
}

/// Like [`render`], but also replaces files that no report wrote.
pub fn render_over(input: &ReportInput, out: &Path) -> Result<Vec<PathBuf>, ReportError> {
    write_report(input, out, true, system_fonts)
}

fn system_fonts() -> Database {
    let mut database = Database::new();
    database.load_system_fonts();
    database
}

/// Whether this machine has a font with which PNG charts can show Chinese text.
pub fn draws_chinese() -> bool {
    const SAMPLE: &str = "这家饭店真贴心";
    Fonts::for_texts([SAMPLE], system_fonts).is_some_and(|fonts| fonts.cover(SAMPLE))
}

/// Like [`render`], with the fonts that `system` returns; it is called only if a chart has characters other than Latin letters.
pub fn render_with_fonts(
    input: &ReportInput,
    out: &Path,
    system: impl FnOnce() -> Database,
) -> Result<Vec<PathBuf>, ReportError> {
    write_report(input, out, false, system)
}

/// Whether a report can be written into the folder `out`, as far as that is known before its files are.
///
/// # Errors
/// The folder cannot be written, or has pages that no report wrote and `force` does not allow to replace them.
pub fn check_folder(out: &Path, force: bool) -> Result<(), ReportError> {
    Staged::begin(out)?.check(&["report.html".into(), "report.md".into()], force)
}

fn write_report(
    input: &ReportInput,
    out: &Path,
    force: bool,
    system: impl FnOnce() -> Database,
) -> Result<Vec<PathBuf>, ReportError> {
    let staged = Staged::begin(out)?;
    let written = fill(input, staged.path(), system)?;
    staged.publish(&written, force)
}

/// Writes all files of the report into a folder and returns their names.
fn fill(input: &ReportInput, out: &Path, system: impl FnOnce() -> Database) -> Result<Vec<String>, ReportError> {
    let settings = Settings::of(&input.experiment);
    let analysis = Analysis::new(input);
    let sweep = Sweep::of(input, &analysis);
    let mut folder = Folder { out: Some(out), written: Vec::new() };
    let pictures = folder.draw(input, &settings, &analysis, &sweep, system)?;
    let mut view = View::new(input, &settings, &analysis, &sweep, pictures)?;
    view.files.clear();
    // Empty tables are written too, for programs that read them, but the page has no link to them.
    for (name, contents) in tables::names(input) {
        folder.written.push(name.into());
        if tables::write(name, input, &analysis, &out.join(name))? {
            view.files.push((name, contents));
        }
    }
    for table in sweep::tables(input, &analysis, &sweep)? {
        folder.written.push(table.name.into());
        files::write(&out.join(table.name), &table.bytes)?;
        view.files.push((table.name, table.contents));
    }
    folder.write("report.md", &templates::markdown(&view).map_err(ReportError::Page)?)?;
    // The page is written last: if it exists, so do the other files.
    folder.write("report.html", &templates::html(&view, Frame::of_file()).map_err(ReportError::Page)?)?;
    Ok(folder.written)
}

/// Where the version of a page belongs.
const VERSION: &str = "data-version=\"\"";

/// A page that a server refreshes while runs are trained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LivePage {
    /// A number that is the same for pages with the same content.
    pub version: u64,
    /// The page.
    pub html: String,
}

/// The page alone, as a server hands it out that refreshes it while runs are trained. It has no links to files.
///
/// # Errors
/// A chart cannot be drawn.
pub fn live_page(input: &ReportInput) -> Result<LivePage, ReportError> {
    let settings = Settings::of(&input.experiment);
    let analysis = Analysis::new(input);
    let sweep = Sweep::of(input, &analysis);
    let mut folder = Folder { out: None, written: Vec::new() };
    let pictures = folder.draw(input, &settings, &analysis, &sweep, Database::new)?;
    let mut view = View::new(input, &settings, &analysis, &sweep, pictures)?;
    view.files.clear();
    let html = templates::html(&view, Frame::of_server()).map_err(ReportError::Page)?;
    let digest = Sha256::digest(&html);
    let version = digest.iter().take(6).fold(0, |version, byte| version << 8 | u64::from(*byte));
    let html = html.replacen(VERSION, &format!("data-version=\"{version}\""), 1);
    Ok(LivePage { version, html })
}

/// Names of the two charts of each of the first columns of numbers.
const NUMBERS: [(&str, &str); pictures::MOST_COLUMNS] =
    [("predicted", "errors"), ("predicted-2", "errors-2"), ("predicted-3", "errors-3"), ("predicted-4", "errors-4")];

/// The folder that is being written.
struct Folder<'a> {
    /// `None` if only the page is wanted.
    out: Option<&'a Path>,
    written: Vec<String>,
}

impl Folder<'_> {
    /// Writes a file, if there is a folder.
    fn write(&mut self, name: &str, text: &str) -> Result<(), ReportError> {
        let Some(out) = self.out else { return Ok(()) };
        self.written.push(name.into());
        files::write(&out.join(name), text.as_bytes())
    }

    fn draw(
        &mut self,
        input: &ReportInput,
        settings: &Settings,
        analysis: &Analysis,
        sweep: &Sweep,
        system: impl FnOnce() -> Database,
    ) -> Result<Pictures, ReportError> {
        let best = analysis.best().map(|i| &input.runs[i]);
        let training = curves::drawings(input, settings, analysis);
        let change = pictures::before_after(input, analysis);
        let probes = best.or(input.runs.first()).and_then(pictures::probes);
        let result = analysis.shown(&input.runs);
        let matrix = result.and_then(pictures::matrix);
        let reliability = result.and_then(pictures::reliability);
        let numbers = result.map(pictures::numbers).unwrap_or_default();
        let changed = change::drawings(result, analysis);
        let (task, first) = (analysis.terms.task, analysis.terms.first);
        let first_name = format::capital(first.name());
        let of_sweep = sweep::drawings(sweep, input, analysis);

        let mut texts: Vec<&str> = Vec::new();
        texts.extend(of_sweep.iter().flat_map(|drawing| drawing.chart.texts()));
        texts.extend(change.iter().flat_map(|(chart, _)| chart.texts()));
        texts.extend(probes.iter().flat_map(|(chart, _)| chart.texts()));
        texts.extend(matrix.iter().flat_map(Chart::texts));
        texts.extend(numbers.iter().flat_map(|(scatter, _)| scatter.texts()));
        texts.extend(training.iter().chain(&changed).flat_map(|drawing| drawing.chart.drawn_texts()));
        let fonts = Fonts::for_texts(texts, system).ok_or(ReportError::Font)?;
        self.write("png-fonts.txt", &fonts.describe())?;

        let (training, changed) = (self.drawn(training, &fonts)?, self.drawn(changed, &fonts)?);
        let mut done = Pictures { training, change: changed, ..Pictures::default() };
        for drawing in of_sweep {
            done.sweep.push(self.chart(drawing.name, &drawing.alt, drawing.caption, &drawing.chart, &fonts)?);
        }
        if let Some((chart, left_out)) = &change {
            let more = pictures::left_out(*left_out, "run");
            let by = format!("{} {}", split_name(analysis.criterion.split), analysis.criterion.metric.name());
            let order = match (analysis.groups.len() > 1, input.runs.len() > 1, analysis.has_folds()) {
                (true, ..) => format!("Trials in the order of the ranking (by {by})."),
                (false, true, true) => "Folds in their order.".into(),
                (false, true, false) => format!("Runs in the order of {by}."),
                (false, false, _) => String::new(),
            };
            let unmeasured = match input.runs.len() - analysis.ranked.len() {
                0 => String::new(),
                1 => " 1 run without a final evaluation is not drawn.".into(),
                n => format!(" {n} runs without a final evaluation are not drawn."),
            };
            let intervals = match analysis.terms.is_single() {
                true => " Intervals are Wilson's 95% intervals over rows.",
                false if chart.changes.iter().any(|change| change.after.1.is_some()) => {
                    " Intervals are 95% bootstrap intervals over rows; before training they are not known."
                }
                false => "",
            };
            let caption = format!("{order}{intervals}{more}{unmeasured}");
            let alt = format!("{first_name} before and after training");
            done.outcome.push(self.chart("before-after", &alt, caption.trim_start().into(), chart, &fonts)?);
        }
        if let Some((chart, left_out)) = &probes {
            let more = pictures::left_out(*left_out, "probe");
            let (what, alt) = match task {
                Task::MultiLabel => (
                    "Probability of each label that is expected or predicted. Green: right; orange: wrong.",
                    "Probabilities of the expected and the predicted labels of each probe",
                ),
                Task::SingleLabel | Task::Regression => {
                    ("Probability of the expected label.", "Probability of the expected label of each probe")
                }
            };
            let caption = format!("{what} The table below has the sentences.{more}");
            done.probes = Some(self.chart("probes", alt, caption, chart, &fonts)?);
        }
        if let Some(chart) = matrix.as_ref().filter(|_| task == Task::MultiLabel) {
            let caption = "Rows that have both labels; shares are of the rows of the label at the left.".into();
            let alt = "Labels that occur together";
            done.details.push(self.chart("co-occurrence", alt, caption, chart, &fonts)?);
        }
        if let Some(chart) = matrix.as_ref().filter(|_| task == Task::SingleLabel) {
            let split = best.map_or("", |run| split_name(run.measured_on()));
            let (rows, alt) = match analysis.together {
                Some(_) => {
                    ("All rows by label and by their out-of-fold prediction".into(), "Confusion matrix of all folds")
                }
                None => (format!("Rows of the {split} split by label and by the run's prediction"), "Confusion matrix"),
            };
            let caption = format!("{rows}. Shares are of each label's rows.");
            done.details.push(self.chart("confusion", alt, caption, chart, &fonts)?);
        }
        for (i, ((scatter, residuals), (of_scatter, of_residuals))) in numbers.iter().zip(NUMBERS).enumerate() {
            let all = result.map_or(0, |run| run.run.labels.len());
            let column = if all > 1 { format!(", column {} of {all}", i + 1) } else { String::new() };
            let rows = result.map_or(0, |run| run.predictions.len());
            let thinned = match rows > scatter.points.len() {
                true => format!(
                    " {} of {} rows are drawn.",
                    format::count(scatter.points.len() as u64),
                    format::count(rows as u64)
                ),
                false => String::new(),
            };
            let caption = format!("Each dot is a row. On the dashed line the prediction is right.{thinned}");
            done.details.push(self.chart(
                of_scatter,
                &format!("Predicted against true numbers{column}"),
                caption,
                scatter,
                &fonts,
            )?);
            let caption =
                "Rows by error, in ranges of equal width. On the right of the dashed line the prediction is too high."
                    .into();
            done.details.push(self.chart(
                of_residuals,
                &format!("Errors of the predicted numbers{column}"),
                caption,
                residuals,
                &fonts,
            )?);
        }
        if let Some(chart) = reliability.as_ref().filter(|_| task == Task::MultiLabel) {
            let caption = "Each row counts once for each label. A bar above the dashed line: the labels are there more often than their \
                           probability says; below it: less often."
                .into();
            let alt = "Share of rows that have a label, by its probability";
            done.details.push(self.chart("reliability", alt, caption, chart, &fonts)?);
        }
        if let Some(chart) = reliability.as_ref().filter(|_| task == Task::SingleLabel) {
            let error = result
                .and_then(|run| run.run.final_metrics.as_ref())
                .map_or(f64::NAN, |m| m.get(Metric::CalibrationError));
            let caption = format!(
                "A bar above the dashed line is underconfident: more of its rows are right than their confidence says. A bar below it is \
                 overconfident. Expected calibration error over these ten equal bins: {}.",
                format::percent(error)
            );
            let alt = "Share predicted correctly, by confidence";
            done.details.push(self.chart("reliability", alt, caption, chart, &fonts)?);
        }
        Ok(done)
    }

    /// These charts.
    fn drawn(&mut self, drawings: Vec<Drawing>, fonts: &Fonts) -> Result<Vec<Picture>, ReportError> {
        let one = |Drawing { name, alt, caption, chart }| self.chart(name, &alt, caption, &*chart, fonts);
        drawings.into_iter().map(one).collect()
    }

    /// One chart, whose two files are written if there is a folder.
    fn chart(
        &mut self,
        name: &'static str,
        alt: &str,
        caption: String,
        chart: &dyn Drawable,
        fonts: &Fonts,
    ) -> Result<Picture, ReportError> {
        let (svg, narrow) = (chart.svg(name, charts::WIDTH)?, chart.svg(name, charts::NARROW)?);
        if let Some(out) = self.out {
            self.write(&format!("{name}.svg"), &charts::standalone(&svg, alt))?;
            let png = format!("{name}.png");
            chart.png(name, fonts, &out.join(&png))?;
            self.written.push(png);
        }
        let values = chart.embedded();
        Ok(Picture { name, alt: alt.into(), caption, svg, narrow, values, is_file: self.out.is_some() })
    }
}
