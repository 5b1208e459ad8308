//! The measurements, one after the other.

use tablewright_design::{lower, passes};
use tablewright_model::{Network, TableModel};
use tablewright_tabularize::explain::{self, errors, usage};
use tablewright_tabularize::{Error as TableError, Evaluator, Place};

use crate::measure::{f1_of_design, f1_of_floats};
use crate::parts::{Parts, data};

use super::{Alone, Baseline, Codes, Costliest, Error, Exact, Integers, Kernel, Stage, integers};

/// What is explained.
pub(crate) struct Subjects<'a> {
    pub(crate) model: &'a TableModel,
    /// Of the model's configuration.
    pub(crate) student: Option<&'a Network>,
    /// Of the model's windows and labels.
    pub(crate) teacher: Option<&'a Network>,
}

/// What was found.
pub(crate) struct Findings {
    pub(crate) stages: Vec<Stage>,
    pub(crate) baseline: Option<Baseline>,
    pub(crate) costliest: Option<Costliest>,
    pub(crate) kernels: Vec<Kernel>,
}

impl Subjects<'_> {
    /// How many steps [`Self::measure`] tells of.
    pub(crate) fn steps(&self) -> usize {
        7 + Place::all(&self.model.network).len()
    }

    /// Measures everything; `tell` hears the name of each step before it begins.
    pub(crate) fn measure(&self, parts: &Parts, mut tell: impl FnMut(&str)) -> Result<Findings, TableError> {
        let model = self.model;
        let (valid, test) = (data(&parts.valid), data(&parts.test));
        let tables = Evaluator::of_model(model)?.with_hardware_units(model.activation_bits);
        let exact = self.student.map(Evaluator::of_network).transpose()?;

        let mut stages = Stages::default();
        let chosen = |name, evaluator: &Evaluator, stages: &mut Stages| {
            let found = explain::f1(evaluator, valid, test);
            stages.add(name, found.f1, found.threshold);
            found.f1
        };
        tell("teacher");
        if let Some(teacher) = self.teacher {
            chosen("teacher", &Evaluator::of_network(teacher)?, &mut stages);
        }
        tell("student");
        let f1_exact = exact.as_ref().map(|exact| chosen("student", exact, &mut stages));
        tell("prototypes");
        let encoded = exact
            .as_ref()
            .and_then(|exact| Evaluator::of_prototypes(exact, &tables, data(&parts.train).windows));
        if let Some(encoded) = &encoded {
            chosen("prototypes", encoded, &mut stages);
        }
        drop(encoded);
        // From here on the threshold is part of the model.
        tell("tables");
        stages.add("tables", f1_of_floats(&tables, &parts.test, model.threshold, |_| ()), model.threshold);
        tell("integers");
        let design = passes::optimise(&lower(model));
        stages.add("integers", f1_of_design(&design, &parts.test, |_| ()), model.threshold);
        tell("integers, kernel by kernel");
        let in_integers = integers::compare(&design, model, &tables, test.windows);

        // Single kernels are compared at thresholds chosen in one way.
        tell("tables, threshold chosen anew");
        let baseline =
            f1_exact.map(|f1_exact| Baseline { f1_exact, f1_tables: explain::f1(&tables, valid, test).f1 });
        let mut kernels = Vec::new();
        let places = Place::all(&model.network);
        for ((&place, (site, kernel)), integers) in places.iter().zip(model.kernels()).zip(in_integers) {
            tell(&site.name);
            let mut found = Kernel {
                name: site.name,
                spec: *kernel.spec(),
                alone: None,
                running: None,
                exact: None,
                integers: integers.map(|found| Integers {
                    error: found.distance.into(),
                    codes_changed: found.changed as f64 / found.codes.max(1) as f64,
                }),
                codes: usage(&tables, place, test.windows).iter().map(Codes::from).collect(),
            };
            if let (Some(exact), Some(baseline)) = (&exact, &baseline) {
                let swapped = |base: &Evaluator, from: &Evaluator| {
                    let mut mixed = base.clone();
                    mixed.replace(place, from);
                    explain::f1(&mixed, valid, test).f1
                };
                let error = errors(exact, &tables, place, test.windows);
                let f1 = swapped(exact, &tables);
                found.alone = error.map(|error| Alone {
                    f1,
                    f1_lost: baseline.f1_exact - f1,
                    error: error.alone.into(),
                });
                found.running = error.map(|error| Error::from(error.running));
                let f1 = swapped(&tables, exact);
                found.exact = Some(Exact { f1, f1_gained: f1 - baseline.f1_tables });
            }
            kernels.push(found);
        }
        let costliest = costliest(&kernels);
        Ok(Findings { stages: stages.0, baseline, costliest, kernels })
    }
}

/// Stages so far.
#[derive(Default)]
struct Stages(Vec<Stage>);

impl Stages {
    fn add(&mut self, name: &'static str, f1: f64, threshold: f64) {
        let f1_lost = self.0.last().map(|before| before.f1 - f1);
        self.0.push(Stage { name, f1, f1_lost, threshold });
    }
}

/// Of equals, the first on the way.
fn costliest(kernels: &[Kernel]) -> Option<Costliest> {
    let largest = |of: fn(&Kernel) -> Option<f64>| {
        kernels
            .iter()
            .filter_map(|kernel| Some((of(kernel)?, &kernel.name)))
            .reduce(|held, next| if next.0 > held.0 { next } else { held })
    };
    let (f1_lost, alone) = largest(|kernel| kernel.alone.map(|alone| alone.f1_lost))?;
    let (f1_gained, exact) = largest(|kernel| kernel.exact.map(|exact| exact.f1_gained))?;
    Some(Costliest { alone: alone.clone(), f1_lost, exact: exact.clone(), f1_gained })
}
