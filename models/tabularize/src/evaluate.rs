//! Forward passes: of a float network, of a table model, and of a network some of whose kernels are tables.
//!
//! All kernels of one [`Evaluator`] are either exact (dense, layer normalisation folded in) or tables. Arithmetic is
//! f32 in a fixed order; windows are worked on in parallel in pieces of fixed size, so results do not depend on the
//! number of threads.

use ndarray::{Array2, ArrayView2, ArrayView3, Axis};
use tablewright_model::{
    AttentionActivation, Dense, Layer, Linear, Network, NetworkConfig, Pair, Qkv, Table, TableModel,
};

use crate::encode::encode;
use crate::error::Error;
use crate::fold;
use crate::math::sigmoid;
use crate::pairs;
use crate::pass::{Outcome, pass};
use crate::place::Place;
use crate::rows::{pieces, stack};
use crate::units::Units;

/// Windows that one task works on.
const WINDOWS: usize = 128;

/// A linear kernel.
#[derive(Debug, Clone)]
pub(crate) enum LinearStep {
    Dense(Box<Dense>),
    Table(Box<Linear>),
}

/// Query, key and value.
#[derive(Debug, Clone)]
pub(crate) enum QkvStep {
    Dense(Box<[Dense; 3]>),
    Table(Box<Qkv>),
}

/// A product of rows with rows.
#[derive(Debug, Clone)]
pub(crate) enum PairStep {
    Product {
        scale: f32,
        /// Whether the left operand passes a sigmoid first.
        sigmoid: bool,
    },
    Table(Box<Pair>),
}

/// A kernel of any form.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Linear(LinearStep),
    Qkv(QkvStep),
    Pair(PairStep),
}

#[derive(Debug, Clone)]
pub(crate) struct LayerSteps {
    pub(crate) qkv: QkvStep,
    pub(crate) score: PairStep,
    pub(crate) mix: PairStep,
    pub(crate) out: LinearStep,
    pub(crate) ff1: LinearStep,
    pub(crate) ff2: LinearStep,
}

/// Something that computes logits from windows.
#[derive(Debug, Clone)]
pub struct Evaluator {
    pub(crate) config: NetworkConfig,
    pub(crate) segment_bits: u32,
    pub(crate) position: Array2<f32>,
    pub(crate) embed: LinearStep,
    pub(crate) layers: Vec<LayerSteps>,
    pub(crate) head: LinearStep,
    pub(crate) units: Units,
}

/// What reaches one kernel and what it gives, for every window in order.
///
/// In the last layer only the tokens that reach the head are computed (all of them with [`tablewright_model::Pool::Mean`],
/// else one), apart from keys and values.
#[derive(Debug, Clone)]
pub struct Tap {
    /// Rows of one linear kernel's input, or the left and the right rows of a pair.
    pub inputs: Vec<Array2<f32>>,
    /// One matrix, for a pair `[left rows, right rows of one group]`; three for a qkv kernel: q (of the computed tokens
    /// only), k, v.
    pub outputs: Vec<Array2<f32>>,
    /// For a qkv kernel, the rows of its input whose queries are computed.
    pub queries: Vec<usize>,
    /// The residual stream to which the output will be added, at `out` and `ff2`.
    pub stream: Option<Array2<f32>>,
    /// Rows that belong together: of the left and of the right operand of a pair; of q and of k for a qkv kernel; (1, 1)
    /// for a linear kernel.
    pub group: (usize, usize),
}

