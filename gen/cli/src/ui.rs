//! All that is printed: results on standard output, everything else on standard error.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use clap::{ArgAction, ValueEnum};
use comfy_table::{CellAlignment, ContentArrangement, Table, TableComponent, presets};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::failure::Failure;

/// In `--help`, of what every subcommand takes.
const HEADING: &str = "Output";

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// One JSON object, for machines.
    Json,
}

/// Options that every subcommand takes.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct OutputArgs {
    /// How to print the result: tables for people, or one JSON object
    #[arg(long, global = true, value_enum, default_value_t = Format::Table, help_heading = HEADING)]
    format: Format,
    /// No progress and no remarks; only the result, and an error if there is one
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = HEADING)]
    quiet: bool,
    /// Say what is being done
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = HEADING)]
    verbose: u8,
}

/// A result: fields for machines by [`Serialize`], tables for people.
pub(crate) trait Render: Serialize {
    /// For people; ends without a line end.
    fn text(&self) -> String;
}

/// What progress is counted in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unit {
    /// Bytes of a file.
    Bytes,
    /// Anything else.
    Items,
}

/// The terminal, or what stands in its place.
#[derive(Debug)]
pub(crate) struct Ui {
    output: OutputArgs,
    /// Somebody watches standard error.
    watched: bool,
}

impl Ui {
    pub(crate) fn new(output: &OutputArgs) -> Self {
        Self { output: output.clone(), watched: io::stderr().is_terminal() }
    }

    /// Prints the result of a command.
    pub(crate) fn print(&self, result: &impl Render) -> Result<(), Failure> {
        let text = match self.output.format {
            Format::Table => result.text(),
            Format::Json => serde_json::to_string_pretty(result)
                .map_err(|error| Failure::Print(io::Error::new(io::ErrorKind::InvalidData, error)))?,
        };
        self.write(&text)
    }

    /// Writes whole lines to standard output. A reader that has gone is no error: it has seen enough.
    #[allow(clippy::unused_self)] // Whoever writes has been given the right to.
    pub(crate) fn write(&self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        match writeln!(out, "{text}").and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Print(error)),
            _ => Ok(()),
        }
    }

    /// The one message of a failed command.
    pub(crate) fn error(failure: &Failure) {
        Self::line("error: ", failure);
    }

    /// Something to beware of; `-q` hides it.
    pub(crate) fn warn(&self, text: impl Display) {
        if !self.output.quiet {
            Self::line("warning: ", text);
        }
    }

    /// Something good to know; `-q` hides it.
    pub(crate) fn remark(&self, text: impl Display) {
        if !self.output.quiet {
            Self::line("", text);
        }
    }

    /// What is being done; `-v` shows it.
    pub(crate) fn detail(&self, text: impl Display) {
        if self.output.verbose > 0 {
            Self::line("", text);
        }
    }

    /// A progress bar of `total` units (0: unknown), visible on a terminal only. It disappears when it is dropped.
    pub(crate) fn bar(&self, what: &str, unit: Unit, total: u64) -> Bar {
        // Lines of `-v` tell as much, and would run into the bar.
        if !self.watched || self.output.quiet || self.output.verbose > 0 {
            return Bar(ProgressBar::hidden());
        }
        let template = match (unit, total) {
            (_, 0) => "{msg:<12} {spinner} {elapsed}",
            (Unit::Bytes, _) => "{msg:<12} {wide_bar} {bytes:>10}/{total_bytes:<10} {eta:>4}",
            (Unit::Items, _) => "{msg:<12} {wide_bar} {human_pos:>10}/{human_len:<10} {eta:>4}",
        };
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        if total == 0 {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Bar(bar)
    }

    fn line(prefix: &str, text: impl Display) {
        // Nobody is left to tell when standard error is closed too.
        let _ = writeln!(io::stderr(), "{prefix}{text}");
    }
}

/// A progress bar that clears its line when it goes.
#[derive(Debug)]
pub(crate) struct Bar(ProgressBar);

impl Bar {
    /// How far it is.
    pub(crate) fn at(&self, position: u64) {
        self.0.set_position(position);
    }

    /// How far it is, of how much.
    pub(crate) fn at_of(&self, position: u64, total: u64) {
        if self.0.length() != Some(total) {
            self.0.set_length(total);
        }
        self.0.set_position(position);
    }

    /// What is being done now.
    pub(crate) fn say(&self, what: String) {
        self.0.set_message(what);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Names and values, one pair a line.
pub(crate) fn pairs<K: Display, V: Display>(rows: impl IntoIterator<Item = (K, V)>) -> String {
    let mut table = bare();
    for (key, value) in rows {
        table.add_row([key.to_string(), value.to_string()]);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    trimmed(&table)
}

/// A table with a header; the columns in `right` are numbers.
pub(crate) fn grid(header: &[&str], right: &[usize], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = bare();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
    table.remove_style(TableComponent::HorizontalLines).remove_style(TableComponent::MiddleIntersections);
    table.set_header(header);
    for row in rows {
        table.add_row(row);
    }
    for &index in right {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    trimmed(&table)
}

fn bare() -> Table {
    let mut table = Table::new();
    // Wraps at the terminal's width; in a pipe there is none, and lines stay whole.
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table
}

/// Without the padding at line ends.
fn trimmed(table: &Table) -> String {
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

/// `1234567` as `1,234,567`.
pub(crate) fn count(number: impl TryInto<u64>) -> String {
    // Every number printed is a count that fits.
    let digits = number.try_into().unwrap_or(u64::MAX).to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bits, and what they are in bytes.
pub(crate) fn bits(number: u64) -> String {
    let bytes = number as f64 / 8.0;
    let (size, unit) = match bytes {
        b if b < 1e3 => (b, "B"),
        b if b < 1e6 => (b / 1e3, "kB"),
        b => (b / 1e6, "MB"),
    };
    format!("{} bits ({size:.1} {unit})", count(number))
}

#[cfg(test)]
mod tests {
    use super::{bits, count};

    #[test]
    fn numbers_for_people() {
        assert_eq!(count(0_u64), "0");
        assert_eq!(count(999_u64), "999");
        assert_eq!(count(1000_u64), "1,000");
        assert_eq!(count(1_234_567_usize), "1,234,567");
        assert_eq!(bits(100), "100 bits (12.5 B)");
        assert_eq!(bits(32_768), "32,768 bits (4.1 kB)");
        assert_eq!(bits(16_000_000), "16,000,000 bits (2.0 MB)");
    }
}
