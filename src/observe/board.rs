//! Renders a table of trials to fit a terminal: rows as lines of text. Pure; independent of where the values come from.

use console::{StyledObject, measure_text_width, style};

use super::{
    bars::bar,
    heading::{heading, in_two_lines},
    more::all_in,
    text::{cut, cut_start, cut_words, left, right, wrap_fields},
};
use crate::{
    format::{NOTHING, count, duration, loss, one_line, visible},
    store::RunState,
};

/// Text in the colour of a state.
fn paint(state: RunState, text: String, colour: bool) -> StyledObject<String> {
    let plain = style(text).for_stderr().force_styling(colour);
    match state {
        RunState::Running => plain.cyan(),
        RunState::Waiting | RunState::Interrupted => plain.yellow(),
        RunState::Pending | RunState::Pruned => plain.dim(),
        RunState::Completed => plain.green(),
        RunState::Failed => plain.red().bold(),
    }
}

/// One row: a trial, the runs that differ only in their seed.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Values of the swept keys, one for each key of the board.
    pub values: Vec<String>,
    /// Its state.
    pub state: RunState,
    /// (Seeds done, seeds in all).
    pub seeds: (usize, usize),
    /// Steps trained by all its seeds.
    pub step: u64,
    /// Total steps; 0 if unknown.
    pub total: u64,
    /// The running evaluation, in words; shown instead of the steps.
    pub evaluating: Option<String>,
    /// Current smoothed training loss: the mean over running seeds, else over all that have one.
    pub loss: Option<f64>,
    /// Current value of the metric, as text.
    pub value: Option<String>,
    /// Whether the value is that of completed runs; others are marked with an asterisk.
    pub is_final: bool,
    /// Seconds of training so far, including earlier commands.
    pub trained_s: Option<f64>,
    /// Seconds until all its seeds are trained, while one is running.
    pub left_s: Option<f64>,
    /// Why it ended; shown instead of the numbers.
    pub reason: Option<String>,
}

impl Row {
    /// The row with its texts on one line each, without control characters.
    fn visible(&self) -> Self {
        let values = self.values.iter().map(|value| one_line(value)).collect();
        Self { values, reason: self.reason.as_deref().map(one_line), ..self.clone() }
    }

    /// Its value as it is shown.
    pub(super) fn value_text(&self) -> Option<String> {
        let mark = |value: &String| if self.is_final { value.clone() } else { format!("{value}{MARK}") };
        self.value.as_ref().map(mark)
    }

    /// Whether its value is marked as not final. A reason is shown instead of the numbers.
    fn is_marked(&self) -> bool {
        self.value.is_some() && !self.is_final && self.reason.is_none()
    }
}

/// A table: the leading trial, running trials, the others by score, and a summary.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Board {
    /// The experiment and how many runs it has; empty if unknown.
    pub title: String,
    /// Headings of the values that distinguish trials.
    pub keys: Vec<String>,
    /// The metric and its split: `dev acc`.
    pub metric: String,
    /// Trials, the most interesting first, without the pruned ones.
    pub rows: Vec<Row>,
    /// The number of pruned trials, which are only counted.
    pub pruned: usize,
    /// The trial that currently leads, as text.
    pub best: Option<String>,
    /// The summary line.
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

/// Marks a value that is not final.
const MARK: char = '*';
/// Explains the mark.
const MARKED: &str = "(* not final)";

/// Width of the column of states: fits most of them.
const STATE: usize = "completed".len();
/// Characters of a bar.
const BAR: usize = 10;
/// Spaces between two columns.
const GAP: usize = 2;
/// The fewest lines of a table with a title.
const LEAST_WITH_TITLE: usize = 6;
/// The narrowest columns of a text, and of a truncated heading.
const TEXT: usize = 8;
const HEADING: usize = 5;

impl Board {
    /// The table as lines, at most `size.height` of them and none wider than `size.width`: a header, as many trials as fit, how many
    /// more there are, the leading trial, the summary.
    pub fn lines(&self, size: Size, colour: bool) -> Vec<String> {
        // Names and reasons come from outside; colours are added below.
        let safe = Self {
            keys: self.keys.iter().map(|key| one_line(key)).collect(),
            rows: self.rows.iter().map(Row::visible).collect(),
            title: visible(&self.title).into_owned(),
            best: self.best.as_deref().map(|best| visible(best).into_owned()),
            ..self.clone()
        };
        safe.fitted(size, colour)
    }

