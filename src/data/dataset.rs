//! What is asked of a dataset.

use super::{Cleaning, Dataset, Row, SharedText, SplitFile, invisible::escaped};
use crate::{event::Split, task::Task, warning::lines};

impl Dataset {
    /// The names of the labels for a message: the first few, with invisible characters written out.
    pub fn label_list(&self) -> String {
        const SHOWN: usize = 50;
        let mut names: Vec<String> = self.labels.iter().take(SHOWN).map(|name| escaped(name)).collect();
        if self.labels.len() > SHOWN {
            names.push(format!("and {} more", self.labels.len() - SHOWN));
        }
        names.join(", ")
    }

    /// The rows that no file and no column assigns to the dev or test split, in file order.
    pub fn free_rows(&self) -> Vec<u32> {
        let mut free = vec![true; self.rows.len()];
        self.dev.iter().chain(&self.test).for_each(|&row| free[row as usize] = false);
        (0..self.rows.len() as u32).filter(|&row| free[row as usize]).collect()
    }

    /// The file that a split has to itself.
    pub fn file_of(&self, split: Split) -> Option<&SplitFile> {
        self.files.iter().find(|file| file.split == split)
    }

    /// The file that a row is of, by its position in `files`; `None` for that of `data.source`.
    fn file_of_row(&self, row: u32) -> Option<usize> {
        self.files.iter().position(|file| file.rows.contains(&row))
    }

    /// The lines of these rows for a message: where rows come from several files, with the name of each file.
    ///
    /// # Panics
    /// Where `rows` has an id that is not in the dataset.
    pub fn lines_of(&self, rows: &[u32]) -> String {
        let line = |row: &u32| self.rows[*row as usize].line;
        if self.files.is_empty() {
            return lines(&rows.iter().map(line).collect::<Vec<_>>());
        }
        let files = std::iter::once((None, "data.source"));
        let files = files.chain(self.files.iter().enumerate().map(|(i, file)| (Some(i), file.name.as_str())));
        let of_file = |(file, name): (Option<usize>, &str)| {
            let numbers: Vec<u64> = rows.iter().filter(|row| self.file_of_row(**row) == file).map(line).collect();
            (!numbers.is_empty()).then(|| format!("{} of {name}", lines(&numbers)))
        };
        files.filter_map(of_file).collect::<Vec<_>>().join("; ")
    }

    /// The lines of these rows, in their order, if all of them are of one file; otherwise none, for a line alone does not say which.
    ///
    /// # Panics
    /// Where `rows` has an id that is not in the dataset.
    pub fn lines_in_one_file(&self, rows: &[u32]) -> Vec<u64> {
        let mut files = rows.iter().map(|row| self.file_of_row(*row));
        let first = files.next();
        let one = files.all(|file| Some(file) == first);
        rows.iter().filter(|_| one).map(|row| self.rows[*row as usize].line).collect()
    }

    /// How many of `rows` have each label, by label id; of numbers none.
    ///
    /// # Panics
    /// Where `rows` has an id that is not in the dataset.
    pub fn class_counts(&self, rows: &[u32]) -> Vec<u64> {
        let mut counts = vec![0; self.labels.len()];
        for &row in rows {
            self.rows[row as usize].target.ids().iter().for_each(|&id| counts[id as usize] += 1);
        }
        counts
    }
}

impl Cleaning {
    /// What rows were left out: their number, what they lack, and the lines of the first. Of a text that may have several labels, an empty
    /// cell is no lack: it has none of them.
    pub fn lacks(&self, task: Task) -> impl Iterator<Item = (u64, &'static str, &[u64])> {
        let target = match task {
            Task::SingleLabel => "without a label",
            Task::MultiLabel => "whose labels are missing",
            Task::Regression => "without a number",
        };
        let lacks = [
            (self.missing_text, "without a text", &self.missing_text_lines[..]),
            (self.missing_pair, "without a second text", &self.missing_pair_lines),
            (self.missing_label, target, &self.missing_label_lines),
        ];
        lacks.into_iter().filter(|(count, ..)| *count > 0)
    }
}

impl Row {
    /// Puts its texts into memory of their own, away from those of other rows.
    pub(super) fn leave(&mut self) {
        self.text = self.text.alone();
        self.text_pair = self.text_pair.as_ref().map(SharedText::alone);
    }
}

impl AsRef<str> for Row {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Target;

    #[test]
    fn lines_have_their_file_where_there_are_several() {
        let row = |line| Row { line, text: "a".into(), text_pair: None, target: Target::Label(0) };
        let mut data = Dataset { rows: [2, 3, 5, 2, 4].map(row).into(), ..Dataset::default() };
        assert_eq!(data.lines_of(&[0, 2]), "lines 2 and 5");
        let file = SplitFile {
            split: Split::Test,
            name: "test.csv".into(),
            more_files: 0,
            sources: Vec::new(),
            rows: 3..5,
            cleaning: Default::default(),
            notes: Vec::new(),
        };
        data.files.push(file);
        assert_eq!(data.lines_of(&[0, 2, 3]), "lines 2 and 5 of data.source; line 2 of test.csv");
        assert_eq!(data.lines_of(&[4]), "line 4 of test.csv");
        assert_eq!(data.lines_in_one_file(&[3, 4]), [2, 4]);
        assert_eq!(data.lines_in_one_file(&[0, 3]), [0; 0], "which file's?");
    }
}
