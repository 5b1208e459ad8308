//! A network whose inputs are encoded and whose products are exact.

use ndarray::{Array2, ArrayView3, Axis};
use tablewright_model::{Dense, Encoder, KernelSpec, Linear, Pair, Qkv, Table};

use crate::encode::encode;
use crate::evaluate::{Evaluator, LinearStep, PairStep, QkvStep, Step};
use crate::math::sigmoid;
use crate::pairs;
use crate::pass::widest;
use crate::place::Place;
use crate::refit::{means, products};
use crate::rows::{map_rows, sample};

/// Numbers of the widest intermediate result held for all windows at once: 256 MiB.
const LARGEST: usize = 1 << 26;

impl Evaluator {
    /// The `exact` network with the input of every kernel replaced by the prototypes of the encoders of `tables`; what
    /// it loses is lost by encoding alone.
    ///
    /// A tree has no prototypes of its own: they are the means of the vectors of `windows` that reach each leaf, in this
    /// very mixture. `None` if the configurations differ, if one of the two is a mixture, or without windows.
    ///
    /// # Panics
    ///
    /// If history or segments of the windows are not those of the configuration.
    pub fn of_prototypes(exact: &Self, tables: &Self, windows: ArrayView3<'_, u8>) -> Option<Self> {
        if exact.config != tables.config || windows.is_empty() {
            return None;
        }
        let most = (LARGEST / widest(&exact.config)).max(1);
        let windows = windows.select(Axis(0), &sample(windows.dim().0, most, 0));
        let mut encoded = exact.clone();
        for place in Place::all(&exact.config) {
            let tap = encoded.tap(place, windows.view())?;
            let step = rounded(&exact.at(place)?, tables.at(place)?, &tap.inputs)?;
            encoded.set(place, step);
        }
        Some(encoded)
    }
}

/// The exact kernel on the prototypes of the tables' encoders; products with prototypes are tables again.
fn rounded(exact: &Step, tables: Step, inputs: &[Array2<f32>]) -> Option<Step> {
    let x = inputs.first()?;
    Some(match (exact, tables) {
        (Step::Linear(LinearStep::Dense(dense)), Step::Linear(LinearStep::Table(kernel))) => {
            let Linear { spec, encoder, .. } = *kernel;
            let table = table(dense, &prototypes(&encoder, &spec, x, x), &spec);
            Step::Linear(LinearStep::Table(Box::new(Linear { spec, encoder, table })))
        }
        (Step::Qkv(QkvStep::Dense(dense)), Step::Qkv(QkvStep::Table(kernel))) => {
            let Qkv { spec, encoder, .. } = *kernel;
            let prototypes = prototypes(&encoder, &spec, x, x);
            let [q, k, v] = dense.each_ref().map(|dense| table(dense, &prototypes, &spec));
            Step::Qkv(QkvStep::Table(Box::new(Qkv { spec, encoder, q, k, v })))
        }
        (Step::Pair(PairStep::Product { scale, sigmoid: squash }), Step::Pair(PairStep::Table(kernel))) => {
            let Pair { spec, left, right, .. } = *kernel;
            let y = inputs.get(1)?;
            let left_prototypes = if *squash {
                match &left {
                    Encoder::Tree { .. } => prototypes(&left, &spec, x, &x.mapv(sigmoid)),
                    Encoder::Nearest { prototypes, .. } => prototypes.mapv(sigmoid),
                }
            } else {
                prototypes(&left, &spec, x, x)
            };
            let right_prototypes = prototypes(&right, &spec, y, y);
            let table =
                pairs::products(left_prototypes.view(), right_prototypes.view(), spec.subspaces, *scale);
            Step::Pair(PairStep::Table(Box::new(Pair { spec, left, right, table })))
        }
        _ => return None,
    })
}

/// `[K, features]`; of a tree, the means of `values` over the rows of `x` that share a code.
fn prototypes(encoder: &Encoder, spec: &KernelSpec, x: &Array2<f32>, values: &Array2<f32>) -> Array2<f32> {
    match encoder {
        Encoder::Tree { .. } => {
            let codes = map_rows(x.view(), |rows| encode(encoder, spec.subspaces, rows));
            means(values.view(), codes.view(), spec.prototypes)
        }
        Encoder::Nearest { prototypes, .. } => prototypes.clone(),
    }
}

fn table(dense: &Dense, prototypes: &Array2<f32>, spec: &KernelSpec) -> Table {
    Table { entries: products(dense, prototypes.view(), spec.subspaces), bias: Some(dense.bias.clone()) }
}
