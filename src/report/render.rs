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
    input::Settings,
    pictures,
    staged::Staged,
    sweep::{self, Sweep},
    tables, templates,
    view::{Picture, Pictures, View},
    with_decision::chosen,
};
use crate::report::language::{Language, Said, is_chinese, measured, tr};
use crate::{metrics::Metric, task::Task};

/// Writes the report into the folder `out`, creating it if needed, and returns the files written. On error no file is written.
/// Files that no report wrote are not replaced.
///
/// Text in the PNG charts is drawn with a font of this machine that has its characters. If there is none, probes and labels are
/// identified by number, and the page lists them; the other words of the PNG charts of a Chinese report are then English.
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

/// Chinese text: a font that has these characters is a Chinese one.
const CHINESE: &str = "这家饭店真贴心，训练损失（验证集）";

/// Whether this machine has a font with which PNG charts can show Chinese text.
pub fn draws_chinese() -> bool {
    Fonts::for_texts([CHINESE], system_fonts).is_some_and(|fonts| fonts.cover(CHINESE))
}

/// Like [`render`], with the fonts that `system` returns; it is called only if a chart has characters other than Latin letters.
pub fn render_with_fonts(
    input: &ReportInput,
    out: &Path,
    system: impl Fn() -> Database,
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
    system: impl Fn() -> Database,
) -> Result<Vec<PathBuf>, ReportError> {
    let staged = Staged::begin(out)?;
    let written = fill(input, staged.path(), system)?;
    staged.publish(&written, force)
}

/// Writes all files of the report into a folder and returns their names.
fn fill(input: &ReportInput, out: &Path, system: impl Fn() -> Database) -> Result<Vec<String>, ReportError> {
    let settings = Settings::of(&input.experiment);
    let analysis = Analysis::new(input);
    let sweep = Sweep::of(input, &analysis);
    let mut folder = Folder { out: Some(out), written: Vec::new(), draws: Draws::Both };
    let pictures = folder.draw(input, &settings, &analysis, &sweep, &system)?;
    let mut view = View::new(input, &settings, &analysis, &sweep, pictures)?;
    view.files = match is_chinese() {
        false => folder.tables(input, &analysis, &sweep)?,
        // Programs read the tables: they are the same in every language, but for what the page says of them.
        true => {
            let of_sweep =
                sweep::tables(input, &analysis, &sweep)?.into_iter().map(|table| (table.name, table.contents));
            let named: Vec<_> = tables::names(input).chain(of_sweep).collect();
            let written = Language::English.during(|| {
                let analysis = Analysis::new(input);
                let sweep = Sweep::of(input, &analysis);
                if folder.draws == Draws::Vectors {
                    folder.draws = Draws::Bitmaps;
                    folder.draw(input, &settings, &analysis, &sweep, &system)?;
                }
                folder.tables(input, &analysis, &sweep)
            })?;
            let said = |name: &str| named.iter().find(|(other, _)| *other == name).copied();
            written.into_iter().filter_map(|(name, _)| said(name)).collect()
        }
    };
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
    let mut folder = Folder { out: None, written: Vec::new(), draws: Draws::Both };
    let pictures = folder.draw(input, &settings, &analysis, &sweep, &Database::new)?;
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
    draws: Draws,
}

/// Which files of the charts are written.
#[derive(Clone, Copy, PartialEq)]
enum Draws {
    Both,
    /// SVG alone: without a Chinese font, the PNG files of a Chinese report are drawn in English.
    Vectors,
    /// PNG alone.
    Bitmaps,
}

