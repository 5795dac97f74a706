//! Runs the command and returns the exit code.

use std::process::ExitCode;

use clap::CommandFactory;

use super::{
    Cli, Command, common,
    failure::{is_unusable, sentence},
    output::{self, Output},
    usage,
};

/// Runs the command and turns its result into an exit code.
pub fn main() -> ExitCode {
    let Cli { command, global } = match usage::parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let result = global.threads.map_or(Ok(()), |n| Ok(taper::execute::set_threads(n.into())?));
    if let (Ok(()), Command::Worker(worker)) = (&result, &command) {
        // A worker's standard output belongs to the process that started it.
        return worker.execute(&global).unwrap_or_else(|e| {
            output::error(&format!("error: {}", sentence(&e)));
            ExitCode::FAILURE
        });
    }
    if !global.quiet && !command.loads_a_spec() {
        common::warn_of_variables();
    }
    let mut out = Output::new(&global);
    let result = result.and_then(|()| match command {
        Command::Plan(command) => command.execute(&global, &mut out),
        Command::Run(command) => command.execute(&global, &mut out),
        Command::Fetch(command) => command.execute(&global, &mut out),
        Command::List(command) => command.execute(&global, &mut out),
        Command::Show(command) => command.execute(&global, &mut out),
        Command::Compare(command) => command.execute(&global, &mut out),
        Command::Report(command) => command.execute(&global, &mut out),
        Command::Predict(command) => command.execute(&global, &mut out),
        Command::Eval(command) => command.execute(&global, &mut out),
        Command::Export(command) => command.execute(&global, &mut out),
        Command::Push(command) => command.execute(&global, &mut out),
        Command::Serve(command) => command.execute(&global, &mut out),
        Command::Submit(command) => command.execute(&global, &mut out),
        Command::Logs(command) => command.execute(&global, &mut out),
        Command::Cancel(command) => command.execute(&global, &mut out),
        Command::Collect(command) => command.execute(&global, &mut out),
        Command::Worker(_) => Ok(ExitCode::FAILURE),
        Command::Verify(command) => command.execute(&global, &mut out),
        Command::Rm(command) => command.execute(&global, &mut out),
        Command::Gc(command) => command.execute(&global, &mut out),
        Command::Doctor(command) => command.execute(&global, &mut out),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "taper", &mut script);
            out.line(String::from_utf8_lossy(&script).trim_end())?;
            Ok(ExitCode::SUCCESS)
        }
    });
    match result {
        Ok(code) => code,
        // The reader has closed the pipe (`taper list | head`).
        Err(e) if output::is_from_closed(&e) => ExitCode::SUCCESS,
        Err(e) => {
            output::error(&format!("error: {}", sentence(&e)));
            ExitCode::from(if is_unusable(&e) { 2 } else { 1 })
        }
    }
}
