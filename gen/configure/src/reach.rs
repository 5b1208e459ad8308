//! What could be reached, told when nothing is within the limits.

use std::fmt;

use rayon::prelude::*;

use crate::candidate::Candidate;
use crate::figures::{Base, Figures};
use crate::limits::{Limited, Limits};
use crate::survey::{Survey, Surveyed};

/// The least that candidates of a space reach.
#[derive(Debug, Clone, PartialEq)]
pub struct Reach {
    /// What was asked for.
    pub limits: Limits,
    /// Candidates.
    pub count: usize,
    /// Of each limited figure the least, whatever the others are.
    pub least: Vec<Least>,
}

/// The least value of one figure, and who has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Least {
    /// Which figure.
    pub what: Limited,
    /// How much.
    pub value: f64,
    /// The candidate.
    pub candidate: Candidate,
    /// Its figures.
    pub figures: Figures,
}

impl Reach {
    /// Of a survey that has nothing feasible. The smallest tables of every kind are planned even where their entries alone
    /// are beyond the storage limit.
    pub(crate) fn of(survey: &Survey, base: &Base, limits: &Limits) -> Self {
        let mut planned: Vec<(Candidate, Figures)> = (survey.all.iter())
            .filter_map(|one| Some((one.candidate.clone(), one.figures.clone()?)))
            .collect();
        let firsts = survey
            .all
            .chunk_by(|a, b| a.candidate.spec.prototypes < b.candidate.spec.prototypes)
            .filter_map(|chain| chain.first().filter(|one| one.figures.is_none()));
        let firsts: Vec<&Surveyed> = firsts.collect();
        planned.par_extend(
            firsts.par_iter().map(|one| (one.candidate.clone(), Figures::of(&one.candidate, base))),
        );

        let mut figures = vec![Limited::Latency];
        figures.extend(limits.interval_cycles.map(|_| Limited::Interval));
        figures.push(Limited::Storage);
        figures.extend(limits.target.iter().map(|limit| Limited::Target(limit.what.clone())));
        let least = figures.into_iter().filter_map(|what| least_of(what, &planned)).collect();
        Self { limits: limits.clone(), count: survey.all.len(), least }
    }
}

/// The value of one figure; none if the target has no such figure.
fn value(what: &Limited, figures: &Figures) -> Option<f64> {
    Some(match what {
        Limited::Latency => figures.latency_cycles as f64,
        Limited::Interval => figures.interval_cycles as f64,
        Limited::Storage => figures.storage_bytes as f64,
        Limited::Target(what) => figures.target.iter().find(|f| f.what.starts_with(&what[..]))?.value,
    })
}

/// Of equals the first.
fn least_of(what: Limited, planned: &[(Candidate, Figures)]) -> Option<Least> {
    let values = planned.iter().filter_map(|one| Some((value(&what, &one.1)?, one)));
    let (value, (candidate, figures)) = values.min_by(|a, b| a.0.total_cmp(&b.0))?;
    Some(Least { what, value, candidate: candidate.clone(), figures: figures.clone() })
}

/// One message: the limits, and the least of each.
impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Limits { latency_cycles, storage_bytes, interval_cycles, target } = &self.limits;
        write!(f, "none of {} configurations is within --latency {latency_cycles}", self.count)?;
        if let Some(interval) = interval_cycles {
            write!(f, ", --interval {interval}")?;
        }
        for limit in target {
            write!(f, ", {} {}", limit.limit, limit.what)?;
        }
        write!(f, " and --storage {storage_bytes}. ")?;
        for (i, least) in self.least.iter().enumerate() {
            f.write_str(if i == 0 { "The least reachable: " } else { "; " })?;
            write!(f, "{} {}{} ({})", least.what, least.value.round(), unit(&least.what), least.who())?;
        }
        f.write_str(". ")?;
        f.write_str("Raise a limit, or allow smaller values of --prototypes, --subspaces or --bits")
    }
}

impl Least {
    fn who(&self) -> String {
        let Figures { latency_cycles, storage_bytes, .. } = self.figures;
        match self.what {
            Limited::Latency => format!("{}, {storage_bytes} bytes", self.candidate),
            Limited::Storage => format!("{}, {latency_cycles} cycles", self.candidate),
            Limited::Interval | Limited::Target(_) => {
                format!("{}, {latency_cycles} cycles, {storage_bytes} bytes", self.candidate)
            }
        }
    }
}

fn unit(what: &Limited) -> &'static str {
    match what {
        Limited::Latency | Limited::Interval => " cycles",
        Limited::Storage => " bytes",
        Limited::Target(_) => "",
    }
}