impl Folder<'_> {
    /// Writes a file, if there is a folder.
    fn write(&mut self, name: &str, text: &str) -> Result<(), ReportError> {
        let Some(out) = self.out else { return Ok(()) };
        self.written.push(name.into());
        files::write(&out.join(name), text.as_bytes())
    }

    /// Writes the tables, and returns those with a line below their header, with their contents. Empty ones are written too, for programs that
    /// read them, but the page has no link to them.
    fn tables(
        &mut self,
        input: &ReportInput,
        analysis: &Analysis,
        sweep: &Sweep,
    ) -> Result<Vec<(&'static str, &'static str)>, ReportError> {
        let Some(out) = self.out else { return Ok(Vec::new()) };
        let mut filled = Vec::new();
        for (name, contents) in tables::names(input) {
            self.written.push(name.into());
            if tables::write(name, input, analysis, &out.join(name))? {
                filled.push((name, contents));
            }
        }
        for table in sweep::tables(input, analysis, sweep)? {
            self.written.push(table.name.into());
            files::write(&out.join(table.name), &table.bytes)?;
            filled.push((table.name, table.contents));
        }
        Ok(filled)
    }

    fn draw(
        &mut self,
        input: &ReportInput,
        settings: &Settings,
        analysis: &Analysis,
        sweep: &Sweep,
        system: &impl Fn() -> Database,
    ) -> Result<Pictures, ReportError> {
        let best = analysis.best().map(|i| &input.runs[i]);
        let training = curves::drawings(input, settings, analysis);
        let change = pictures::before_after(input, analysis);
        let probes = best.or(input.runs.first()).and_then(pictures::probes);
        let result = analysis.shown(&input.runs);
        // As people use the model; single rows only where they are known so.
        let (predicted, rows) = (analysis.predicted(&input.runs), analysis.predicted_rows(&input.runs));
        let matrix = predicted.and_then(pictures::matrix);
        let reliability = rows.and_then(pictures::reliability);
        let numbers = result.map(pictures::numbers).unwrap_or_default();
        let changed = change::drawings(result, analysis);
        let (task, first) = (analysis.terms.task, analysis.terms.first);
        let first_name = format::capital(&first.said());
        let of_sweep = sweep::drawings(sweep, input, analysis);
        let decided = analysis.with_decision.as_ref();
        let said = |is_with| {
            decided.map_or(String::new(), |run| {
                let chosen = chosen(&run.run.config.data);
                match is_with {
                    true => tr!(" With {chosen}.", "应用了{chosen}。"),
                    false => tr!(" Without {chosen}.", "未应用{chosen}。"),
                }
            })
        };
        let with = said(true);
        let of_rows = said(decided.is_none_or(|run| !run.predictions.is_empty()));

        let mut texts: Vec<&str> = Vec::new();
        texts.extend(of_sweep.iter().flat_map(|drawing| drawing.chart.texts()));
        texts.extend(change.iter().flat_map(|(chart, _)| chart.texts()));
        texts.extend(probes.iter().flat_map(|(chart, _)| chart.texts()));
        texts.extend(matrix.iter().flat_map(Chart::texts));
        texts.extend(numbers.iter().flat_map(|(scatter, _)| scatter.texts()));
        texts.extend(training.iter().chain(&changed).flat_map(|drawing| drawing.chart.drawn_texts()));
        texts.extend(is_chinese().then_some(CHINESE));
        let fonts = Fonts::for_texts(texts, system).ok_or(ReportError::Font)?;
        if is_chinese() && !fonts.cover(CHINESE) {
            self.draws = Draws::Vectors;
        }
        if self.draws != Draws::Bitmaps {
            self.write("png-fonts.txt", &fonts.describe())?;
        }

        let (training, changed) = (self.drawn(training, &fonts)?, self.drawn(changed, &fonts)?);
        let mut done = Pictures { training, change: changed, ..Pictures::default() };
        for drawing in of_sweep {
            done.sweep.push(self.chart(drawing.name, &drawing.alt, drawing.caption, &drawing.chart, &fonts)?);
        }
        if let Some((chart, left_out)) = &change {
            let more = pictures::left_out(*left_out, "run");
            let by = measured(analysis.criterion.split, analysis.criterion.metric);
            let order = match (analysis.has_several(), input.runs.len() > 1, analysis.has_folds()) {
                (true, ..) => tr!("Trials in the order of the ranking (by {by}).", "试验按排名的顺序（依据{by}）。"),
                (false, true, true) => tr("Folds in their order.", "各折按自己的顺序。").into(),
                (false, true, false) => tr!("Runs in the order of {by}.", "运行按{by}的顺序。"),
                (false, false, _) => String::new(),
            };
            let unmeasured = match input.runs.len() - analysis.ranked.len() {
                0 => String::new(),
                1 => tr(" 1 run without a final evaluation is not drawn.", "有 1 次没有最终评估的运行未画出。").into(),
                n => tr!(" {n} runs without a final evaluation are not drawn.", "有 {n} 次没有最终评估的运行未画出。"),
            };
            let intervals = match analysis.terms.is_single() {
                true => tr(
                    " Intervals are Wilson's 95% intervals over rows.",
                    "区间是按行数计算的 95% 威尔逊（Wilson）区间。",
                ),
                false if chart.changes.iter().any(|change| change.after.1.is_some()) => tr(
                    " Intervals are 95% bootstrap intervals over rows; before training they are not known.",
                    "区间是对各行重抽样的 95% 自助法（bootstrap）区间；训练前的区间未知。",
                ),
                false => "",
            };
            let caption = format!("{order}{intervals}{more}{unmeasured}");
            let alt = tr!("{first_name} before and after training", "训练前后的{first_name}");
            done.outcome.push(self.chart("before-after", &alt, caption.trim_start().into(), chart, &fonts)?);
        }
        if let Some((chart, left_out)) = &probes {
            let more = pictures::left_out(*left_out, "probe");
            let (what, alt) = match task {
                Task::MultiLabel => (
                    tr(
                        "Probability of each label that is expected or predicted. Green: right; orange: wrong.",
                        "每个期望或预测标签的概率。绿色：正确；橙色：错误。",
                    ),
                    tr(
                        "Probabilities of the expected and the predicted labels of each probe",
                        "每个探针句的期望标签和预测标签的概率",
                    ),
                ),
                Task::SingleLabel | Task::Regression => (
                    tr("Probability of the expected label.", "期望标签的概率。"),
                    tr("Probability of the expected label of each probe", "每个探针句的期望标签的概率"),
                ),
            };
            let caption = tr!("{what} The table below has the sentences.{more}", "{what}下表列出各探针句。{more}");
            done.probes = Some(self.chart("probes", alt, caption, chart, &fonts)?);
        }
        if let Some(chart) = matrix.as_ref().filter(|_| task == Task::MultiLabel) {
            let caption = tr(
                "Rows that have both labels, whatever is predicted; shares are of the rows of the label at the left.",
                "同时具有两个标签的行，与预测无关；比例以左侧标签的行数为分母。",
            )
            .into();
            let alt = tr("Labels that occur together", "同时出现的标签");
            done.details.push(self.chart("co-occurrence", alt, caption, chart, &fonts)?);
        }
        if let Some(chart) = matrix.as_ref().filter(|_| task == Task::SingleLabel) {
            let split = best.map_or("", |run| run.measured_on().said());
            let (rows, alt) = match analysis.together {
                Some(_) => (
                    tr("All rows by label and by their out-of-fold prediction", "所有行，按标签和折外预测").into(),
                    tr("Confusion matrix of all folds", "所有折的混淆矩阵"),
                ),
                None => (
                    tr!(
                        "Rows of the {split} split by label and by the run's prediction",
                        "{split}的行，按标签和该运行的预测"
                    ),
                    tr("Confusion matrix", "混淆矩阵"),
                ),
            };
            let caption =
                tr!("{rows}. Shares are of each label's rows.{with}", "{rows}。比例以每个标签的行数为分母。{with}");
            done.details.push(self.chart("confusion", alt, caption, chart, &fonts)?);
        }
        for (i, ((scatter, residuals), (of_scatter, of_residuals))) in numbers.iter().zip(NUMBERS).enumerate() {
            let all = result.map_or(0, |run| run.run.labels.len());
            let column = if all > 1 {
                tr!(", column {} of {all}", "，第 {} 列（共 {all} 列）", i + 1)
            } else {
                String::new()
            };
            let rows = result.map_or(0, |run| run.predictions.len());
            let thinned = match rows > scatter.points.len() {
                true => tr!(
                    " {} of {} rows are drawn.",
                    format::count(scatter.points.len() as u64),
                    format::count(rows as u64)
                ; "{1} 行中画出 {0} 行。", format::count(scatter.points.len() as u64), format::count(rows as u64)),
                false => String::new(),
            };
            let caption = tr!(
                "Each dot is a row. On the dashed line the prediction is right.{thinned}",
                "每个点是一行。落在虚线上表示预测正确。{thinned}"
            );
            done.details.push(self.chart(
                of_scatter,
                &tr!("Predicted against true numbers{column}", "预测值与真实值{column}"),
                caption,
                scatter,
                &fonts,
            )?);
            let caption = tr(
                "Rows by error, in ranges of equal width. On the right of the dashed line the prediction is too high.",
                "按误差统计的行数，各区间等宽。虚线右侧表示预测偏高。",
            )
            .into();
            done.details.push(self.chart(
                of_residuals,
                &tr!("Errors of the predicted numbers{column}", "预测数值的误差{column}"),
                caption,
                residuals,
                &fonts,
            )?);
        }
        if let Some(chart) = reliability.as_ref().filter(|_| task == Task::MultiLabel) {
            let caption = tr!(
                "Each row counts once for each label. A bar above the dashed line: the labels are there more often than their \
                 probability says; below it: less often.{of_rows}",
                "每一行对每个标签各计一次。柱高于虚线：标签实际出现得比其概率所示更频繁；低于虚线：更少。{of_rows}"
            );
            let alt = tr("Share of rows that have a label, by its probability", "具有某标签的行的比例，按其概率");
            done.details.push(self.chart("reliability", alt, caption, chart, &fonts)?);
        }
        if let Some(chart) = reliability.as_ref().filter(|_| task == Task::SingleLabel) {
            let error = rows
                .and_then(|run| run.run.final_metrics.as_ref())
                .map_or(f64::NAN, |m| m.get(Metric::CalibrationError));
            let caption = tr!(
                "A bar above the dashed line is underconfident: more of its rows are right than their confidence says. A bar below it is \
                 overconfident. Expected calibration error over these ten bins of equal width: {}.{of_rows}",
                "柱高于虚线表示置信度偏低：正确的行比置信度所示更多；低于虚线表示过度自信。这十个等宽段上的期望校准误差（ECE）：{}。{of_rows}",
                format::percent(error)
            );
            let alt = tr("Share predicted correctly, by confidence", "预测正确的比例，按置信度");
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
        if self.draws != Draws::Bitmaps && self.out.is_some() {
            self.write(&format!("{name}.svg"), &charts::standalone(&svg, alt))?;
        }
        if let Some(out) = self.out.filter(|_| self.draws != Draws::Vectors) {
            let png = format!("{name}.png");
            chart.png(name, fonts, &out.join(&png))?;
            self.written.push(png);
        }
        let values = chart.embedded();
        Ok(Picture { name, alt: alt.into(), caption, svg, narrow, values, is_file: self.out.is_some() })
    }
}
