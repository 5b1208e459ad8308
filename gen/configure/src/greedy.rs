//! The rule of the paper (DART, arXiv 2401.06362, table configurator): of the candidates within the limits take those of
//! the largest latency, and of these the one of the largest storage. Size stands for accuracy; nothing is trained.

use crate::candidate::Candidate;
use crate::error::Error;
use crate::figures::{Base, Figures};
use crate::limits::Limits;
use crate::reach::Reach;
use crate::survey::Survey;

/// The candidate that the rule picks; of equals the first of the space.
pub fn greedy<'a>(
    survey: &'a Survey,
    base: &Base,
    limits: &Limits,
) -> Result<(&'a Candidate, &'a Figures), Error> {
    ranked(survey)
        .into_iter()
        .next()
        .ok_or_else(|| Error::Infeasible(Box::new(Reach::of(survey, base, limits))))
}

/// All candidates within the limits, in the order in which the rule prefers them.
pub fn ranked(survey: &Survey) -> Vec<(&Candidate, &Figures)> {
    let mut feasible: Vec<_> = survey.feasible().collect();
    feasible.sort_by_key(|(_, f)| std::cmp::Reverse((f.latency_cycles, f.table_bits + f.encoder_bits)));
    feasible
}
