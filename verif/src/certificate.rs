//! What `verify` found, for machines and for whoever signs.
//!
//! The same build, level and tools give the same certificate, seconds apart: those have a section of their own. Only
//! whether a proof ends within its time limit depends on the machine.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::faults::Faults;
use crate::mutation::Mutation;
use crate::upsets::Upsets;

/// Version of the certificate's layout.
pub const VERSION: u32 = 1;

/// How much is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Under a minute for a small model.
    Quick,
    /// Everything once, mutants by sample.
    Full,
    /// Everything, many mutants; a proof that does not end is a failure.
    Signoff,
}

/// What a check belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// Golden model, simulators and netlist say the same.
    Differential,
    /// Proofs for all inputs.
    Formal,
    /// Faults planted in the Verilog are found.
    Mutation,
    /// What flips of table bits cost.
    Faults,
}

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It held.
    Passed,
    /// It did not.
    Failed,
    /// The tool came to no end within its limit.
    Undecided,
    /// It was not done; the detail says why.
    Skipped,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// What it belongs to.
    pub group: Group,
    /// The property or comparison, and what it is about: `table l0_q`.
    pub name: String,
    /// What came of it.
    pub outcome: Outcome,
    /// How it was checked, with bound or depth.
    pub method: String,
    /// For what it holds: all inputs, which size, what is assumed, what is left out.
    pub scope: String,
    /// How much was looked at, by what is counted.
    pub covered: BTreeMap<&'static str, u64>,
    /// Of a failure, what was found; of a check not done, why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Wall clock.
    #[serde(skip)]
    pub seconds: f64,
}

impl Check {
    /// A check that has not been made yet.
    pub(crate) fn new(group: Group, name: &str, method: &str, scope: &str) -> Self {
        Self {
            group,
            name: name.to_owned(),
            outcome: Outcome::Skipped,
            method: method.to_owned(),
            scope: scope.to_owned(),
            covered: BTreeMap::new(),
            detail: None,
            seconds: 0.0,
        }
    }

    /// How much was looked at.
    #[must_use]
    pub(crate) fn covering(mut self, what: &'static str, count: u64) -> Self {
        self.covered.insert(what, count);
        self
    }

    /// It held, or not because of `problem`.
    #[must_use]
    pub(crate) fn judged(mut self, problem: Option<String>) -> Self {
        self.outcome = if problem.is_none() { Outcome::Passed } else { Outcome::Failed };
        self.detail = problem;
        self
    }

    /// It was not done.
    #[must_use]
    pub(crate) fn skipped(mut self, why: String) -> Self {
        self.detail = Some(why);
        self
    }
}

/// All that was found about one build.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Certificate {
    /// [`VERSION`].
    pub version: u32,
    /// Of the model.
    pub model: String,
    /// The core's module.
    pub core: String,
    /// SHA-256 of `manifest.json`, which has the hash of every other file.
    pub manifest_sha256: String,
    /// Files that are not as they were built; the checks are about what lies there now.
    pub changed_files: Vec<String>,
    /// How much was asked for.
    pub level: Level,
    /// Of vectors, stalls and the choice of mutants.
    pub seed: u64,
    /// First line of each tool's version.
    pub tools: BTreeMap<String, String>,
    /// SHA-256 of the cell library, if the netlist was mapped to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub liberty_sha256: Option<String>,
    /// No check failed, and at sign-off none is undecided.
    pub passed: bool,
    /// In the order they were made.
    pub checks: Vec<Check>,
    /// Mutants, from level full on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mutation: Option<Mutation>,
    /// Flipped table bits, where a trace was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub faults: Option<Faults>,
    /// Flipped flip-flops, where a trace was given, from level full on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upsets: Option<Upsets>,
    /// Wall clock of each check; the only part that differs from run to run.
    pub seconds: BTreeMap<String, f64>,
}

impl Certificate {
    /// Takes the verdict and the seconds from the checks.
    pub(crate) fn conclude(&mut self) {
        let strict = self.level == Level::Signoff;
        self.passed = self.checks.iter().all(|c| match c.outcome {
            Outcome::Failed => false,
            Outcome::Undecided => !strict,
            Outcome::Passed | Outcome::Skipped => true,
        });
        self.seconds = self.checks.iter().map(|c| (c.name.clone(), round(c.seconds))).collect();
    }

    /// Checks with this outcome.
    pub fn count(&self, group: Group, outcome: Outcome) -> usize {
        self.checks.iter().filter(|c| c.group == group && c.outcome == outcome).count()
    }
}

/// To hundredths.
fn round(seconds: f64) -> f64 {
    (seconds * 100.0).round() / 100.0
}
