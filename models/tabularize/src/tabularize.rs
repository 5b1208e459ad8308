//! Kernel by kernel from the float network to the table model.

use ndarray::Array2;
use tablewright_model::{Encoder, Network, Positions, TableModel};

use crate::data::{Data, Owned};
use crate::encode::encode;
use crate::error::Error;
use crate::evaluate::{Evaluator, LinearStep, PairStep, QkvStep, Step, Tap};
use crate::grid;
use crate::learn::{self, Learned, Part, Plan};
use crate::logistic;
use crate::options::{Options, Progress};
use crate::pass::widest;
use crate::place::Place;
use crate::refit::squares;
use crate::report::{Candidate, KernelReport, Report};
use crate::rows::map_rows;
use crate::score::{Best, best};
use crate::units::Units;

/// Numbers of the widest intermediate result held for all training windows at once: 512 MiB.
const LARGEST: usize = 1 << 27;

/// Learns a table model from a float network.
///
/// Tables are fitted to `train`; between candidates, and the threshold, `valid` decides. `valid` may be part of
/// neither training nor test. The same network, data and options give the same model, whatever the number of threads.
/// Fewer training windows than [`Options::samples`] are used when their intermediate results would be larger than
/// 512 MiB.
pub fn tabularize(
    network: &Network,
    train: Data<'_>,
    valid: Data<'_>,
    options: &Options,
    progress: &mut dyn FnMut(Progress),
) -> Result<(TableModel, Report), Error> {
    let exact = Evaluator::of_network(network)?;
    options.check(&network.config)?;
    train.check("training", network)?;
    valid.check("validation", network)?;

    let places = Place::all(&network.config);
    let of = places.len() + 2 + usize::from(options.fine_tune);
    let mut tell = |done: usize, step: &str| {
        progress(Progress { done, of, step: step.to_owned() });
    };

    tell(0, "network");
    let whole = exact.logits(valid.windows);
    finite(&whole, network, "validation")?;
    let f1_network = best(whole.view(), valid.labels);
    let samples = options.samples.min((LARGEST / widest(&network.config)).max(256));
    let train = train.sample(samples, options.seed);
    finite(&exact.logits(train.windows.view()), network, "training")?;
    let few = valid.sample(options.valid_samples, options.seed.wrapping_add(1));
    let mut search = Search {
        mixed: Evaluator { units: Units::Hardware { bits: options.activation_bits }, ..exact.clone() },
        exact,
        train,
        few,
    };

    let mut kernels = Vec::new();
    for (i, &place) in places.iter().enumerate() {
        let name = place.to_string();
        tell(1 + i, &name);
        let plan = Plan {
            spec: options.spec_of(&name),
            samples: options.encoder_samples,
            seed: options.seed.wrapping_mul(1_000_003).wrapping_add(100_000 * i as u64),
            fraction: (place == Place::Embed).then_some(network.input.segment_bits),
            apart: place == Place::Embed && network.config.positions == Positions::Absolute,
        };
        kernels.push(search.step(place, &plan));
    }
    if options.fine_tune {
        tell(places.len() + 1, "fine-tune");
        // The last choice: from here on only what raises the F1 that is reported.
        search.few = valid.sample(usize::MAX, 0);
        if let Some(last) = kernels.last_mut() {
            search.fine_tune(last);
        }
    }

    tell(of - 1, "tables");
    let logits = search.mixed.logits(valid.windows);
    let Best { f1, threshold } = best(logits.view(), valid.labels);
    let report = Report {
        kernels,
        samples: search.train.windows.dim().0,
        f1_network: f1_network.f1,
        network_threshold: f1_network.threshold,
        f1_float_tables: f1,
        threshold,
    };
    let position = search.mixed.position.clone();
    let (embed, layers, head) = search.mixed.into_tables()?;
    let model = TableModel {
        name: network.name.clone(),
        network: network.config.clone(),
        input: network.input.clone(),
        threshold,
        activation_bits: options.activation_bits,
        embed,
        position,
        layers,
        head,
        provenance: network.provenance.clone(),
    };
    Ok((model, report))
}

fn finite(logits: &Array2<f32>, network: &Network, part: &'static str) -> Result<(), Error> {
    if logits.iter().all(|logit| logit.is_finite()) {
        return Ok(());
    }
    Err(Error::NotFinite { name: network.name.clone(), part })
}

/// Kernels in tables so far, and what decides about the next.
struct Search {
    exact: Evaluator,
    /// Tables up to some kernel, exact from there.
    mixed: Evaluator,
    train: Owned,
    /// Validation windows that candidates are compared on.
    few: Owned,
}

impl Search {
    /// Learns the candidates for one kernel and keeps the best.
    fn step(&mut self, place: Place, plan: &Plan) -> KernelReport {
        let truth = self.exact.tap(place, self.few.windows.view());
        let mut best: Option<(Candidate, Evaluator, Vec<usize>)> = None;
        let mut refused = Vec::new();
        for Learned { name, step, used } in self.candidates(place, plan) {
            let mut with = self.mixed.clone();
            with.set(place, step);
            let found = self.measure(name, &with, place, truth.as_ref());
            let better = best
                .as_ref()
                .is_none_or(|(held, ..)| found.f1 > held.f1 || (found.f1 >= held.f1 && found.mse < held.mse));
            if better {
                refused.extend(best.replace((found, with, used)).map(|(held, ..)| held));
            } else {
                refused.push(found);
            }
        }
        let Some((chosen, mixed, used_codes)) = best else {
            unreachable!("every place has at least two candidates");
        };
        self.mixed = mixed;
        KernelReport { kernel: place.to_string(), chosen, refused, used_codes }
    }