impl Evaluator {
    /// The exact network; fails when the network breaks a rule of its format.
    pub fn of_network(network: &Network) -> Result<Self, Error> {
        network.check()?;
        let config = &network.config;
        let layer = |index: usize| {
            let weights = &network.layers[index];
            LayerSteps {
                qkv: QkvStep::Dense(Box::new(fold::qkv(&weights.qkv, &weights.ln1))),
                score: PairStep::Product { scale: 1.0 / (config.head_dim as f32).sqrt(), sigmoid: false },
                mix: PairStep::Product {
                    scale: 1.0,
                    sigmoid: config.attention == AttentionActivation::Sigmoid,
                },
                out: LinearStep::Dense(Box::new(weights.out.clone())),
                ff1: LinearStep::Dense(Box::new(fold::ff1(network, index))),
                ff2: LinearStep::Dense(Box::new(weights.ff2.clone())),
            }
        };
        Ok(Self {
            config: config.clone(),
            segment_bits: network.input.segment_bits,
            position: fold::position(network),
            embed: LinearStep::Dense(Box::new(network.embed.clone())),
            layers: (0..config.layers).map(layer).collect(),
            head: LinearStep::Dense(Box::new(fold::head(network))),
            units: Units::Exact,
        })
    }

    /// The table model in floats; fails when the model breaks a rule of its format.
    pub fn of_model(model: &TableModel) -> Result<Self, Error> {
        model.check()?;
        let layers = model.layers.iter().map(|layer| LayerSteps {
            qkv: QkvStep::Table(Box::new(layer.qkv.clone())),
            score: PairStep::Table(Box::new(layer.score.clone())),
            mix: PairStep::Table(Box::new(layer.mix.clone())),
            out: LinearStep::Table(Box::new(layer.out.clone())),
            ff1: LinearStep::Table(Box::new(layer.ff1.clone())),
            ff2: LinearStep::Table(Box::new(layer.ff2.clone())),
        });
        Ok(Self {
            config: model.network.clone(),
            segment_bits: model.input.segment_bits,
            position: model.position.clone(),
            embed: LinearStep::Table(Box::new(model.embed.clone())),
            layers: layers.collect(),
            head: LinearStep::Table(Box::new(model.head.clone())),
            units: Units::Exact,
        })
    }

    /// The same with layer normalisation and softmax in the coarse steps of the hardware's units, for activations of
    /// `bits` bits.
    #[must_use]
    pub fn with_hardware_units(self, bits: u32) -> Self {
        Self { units: Units::Hardware { bits }, ..self }
    }

    /// The kernel at one place taken from another evaluator of the same configuration, to measure what it alone loses.
    ///
    /// A layer that one of the two does not have is left as it is.
    pub fn replace(&mut self, place: Place, from: &Self) {
        if let Some(step) = from.at(place) {
            self.set(place, step);
        }
    }

    /// A copy of the kernel at one place; `None` if there is no such layer.
    pub(crate) fn at(&self, place: Place) -> Option<Step> {
        let layer = |layer: usize| self.layers.get(layer);
        Some(match place {
            Place::Embed => Step::Linear(self.embed.clone()),
            Place::Qkv(l) => Step::Qkv(layer(l)?.qkv.clone()),
            Place::Score(l) => Step::Pair(layer(l)?.score.clone()),
            Place::Mix(l) => Step::Pair(layer(l)?.mix.clone()),
            Place::Out(l) => Step::Linear(layer(l)?.out.clone()),
            Place::Ff1(l) => Step::Linear(layer(l)?.ff1.clone()),
            Place::Ff2(l) => Step::Linear(layer(l)?.ff2.clone()),
            Place::Head => Step::Linear(self.head.clone()),
        })
    }

