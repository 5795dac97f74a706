//! A table of runs that fits a terminal: rows as lines of text. Pure; nothing here knows where the figures come from.

use console::{StyledObject, measure_text_width, style};

use crate::format::{NOTHING, duration, one_line};

/// How a run stands, in the eyes of someone who watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It trains, or measures.
    Running,
    /// At a step where its sweep decides who goes on.
    Waiting,
    /// Not begun.
    Pending,
    /// Done.
    Completed,
    /// Others did better.
    Pruned,
    /// Stopped on request, or with its process.
    Stopped,
    /// Ended by a failure.
    Failed,
}

impl Standing {
    /// One word for it.
    fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Pending => "pending",
            Self::Completed => "completed",
            Self::Pruned => "pruned",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }

    fn paint(self, text: String, colour: bool) -> StyledObject<String> {
        let plain = style(text).for_stderr().force_styling(colour);
        match self {
            Self::Running => plain.cyan(),
            Self::Waiting | Self::Stopped => plain.yellow(),
            Self::Pending | Self::Pruned => plain.dim(),
            Self::Completed => plain.green(),
            Self::Failed => plain.red().bold(),
        }
    }
}

/// What is shown of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// How it stands.
    pub standing: Standing,
    /// Steps made.
    pub step: u64,
    /// Steps in all; 0 where that is not known.
    pub total: u64,
    /// The evaluation that it is at, in words; stands in place of the steps.
    pub evaluating: Option<String>,
    /// Training loss by now.
    pub loss: Option<f64>,
    /// Best figure by now, in words.
    pub best: Option<String>,
    /// Seconds left; of a run that ended, seconds that it took.
    pub time_s: Option<f64>,
    /// Why it ended as it did: stands in place of the figures.
    pub reason: Option<String>,
}

impl Row {
    /// The row with texts of one line that steer no terminal.
    fn visible(&self) -> Self {
        Self { name: one_line(&self.name), reason: self.reason.as_deref().map(one_line), ..self.clone() }
    }
}

/// A table: who is at work, who ended last, and how the whole stands.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Board {
    /// What the best figures are: `best dev`.
    pub best: String,
    /// Runs at work, the first ones more worth showing.
    pub active: Vec<Row>,
    /// Runs that are not at work, those most worth showing first.
    pub others: Vec<Row>,
    /// One line for the whole.
    pub summary: String,
}

/// Columns and lines of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Columns.
    pub width: usize,
    /// Lines.
    pub height: usize,
}

/// Narrowest column of names; others give way to it.
const NAME: usize = 14;
/// The longest word for a state.
const STATE: usize = "completed".len();
/// Characters of a bar.
const BAR: usize = 10;
/// Between two columns.
const GAP: usize = 2;

impl Board {
    /// The table as lines, no more than `size.height` and none wider than `size.width`: a header, the runs at work,
    /// others as far as there is room, the summary.
    pub fn lines(&self, size: Size, colour: bool) -> Vec<String> {
        let room = size.height.saturating_sub(2);
        // What a row says came from outside; the colours are added below.
        let shown = |rows: &[Row]| rows.iter().map(Row::visible).collect::<Vec<_>>();
        let (active, others) = (shown(&self.active), shown(&self.others));
        let mut rows: Vec<&Row> = active.iter().collect();
        let mut hidden = 0;
        if rows.len() > room {
            // The line that says so takes a place too.
            hidden = rows.len() - room.saturating_sub(1);
            rows.truncate(room.saturating_sub(1));
        } else {
            rows.extend(others.iter().take(room - rows.len()));
        }
        let mut lines = Vec::new();
        if !rows.is_empty() {
            let columns = Columns::fit(&self.best, &rows, size.width);
            lines.push(style(columns.header(&self.best)).for_stderr().force_styling(colour).dim().to_string());
            lines.extend(rows.iter().map(|row| columns.row(row, colour)));
        }
        if hidden > 0 {
            lines.push(cut(&format!("… and {hidden} more at work"), size.width));
        }
        lines.push(cut(&self.summary, size.width));
        // On a terminal of one or two lines the summary says most.
        lines.split_off(lines.len().saturating_sub(size.height))
    }
}

/// Columns right of the state, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Bar,
    Steps,
    Loss,
    Best,
    Time,
}

/// What gives way first where there is no room.
const LEAST_FIRST: [Column; 5] = [Column::Bar, Column::Loss, Column::Time, Column::Best, Column::Steps];

/// The columns that there is room for, and their widths.
struct Columns {
    width: usize,
    name: usize,
    shown: Vec<(Column, usize)>,
}

