//! The strategy that measures: tables made of a network, and for a trace the network too.

use serde::Serialize;
use tablewright_configure::{
    Candidate, Effort, Excess, Figures, Measured, Search, Shapes, Space, Survey, Task, Trial, search,
    students,
};
use tablewright_design::{Design, lower, passes};
use tablewright_model::Network;
use tablewright_tabularize::{Options, tabularize};
use tablewright_trace::Dataset;

use super::Call;
use super::report::Chosen;
use super::student::School;
use crate::config::Config;
use crate::failure::Failure;
use crate::measure::{F1, f1_of_design, f1_of_network};
use crate::parts::{Parts, data};
use crate::training::Windows;
use crate::ui::{Ui, Unit};

/// Table models made where nothing else is said.
const EVALUATIONS: usize = 40;
/// Networks trained where nothing else is said.
const STUDENTS: usize = 3;
/// Samples below which no encoder of many prototypes can be learned.
const LEAST_SAMPLES: usize = 512;

/// All that was measured.
#[derive(Debug, Serialize)]
pub(super) struct Run {
    /// Networks trained for the shape; empty if there was one.
    pub(super) students: Vec<Student>,
    /// Micro-F1 of the float network that the tables are made of.
    pub(super) network: F1,
    /// Table models.
    pub(super) search: Search,
}

/// A network, trained a little and turned into tables.
#[derive(Debug, Serialize)]
pub(super) struct Student {
    /// Its shape, and the tables it got.
    pub(super) candidate: Candidate,
    /// Micro-F1 of the network on validation windows.
    pub(super) f1_network: f64,
    /// Of the integer tables.
    pub(super) f1: f64,
}

impl Call<'_> {
    /// Searches by F1; for a trace trains the network before.
    pub(super) fn measured(&self, survey: &Survey, ui: &Ui) -> Result<(Chosen, Run), Failure> {
        let parts = self.parts(ui)?;
        let (trained, own);
        let mut tried = Vec::new();
        let network = if let Some(network) = &self.network {
            network
        } else {
            (trained, tried) = self.student(survey, &parts, ui)?;
            &trained
        };
        let bench = Bench { call: self, network, parts: &parts };
        let space = Space { shapes: Shapes::Fixed(network.config.clone()), tables: self.tables(true) };
        // The survey of a NETWORK is of these tables already.
        let survey = if self.network.is_some() {
            survey
        } else {
            own = Survey::of(&space, &self.base, &self.limits, &|_| ())?;
            &own
        };
        let (search, made) = self.search(&bench, survey, &space, ui)?;
        let (Some(best), Some(design)) = (search.best, made) else {
            return Err(beyond(&search.trials));
        };
        let Trial { candidate, figures, f1, .. } = &search.trials[best];
        let chosen = Chosen {
            candidate: candidate.clone(),
            figures: figures.clone(),
            f1: Some(F1 { valid: *f1, test: f1_of_design(&design, &parts.test, |_| ()) }),
        };
        Ok((chosen, Run { students: tried, network: f1_of_network(network, &parts, ui)?, search }))
    }

    /// Reads the trace and cuts it.
    fn parts(&self, ui: &Ui) -> Result<Parts, Failure> {
        let path = self.args.trace.as_ref().unwrap_or(&self.args.subject);
        let Config { network, input, training, .. } = &self.config;
        Windows::read(path, network, input, ui)?.parts(training.max_windows)
    }

    /// Trains some shapes a little, and the one whose tables do best in full.
    fn student(&self, survey: &Survey, parts: &Parts, ui: &Ui) -> Result<(Network, Vec<Student>), Failure> {
        let school = School::new(&self.config.input, self.args.seed())?;
        let training = &self.config.training;
        let mut tried: Vec<Student> = Vec::new();
        for candidate in students(survey, self.args.search.students.unwrap_or(STUDENTS)) {
            ui.detail(format_args!("training a student for {candidate}"));
            let network = school.quick(&candidate.network, training, parts, ui)?;
            let bench = Bench { call: self, network: &network, parts };
            let (measured, _) = bench.measure(candidate, Effort::Compare)?;
            let f1_network = f1_of_network(&network, parts, ui)?.valid;
            ui.detail(format_args!("network F1 {f1_network:.4}, tables {:.4}", measured.f1));
            tried.push(Student { candidate: candidate.clone(), f1_network, f1: measured.f1 });
        }
        let mut best: Option<&Student> = None;
        for student in &tried {
            // Of equals the first, which has the larger network.
            if best.is_none_or(|best| student.f1 > best.f1) {
                best = Some(student);
            }
        }
        let Some(best) = best else {
            unreachable!("a survey with something within the limits has a network");
        };
        ui.detail(format_args!("training {} in full", best.candidate));
        let network = school.train(&best.candidate.network, training, parts, ui)?;
        Ok((network, tried))
    }

    /// The search, and the design of its winner.
    fn search(
        &self,
        bench: &Bench<'_>,
        survey: &Survey,
        space: &Space,
        ui: &Ui,
    ) -> Result<(Search, Option<Design>), Failure> {
        let evaluations = self.args.search.evaluations.unwrap_or(EVALUATIONS);
        let task = Task {
            starts: survey.feasible().collect(),
            tables: &space.tables,
            limits: &self.limits,
            evaluations,
            seed: self.args.seed(),
        };
        let bar = ui.bar("measuring", Unit::Items, evaluations as u64);
        let mut done = 0;
        let mut finals: Vec<(Candidate, Design)> = Vec::new();
        let found = search(
            &task,
            |candidate| Figures::of(candidate, &self.base),
            |candidate, effort| {
                bar.say(format!("tables  {candidate}"));
                let (measured, design) = bench.measure(candidate, effort)?;
                done += 1;
                bar.at(done);
                let Figures { latency_cycles, storage_bytes, .. } = measured.figures;
                ui.detail(format_args!(
                    "{done}: {candidate}, 1/{} of the samples: F1 {:.4}, {latency_cycles} cycles, {storage_bytes} bytes",
                    effort.divisor(),
                    measured.f1
                ));
                if effort == Effort::Full {
                    finals.push((candidate.clone(), design));
                }
                Ok::<_, Failure>(measured)
            },
        )?;
        let winner = found.best.map(|best| &found.trials[best].candidate);
        let design = finals.into_iter().find(|(candidate, _)| Some(candidate) == winner);
        Ok((found, design.map(|(_, design)| design)))
    }
}

