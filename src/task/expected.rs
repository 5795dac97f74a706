//! What a probe expects, from its text in the spec.

use super::{Target, Task};

impl Task {
    /// The target that `text` names: a label; several, with `separator` between them; or numbers, with a comma between them. `labels` are
    /// the names of the labels, or of the numbers, by id.
    ///
    /// # Errors
    /// The part of it that is no label or no number; all of it if these are not as many numbers as there are.
    pub fn expected(self, text: &str, separator: Option<&str>, labels: &[String]) -> Result<Target, String> {
        let id = |name: &str| labels.iter().position(|label| label == name).map(|id| id as u32);
        let known = |name: &str| id(name).ok_or_else(|| name.to_owned());
        match self {
            Self::SingleLabel => known(text).map(Target::Label),
            Self::MultiLabel => {
                let parts = || text.split(separator.unwrap_or(Target::SEPARATOR)).map(str::trim);
                let several = || parts().filter(|part| !part.is_empty()).map(known).collect::<Result<Vec<u32>, _>>();
                id(text).map_or_else(several, |id| Ok(vec![id])).map(Target::labels)
            }
            Self::Regression => {
                let number = |part: &str| part.trim().parse().ok().filter(|number: &f64| number.is_finite());
                let parts = text.split(',').map(|part| number(part).ok_or_else(|| part.trim().to_owned()));
                let numbers = parts.collect::<Result<Vec<f64>, _>>()?;
                if numbers.len() == labels.len() { Ok(Target::values(numbers)) } else { Err(text.to_owned()) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_expected_is_read() {
        let names = ["food", "price", "a|b"].map(String::from);
        let of = |task: Task, text, separator| task.expected(text, separator, &names);
        assert_eq!(of(Task::SingleLabel, "price", None), Ok(Target::Label(1)));
        assert_eq!(of(Task::SingleLabel, "Price", None), Err("Price".into()));
        assert_eq!(of(Task::MultiLabel, "price", Some(";")), Ok(Target::labels(vec![1])));
        assert_eq!(of(Task::MultiLabel, "price; food", Some(";")), Ok(Target::labels(vec![0, 1])));
        assert_eq!(of(Task::MultiLabel, "price|food", None), Ok(Target::labels(vec![0, 1])));
        assert_eq!(of(Task::MultiLabel, "a|b", None), Ok(Target::labels(vec![2])));
        assert_eq!(of(Task::MultiLabel, "price|fod", None), Err("fod".into()));
        assert_eq!(of(Task::Regression, "1, -2.5,1e3", None), Ok(Target::values(vec![1.0, -2.5, 1000.0])));
        assert_eq!(of(Task::Regression, "1,x,3", None), Err("x".into()));
        assert_eq!(of(Task::Regression, "1,2", None), Err("1,2".into()));
        assert_eq!(of(Task::Regression, "1,2,nan", None), Err("nan".into()));
    }
}