    fn fitted(&self, size: Size, colour: bool) -> Vec<String> {
        // The mark is explained only where it is seen; the explanation may take a line.
        match self.arranged(size, colour, false) {
            (_, true) => self.arranged(size, colour, true).0,
            (lines, false) => lines,
        }
    }

    /// The lines, and whether one of them has the mark of a value that is not final. `explains`: whether the summary says what it means.
    fn arranged(&self, size: Size, colour: bool, explains: bool) -> (Vec<String>, bool) {
        let mut below: Vec<String> = Vec::new();
        if let Some(best) = &self.best {
            below.extend(wrap_fields(best, size.width));
        }
        // With less room the title would take the line of a trial.
        let titled = !self.title.is_empty() && size.height >= LEAST_WITH_TITLE;
        let explained = |text: &str| if explains { format!("{text}  {MARKED}") } else { text.to_string() };
        // The title is beside the values; without it, there is room below them.
        let summary = if titled { self.summary.clone() } else { explained(&self.summary) };
        below.extend(wrap_fields(&summary, size.width));
        let room = size.height.saturating_sub(below.len() + 1 + usize::from(titled));
        // Whether a line counts the trials that are not shown.
        let counts = |shown: usize| usize::from(shown < self.rows.len() || self.pruned > 0);
        let all = self.rows.len();
        let mut shown = if all + counts(all) > room { room.saturating_sub(1).min(all) } else { all };
        let (mut lines, mut marked) = (Vec::new(), false);
        if titled {
            // A long title is cut, what its mark means is not.
            let room = if explains { size.width.saturating_sub(MARKED.len() + 2) } else { size.width };
            lines.push(explained(&cut(&self.title, room)));
        }
        if shown > 0 {
            let columns = Layout::fit(self, &self.rows[..shown], size.width);
            let header = columns.header();
            // A second line of headings takes the room of rows.
            let needs = |shown: usize| header.len() + shown + counts(shown);
            while shown > 1 && needs(shown) > room + 1 {
                shown -= 1;
            }
            lines.extend(header.iter().map(|line| style(line).for_stderr().force_styling(colour).dim().to_string()));
            lines.extend(self.rows[..shown].iter().enumerate().map(|(i, row)| columns.row(i, row, colour)));
            let has_values = columns.shown.iter().any(|(column, _)| *column == Column::Metric);
            marked = has_values && self.rows[..shown].iter().any(Row::is_marked);
        }
        if counts(shown) > 0 && room > 0 {
            lines.push(cut_words(&self.more(shown), size.width));
        }
        lines.extend(below);
        // On a terminal of one or two lines the summary is the most useful line.
        let lowest = lines.iter().skip(lines.len().saturating_sub(size.height));
        (lowest.map(|line| cut(line, size.width)).collect(), marked)
    }

    /// `… and 44 more: 40 pending, 4 pruned`; `… and 4 more, all pruned`.
    fn more(&self, shown: usize) -> String {
        let rest = &self.rows[shown..];
        let mut counts: Vec<(RunState, usize)> = Vec::new();
        for row in rest {
            match counts.iter_mut().find(|(state, _)| *state == row.state) {
                Some((_, n)) => *n += 1,
                None => counts.push((row.state, 1)),
            }
        }
        counts.extend((self.pruned > 0).then_some((RunState::Pruned, self.pruned)));
        if let [(state, n)] = counts[..] {
            return all_in(n, state);
        }
        let counts: Vec<String> = counts.iter().map(|(state, n)| format!("{n} {}", state.word())).collect();
        format!("… and {} more: {}", rest.len() + self.pruned, counts.join(", "))
    }
}

/// Columns to the right of the state, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Bar,
    Steps,
    Loss,
    Metric,
    Trained,
    Left,
}

const COLUMNS: [Column; 6] = [Column::Bar, Column::Steps, Column::Loss, Column::Metric, Column::Trained, Column::Left];

/// Columns in the order in which they are left out if there is not enough space.
const LEAST_FIRST: [Column; 6] =
    [Column::Bar, Column::Trained, Column::Loss, Column::Left, Column::Steps, Column::Metric];