impl Columns {
    fn fit(best: &str, rows: &[&Row], width: usize) -> Self {
        let widest = |cells: &mut dyn Iterator<Item = usize>| cells.max().unwrap_or(0);
        let wanted = widest(&mut rows.iter().map(|row| measure_text_width(&row.name))).max("RUN".len());
        let mut shown: Vec<(Column, usize)> = [Column::Bar, Column::Steps, Column::Loss, Column::Best, Column::Time]
            .into_iter()
            .map(|column| {
                let cells = rows.iter().filter(|row| row.reason.is_none()).map(|row| column.cell(row));
                let cells = cells.map(|cell| measure_text_width(&cell)).chain([column.title(best).len()]);
                (column, widest(&mut cells.chain([column.usual()])))
            })
            .collect();
        let left = |shown: &[(Column, usize)]| {
            let taken: usize = shown.iter().map(|(_, width)| width + GAP).sum();
            width.saturating_sub(taken + STATE + GAP)
        };
        for column in LEAST_FIRST {
            if left(&shown) >= NAME.min(wanted) {
                break;
            }
            shown.retain(|(other, _)| *other != column);
        }
        Self { width, name: wanted.min(left(&shown)), shown }
    }

    fn header(&self, best: &str) -> String {
        let mut text = format!("{}  {}", left("RUN", self.name), left("STATE", STATE));
        for (column, width) in &self.shown {
            text += "  ";
            text += &column.align(&column.title(best), *width);
        }
        cut(text.trim_end(), self.width)
    }

    fn row(&self, row: &Row, colour: bool) -> String {
        let name = left(&cut_middle(&row.name, self.name), self.name);
        let state = row.standing.paint(left(row.standing.word(), STATE), colour);
        let mut text = format!("{name}  {state}");
        if let Some(reason) = &row.reason {
            text += "  ";
            text += &cut(reason, self.width.saturating_sub(self.name + GAP + STATE + GAP));
        } else {
            for (column, width) in &self.shown {
                let cell = column.align(&column.cell(row), *width);
                text += "  ";
                match column {
                    Column::Bar if colour => text += &style(cell).for_stderr().force_styling(true).cyan().to_string(),
                    _ => text += &cell,
                }
            }
        }
        // Where a terminal is narrower than a state there is nothing to be told.
        if measure_text_width(&text) > self.width { cut(&row.name, self.width) } else { text.trim_end().to_string() }
    }
}

impl Column {
    fn title(self, best: &str) -> String {
        match self {
            Self::Bar => String::new(),
            Self::Steps => "STEPS".into(),
            Self::Loss => "LOSS".into(),
            Self::Best => best.to_uppercase(),
            Self::Time => "ETA".into(),
        }
    }

    /// Width of most of its cells: it has that from the beginning, so that columns move seldom.
    fn usual(self) -> usize {
        match self {
            Self::Bar => BAR,
            Self::Steps => "120/1200".len(),
            Self::Loss => "0.1234".len(),
            Self::Best => "91.3%".len(),
            Self::Time => "in 3m12s".len(),
        }
    }

    fn cell(self, row: &Row) -> String {
        match self {
            Self::Bar => bar(row.step, row.total),
            Self::Steps => match (&row.evaluating, row.total) {
                (Some(text), _) => text.clone(),
                (None, 0) => row.step.to_string(),
                (None, total) => format!("{}/{total}", row.step),
            },
            Self::Loss => row.loss.map_or(NOTHING.into(), |loss| format!("{loss:.4}")),
            Self::Best => row.best.clone().unwrap_or_else(|| NOTHING.into()),
            Self::Time => match (row.time_s, row.standing) {
                (None, _) => NOTHING.into(),
                (Some(s), Standing::Running) => duration(s),
                (Some(s), _) => format!("in {}", duration(s)),
            },
        }
    }

    /// Figures stand right, so that their digits stand below each other.
    fn align(self, cell: &str, width: usize) -> String {
        let space = " ".repeat(width.saturating_sub(measure_text_width(cell)));
        if self == Self::Bar { format!("{cell}{space}") } else { format!("{space}{cell}") }
    }
}

/// `━━━━╸─────`.
fn bar(step: u64, total: u64) -> String {
    let halves = (step.min(total) as usize * 2 * BAR).checked_div(total as usize).unwrap_or(0);
    let (full, half) = (halves / 2, halves % 2);
    format!("{}{}{}", "━".repeat(full), "╸".repeat(half), "─".repeat(BAR - full - half))
}

/// The text and as many spaces as make it `width` columns wide.
fn left(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(measure_text_width(text))))
}

/// The beginning of the text in `width` columns, an ellipsis at its end where something is missing.
pub(super) fn cut(text: &str, width: usize) -> String {
    if width == 0 { String::new() } else { console::truncate_str(text, width, "…").into_owned() }
}

