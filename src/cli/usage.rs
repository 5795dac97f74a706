//! Parses the command line; errors include hints for other tools' words.

use std::process::ExitCode;

use clap::{
    Parser,
    error::{ContextKind, ContextValue, ErrorKind},
};
use taper::{format, plan::closest, spec::key_meant};

use super::{Cli, output};

/// Commands of other tools, and their equivalent here.
const ELSEWHERE: &[(&[&str], &str)] = &[
    (
        &["diff", "versus", "vs", "significance"],
        "`taper compare A B` compares two runs or trials: their settings, their metrics, and whether chance explains the difference",
    ),
    (
        &["leaderboard", "best", "rank"],
        "`taper list NAME --leaderboard` ranks the trials of an experiment, `taper compare NAME#1 NAME#2` compares the best two, \
         `taper report NAME` shows its runs side by side",
    ),
    (
        &["log", "tail", "history", "metrics"],
        "`taper show RUN` prints the evaluations of a run, `taper report NAME` writes every step to steps.csv, \
         `taper run SPEC --json` prints each step as it is trained, `taper logs RUN` shows what a job of a cluster printed",
    ),
    (&["train", "fit", "start", "finetune", "fine-tune", "launch"], "`taper run SPEC` trains the runs of a spec"),
    (&["resume", "continue", "restart", "retry"], "`taper run SPEC` resumes from the last checkpoint"),
    (
        &["evaluate", "test", "validate", "score"],
        "`taper run SPEC` evaluates on the dev and test splits, `taper show RUN` prints the results; `taper eval RUN \
         --file FILE` evaluates on other rows",
    ),
    (
        &["status", "ps", "ls", "runs", "watch", "top"],
        "`taper list` shows all runs, `taper list --watch` while they train",
    ),
    (
        &["init", "new", "create"],
        "a spec is one TOML file: start from a copy of experiments/quickstart.toml; `taper plan SPEC` shows what a \
         spec means",
    ),
    (
        &["sweep", "search", "tune", "hpo", "optimize", "grid", "multirun", "agent"],
        "`taper run SPEC` trains every run of a sweep: add a [sweep] table to the spec",
    ),
    (
        &["check", "lint", "config", "explain", "dry-run", "estimate"],
        "`taper plan SPEC` checks a spec and shows what it means",
    ),
    (&["download", "pull", "get", "lock"], "`taper fetch SPEC` downloads the models and data of a spec"),
    (&["delete", "remove", "del"], "`taper rm RUN` removes runs"),
    (&["clean", "prune", "purge"], "`taper gc` shows and removes files that no run needs"),
    (
        &["infer", "inference", "classify"],
        "`taper predict RUN TEXT` classifies with a trained model, `taper serve RUN` does so over HTTP",
    ),
    (&["server", "api", "deploy", "listen", "http"], "`taper serve RUN` classifies over HTTP with a trained model"),
    (
        &["ensemble", "average", "vote", "blend"],
        "`taper predict RUN RUN TEXT` averages the answers of several runs, `taper predict NAME#1 TEXT --ensemble` those of all seeds or folds of a \
         trial; `taper eval` too",
    ),
    (
        &["ui", "dashboard", "tensorboard", "mlflow", "plot", "view"],
        "`taper report NAME` writes a page with charts, `taper export NAME DIR --format tensorboard` (or mlflow) what other programs show",
    ),
    (
        &["upload", "publish"],
        "`taper push RUN OWNER/NAME` uploads a trained model with its card to the Hugging Face Hub",
    ),
    (&["save", "convert"], "`taper export RUN DIR` copies a trained model to a Hugging Face folder"),
    (
        &["stop", "kill", "abort", "scancel"],
        "Ctrl-C (or SIGTERM) ends `taper run` after the current step, with a checkpoint; `taper cancel NAME` ends the \
         jobs of runs on a cluster",
    ),
    (
        &["card", "model-card", "modelcard", "readme"],
        "`taper export RUN DIR` writes the model with its card, README.md; `taper push RUN OWNER/NAME` uploads both",
    ),
    (
        &["wandb", "aim", "track", "tracker"],
        "`taper export NAME DIR --format mlflow` (or tensorboard) writes what other trackers show",
    ),
    (&["reproduce", "repro", "replay"], "`taper verify RUN` trains a run again and compares every number"),
    (
        &["info", "env", "version", "diagnose"],
        "`taper doctor` checks this machine, `taper --version` prints the version",
    ),
];

