//! Whether the values of a sweep may have been drawn by a search.

use crate::store::ExperimentRecord;

/// Whether they may: if the spec names a search that draws them, or if it is not known how the points were chosen. The points of a grid are
/// written in the spec.
pub fn may_be_drawn(experiment: &ExperimentRecord) -> bool {
    let texts = std::iter::once(&experiment.spec_text).chain(experiment.extends.iter().map(|file| &file.text));
    let tables: Option<Vec<toml::Table>> = texts.map(|text| text.parse().ok()).collect();
    let Some(tables) = tables else { return true };
    let sweeps = tables.iter().any(|table| table.contains_key("sweep"));
    let of_command = experiment.arguments.iter().any(|argument| argument.contains("search"));
    !sweeps || of_command || tables.into_iter().any(|table| draws(&toml::Value::Table(table)))
}

/// Whether a search that learns may have chosen them by the results of earlier trials: the spec, a file that it extends or the command names it.
pub fn may_be_proposed(experiment: &ExperimentRecord) -> bool {
    let texts = std::iter::once(&experiment.spec_text).chain(experiment.extends.iter().map(|file| &file.text));
    let tables = texts.filter_map(|text| text.parse::<toml::Table>().ok());
    let of_command =
        experiment.arguments.iter().any(|argument| argument.contains("search") && argument.contains("tpe"));
    of_command || tables.into_iter().any(|table| names(&toml::Value::Table(table), &|search| search == "tpe"))
}

/// Whether a search is named in a table, as `sweep.search` or in that of a profile.
fn draws(value: &toml::Value) -> bool {
    names(value, &|search| search != "grid")
}

/// Whether such a search is named in a table or in one of its tables.
fn names(value: &toml::Value, such: &dyn Fn(&str) -> bool) -> bool {
    let toml::Value::Table(table) = value else { return false };
    table.iter().any(|(key, value)| names(value, such) || key == "search" && value.as_str().is_none_or(such))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{SpecFile, testing::experiment};

    #[test]
    fn the_points_of_a_grid_are_not_drawn() {
        let of = |spec: &str, extended: &str, argument: &str| {
            let extends = vec![SpecFile { path: "base.toml".into(), text: extended.into() }];
            let (spec_text, arguments) = (spec.into(), vec!["--set".into(), argument.into()]);
            may_be_drawn(&ExperimentRecord { spec_text, extends, arguments, ..experiment("e", &[]) })
        };
        let zip = "[[sweep.zip]]\nlr = [1e-5, 2e-5, 3e-5]\nbatch_size = [8, 16, 32]\n";
        let proposed = |spec: &str, argument: &str| {
            let (spec_text, arguments) = (spec.into(), vec!["--set".into(), argument.into()]);
            may_be_proposed(&ExperimentRecord { spec_text, arguments, ..experiment("e", &[]) })
        };
        assert!(proposed("[sweep]\nsearch = \"tpe\"\n", "") && proposed("", "sweep.search=tpe"));
        assert!(!proposed("[sweep]\nsearch = \"random\"\n", "") && !proposed("[sweep]\nseeds = [1]\n", "name=tpe"));
        assert!(!of(zip, "", "train.epochs=2") && !of("[sweep]\nsearch = \"grid\"\n", "", ""));
        assert!(of("[sweep]\nsearch = \"tpe\"\n", "", ""));
        assert!(of(zip, "[sweep]\nsearch = \"random\"\n", "") && of(zip, "", "sweep.search=random"));
        assert!(of(zip, "[profile.more.sweep]\nsearch = \"sobol\"\n", ""));
        assert!(of("", "", "") && of("[sweep", "", ""), "it is not known");
    }
}