/// The columns that fit, and their widths.
struct Layout<'a> {
    board: &'a Board,
    width: usize,
    /// The shown keys with their widths; if some do not fit, rows are numbered.
    values: Vec<(usize, usize)>,
    numbers: usize,
    seeds: usize,
    state: usize,
    shown: Vec<(Column, usize)>,
}

impl<'a> Layout<'a> {
    fn fit(board: &'a Board, rows: &[Row], width: usize) -> Self {
        let widest = |cells: &mut dyn Iterator<Item = usize>| cells.max().unwrap_or(0);
        let value = |key: usize| {
            widest(&mut board.rows.iter().filter_map(|row| row.values.get(key)).map(|value| measure_text_width(value)))
        };
        // For each value column: the smallest width that cuts no number, the width of its texts, the width that includes its heading in two
        // lines, and in one.
        let number = |text: &String| text == NOTHING || text.parse::<f64>().is_ok();
        let numbers = |key: usize| board.rows.iter().filter_map(|row| row.values.get(key)).all(number);
        let keys: Vec<[usize; 4]> = (0..board.keys.len())
            .map(|key| {
                let (cells, heading) = (value(key), measure_text_width(&board.keys[key]));
                let least = if numbers(key) { cells } else { cells.min(TEXT) };
                let part = in_two_lines(&board.keys[key]).map_or(heading, |(width, _)| width);
                [least.max(heading.min(HEADING)), cells.max(heading.min(HEADING)), cells.max(part), cells.max(heading)]
            })
            .collect();
        let several = board.rows.iter().any(|row| row.seeds.1 > 1);
        let seeds = widest(&mut rows.iter().map(|row| seeds(row).len())).max("DONE".len());
        let seeds = if several { seeds } else { 0 };
        let state = widest(&mut rows.iter().map(|row| row.state.word().len())).max(STATE);
        let mut shown: Vec<(Column, usize)> = COLUMNS
            .into_iter()
            .map(|column| {
                let cells = rows.iter().filter(|row| row.reason.is_none()).map(|row| column.cell(row));
                let cells = cells.map(|cell| measure_text_width(&cell)).chain([column.title(board).len()]);
                (column, widest(&mut cells.chain([column.usual()])))
            })
            .collect();
        let room = |shown: &[(Column, usize)]| {
            let taken: usize = shown.iter().map(|(_, width)| width + GAP).sum();
            width.saturating_sub(taken + if seeds > 0 { seeds + GAP } else { 0 } + state)
        };
        let wanted = |of: usize, from: usize| keys[from..].iter().map(|widths| widths[of] + GAP).sum::<usize>();
        for (i, column) in LEAST_FIRST.into_iter().enumerate() {
            // Full headings are worth more than the two least important columns.
            if room(&shown) >= wanted(if i < 2 { 3 } else { 0 }, 0) {
                break;
            }
            shown.retain(|(other, _)| *other != column);
        }
        let (mut first, mut numbers) = (0, 0);
        if room(&shown) < wanted(0, 0) {
            numbers = board.rows.len().to_string().len() + 1;
            while first < keys.len() && room(&shown) < wanted(0, first) + numbers + GAP {
                first += 1;
            }
        }
        // Spare width goes to the texts, then to the headings.
        let mut free = room(&shown).saturating_sub(wanted(0, first) + if numbers > 0 { numbers + GAP } else { 0 });
        let mut values: Vec<(usize, usize)> = (first..keys.len()).map(|key| (key, keys[key][0])).collect();
        for goal in [1, 2, 3] {
            while free > 0 {
                let narrow = values.iter_mut().filter(|(key, width)| *width < keys[*key][goal]);
                let Some((_, width)) = narrow.min_by_key(|(_, width)| *width) else { break };
                *width += 1;
                free -= 1;
            }
        }
        Self { board, width, values, numbers, seeds, state, shown }
    }

    /// The headings: a line, and above it another where a key has no room in one.
    fn header(&self) -> Vec<String> {
        let keys: Vec<(usize, [String; 2])> = self
            .values
            .iter()
            .map(|&(key, width)| (width, heading(&self.board.keys[key].to_uppercase(), width)))
            .collect();
        let mut upper = " ".repeat(if self.numbers > 0 { self.numbers + GAP } else { 0 });
        keys.iter().for_each(|(width, [text, _])| upper += &left(text, width + GAP));
        let upper = Some(cut(upper.trim_end(), self.width)).filter(|upper| !upper.is_empty());
        let mut text = String::new();
        if self.numbers > 0 {
            text += &left("#", self.numbers + GAP);
        }
        keys.iter().for_each(|(width, [_, key])| text += &left(key, width + GAP));
        if self.seeds > 0 {
            text += &left("DONE", self.seeds + GAP);
        }
        text += &left("STATE", self.state);
        for (column, width) in &self.shown {
            text += &" ".repeat(GAP);
            text += &column.align(&column.title(self.board), *width);
        }
        upper.into_iter().chain([cut(text.trim_end(), self.width)]).collect()
    }

