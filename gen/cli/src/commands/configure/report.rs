//! What is printed: the choice, what was tried, and why the rest was infeasible.

use serde::Serialize;
use tablewright_configure::survey::Group;
use tablewright_configure::{Candidate, Effort, Excess, Figures, Limited, Limits, Survey, Surveyed};

use super::measured::Run;
use super::{Call, Strategy};
use crate::measure::F1;
use crate::ui::{Render, count, grid, pairs};

/// Rows of a table that could have hundreds.
const SHOWN: usize = 5;

/// The choice.
#[derive(Debug, Serialize)]
pub(super) struct Chosen {
    pub(super) candidate: Candidate,
    pub(super) figures: Figures,
    /// Of the integer tables, if they were made.
    pub(super) f1: Option<F1>,
}

/// All of it; for machines every candidate.
#[derive(Debug, Serialize)]
pub(super) struct Report<'a> {
    subject: String,
    strategy: Strategy,
    limits: &'a Limits,
    target: &'a str,
    chosen: Chosen,
    measured: Option<Run>,
    /// Within the limits.
    feasible: usize,
    infeasible: Vec<Group>,
    candidates: &'a [Surveyed],
    #[serde(skip)]
    ranked: Vec<(&'a Candidate, &'a Figures)>,
    #[serde(skip)]
    nearest: Vec<&'a Surveyed>,
}

impl<'a> Report<'a> {
    pub(super) fn of(
        call: &'a Call<'_>,
        survey: &'a Survey,
        ranked: &[(&'a Candidate, &'a Figures)],
        chosen: Chosen,
        measured: Option<Run>,
    ) -> Self {
        Self {
            subject: call.args.subject.display().to_string(),
            strategy: call.args.strategy,
            limits: &call.limits,
            target: &call.base.target.name,
            chosen,
            measured,
            feasible: ranked.len(),
            infeasible: survey.groups(),
            candidates: &survey.all,
            ranked: ranked.iter().take(SHOWN).copied().collect(),
            nearest: survey.nearest_misses(SHOWN),
        }
    }

    fn head(&self) -> String {
        let rule = match self.strategy {
            Strategy::Greedy => {
                "greedy, the paper's rule: of what is within the limits the largest latency, of that the largest storage"
            }
            Strategy::Measured => "measured: the best F1 of the integer tables on validation windows",
        };
        let Limits { latency_cycles, storage_bytes, interval_cycles, target } = self.limits;
        let mut limits = vec![format!("latency {} cycles", count(*latency_cycles))];
        limits.extend(interval_cycles.map(|interval| format!("interval {} cycles", count(interval))));
        limits.push(format!("storage {} bytes", count(*storage_bytes)));
        limits.extend(target.iter().map(|one| format!("{} {}", one.what, one.limit)));
        let all = self.candidates.len();
        let mut rows = vec![
            ("subject", self.subject.clone()),
            ("strategy", rule.to_owned()),
            ("limits", limits.join(", ")),
            ("planned", format!("{} configurations, {} within the limits", count(all), count(self.feasible))),
            ("chosen", self.chosen.candidate.to_string()),
        ];
        if let (Some(f1), Some(run)) = (&self.chosen.f1, &self.measured) {
            let both = |f1: &F1| format!("validation {:.4}, test {:.4}", f1.valid, f1.test);
            rows.push(("F1, network", both(&run.network)));
            rows.push(("F1, tables", both(f1)));
        }
        pairs(rows)
    }

    /// The choice and, of what was not made into models, those that come next.
    fn planned(&self) -> String {
        let rest = self.ranked.iter().copied().filter(|(candidate, _)| **candidate != self.chosen.candidate);
        let mut rows = vec![row(&self.chosen.candidate, &self.chosen.figures)];
        let title = if self.measured.is_some() {
            "chosen"
        } else {
            rows.extend(rest.map(|(candidate, figures)| row(candidate, figures)));
            "chosen, and what comes next by the rule"
        };
        grid(
            &[title, "latency", "interval", "storage", "formula: latency", "storage"],
            &[1, 2, 3, 4, 5],
            rows,
        )
    }

    fn target(&self) -> Option<String> {
        let figures = &self.chosen.figures.target;
        if figures.is_empty() {
            return None;
        }
        let rows = figures.iter().map(|figure| {
            vec![figure.what.clone(), format!("{} {}", count(figure.value.round() as u64), figure.unit)]
        });
        Some(grid(&[self.target, "modelled"], &[1], rows))
    }

