//! The columns of results, and what they are called.

use std::collections::HashMap;

use anyhow::anyhow;
use taper::{
    data::{Kept, Text},
    task::Task,
};

use super::{
    super::Unusable,
    answer::{Named, Says},
    form::Form,
};

/// Put before the name of a result that a column of the input has, and before that of the predicted label wherever columns of the input are
/// beside it: `label` would be the input's in one file and the model's in another.
const PREFIX: &str = "predicted_";

/// What results consist of.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The format.
    pub form: Form,
    /// What the model says.
    pub says: Says,
    /// Whether CSV has the probability of each label; the other formats always have them.
    pub each: bool,
    /// Whether rows have a second text.
    pub pairs: bool,
    /// Whether all columns of the input come first. Texts are not repeated then.
    pub keep: bool,
}

/// The columns of results.
#[derive(Debug, Clone)]
pub struct Heading {
    /// Columns of the input.
    pub kept: Vec<String>,
    /// The position of each of them.
    positions: HashMap<String, usize>,
    /// Whether there are any, be they none.
    pub keep: bool,
    /// Name of the column with the line.
    pub line: String,
    /// Those of what is predicted.
    pub answer: Named,
    /// That of all probabilities, in JSON; none of numbers.
    pub probabilities: Option<String>,
    /// Those of the probability of each label, by id; none where they are not written.
    pub each: Vec<String>,
    /// What the model says.
    pub says: Says,
    /// Those of the texts.
    pub texts: Vec<String>,
}

impl Heading {
    /// `columns` are those of the input.
    ///
    /// # Errors
    /// If results cannot be named, or two columns of the input have one name.
    pub fn new(wanted: &Wanted, columns: Vec<String>) -> Result<Self, Unusable> {
        let kept = if wanted.keep { columns } else { Vec::new() };
        let mut positions = HashMap::with_capacity(kept.len());
        for (at, name) in kept.iter().enumerate() {
            if positions.insert(name.clone(), at).is_some() {
                let what = format!(
                    "--keep-columns: the input has more than one column `{}`; rename all but one of them",
                    name.escape_debug()
                );
                return Err(Unusable(anyhow!(what)));
            }
        }
        let named = |name: &str| {
            let prefixed = format!("{PREFIX}{name}");
            match (positions.contains_key(name), positions.contains_key(&prefixed)) {
                (false, _) => Ok(name.to_owned()),
                (true, false) => Ok(prefixed),
                (true, true) => Err(Unusable(anyhow!(
                    "--keep-columns: the input has the columns `{name}` and `{prefixed}`, and a result needs one of these names; rename \
                     a column, or leave --keep-columns out"
                ))),
            }
        };
        let predicted = |name: &str| {
            let name = if wanted.keep { format!("{PREFIX}{name}") } else { name.to_owned() };
            match positions.contains_key(&name) {
                false => Ok(name),
                true => Err(Unusable(anyhow!(
                    "--keep-columns: the input has a column `{name}`, which is also the name of a result; rename it, or \
                     leave --keep-columns out"
                ))),
            }
        };
        let labels = &wanted.says.labels;
        let answer = match wanted.says.task {
            Task::SingleLabel => Named::Label { label: predicted("label")?, confidence: named("confidence")? },
            Task::MultiLabel => Named::Labels(predicted("labels")?),
            Task::Regression => Named::Values {
                // `line` and `text` are columns of their own.
                each: labels
                    .iter()
                    .map(|name| match ["line", "text", "text_pair"].contains(&name.as_str()) {
                        true => named(&format!("{PREFIX}{name}")),
                        false => predicted(name),
                    })
                    .collect::<Result<_, _>>()?,
                all: predicted("values")?,
            },
        };
        let json = wanted.form == Form::Jsonl;
        let has_probabilities = wanted.says.task != Task::Regression;
        let each = match json || !has_probabilities || (wanted.form == Form::Csv && !wanted.each) {
            true => Vec::new(),
            false => labels.iter().map(|label| named(&format!("p({label})"))).collect::<Result<_, _>>()?,
        };
        let texts = match (wanted.keep, wanted.pairs) {
            (true, _) => &[][..],
            (false, false) => &["text"],
            (false, true) => &["text", "text_pair"],
        };
        Ok(Self {
            keep: wanted.keep,
            line: named("line")?,
            answer,
            probabilities: (json && has_probabilities).then(|| named("probabilities")).transpose()?,
            each,
            says: wanted.says.clone(),
            texts: texts.iter().map(|&name| name.into()).collect(),
            positions,
            kept,
        })
    }

    /// The names of all columns of a table.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        let answer = self.answer.columns().into_iter().map(|(name, _)| name);
        self.kept.iter().chain([&self.line]).chain(answer).chain(&self.each).chain(&self.texts)
    }

    /// The kept values of a row, one for each column.
    ///
    /// # Errors
    /// If it has another column: which of them.
    pub fn values<'a>(&self, row: &'a Text) -> Result<Vec<&'a Kept>, &'a str> {
        let mut values = vec![&Kept::Null; self.kept.len()];
        for (i, (name, value)) in row.kept.iter().enumerate() {
            let here = self.kept.get(i).is_some_and(|known| **known == **name);
            let at = if here { Some(i) } else { self.positions.get(&**name).copied() };
            values[at.ok_or(&**name)?] = value;
        }
        Ok(values)
    }

    /// The field of a row that has the name of a result, where no row before had it.
    pub fn clash<'a>(&self, row: &'a Text) -> Option<&'a str> {
        let results: Vec<&String> =
            self.answer.fields().into_iter().chain([&self.line]).chain(&self.probabilities).collect();
        row.kept.iter().map(|(name, _)| &**name).find(|name| results.iter().any(|result| *result == name))
    }
}