    fn row(&self, index: usize, row: &Row, colour: bool) -> String {
        let mut text = String::new();
        if self.numbers > 0 {
            text += &left(&(index + 1).to_string(), self.numbers + GAP);
        }
        for &(key, width) in &self.values {
            let value = row.values.get(key).map_or(NOTHING, String::as_str);
            text += &left(&cut_start(value, width), width + GAP);
        }
        if self.seeds > 0 {
            text += &left(&seeds(row), self.seeds + GAP);
        }
        let before = measure_text_width(&text) + self.state + GAP;
        text += &paint(row.state, left(row.state.word(), self.state), colour).to_string();
        if let Some(reason) = &row.reason {
            text += &" ".repeat(GAP);
            text += &cut_words(reason, self.width.saturating_sub(before));
        } else {
            for (column, width) in &self.shown {
                let cell = column.align(&column.cell(row), *width);
                text += &" ".repeat(GAP);
                match column {
                    Column::Bar if colour => text += &style(cell).for_stderr().force_styling(true).cyan().to_string(),
                    _ => text += &cell,
                }
            }
        }
        text.trim_end().to_string()
    }
}

fn seeds(row: &Row) -> String {
    format!("{}/{}", row.seeds.0, row.seeds.1)
}

impl Column {
    fn title(self, board: &Board) -> String {
        match self {
            Self::Bar => String::new(),
            Self::Steps => "STEP".into(),
            Self::Loss => "LOSS".into(),
            Self::Metric => board.metric.to_uppercase(),
            Self::Trained => "TRAINED".into(),
            Self::Left => "LEFT".into(),
        }
    }

    /// Width of most of its cells. It is used from the start, so that columns rarely move.
    fn usual(self) -> usize {
        match self {
            Self::Bar => BAR,
            Self::Steps => "120/1200".len(),
            Self::Loss => "0.1234".len(),
            Self::Metric => "91.3%*".len(),
            Self::Trained | Self::Left => "3m12s".len(),
        }
    }

    fn cell(self, row: &Row) -> String {
        let time = |seconds: Option<f64>| seconds.map_or(NOTHING.into(), duration);
        match self {
            Self::Bar => bar(row.step, row.total),
            Self::Steps => match (&row.evaluating, row.total) {
                (Some(text), _) => text.clone(),
                (None, 0) => count(row.step),
                (None, total) => format!("{}/{}", count(row.step), count(total)),
            },
            Self::Loss => row.loss.map_or(NOTHING.into(), loss),
            Self::Metric => row.value_text().unwrap_or_else(|| NOTHING.into()),
            Self::Trained => time(row.trained_s),
            Self::Left => time(row.left_s),
        }
    }