    /// Another kernel for one place; nothing happens if it has another form or there is no such layer.
    pub(crate) fn set(&mut self, place: Place, step: Step) {
        match (place, step) {
            (Place::Embed, Step::Linear(step)) => self.embed = step,
            (Place::Head, Step::Linear(step)) => self.head = step,
            (
                Place::Qkv(l)
                | Place::Score(l)
                | Place::Mix(l)
                | Place::Out(l)
                | Place::Ff1(l)
                | Place::Ff2(l),
                step,
            ) => {
                let Some(layer) = self.layers.get_mut(l) else {
                    return;
                };
                match (place, step) {
                    (Place::Qkv(_), Step::Qkv(step)) => layer.qkv = step,
                    (Place::Score(_), Step::Pair(step)) => layer.score = step,
                    (Place::Mix(_), Step::Pair(step)) => layer.mix = step,
                    (Place::Out(_), Step::Linear(step)) => layer.out = step,
                    (Place::Ff1(_), Step::Linear(step)) => layer.ff1 = step,
                    (Place::Ff2(_), Step::Linear(step)) => layer.ff2 = step,
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// Logits `[N, outputs]` of windows `[N, history, segments]`.
    ///
    /// # Panics
    ///
    /// If history or segments are not those of the configuration.
    pub fn logits(&self, windows: ArrayView3<'_, u8>) -> Array2<f32> {
        let n = windows.dim().0;
        stack(pieces(n, WINDOWS, |range| match pass(self, windows.slice_axis(Axis(0), range.into()), None) {
            Outcome::Logits(logits) => logits,
            Outcome::Tap(_) => unreachable!("a pass that stops nowhere gives logits"),
        }))
    }

    /// What reaches the kernel at `place` and what it gives; `None` if there is no such layer or no window.
    ///
    /// # Panics
    ///
    /// If history or segments are not those of the configuration.
    pub fn tap(&self, place: Place, windows: ArrayView3<'_, u8>) -> Option<Tap> {
        let taps = pieces(windows.dim().0, WINDOWS, |range| {
            match pass(self, windows.slice_axis(Axis(0), range.into()), Some(place)) {
                Outcome::Tap(tap) => Some(tap),
                Outcome::Logits(_) => None,
            }
        });
        join(taps.into_iter().collect::<Option<Vec<_>>>()?)
    }
}

/// One tap of all windows from those of consecutive pieces.
fn join(mut taps: Vec<Tap>) -> Option<Tap> {
    let first = taps.first()?;
    let (rows, mut queries) = (first.inputs[0].nrows(), Vec::new());
    for (piece, tap) in taps.iter().enumerate() {
        // All pieces but the last have the rows of the first.
        queries.extend(tap.queries.iter().map(|row| piece * rows + row));
    }
    let (inputs, outputs) = (first.inputs.len(), first.outputs.len());
    let (group, has_stream) = (first.group, first.stream.is_some());
    let mut column = |pick: fn(&mut Tap) -> &mut Vec<Array2<f32>>, i: usize| {
        stack(taps.iter_mut().map(|tap| std::mem::take(&mut pick(tap)[i])).collect())
    };
    let inputs = (0..inputs).map(|i| column(|tap| &mut tap.inputs, i)).collect();
    let outputs = (0..outputs).map(|i| column(|tap| &mut tap.outputs, i)).collect();
    let stream = has_stream.then(|| stack(taps.into_iter().filter_map(|tap| tap.stream).collect()));
    Some(Tap { inputs, outputs, queries, stream, group })
}

impl LinearStep {
    pub(crate) fn apply(&self, x: ArrayView2<'_, f32>) -> Array2<f32> {
        match self {
            Self::Dense(dense) => fold::apply(dense, x),
            Self::Table(linear) => {
                let codes = encode(&linear.encoder, linear.spec.subspaces, x);
                look_up(&linear.table, codes.view())
            }
        }
    }
}

impl QkvStep {
    /// Queries of the rows `live`, keys and values of all rows.
    pub(crate) fn apply(&self, x: ArrayView2<'_, f32>, live: &[usize]) -> [Array2<f32>; 3] {
        match self {
            Self::Dense(parts) => [
                fold::apply(&parts[0], x.select(Axis(0), live).view()),
                fold::apply(&parts[1], x),
                fold::apply(&parts[2], x),
            ],
            Self::Table(qkv) => {
                let codes = encode(&qkv.encoder, qkv.spec.subspaces, x);
                [
                    look_up(&qkv.q, codes.select(Axis(0), live).view()),
                    look_up(&qkv.k, codes.view()),
                    look_up(&qkv.v, codes.view()),
                ]
            }
        }
    }
}

impl PairStep {
    /// Left rows `(group, a)`, right rows `(group, b)` → `[(group, a), b]`.
    pub(crate) fn apply(
        &self,
        left: ArrayView2<'_, f32>,
        right: ArrayView2<'_, f32>,
        (a, b): (usize, usize),
    ) -> Array2<f32> {
        match self {
            Self::Product { scale, sigmoid: true } => {
                products(left.mapv(sigmoid).view(), right, (a, b), *scale)
            }
            Self::Product { scale, .. } => products(left, right, (a, b), *scale),
            Self::Table(pair) => {
                let subspaces = pair.spec.subspaces;
                let left = encode(&pair.left, subspaces, left);
                let right = encode(&pair.right, subspaces, right);
                let codes = pairs::Codes { left: left.view(), right: right.view(), group: (a, b) };
                pairs::look_up(&pair.table, &codes)
            }
        }
    }
}

/// Products of the rows of each group, times `scale`.
fn products(
    left: ArrayView2<'_, f32>,
    right: ArrayView2<'_, f32>,
    (a, b): (usize, usize),
    scale: f32,
) -> Array2<f32> {
    let mut out = Array2::zeros((left.nrows(), b));
    for group in 0..left.nrows() / a {
        let rows = group * a..(group + 1) * a;
        let l = left.slice(ndarray::s![rows.clone(), ..]);
        let r = right.slice(ndarray::s![group * b..(group + 1) * b, ..]);
        let mut o = out.slice_mut(ndarray::s![rows, ..]);
        ndarray::linalg::general_mat_mul(scale, &l, &r.t(), 0.0, &mut o);
    }
    out
}

/// Sums of table entries plus bias, `[rows, outputs]`.
pub(crate) fn look_up(table: &Table, codes: ArrayView2<'_, u16>) -> Array2<f32> {
    let (_, k, outputs) = table.entries.dim();
    let entries = table.entries.as_standard_layout();
    let entries = entries.as_slice().unwrap_or_default();
    let mut out = Array2::zeros((codes.nrows(), outputs));
    for (codes, mut row) in codes.rows().into_iter().zip(out.rows_mut()) {
        for (c, &code) in codes.iter().enumerate() {
            let at = (c * k + usize::from(code)) * outputs;
            for (sum, entry) in row.iter_mut().zip(&entries[at..at + outputs]) {
                *sum += entry;
            }
        }
        if let Some(bias) = &table.bias {
            row += bias;
        }
    }
    out
}

impl Evaluator {
    /// The finished kernels; fails with the first that is still exact.
    pub(crate) fn into_tables(self) -> Result<(Linear, Vec<Layer>, Linear), Error> {
        let exact = |place: Place| Error::Exact { kernel: place.to_string() };
        let linear = |step, place| match step {
            LinearStep::Table(linear) => Ok(*linear),
            LinearStep::Dense(_) => Err(exact(place)),
        };
        let pair = |step, place| match step {
            PairStep::Table(pair) => Ok(*pair),
            PairStep::Product { .. } => Err(exact(place)),
        };
        let embed = linear(self.embed, Place::Embed)?;
        let mut layers = Vec::new();
        for (l, steps) in self.layers.into_iter().enumerate() {
            layers.push(Layer {
                qkv: match steps.qkv {
                    QkvStep::Table(qkv) => *qkv,
                    QkvStep::Dense(_) => return Err(exact(Place::Qkv(l))),
                },
                score: pair(steps.score, Place::Score(l))?,
                mix: pair(steps.mix, Place::Mix(l))?,
                out: linear(steps.out, Place::Out(l))?,
                ff1: linear(steps.ff1, Place::Ff1(l))?,
                ff2: linear(steps.ff2, Place::Ff2(l))?,
            });
        }
        Ok((embed, layers, linear(self.head, Place::Head)?))
    }
}