    /// F1 with `with`, and the error of its kernel at `place` against the exact `truth`.
    fn measure(&self, name: String, with: &Evaluator, place: Place, truth: Option<&Tap>) -> Candidate {
        let windows = self.few.windows.view();
        let (mut error, mut count, mut square, mut true_square) = (0.0, 0, 0.0, 0.0);
        for (given, truth) in with.tap(place, windows).iter().zip(truth) {
            // Before a residual addition the kernel also answers for what the stream already lacks.
            let lack = lack(truth, given);
            for (given, truth) in given.outputs.iter().zip(&truth.outputs) {
                let given = lack.as_ref().map_or_else(|| given.clone(), |lack| given - lack);
                error += squares((&given - truth).view());
                count += truth.len();
                square += squares(given.view());
                true_square += squares(truth.view());
            }
        }
        let size = (square * true_square).sqrt();
        Candidate {
            name,
            f1: best(with.logits(windows).view(), self.few.labels.view()).f1,
            mse: error / count.max(1) as f64,
            // |a|² + |b|² − |a − b|² = 2·(a · b).
            cosine: if size > 0.0 { (square + true_square - error) / 2.0 / size } else { 1.0 },
        }
    }

    fn candidates(&self, place: Place, plan: &Plan) -> Vec<Learned> {
        let windows = self.train.windows.view();
        let (Some(given), Some(mut wanted), Some(exact)) =
            (self.mixed.tap(place, windows), self.exact.tap(place, windows), self.exact.at(place))
        else {
            unreachable!("data were checked to hold windows, and the place is one of this network");
        };
        if let Some(lack) = lack(&wanted, &given) {
            wanted.outputs[0] += &lack;
        }
        let x = given.inputs[0].view();
        match exact {
            Step::Linear(LinearStep::Dense(dense)) => {
                let part = Part { dense: &dense, rows: None, wanted: &wanted.outputs[0] };
                learn::linear(plan, x, &[part], None, learn::one_table(plan.spec))
            }
            Step::Qkv(QkvStep::Dense(dense)) => {
                let rows = &given.queries;
                let parts: Vec<_> = (dense.iter().zip(&wanted.outputs))
                    .map(|(dense, wanted)| Part {
                        dense,
                        rows: (wanted.nrows() < x.nrows()).then_some(&rows[..]),
                        wanted,
                    })
                    .collect();
                let [_, key, value] = &*dense;
                let seen = learn::attention(
                    wanted.outputs[0].view(),
                    key.weight.view(),
                    value.weight.view(),
                    self.exact.config.heads,
                );
                learn::linear(plan, x, &parts, Some(&seen), learn::three_tables(plan.spec))
            }
            Step::Pair(PairStep::Product { scale, sigmoid }) => learn::pair(
                plan,
                (x, given.inputs[1].view()),
                given.group,
                &wanted.outputs[0],
                &learn::Product { scale, sigmoid, gain: self.gain(place) },
            ),
            Step::Linear(LinearStep::Table(_))
            | Step::Qkv(QkvStep::Table(_))
            | Step::Pair(PairStep::Table(_)) => unreachable!("the exact network has no tables"),
        }
    }

    /// What the hardware multiplies the entries of a pair table by.
    fn gain(&self, place: Place) -> f32 {
        if matches!(place, Place::Score(_)) { grid::score_gain(&self.exact.config) } else { 1.0 }
    }

    /// Fits the head's tables to the labels, if that helps.
    fn fine_tune(&mut self, head: &mut KernelReport) {
        let windows = self.train.windows.view();
        let Some(given) = self.mixed.tap(Place::Head, windows) else {
            return;
        };
        let LinearStep::Table(linear) = &self.mixed.head else {
            return;
        };
        let truth = self.exact.tap(Place::Head, self.few.windows.view());
        let teacher = self.exact.logits(windows);
        let codes =
            map_rows(given.inputs[0].view(), |rows| encode(&linear.encoder, linear.spec.subspaces, rows));
        let tree = matches!(linear.encoder, Encoder::Tree { .. });
        let base = head.chosen.name.clone();
        head.chosen = self.measure(base.clone(), &self.mixed, Place::Head, truth.as_ref());
        let mut kept = self.mixed.clone();
        for trust in logistic::TRUSTS {
            let mut tuned = linear.clone();
            let goal = logistic::Goal { labels: self.train.labels.view(), teacher: teacher.view(), trust };
            logistic::fit(&mut tuned.table, codes.view(), &goal, tree);
            let weights = learn::weights(codes.view(), tuned.spec.prototypes);
            grid::settle(&mut tuned.table, &weights, tuned.spec.bits, false);
            let mut with = self.mixed.clone();
            with.head = LinearStep::Table(tuned);
            let name = format!("{base}, labels {trust}");
            let found = self.measure(name, &with, Place::Head, truth.as_ref());
            if found.f1 > head.chosen.f1 {
                let before = std::mem::replace(&mut head.chosen, found);
                head.refused.push(before);
                kept = with;
            } else {
                head.refused.push(found);
            }
        }
        self.mixed = kept;
    }
}

/// What the residual stream of `given` lacks of that of `truth`. The kernel whose output is added to it is made to give
/// that too, so that errors of earlier kernels do not stay in the stream.
fn lack(truth: &Tap, given: &Tap) -> Option<Array2<f32>> {
    Some(truth.stream.as_ref()? - given.stream.as_ref()?)
}