    /// Numbers are right-aligned, so that their digits are below each other.
    fn align(self, cell: &str, width: usize) -> String {
        if self == Self::Bar { left(cell, width) } else { right(cell, width) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(values: &[&str], state: RunState) -> Row {
        Row {
            values: values.iter().map(|value| value.to_string()).collect(),
            state,
            seeds: (1, 3),
            step: 412,
            total: 900,
            evaluating: None,
            loss: Some(0.43124),
            value: Some("91.3%".into()),
            is_final: true,
            trained_s: Some(161.0),
            left_s: Some(192.0),
            reason: None,
        }
    }

    fn board() -> Board {
        let running = row(&["16", "0.1", "3e-4"], RunState::Running);
        let failed = Row {
            reason: Some("out of memory: 3 GiB were asked for".into()),
            ..row(&["8", "0", "1"], RunState::Failed)
        };
        let done = Row { step: 900, left_s: None, seeds: (3, 3), ..row(&["32", "0", "1e-3"], RunState::Completed) };
        Board {
            title: String::new(),
            keys: ["batch_size", "dropout", "lr"].map(String::from).into(),
            metric: "dev acc".into(),
            rows: vec![done, running, failed],
            pruned: 0,
            best: Some("best finished so far: batch_size=32 lr=1e-3  dev accuracy 91.3%".into()),
            summary: "4 of 12 runs done (3 completed, 1 failed), 8 left  elapsed 3m10s  eta 12m00s".into(),
        }
    }

    fn size(width: usize, height: usize) -> Size {
        Size { width, height }
    }

    #[test]
    fn steps_are_written_as_everywhere() {
        let at = |step, total| Column::Steps.cell(&Row { step, total, ..row(&[], RunState::Running) });
        assert_eq!([at(483, 1380), at(1380, 0), at(7, 9)], ["483/1,380", "1,380", "7/9"]);
    }

    #[test]
    fn eighty_columns_show_what_distinguishes_trials() {
        let want = "\
BATCH_SIZE  DROPOUT  LR    DONE  STATE          STEP    LOSS  DEV ACC   LEFT
32          0        1e-3  3/3   completed   900/900  0.4312    91.3%      –
16          0.1      3e-4  1/3   running     412/900  0.4312    91.3%  3m12s
8           0        1     1/3   failed     out of memory: 3 GiB were asked for
best finished so far: batch_size=32 lr=1e-3  dev accuracy 91.3%
4 of 12 runs done (3 completed, 1 failed), 8 left  elapsed 3m10s  eta 12m00s";
        assert_eq!(board().lines(size(81, 24), false).join("\n"), want);
        let narrower = board().lines(size(60, 24), false);
        assert_eq!(narrower[0], "BATCH", "{narrower:#?}");
        assert!(narrower[1].starts_with("SIZE ") && !narrower[1].contains("LOSS"), "{narrower:#?}");
        assert!(narrower[2].starts_with("32 ") && narrower[2].ends_with("900/900    91.3%"), "{narrower:#?}");
        assert!(board().lines(size(120, 24), false)[2].contains("━━━━╸─────"));
    }

    #[test]
    fn the_mark_of_a_value_is_explained_where_it_is_seen() {
        let mut board = board();
        let explains =
            |board: &Board, width, height| board.lines(size(width, height), false).join(" ").contains(MARKED);
        assert!(!explains(&board, 100, 24), "all values are final");
        board.rows[2].is_final = false;
        assert!(!explains(&board, 100, 24), "a reason is shown instead");
        board.rows[1].is_final = false;
        assert!(board.lines(size(100, 24), false)[2].contains(" 91.3%*"));
        assert!(explains(&board, 100, 24));
        assert!(!explains(&board, 100, 4), "the row is not shown");
        // A value is no mark, whatever its text.
        board.rows[1] = Row { value: Some("1*".into()), ..row(&["1", "1", "1"], RunState::Running) };
        assert!(!explains(&board, 100, 24));
    }

    #[test]
    fn nothing_is_wider_or_taller_than_the_terminal() {
        let mut board = board();
        board.rows =
            (0..30).map(|i| row(&[&i.to_string(), "送餐很快味道不错分量也足", "2e-5"], RunState::Running)).collect();
        for width in 0..130 {
            for height in 1..40 {
                let lines = board.lines(size(width, height), width % 2 == 0);
                assert!(lines.len() <= height, "{width}x{height}: {lines:#?}");
                let fits = |line: &String| measure_text_width(line) <= width || width < 8;
                assert!(lines.iter().all(fits), "{width}x{height}: {lines:#?}");
            }
        }
        let lines = board.lines(size(80, 10), false);
        assert_eq!((lines.len(), lines[7].as_str()), (10, "… and 25 more, all running"));
        assert_eq!(board.lines(size(80, 1), false), [board.summary.clone()]);
    }

    #[test]
    fn no_number_is_cut_from_forty_columns_on() {
        let text = "path:/models/hfl/rbt3";
        let mut board = board();
        board.keys.push("source".into());
        board.rows.iter_mut().for_each(|row| row.values.push(text.into()));
        let mut whole: Vec<String> =
            ["16", "0.1", "3e-4", "8", "0", "1", "32", "1e-3", "–", "1/3", "3/3"].map(String::from).into();
        whole.extend(["412/900", "900/900", "0.4312", "91.3%", "3m12s", "2m41s", "1", "2", "3"].map(String::from));
        for width in 40..130 {
            for line in board.lines(size(width, 24), false).into_iter().skip(1).take(2) {
                for word in line.split_whitespace().filter(|word| word.chars().any(|c| c.is_ascii_digit())) {
                    let cut_text = word.trim_start_matches('…');
                    assert!(whole.contains(&word.to_string()) || text.ends_with(cut_text), "{width}: {word} in {line}");
                }
            }
        }
        // If not all values fit, rows are numbered, and the last values stay.
        let lines = board.lines(size(40, 24), false);
        assert!(lines[0].starts_with('#') && lines[1].contains("completed"), "{lines:#?}");
    }

    #[test]
    fn four_keys_at_80_columns_have_their_headings_in_two_lines() {
        let mut board = board();
        board.keys = ["batch_size", "dropout", "lr", "weight_decay"].map(String::from).into();
        board.rows.iter_mut().for_each(|row| row.values = ["16", "0.1", "3e-4", "0.01"].map(String::from).into());
        let lines = board.lines(size(80, 24), false);
        let words = |line: &str| line.split_whitespace().map(String::from).collect::<Vec<_>>();
        assert_eq!(words(&lines[0]), ["BATCH", "WEIGHT"], "{lines:#?}");
        assert_eq!(words(&lines[1])[..5], ["SIZE", "DROPOUT", "LR", "DECAY", "DONE"], "{lines:#?}");
        // The two lines are counted.
        for height in 1..12 {
            let lines = board.lines(size(80, height), false);
            assert!(lines.len() <= height && !lines.concat().contains("BATCH…"), "{height}: {lines:#?}");
        }
        // There is room for one line on a wider terminal.
        assert!(board.lines(size(130, 24), false)[0].starts_with("BATCH_SIZE"));
        assert_eq!(heading("BATCH_SIZE", 9), ["BATCH", "SIZE"]);
        assert_eq!(heading("TRAIN.WEIGHT_DECAY", 12), ["TRAIN", "WEIGHT_DECAY"]);
        assert_eq!([heading("DROPOUT", 5), heading("LR", 2)], [["", "DROPO"], ["", "LR"]]);
    }

    #[test]
    fn the_title_is_above_the_table_if_there_is_room() {
        let titled = Board { title: "quickstart: 12 runs".into(), ..board() };
        let lines = titled.lines(size(81, 24), false);
        assert_eq!((lines[0].as_str(), &lines[1..]), ("quickstart: 12 runs", &board().lines(size(81, 24), false)[..]));
        assert_eq!(titled.lines(size(81, 5), false), board().lines(size(81, 5), false));
        assert_eq!(titled.lines(size(81, 6), false).len(), 6);
    }

    #[test]
    fn pruned_trials_are_counted_below_the_others() {
        let pruned = Board { pruned: 3, ..board() };
        let lines = pruned.lines(size(81, 24), false);
        assert_eq!(lines[4], "… and 3 more, all pruned");
        assert_eq!([&lines[..4], &lines[5..]].concat(), board().lines(size(81, 24), false));
        // With less room they are counted with those that have none.
        let lines = pruned.lines(size(81, 5), false);
        assert_eq!((lines.len(), lines[2].as_str()), (5, "… and 5 more: 1 running, 1 failed, 3 pruned"), "{lines:#?}");
        assert!((1..12).all(|height| pruned.lines(size(81, height), false).len() <= height));
        let alone = Board { rows: Vec::new(), ..pruned };
        assert_eq!(alone.lines(size(81, 24), false)[0], "… and 3 more, all pruned");
    }

    #[test]
    fn one_seed_has_no_column_of_seeds() {
        let mut board = board();
        board.rows.iter_mut().for_each(|row| row.seeds = (0, 1));
        assert!(!board.lines(size(120, 24), false)[0].contains("DONE"));
    }

    #[test]
    fn colour_only_if_wanted() {
        let size = size(130, 24);
        assert!(!board().lines(size, false).concat().contains('\x1b'));
        let coloured = board().lines(size, true);
        assert!(coloured[3].contains("\x1b[31m") && coloured[2].contains("\x1b[36m"), "{coloured:?}");
        let plain: Vec<_> = coloured.iter().map(|line| console::strip_ansi_codes(line).into_owned()).collect();
        assert_eq!(plain, board().lines(size, false));
    }
}
