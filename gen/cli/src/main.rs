//! The `tablewright` program: parses the call, runs one command, prints what came of it.
//!
//! * [`cli`]: the command line. [`commands`]: one file for each subcommand, with its arguments.
//! * [`failure`]: exit statuses and everything that ends with status 2. [`ui`]: all that is printed.
//! * [`subject`]: what a path leads to. [`config`], [`teacher`], [`training`]: what trainings are told.
//! * [`parts`], [`chain`], [`trainer`], [`tables`], [`measure`], [`summary`]: the steps of `teacher`, `distill`,
//!   `tabularize` and `train`, which is all of them. [`stages`]: what is kept between them.
//! * [`replay`]: the one of `run`. [`explain`]: what `explain` finds out. [`outfile`]: files that appear whole or not at all. [`digest`]: whether content is the
//!   same.
//!
//! Only this crate talks to the terminal, and it knows neither cycles nor Verilog.

mod built;
mod chain;
mod cli;
mod commands;
mod config;
mod digest;
mod explain;
mod failure;
mod loadable;
mod measure;
mod outfile;
mod parts;
mod planned;
mod replay;
mod stages;
mod stored;
mod subject;
mod summary;
mod tables;
mod teacher;
mod trainer;
mod training;
mod ui;

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
