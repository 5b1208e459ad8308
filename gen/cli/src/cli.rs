//! The command line.

use clap::{Parser, Subcommand};

use crate::commands::{
    bits, build, configure, distill, estimate, explain, image, info, lint, report, run, sim, tabularize,
    teacher, train, verify,
};
use crate::failure::{Failure, Outcome};
use crate::ui::{OutputArgs, Ui};

/// From a memory trace to a table-based prefetcher in Verilog that is proved to match its model
///
/// A trace holds the instructions or loads of a program; a model is a safetensors file (models/FORMAT.md); a build
/// directory is what `build` writes.
#[derive(Debug, Parser)]
#[command(
    name = "tablewright",
    version,
    arg_required_else_help = true,
    after_help = "\
The whole way:
  tablewright train app.champsimtrace.xz -o app.safetensors
  tablewright run app.safetensors --trace app.champsimtrace.xz --part test
  tablewright build app.safetensors -o app.build
  tablewright sim app.build
  tablewright estimate app.build

Exit status: 0 done and every check held; 1 a check failed; 2 the input or the call is wrong."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Train(train::Args),
    Teacher(teacher::Args),
    Distill(distill::Args),
    Tabularize(tabularize::Args),
    Report(report::Args),
    Configure(Box<configure::Args>),
    Info(info::Args),
    Run(run::Args),
    Explain(explain::Args),
    Bits(bits::Args),
    Build(build::Args),
    Image(image::Args),
    Lint(lint::Args),
    Sim(sim::Args),
    Verify(verify::Args),
    Estimate(estimate::Args),
}

impl Command {
    pub(crate) fn run(&self, ui: &Ui) -> Result<Outcome, Failure> {
        match self {
            Self::Train(args) => train::run(args, ui),
            Self::Teacher(args) => teacher::run(args, ui),
            Self::Distill(args) => distill::run(args, ui),
            Self::Tabularize(args) => tabularize::run(args, ui),
            Self::Report(args) => report::run(args, ui),
            Self::Configure(args) => configure::run(args, ui),
            Self::Info(args) => info::run(args, ui),
            Self::Run(args) => run::run(args, ui),
            Self::Explain(args) => explain::run(args, ui),
            Self::Bits(args) => bits::run(args, ui),
            Self::Build(args) => build::run(args, ui),
            Self::Image(args) => image::run(args, ui),
            Self::Lint(args) => lint::run(args, ui),
            Self::Sim(args) => sim::run(args, ui),
            Self::Verify(args) => verify::run(args, ui),
            Self::Estimate(args) => estimate::run(args, ui),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }
}