/// Hints for missing arguments, by clap's name.
const MISSING: &[(&str, &str)] = &[
    ("<SPEC>", "SPEC is an experiment's TOML file, such as experiments/quickstart.toml; docs/spec.md has every key"),
    ("<RUN>", "RUN is the key or the name of a run: `taper list` shows them"),
    (
        "<RUN>...",
        "RUN is the key or the name of a run: `taper list` shows them; --experiment NAME and --state STATE select several runs",
    ),
    (
        "<SIDES>...",
        "name two or more runs or trials: a key, a name, or EXPERIMENT#RANK for a trial; `taper list` and `taper list NAME --leaderboard` \
         show them",
    ),
    (
        "<NAME|RUN>...",
        "NAME is an experiment with all of its runs, RUN the key or the name of one: `taper list` shows them",
    ),
    ("<EXPERIMENT>", "EXPERIMENT is a name or a spec file: `taper list` shows the names"),
    (
        "<TEXTS>...",
        "give the texts to classify, or --file FILE for the rows of a CSV, TSV, JSON Lines, JSON, Parquet or Excel file, or `-` to \
         classify each line of standard input",
    ),
    (
        "--file <FILE>",
        "--file FILE names the rows, for `taper eval` with labels: a CSV, TSV, JSON Lines, JSON, Parquet or Excel file, or `-` for standard input",
    ),
    (
        "<[NAME=]RUN|DIR>...",
        "RUN is the key or the name of a run: `taper list` shows them; DIR is a folder that `taper export` wrote",
    ),
    ("<DIR>", "DIR is the folder to write the model to; taper creates it"),
    ("<OWNER/NAME>", "OWNER/NAME is the repository on the hub: a user or an organisation, and a name"),
    ("<SHELL>", "SHELL is one of bash, elvish, fish, powershell and zsh"),
];

/// Checks the variable that says whether several machines share the runs folder.
fn shared_runs() -> Result<(), ExitCode> {
    match std::env::var_os("TAPER_SHARED_RUNS") {
        Some(value) if value != "yes" && value != "no" => {
            let value = format::one_line(&value.to_string_lossy());
            output::error(&format!(
                "error: environment variable TAPER_SHARED_RUNS is `{value}`; expected `yes` (several machines share the runs folder) or `no`"
            ));
            Err(ExitCode::from(2))
        }
        _ => Ok(()),
    }
}

/// Parses the command line. If it is invalid, or only help was requested, the message has been printed and this is the exit code.
pub fn parse() -> Result<Cli, ExitCode> {
    let mut error = match Cli::try_parse() {
        Ok(cli) => return shared_runs().map(|()| cli),
        Err(error) => error,
    };
    let code = ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
    if !error.use_stderr() {
        // Help and version; a closed output is not an error.
        let _ = error.print();
        return Err(code);
    }
    if error.kind() == ErrorKind::InvalidValue && std::env::var_os("TAPER_RUNS").is_some_and(|runs| runs.is_empty()) {
        output::error("error: environment variable TAPER_RUNS is empty; set it to a folder, or unset it");
        return Err(code);
    }
    let arguments: Vec<String> = std::env::args_os().skip(1).map(|a| a.to_string_lossy().into_owned()).collect();
    without_dashes(&mut error);
    let text = error.render().to_string();
    let tips: Vec<String> = missing(&error).iter().map(|tip| format!("  tip: {tip}\n")).collect();
    if let (false, Some(at)) = (tips.is_empty(), text.find("For more information")) {
        output::error(&format!("{}{}\n{}", &text[..at], tips.concat(), text[at..].trim_end()));
        return Err(code);
    }
    match hint(error.kind(), &arguments, unknown(&error).as_deref()).or_else(|| similar(&error, &arguments)) {
        Some(hint) => {
            // The first paragraph is the error; clap's own tips are guesses by spelling.
            let wrong = text.split("\n\n").next().unwrap_or_default();
            output::error(&format!("{wrong}\n\n  tip: {hint}\n\nFor more information, try '--help'."));
        }
        // clap's own colours, if nothing needs escaping or wrapping.
        None if format::visible(&text) == text && text.lines().all(|line| line.chars().count() <= NARROW) => {
            drop(error.print());
        }
        None => output::error(text.trim_end()),
    }
    Err(code)
}

