//! What trainings and tables end with: where the result is, what each stage is worth, what it took.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use tablewright_tabularize::Report;

use crate::chain::{How, Made};
use crate::measure::F1;
use crate::parts::Parts;
use crate::tables::{Hardware, Tables};
use crate::ui::{Render, bits, count, grid, pairs};

/// Printed at the end, and the source of what a file says of itself.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    /// `model` or `network`.
    #[serde(skip)]
    pub(crate) what: &'static str,
    /// Micro-F1 of each stage: `f1_NAME` on the test part, `f1_valid_NAME` on the validation part.
    #[serde(flatten)]
    f1: BTreeMap<String, f64>,
    /// The file that was written.
    pub(crate) output: String,
    pub(crate) name: String,
    pub(crate) trace: String,
    pub(crate) config: String,
    /// As `--teacher`.
    pub(crate) teacher: Option<String>,
    pub(crate) seed: u64,
    pub(crate) page_bits: Option<u32>,
    windows_train: usize,
    windows_valid: usize,
    windows_test: usize,
    stages: Vec<Row>,
    #[serde(flatten)]
    hardware: Option<Hardware>,
    threshold: Option<f64>,
    tabularize: Option<Report>,
}

/// One stage.
#[derive(Debug, Serialize)]
struct Row {
    /// For people.
    stage: &'static str,
    /// In names of fields.
    #[serde(skip)]
    field: &'static str,
    #[serde(flatten)]
    f1: F1,
    /// Absent for integers: they are lowered, not made.
    seconds: Option<f64>,
    how: Option<How>,
}

/// Where a result comes from.
#[derive(Debug, Clone)]
pub(crate) struct Origin<'a> {
    pub(crate) what: &'static str,
    pub(crate) output: &'a Path,
    pub(crate) name: &'a str,
    pub(crate) trace: &'a Path,
    pub(crate) config: &'a str,
    pub(crate) teacher: Option<String>,
    pub(crate) seed: u64,
    pub(crate) page_bits: Option<u32>,
}

impl Summary {
    /// Without any stage yet.
    pub(crate) fn new(origin: &Origin<'_>, parts: &Parts) -> Self {
        Self {
            what: origin.what,
            f1: BTreeMap::new(),
            output: origin.output.display().to_string(),
            name: origin.name.to_owned(),
            trace: origin.trace.display().to_string(),
            config: origin.config.to_owned(),
            teacher: origin.teacher.clone(),
            seed: origin.seed,
            page_bits: origin.page_bits,
            windows_train: parts.train.len(),
            windows_valid: parts.valid.len(),
            windows_test: parts.test.len(),
            stages: Vec::new(),
            hardware: None,
            threshold: None,
            tabularize: None,
        }
    }

    fn add(&mut self, row: Row) {
        self.f1.insert(format!("f1_{}", row.field), row.f1.test);
        self.f1.insert(format!("f1_valid_{}", row.field), row.f1.valid);
        self.stages.push(row);
    }

    /// The network that others learn from.
    pub(crate) fn teacher(&mut self, made: &Made, f1: F1) {
        self.network("teacher", "teacher", made, f1);
    }

    /// The network that becomes tables.
    pub(crate) fn student(&mut self, made: &Made, f1: F1) {
        self.network("student", "network", made, f1);
    }

    /// A teacher that is the result itself.
    pub(crate) fn lone_teacher(&mut self, made: &Made, f1: F1) {
        self.network("teacher", "network", made, f1);
    }

    fn network(&mut self, stage: &'static str, field: &'static str, made: &Made, f1: F1) {
        let seconds = (made.how == How::Trained).then_some(made.seconds);
        self.add(Row { stage, field, f1, seconds, how: Some(made.how) });
    }

    /// The tables, and what they need in hardware.
    pub(crate) fn tables(&mut self, tables: &Tables) {
        let Tables { f1_float, f1_integer, seconds, .. } = *tables;
        self.add(Row {
            stage: "float tables",
            field: "float_tables",
            f1: f1_float,
            seconds: Some(seconds),
            how: None,
        });
        self.add(Row {
            stage: "integer tables",
            field: "integer_tables",
            f1: f1_integer,
            seconds: None,
            how: None,
        });
        self.hardware = Some(tables.hardware);
        self.threshold = Some(tables.model.threshold);
        self.tabularize = Some(tables.report.clone());
    }

    /// What a file says about its making; nothing that differs from run to run or from machine to machine.
    pub(crate) fn provenance(&self, command: String) -> BTreeMap<String, String> {
        let mut notes: BTreeMap<String, String> = [
            ("made_by", concat!("tablewright ", env!("CARGO_PKG_VERSION")).to_owned()),
            ("trace", base_name(Path::new(&self.trace))),
            ("config", self.config.clone()),
            ("seed", self.seed.to_string()),
            ("command", command),
            ("windows_train", self.windows_train.to_string()),
            ("windows_valid", self.windows_valid.to_string()),
            ("windows_test", self.windows_test.to_string()),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into();
        if let Some(teacher) = &self.teacher {
            notes.insert("teacher".into(), base_name(Path::new(teacher)));
        }
        notes.extend(
            self.stages.iter().map(|row| (format!("f1_{}", row.field), format!("{:.6}", row.f1.test))),
        );
        notes
    }
}

/// The name of a file without its directory.
pub(crate) fn base_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

impl Render for Summary {
    fn text(&self) -> String {
        let by = self.teacher.as_ref().map_or_else(String::new, |teacher| format!(", teacher {teacher}"));
        let mut head = vec![
            (self.what, self.output.clone()),
            ("trace", self.trace.clone()),
            ("configuration", format!("{}{by}, seed {}", self.config, self.seed)),
            (
                "windows",
                format!(
                    "{} to learn from, {} to choose on, {} to measure",
                    count(self.windows_train),
                    count(self.windows_valid),
                    count(self.windows_test)
                ),
            ),
        ];
        if let Some(bits) = self.page_bits {
            head.push(("labels", format!("deltas inside a page of 2^{bits} bytes")));
        }
        if let Some(threshold) = self.threshold {
            head.push(("threshold", format!("{threshold:.4}")));
        }
        if let Some(hardware) = &self.hardware {
            head.extend([
                ("tables, encoders", bits(hardware.storage_bits)),
                ("look-ups", format!("{} table words an inference", count(hardware.words_per_inference))),
                (
                    "planned cycles",
                    format!(
                        "latency {}, interval {}",
                        count(hardware.latency_cycles),
                        count(hardware.interval_cycles)
                    ),
                ),
            ]);
        }
        let rows = self.stages.iter().map(|row| {
            let took = match (row.how, row.seconds) {
                (Some(How::Given), _) => "given".into(),
                (Some(How::Reused), _) => "reused".into(),
                (_, Some(seconds)) => format!("{seconds:.1}"),
                (_, None) => String::new(),
            };
            vec![row.stage.to_owned(), format!("{:.4}", row.f1.valid), format!("{:.4}", row.f1.test), took]
        });
        let table = grid(&["F1", "validation", "test", "seconds"], &[1, 2, 3], rows);
        let lost = match &self.stages[..] {
            [first, .., last] => {
                let lost = first.f1.test - last.f1.test;
                format!("\nF1 lost on the test part, {} to {}: {lost:.4}", first.stage, last.stage)
            }
            _ => String::new(),
        };
        format!("{}\n\n{table}{lost}", pairs(head))
    }
}