    /// Why the others were not chosen.
    fn infeasible(&self) -> Option<String> {
        if self.infeasible.is_empty() {
            return None;
        }
        let groups = self.infeasible.iter().map(|group| {
            let reasons: Vec<String> = group.reasons.iter().map(ToString::to_string).collect();
            vec![
                reasons.join(", "),
                count(group.count),
                group.nearest.candidate.to_string(),
                distance(&group.nearest),
            ]
        });
        let groups = grid(&["beyond the limit", "how many", "the nearest of them", ""], &[1], groups);
        let misses = self.nearest.iter().map(|miss| vec![miss.candidate.to_string(), distance(miss)]);
        Some(format!("{groups}\n\n{}", grid(&["nearest misses of all", ""], &[], misses)))
    }
}

impl Run {
    fn text(&self) -> String {
        let mut parts = Vec::new();
        if !self.students.is_empty() {
            let rows = self.students.iter().map(|student| {
                vec![
                    student.candidate.to_string(),
                    format!("{:.4}", student.f1_network),
                    format!("{:.4}", student.f1),
                ]
            });
            let header = ["students, a quarter of windows and epochs", "F1 network", "F1 tables"];
            parts.push(grid(&header, &[1, 2], rows));
        }
        let trials = self.search.trials.iter().map(|trial| {
            let samples = match trial.effort {
                Effort::Full => "all".to_owned(),
                part => format!("1/{}", part.divisor()),
            };
            let [name, latency, interval, storage, formula, formula_storage] =
                cells(&trial.candidate, &trial.figures);
            let beyond = excesses(&trial.excesses, "");
            vec![
                name,
                samples,
                format!("{:.4}", trial.f1),
                latency,
                interval,
                storage,
                formula,
                formula_storage,
                beyond,
            ]
        });
        let header = [
            "tables made",
            "samples",
            "F1",
            "latency",
            "interval",
            "storage",
            "formula: latency",
            "storage",
            "",
        ];
        parts.push(grid(&header, &[1, 2, 3, 4, 5, 6, 7], trials));
        parts.join("\n\n")
    }
}

impl Render for Report<'_> {
    fn text(&self) -> String {
        let mut parts = vec![self.head(), self.planned()];
        parts.extend(self.target());
        parts.extend(self.measured.as_ref().map(Run::text));
        parts.extend(self.infeasible());
        let figures = if self.measured.is_some() {
            "Of models that were made the figures are their own."
        } else {
            "Planned on stand-in tables: trained ones take as many cycles, up to six fewer a layer or one more, and up to a tenth less storage."
        };
        parts.push(format!(
            "Latency and interval in cycles, storage of tables and encoders in bytes, read off the plan. {figures}\n\
             formula: the paper's for the largest K, C and bits, all tokens in parallel, encoders not counted; its latency \
             is fitted to the three published points."
        ));
        parts.join("\n\n")
    }
}

fn cells(candidate: &Candidate, figures: &Figures) -> [String; 6] {
    [
        candidate.to_string(),
        count(figures.latency_cycles),
        count(figures.interval_cycles),
        count(figures.storage_bytes),
        count(figures.published.latency_cycles),
        count(figures.published.storage_bits.div_ceil(8)),
    ]
}

fn row(candidate: &Candidate, figures: &Figures) -> Vec<String> {
    cells(candidate, figures).to_vec()
}

/// How far a candidate is beyond its limits; what was ruled out before it was planned has at least that.
fn distance(one: &Surveyed) -> String {
    excesses(&one.excesses, if one.figures.is_some() { "" } else { "at least " })
}

/// `latency 262 cycles (4.8 % above)`.
fn excesses(excesses: &[Excess], least: &str) -> String {
    let one = |excess: &Excess| {
        let unit = match excess.what {
            Limited::Latency | Limited::Interval => " cycles",
            Limited::Storage => " bytes",
            Limited::Target(_) => "",
        };
        let value = count(excess.value.ceil() as u64);
        format!("{} {least}{value}{unit} ({:.1} % above)", excess.what, 100.0 * excess.share())
    };
    excesses.iter().map(one).collect::<Vec<_>>().join(", ")
}