/// Width of a narrow terminal.
const NARROW: usize = 80;

/// Hints for all missing arguments.
fn missing(error: &clap::Error) -> Vec<&'static str> {
    let named = match (error.kind(), error.get(ContextKind::InvalidArg)) {
        (ErrorKind::MissingRequiredArgument, Some(ContextValue::Strings(named))) => &named[..],
        _ => &[],
    };
    named.iter().filter_map(|name| Some(MISSING.iter().find(|(known, _)| known == name)?.1)).collect()
}

/// Leaves out clap's tip to pass an unknown option after `--`: no text of a run or a file begins with dashes.
fn without_dashes(error: &mut clap::Error) {
    if let (ErrorKind::UnknownArgument, Some(ContextValue::StyledStrs(tips))) =
        (error.kind(), error.remove(ContextKind::Suggested))
    {
        let others: Vec<_> = tips.into_iter().filter(|tip| !tip.to_string().contains(" as a value")).collect();
        if !others.is_empty() {
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(others));
        }
    }
}

/// The argument that is unknown.
fn unknown(error: &clap::Error) -> Option<String> {
    match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(argument)) => Some(argument.clone()),
        _ => None,
    }
}

/// The command of a command line.
fn command_of(arguments: &[String]) -> Option<clap::Command> {
    use clap::CommandFactory;
    let all = Cli::command();
    arguments.iter().find_map(|argument| all.find_subcommand(argument)).cloned()
}

/// What the user probably meant; `unknown`: the argument that is unknown.
fn hint(kind: ErrorKind, arguments: &[String], unknown: Option<&str>) -> Option<String> {
    match kind {
        ErrorKind::InvalidSubcommand => {
            let word = arguments.iter().find(|argument| !argument.starts_with('-'))?.to_lowercase();
            let known = ELSEWHERE.iter().find(|(words, _)| words.contains(&word.as_str()));
            known.map(|(_, hint)| hint.to_string())
        }
        ErrorKind::UnknownArgument if names_the_spec(arguments) => Some(
            "pass the spec as an argument, not as an option: `taper run SPEC`, `taper plan SPEC`; for a stored run, \
             `taper show RUN --config` shows the settings"
                .into(),
        ),
        ErrorKind::UnknownArgument if negative(arguments).is_some() => {
            negative(arguments).map(|option| format!("`{option}` takes a number that is not negative"))
        }
        ErrorKind::UnknownArgument => {
            let command = command_of(arguments)?;
            let has = |long: &str| command.get_arguments().any(|argument| argument.get_long() == Some(long));
            if has("addr") && unknown.is_some_and(|option| ["--port", "--host", "--listen", "--bind"].contains(&option))
            {
                return Some("use `--addr HOST:PORT`".into());
            }
            let set = setting(arguments, unknown).filter(|_| has("set"))?;
            Some(format!("to set a key of the spec, use `{set}`"))
        }
        _ => None,
    }
}

/// The hint for a word of another tool that is misspelt, where clap knows no command that is similar.
fn similar(error: &clap::Error, arguments: &[String]) -> Option<String> {
    if error.kind() != ErrorKind::InvalidSubcommand || error.get(ContextKind::SuggestedSubcommand).is_some() {
        return None;
    }
    let word = arguments.iter().find(|argument| !argument.starts_with('-'))?.to_lowercase();
    let words = || ELSEWHERE.iter().flat_map(|(words, hint)| words.iter().map(move |word| (*word, *hint)));
    let meant = closest(&word, words().map(|(word, _)| word))?;
    words().find(|(other, _)| *other == meant).map(|(_, hint)| hint.to_string())
}