/// What makes and measures models.
struct Bench<'a> {
    call: &'a Call<'a>,
    network: &'a Network,
    parts: &'a Parts,
}

impl Bench<'_> {
    /// Makes the tables on a part of the samples; F1 is that of the integers, at the threshold chosen for the floats.
    fn measure(&self, candidate: &Candidate, effort: Effort) -> Result<(Measured, Design), Failure> {
        let usual = &self.call.config.tables;
        let share = |samples: usize| (samples / effort.divisor()).max(LEAST_SAMPLES.min(samples));
        let options = Options {
            spec: candidate.spec,
            kernels: candidate.own.clone(),
            samples: share(usual.samples),
            encoder_samples: share(usual.encoder_samples),
            valid_samples: share(usual.valid_samples),
            ..usual.clone()
        };
        let Parts { train, valid, .. } = self.parts;
        let valid: Dataset = valid.subset(0..valid.len(), share(valid.len()));
        let (model, _) = tabularize(self.network, data(train), data(&valid), &options, &mut |_| ())?;
        // Windows are evaluated each by itself; a streaming design predicts the same.
        let design = passes::optimise(&lower(&model));
        let figures = Figures::of_model(&model, &self.call.base.target);
        Ok((Measured { f1: f1_of_design(&design, &valid, |_| ()), figures }, design))
    }
}

/// None of the models made is within the limits.
fn beyond(trials: &[Trial]) -> Failure {
    let share = |trial: &Trial| trial.excesses.iter().map(Excess::share).fold(0.0, f64::max);
    let nearest = trials.iter().min_by(|a, b| share(a).total_cmp(&share(b)));
    Failure::BeyondLimits {
        nearest: nearest.map_or_else(String::new, |trial| trial.candidate.to_string()),
        latency: nearest.map_or(0, |trial| trial.figures.latency_cycles),
        storage: nearest.map_or(0, |trial| trial.figures.storage_bytes),
    }
}
