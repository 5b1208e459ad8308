//! `tablewright report`: models side by side.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::failure::{Failure, Outcome};
use crate::outfile::NewFile;
use crate::subject;
use crate::summary::base_name;
use crate::tables::Hardware;
use crate::ui::{Render, Ui, count, grid};

/// What the table stands between, each on a line of its own.
const MARKERS: [&str; 2] = ["<!-- report begins -->", "<!-- report ends -->"];

/// Show table models side by side: trace, configuration, F1 of each stage, storage, look-ups, cycles
///
/// The F1 values are those that `train` or `tabularize` measured on the last 20 % of the trace and wrote into the file; storage,
/// look-ups and cycles are read off the design and plan that `build` would make. What a file does not say is a dash.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    tablewright report models/zoo/*.safetensors\n  \
    tablewright report models/zoo/*.safetensors --markdown\n  \
    tablewright report models/zoo/*.safetensors --into models/README.md\n  \
    tablewright report models/zoo/*.safetensors --into models/README.md --check\n\n\
    --into writes between the lines `<!-- report begins -->` and `<!-- report ends -->`.")]
pub(crate) struct Args {
    /// Table models (safetensors)
    #[arg(required = true, value_name = "MODEL")]
    pub(crate) models: Vec<PathBuf>,
    /// Print the table as Markdown
    #[arg(long, conflicts_with = "into")]
    pub(crate) markdown: bool,
    /// Put the table, as Markdown, between its markers in a file
    #[arg(long, value_name = "FILE.md")]
    pub(crate) into: Option<PathBuf>,
    /// Only say whether the file holds this table already: exit status 1 if not
    #[arg(long, requires = "into")]
    pub(crate) check: bool,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Outcome, Failure> {
    let rows = args.models.iter().map(|path| Row::of(path)).collect::<Result<Vec<_>, Failure>>()?;
    let report = Report { models: rows };
    let Some(file) = &args.into else {
        if args.markdown {
            ui.write(&report.markdown())?;
        } else {
            ui.print(&report)?;
        }
        return Ok(Outcome::Done);
    };
    let read = |reason| Failure::Read { path: file.clone(), reason };
    let old = fs::read_to_string(file).map_err(read)?;
    let new = between(&old, &report.markdown())
        .ok_or_else(|| Failure::Markers { path: file.clone(), markers: MARKERS })?;
    let current = old == new;
    if !current && !args.check {
        let mut place = NewFile::begin(file)?;
        place.write(|out| out.write_all(new.as_bytes()))?;
        place.finish()?;
    }
    ui.print(&Written {
        file: file.display().to_string(),
        models: report.models.len(),
        current,
        check: args.check,
    })?;
    Ok(if args.check && !current { Outcome::CheckFailed } else { Outcome::Done })
}

/// A text with the lines between the markers replaced; `None` if it has not both, in order.
fn between(text: &str, table: &str) -> Option<String> {
    let [begin, end] = MARKERS;
    let (head, rest) = text.split_once(&format!("{begin}\n"))?;
    let (_, tail) = rest.split_once(end)?;
    Some(format!("{head}{begin}\n\n{table}\n\n{end}{tail}"))
}

/// All models.
#[derive(Debug, Serialize)]
struct Report {
    models: Vec<Row>,
}

/// One model.
#[derive(Debug, Serialize)]
struct Row {
    /// Its file, without the directory and the ending.
    model: String,
    trace: Option<String>,
    config: Option<String>,
    f1_teacher: Option<f64>,
    f1_network: Option<f64>,
    f1_float_tables: Option<f64>,
    f1_integer_tables: Option<f64>,
    /// From the teacher, or else from the student, to integer tables.
    f1_lost: Option<f64>,
    #[serde(flatten)]
    hardware: Hardware,
}

impl Row {
    fn of(path: &Path) -> Result<Self, Failure> {
        let model = subject::model(path)?;
        let text = |key: &str| model.provenance.get(key).cloned();
        let number = |key: &str| text(key).and_then(|text| text.parse::<f64>().ok());
        let [teacher, network, float, integer] =
            ["f1_teacher", "f1_network", "f1_float_tables", "f1_integer_tables"].map(number);
        Ok(Self {
            model: without(&base_name(path), &[".safetensors"]),
            trace: text("trace").map(|trace| {
                without(
                    &trace,
                    &[".xz", ".gz", ".txt", ".champsimtrace", ".champsim", ".loadtrace", ".trace"],
                )
            }),
            config: text("config"),
            f1_teacher: teacher,
            f1_network: network,
            f1_float_tables: float,
            f1_integer_tables: integer,
            f1_lost: teacher.or(network).zip(integer).map(|(first, last)| first - last),
            hardware: Hardware::of(&model),
        })
    }

    /// What the table shows.
    fn cells(&self) -> Vec<String> {
        let dash = || "–".to_owned();
        let text = |text: &Option<String>| text.clone().unwrap_or_else(dash);
        let f1 = |f1: Option<f64>| f1.map_or_else(dash, |f1| format!("{f1:.4}"));
        let hardware = &self.hardware;
        vec![
            self.model.clone(),
            text(&self.trace),
            text(&self.config),
            f1(self.f1_teacher),
            f1(self.f1_network),
            f1(self.f1_float_tables),
            f1(self.f1_integer_tables),
            f1(self.f1_lost),
            format!("{:.1}", hardware.storage_bits as f64 / 8e3),
            count(hardware.words_per_inference),
            count(hardware.latency_cycles),
            count(hardware.interval_cycles),
        ]
    }
}

/// A name without the endings it has of these, in this order.
fn without(name: &str, endings: &[&str]) -> String {
    endings.iter().fold(name, |name, ending| name.strip_suffix(ending).unwrap_or(name)).to_owned()
}

const HEADER: [&str; 12] = [
    "model",
    "trace",
    "configuration",
    "F1 teacher",
    "F1 student",
    "F1 float tables",
    "F1 integer tables",
    "F1 lost",
    "kB",
    "look-ups",
    "latency",
    "interval",
];

/// Columns that hold no number.
const TEXTS: usize = 3;

impl Report {
    /// For a file of text.
    fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |", cells.join(" | "));
        let rule = |column: usize| if column < TEXTS { "---" } else { "---:" };
        let mut lines = vec![
            line(&HEADER.map(str::to_owned)),
            format!("|{}|", (0..HEADER.len()).map(rule).collect::<Vec<_>>().join("|")),
        ];
        lines.extend(self.models.iter().map(|row| {
            // A bar would end the cell.
            line(&row.cells().iter().map(|cell| cell.replace('|', "\\|")).collect::<Vec<_>>())
        }));
        lines.join("\n")
    }
}

impl Render for Report {
    fn text(&self) -> String {
        let numbers: Vec<usize> = (TEXTS..HEADER.len()).collect();
        let table = grid(&HEADER, &numbers, self.models.iter().map(Row::cells));
        format!(
            "{table}\nF1 on the test part; lost: from teacher (or student) to integer tables. kB: tables and encoders. \
             Latency and interval in cycles, as planned."
        )
    }
}

/// What became of a file.
#[derive(Debug, Serialize)]
struct Written {
    file: String,
    models: usize,
    /// Whether it held the table before.
    current: bool,
    #[serde(skip)]
    check: bool,
}

impl Render for Written {
    fn text(&self) -> String {
        let Self { file, models, current, check } = self;
        match (current, check) {
            (true, _) => format!("{file} holds the table of these {models} models"),
            (false, false) => format!("{file}: table of {models} models written"),
            (false, true) => format!(
                "{file}: its table is not that of these {models} models; leave out --check to write it"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{between, without};

    #[test]
    fn a_table_replaces_what_is_between_the_markers() {
        let text = "a\n<!-- report begins -->\nold\n<!-- report ends -->\nb\n";
        let once = between(text, "new").unwrap_or_default();
        assert_eq!(once, "a\n<!-- report begins -->\n\nnew\n\n<!-- report ends -->\nb\n");
        assert_eq!(between(&once, "new").as_ref(), Some(&once));
        assert_eq!(between("<!-- report ends -->\n<!-- report begins -->\n", "new"), None);
    }

    #[test]
    fn endings_of_traces_are_left_out() {
        let endings = [".xz", ".champsimtrace"];
        assert_eq!(without("mcf.v2.champsimtrace.xz", &endings), "mcf.v2");
        assert_eq!(without("mcf", &endings), "mcf");
    }
}