/// Whether the unknown option is what other tools call the file with the settings. `taper show` has a `--config` of its own.
fn names_the_spec(arguments: &[String]) -> bool {
    const OPTIONS: [&str; 5] = ["--config", "--config-file", "--config-path", "--spec", "-c"];
    let option =
        |argument: &String| argument.split_once('=').map_or(argument.as_str(), |(option, _)| option).to_string();
    let takes_it = arguments.iter().any(|argument| argument == "show");
    !takes_it && arguments.iter().map(option).any(|option| OPTIONS.contains(&option.as_str()))
}

/// The option before a negative number, which clap takes for an option.
fn negative(arguments: &[String]) -> Option<&str> {
    let is_negative = |argument: &str| argument.strip_prefix('-').is_some_and(|rest| rest.parse::<f64>().is_ok());
    let at = arguments.iter().position(|argument| is_negative(argument))?;
    arguments.get(at.checked_sub(1)?).map(String::as_str).filter(|option| option.starts_with('-') && *option != "--set")
}

/// `train.lr=1e-4`, `--train.lr=1e-4`, `--lr 1e-4` or `--set train.lr 1e-4`, as taper takes it, if this is the argument that is unknown.
fn setting(arguments: &[String], unknown: Option<&str>) -> Option<String> {
    // Of `--lr=3` clap names `--lr`, and of `-lr` the first letter.
    let is_unknown = |argument: &str| {
        unknown.is_none_or(|unknown| {
            let rest = argument.strip_prefix(unknown);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('=') || !unknown.starts_with("--"))
        })
    };
    let shown = |key: &str, value: &str| match value.contains(char::is_whitespace) || value.contains(['[', '{', '"']) {
        true => format!("--set '{key}={value}'"),
        false => format!("--set {key}={value}"),
    };
    for (i, argument) in arguments.iter().enumerate() {
        let next = arguments.get(i + 1).filter(|next| !next.starts_with('-'));
        if argument == "--set" {
            // Its value is the next argument, which is handled here.
            if let (Some(key), Some(value)) = (next.filter(|next| !next.contains('=')), arguments.get(i + 2))
                && is_unknown(value)
                && let Some(key) = key_of(key)
            {
                return Some(shown(key, value));
            }
            continue;
        }
        if i > 0 && arguments[i - 1] == "--set" || !is_unknown(argument) {
            continue;
        }
        let word = argument.trim_start_matches('-');
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, value),
            None if word.len() < argument.len() => (word, next.map_or("VALUE", |next| next.as_str())),
            None => continue,
        };
        if let Some(key) = key_of(name) {
            return Some(shown(key, value));
        }
    }
    None
}

