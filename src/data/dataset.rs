//! What is asked of a data set.

use super::{Dataset, Row, SplitFile, invisible::escaped};
use crate::{event::Split, task::Target};

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

    /// How many of `rows` have each label, by label id.
    ///
    /// # Panics
    /// Where `rows` has an id that is not in the data set.
    pub fn class_counts(&self, rows: &[u32]) -> Vec<u64> {
        let mut counts = vec![0; self.labels.len()];
        for &row in rows {
            counts[self.rows[row as usize].label() as usize] += 1;
        }
        counts
    }
}

impl Row {
    /// The id of its label.
    pub fn label(&self) -> u32 {
        let Target::Label(id) = self.target;
        id
    }
}

impl AsRef<str> for Row {
    fn as_ref(&self) -> &str {
        &self.text
    }
}
