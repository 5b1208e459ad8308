//! The `tablewright` program: parses the call, runs one command, prints what came of it.
//!
//! * [`cli`]: the command line. [`commands`]: one file for each subcommand, with its arguments.
//! * [`failure`]: exit statuses and everything that ends with status 2. [`ui`]: all that is printed.
//! * [`subject`]: what a path leads to. [`config`]: what `train` is told. [`parts`], [`trainer`], [`measure`],
//!   [`replay`]: the steps of `train` and `run`. [`explain`]: what `explain` finds out. [`work`], [`outfile`]: files on the way, and
//!   files that appear whole or not at all.
//!
//! Only this crate talks to the terminal, and it knows neither cycles nor Verilog.

mod built;
mod cli;
mod commands;
mod config;
mod explain;
mod failure;
mod measure;
mod outfile;
mod parts;
mod replay;
mod subject;
mod trainer;
mod ui;
mod work;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;
use crate::failure::Outcome;
use crate::ui::Ui;

fn main() -> ExitCode {
    // A wrong call ends here, with clap's message and status 2.
    let cli = Cli::parse();
    let ui = Ui::new(&cli.output);
    match cli.command.run(&ui) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::CheckFailed) => ExitCode::from(1),
        Err(failure) => {
            Ui::error(&failure);
            ExitCode::from(2)
        }
    }
}