/// The key that a word on the command line names.
fn key_of(word: &str) -> Option<&'static str> {
    let word = word.trim_start_matches('+').replace('-', "_");
    let plain = !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
    if plain { key_meant(&word) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(line: &str) -> Option<String> {
        setting(&line.split(' ').map(String::from).collect::<Vec<_>>(), None)
    }

    #[test]
    fn settings_in_other_tools_syntax_get_the_right_syntax() {
        for line in [
            "run x.toml train.lr=1e-4",
            "run x.toml --set train.lr 1e-4",
            "run --set train.lr 1e-4 x.toml",
            "run x.toml --train.lr=1e-4",
            "run x.toml --train.lr 1e-4",
            "run x.toml --lr 1e-4",
            "run x.toml --learning-rate 1e-4",
            "run x.toml +train.lr=1e-4",
            "run x.toml --set data.limit=5 train.lr=1e-4",
        ] {
            assert_eq!(set(line).as_deref(), Some("--set train.lr=1e-4"), "{line}");
        }
        assert_eq!(set("run x.toml sweep.seeds=[1,2]").as_deref(), Some("--set 'sweep.seeds=[1,2]'"));
        for line in ["run x.toml y.toml", "run x.toml --set train.lr=1e-4 y", "run x.toml --zzzz"] {
            assert_eq!(set(line), None, "{line}");
        }
    }

    #[test]
    fn the_option_for_a_config_file_leads_to_the_spec() {
        let said =
            |line: &str| hint(ErrorKind::UnknownArgument, &line.split(' ').map(String::from).collect::<Vec<_>>(), None);
        for line in [
            "run --config x.toml",
            "plan --config=x.toml",
            "--runs r run --config x.toml",
            "run -c x.toml",
            "fetch --spec x.toml",
        ] {
            assert!(
                said(line).is_some_and(
                    |hint| hint.starts_with("pass the spec as an argument, not as an option: `taper run SPEC`")
                ),
                "{line}"
            );
        }
        assert_eq!([said("run x.toml --config.lr 3"), said("show x --config --zzz")], [None, None]);
        assert!(said("run x.toml --lr 3").is_some_and(|hint| hint.ends_with("`--set train.lr=3`")));
    }

    /// A key of the spec is only named to commands that set keys, for the argument that clap does not know.
    #[test]
    fn options_that_a_command_has_are_not_taken_for_keys() {
        let said = |line: &str| {
            let arguments: Vec<String> = line.split(' ').map(String::from).collect();
            let mut error = Cli::try_parse_from(["taper"].into_iter().chain(line.split(' '))).err().expect(line);
            without_dashes(&mut error);
            assert!(!error.to_string().contains("as a value"), "{error}");
            hint(error.kind(), &arguments, unknown(&error).as_deref())
        };
        for line in ["serve q --port 18432 --precision bf16", "serve q --host=::", "serve q --listen x"] {
            assert_eq!(said(line).as_deref(), Some("use `--addr HOST:PORT`"), "{line}");
        }
        for line in ["serve q --zzz --precision bf16", "serve q --lr 3", "rm q --dry-run", "show q --lr 3"] {
            assert_eq!(said(line), None, "{line}");
        }
        let set = |key: &str| Some(format!("to set a key of the spec, use `--set {key}`"));
        for line in ["run x --lr 3", "run x --lr=3", "run x --set data.limit=5 train.lr=3", "run x --set train.lr 3"] {
            assert_eq!(said(line), set("train.lr=3"), "{line}");
        }
    }

    #[test]
    fn every_missing_argument_is_explained() {
        use clap::CommandFactory;
        let line = |words: &[&str]| Cli::try_parse_from([&["taper"], words].concat()).err();
        let command = Cli::command();
        let mut asked = 0;
        for name in command.get_subcommands().map(|command| command.get_name()) {
            for more in [&[][..], &["x"], &["--leaderboard"]] {
                let Some(error) = line(&[&[name], more].concat()) else { continue };
                if error.kind() == ErrorKind::MissingRequiredArgument {
                    let named = error.to_string().lines().filter(|line| line.starts_with("  ")).count();
                    assert_eq!(missing(&error).len(), named, "{error}");
                    asked += 1;
                }
            }
        }
        assert!(asked > 10, "{asked}");
        assert!(missing(&line(&["predict", "x"]).expect("no texts"))[0].contains("--file FILE"));
        assert!(missing(&line(&["rm"]).expect("no runs"))[0].contains("--experiment NAME"));
        assert!(missing(&line(&["list", "--zzz"]).expect("unknown")).is_empty());
    }

    #[test]
    fn every_command_of_another_tool_has_one_hint() {
        use clap::CommandFactory;
        let mut seen = std::collections::HashSet::new();
        for word in ELSEWHERE.iter().flat_map(|(words, _)| *words) {
            assert!(seen.insert(word), "{word} twice");
            assert!(Cli::command().find_subcommand(word).is_none(), "{word} is a command");
        }
        for word in ["diff", "tail", "train", "resume", "evaluate", "status", "init", "sweep"] {
            assert!(hint(ErrorKind::InvalidSubcommand, &[word.to_string()], None).is_some(), "{word}");
        }
    }
}
