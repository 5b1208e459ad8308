//! `tablewright sim --top prefetcher`: the whole prefetcher of a build against its golden model.

use std::path::PathBuf;

use serde::Serialize;
use tablewright_plan::PrefetcherPlan;
use tablewright_verif::{
    Compile, ImageFault, PrefetcherCosim, PrefetcherMismatch, PrefetcherReport, simulate_prefetcher, vectors,
};

use super::{Args, image_rows};
use crate::built::{Built, changed_row};
use crate::failure::{Failure, Outcome};
use crate::subject;
use crate::ui::{Render, Ui, Unit, count, pairs};

pub(super) fn run(args: &Args, built: &Built, tables: Option<PathBuf>, ui: &Ui) -> Result<Outcome, Failure> {
    let plan = PrefetcherPlan::new(&built.design, &built.plan);
    let traced = match &args.trace {
        Some(path) => subject::demands(&subject::trace(path, ui)?, args.vectors),
        None => Vec::new(),
    };
    let accesses = if traced.len() < args.vectors {
        vectors::demands(&built.design, args.vectors, &traced, args.seed)
    } else {
        traced.clone()
    };
    let (image_fault, faulty_images) =
        tablewright_verif::check_images(&built.dir, &built.design, &built.plan);
    let spacing = args.spacing.unwrap_or(plan.interval);
    let options = PrefetcherCosim {
        spacing,
        stall: args.stall,
        seed: args.seed,
        waves: args.waves.clone(),
        tables,
        compile: Compile::ForSpeed,
    };
    let simulable = image_fault.as_ref().is_none_or(|f| f.line > 0);
    let mut report = if simulable {
        let bar = ui.bar("simulating", Unit::Items, accesses.len() as u64);
        ui.detail("compiling with Verilator, unless this build was simulated before");
        simulate_prefetcher(&built.dir, &built.design, &plan, &accesses, &options, &mut |n| bar.at(n))?
    } else {
        PrefetcherReport::not_simulated(&plan)
    };
    let passed = image_fault.is_none() && report.passed();
    report.mismatches += faulty_images as u64;
    ui.print(&About {
        build_dir: args.build_dir.display().to_string(),
        top: "prefetcher",
        passed,
        spacing,
        trace_accesses: traced.len(),
        faulty_images,
        image_fault,
        changed_files: built.changed_files(),
        waves: args.waves.as_ref().map(|w| w.display().to_string()),
        report,
    })?;
    Ok(if passed { Outcome::Done } else { Outcome::CheckFailed })
}

#[derive(Debug, Serialize)]
struct About {
    build_dir: String,
    top: &'static str,
    passed: bool,
    /// Cycles from one access to the next.
    spacing: u64,
    /// Accesses from the trace among those offered.
    trace_accesses: usize,
    /// Memory images that differ from the model; each counts as one mismatch.
    faulty_images: usize,
    image_fault: Option<ImageFault>,
    /// Files that are not as `build` wrote them.
    changed_files: Vec<String>,
    waves: Option<String>,
    #[serde(flatten)]
    report: PrefetcherReport,
}

impl Render for About {
    fn text(&self) -> String {
        let mut rows = vec![("build", self.build_dir.clone()), ("top", self.top.to_owned())];
        rows.extend(changed_row(&self.changed_files));
        let report = &self.report;
        if report.accesses > 0 {
            let from_trace = match self.trace_accesses {
                0 => String::new(),
                n => format!(", {} of them from the trace", count(n)),
            };
            rows.push((
                "accesses",
                format!(
                    "{} offered, one every {} cycles{from_trace}",
                    count(report.accesses),
                    count(self.spacing)
                ),
            ));
            rows.push(("", format!("{} taken, {} dropped", count(report.taken), count(report.dropped))));
            rows.push(("prefetches", format!("{} compared", count(report.prefetches))));
            if let Some(fewest) = report.cycles_simulated {
                rows.push((
                    "latency",
                    format!("{} cycles planned, {fewest} simulated", report.cycles_planned),
                ));
            }
            if let Some((low, high)) = report.interval_simulated {
                rows.push((
                    "interval",
                    format!("{} cycles at most planned, {low} to {high} simulated", report.interval_planned),
                ));
            }
            rows.push((
                "issue",
                format!(
                    "{} cycles a row at most planned, {} simulated",
                    report.issue_planned, report.issue_simulated
                ),
            ));
            rows.push((
                "speed",
                format!(
                    "{} cycles/s over {} cycles",
                    count(report.cycles_per_second as u64),
                    count(report.cycles)
                ),
            ));
        }
        rows.push(("mismatches", count(report.mismatches)));
        if report.breaches > 0 {
            rows.push(("handshake", format!("broken {} times", count(report.breaches))));
        }
        if report.hung {
            rows.push(("hung", "the simulation stood still".to_owned()));
        }
        rows.extend(report.first.as_ref().map(|m| ("first", in_words(m))));
        rows.extend(image_rows(self.image_fault.as_ref(), self.faulty_images, report.accesses == 0));
        rows.extend(self.waves.as_ref().map(|w| ("waves", w.clone())));
        rows.push(("result", if self.passed { "PASS" } else { "FAIL" }.to_owned()));
        pairs(rows)
    }
}

fn in_words(mismatch: &PrefetcherMismatch) -> String {
    let address = |known: Option<u64>| known.map_or_else(|| "none".to_owned(), |a| format!("{a:#x}"));
    match mismatch {
        PrefetcherMismatch::Prefetch { access, place, expected, actual, cycle } => format!(
            "access {access}, prefetch {place}, in cycle {cycle}: expected {}, got {actual:#x}",
            address(*expected)
        ),
        PrefetcherMismatch::Missing { access, place, expected } => {
            format!("access {access}, prefetch {place}: expected {expected:#x}, never came")
        }
        PrefetcherMismatch::Taken { expected, actual, cycle } => format!(
            "taken in cycle {cycle}: expected the newest access, {}, got {actual:#x}",
            address(*expected)
        ),
        PrefetcherMismatch::Dropped { expected, actual, cycle } => {
            format!("counter of dropped accesses in cycle {cycle}: expected {expected}, got {actual}")
        }
    }
}