/// The text in `width` columns, its middle left out where it is longer: names of runs end in what tells them apart.
fn cut_middle(text: &str, width: usize) -> String {
    if measure_text_width(text) <= width {
        return text.into();
    }
    let room = width.saturating_sub(1);
    let mut end = text.len();
    let mut taken = 0;
    for (at, c) in text.char_indices().rev() {
        taken += measure_text_width(c.encode_utf8(&mut [0; 4]));
        if taken > room / 2 {
            break;
        }
        end = at;
    }
    let tail = &text[end..];
    let head = console::truncate_str(text, room - measure_text_width(tail), "");
    if width == 0 { String::new() } else { format!("{head}…{tail}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, standing: Standing) -> Row {
        Row {
            name: name.into(),
            standing,
            step: 412,
            total: 900,
            evaluating: None,
            loss: Some(0.43124),
            best: Some("91.3%".into()),
            time_s: Some(192.0),
            reason: None,
        }
    }

    fn board() -> Board {
        let failed =
            Row { reason: Some("out of memory: 3 GiB were asked for".into()), ..row("lr=3e-5", Standing::Failed) };
        let done = Row { step: 900, ..row("lr=2e-5", Standing::Completed) };
        Board {
            best: "best dev".into(),
            active: vec![row("lr=1e-5 note=这家饭店真贴心 seed=1", Standing::Running)],
            others: vec![failed, done],
            summary: "1 of 12 done, 1 failed, 10 left  eta 12m00s".into(),
        }
    }

    #[test]
    fn eighty_columns_hold_it_all() {
        let want = "\
RUN                  STATE                     STEPS    LOSS  BEST DEV       ETA
lr=1e-5 n…心 seed=1  running    ━━━━╸─────   412/900  0.4312     91.3%     3m12s
lr=3e-5              failed     out of memory: 3 GiB were asked for
lr=2e-5              completed  ━━━━━━━━━━   900/900  0.4312     91.3%  in 3m12s
1 of 12 done, 1 failed, 10 left  eta 12m00s";
        let lines = board().lines(Size { width: 80, height: 24 }, false);
        assert_eq!(lines.join("\n"), want);
    }

    #[test]
    fn nothing_is_wider_or_taller_than_the_terminal() {
        let mut board = board();
        board.active = (0..30).map(|i| row(&format!("{i} 送餐很快味道不错分量也足"), Standing::Running)).collect();
        for width in 0..130 {
            for height in 1..40 {
                let lines = board.lines(Size { width, height }, width % 2 == 0);
                assert!(lines.len() <= height, "{width}x{height}: {lines:#?}");
                assert!(lines.iter().all(|line| measure_text_width(line) <= width), "{width}x{height}: {lines:#?}");
            }
        }
        let lines = board.lines(Size { width: 80, height: 10 }, false);
        assert_eq!((lines.len(), lines[8].as_str()), (10, "… and 23 more at work"));
        assert_eq!(board.lines(Size { width: 80, height: 1 }, false), [board.summary.clone()]);
    }

    #[test]
    fn columns_give_way_to_the_name() {
        let at = |width| board().lines(Size { width, height: 24 }, false).swap_remove(1);
        let has = |width, texts: [&str; 4]| texts.map(|text| at(width).contains(text));
        let texts = ["━", "0.4312", "3m12s", "91.3%"];
        for (width, want) in [(80, [true; 4]), (65, [false, true, true, true]), (56, [false, false, true, true])] {
            assert_eq!(has(width, texts), want, "{}", at(width));
        }
        assert_eq!(at(36), "lr=1e-5… seed=1  running     412/900");
    }

    #[test]
    fn colour_only_where_it_is_wanted() {
        let size = Size { width: 80, height: 24 };
        assert!(!board().lines(size, false).concat().contains('\x1b'));
        let coloured = board().lines(size, true);
        assert!(coloured[2].contains("\x1b[31m") && coloured[1].contains("\x1b[36m"), "{coloured:?}");
        let plain: Vec<_> = coloured.iter().map(|line| console::strip_ansi_codes(line).into_owned()).collect();
        assert_eq!(plain, board().lines(size, false));
    }

    #[test]
    fn names_keep_both_ends() {
        assert_eq!(cut_middle("lr=1e-5 seed=1", 20), "lr=1e-5 seed=1");
        assert_eq!(cut_middle("max_length=64 lr=1e-5 seed=12", 16), "max_leng…seed=12");
        assert_eq!(cut_middle("这家饭店真贴心", 6), "这…心");
        assert_eq!([cut_middle("abc", 0), cut_middle("abc", 1), cut_middle("abc", 2)], ["", "…", "a…"]);
    }

    #[test]
    fn bars() {
        assert_eq!(
            [bar(0, 10), bar(5, 10), bar(11, 10), bar(3, 0)],
            ["──────────", "━━━━━─────", "━━━━━━━━━━", "──────────"]
        );
        assert_eq!(bar(11, 20), "━━━━━╸────");
    }
}
