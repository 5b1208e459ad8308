//! The candidates for one kernel: every way to learn its encoders, times every way to fill its tables.

use ndarray::{Array2, ArrayView2, Axis, concatenate, s};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tablewright_model::{
    Dense, Encoder, EncoderKind, KernelSpec, Linear, Metric, Pair, Qkv, Table, subspace,
};

use crate::bucket::Buckets;
use crate::encode::encode;
use crate::evaluate::{LinearStep, PairStep, QkvStep, Step, look_up};
use crate::grid;
use crate::kmeans::kmeans;
use crate::math::sigmoid;
use crate::pairs;
use crate::refit::{inherit, means, products, ridge};
use crate::rows::{map_rows, sample};
use crate::shape::{Shape, metric, root};
use crate::tree::tree;

/// Rows that the tables of a linear kernel are fitted to, at most: with K = 1024 still 64 for each entry.
const FITTED: usize = 1 << 16;

/// Noise on the values that trees are learned from, in standard deviations of their feature.
const JITTER: f32 = 0.01;

/// A learned kernel, how it was learned, and how many codes of each encoder and subspace occur.
pub(crate) struct Learned {
    pub(crate) name: String,
    pub(crate) step: Step,
    pub(crate) used: Vec<usize>,
}

/// What learning needs to know besides the data.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) spec: KernelSpec,
    /// Vectors that an encoder is learned from, at most.
    pub(crate) samples: usize,
    /// Differs from kernel to kernel.
    pub(crate) seed: u64,
    /// Bits of an input that is an unsigned fraction: the window's segments.
    pub(crate) fraction: Option<u32>,
    /// Whether the hardware has a place for the bias beside the table, so that it need not share the table's range.
    pub(crate) apart: bool,
}

impl Plan {
    fn metric(&self) -> Option<Metric> {
        match self.spec.encoder {
            EncoderKind::Tree => None,
            EncoderKind::L2 => Some(Metric::L2),
            EncoderKind::L1 => Some(Metric::L1),
        }
    }

    /// Nearest-prototype encoder from a sample of rows.
    fn nearest(&self, x: ArrayView2<'_, f32>, metric: Metric) -> Encoder {
        let KernelSpec { prototypes: k, subspaces, .. } = self.spec;
        let mut prototypes = Array2::zeros((k, x.ncols()));
        for c in 0..subspaces {
            let own = subspace(x.ncols(), subspaces, c);
            let mut rng = ChaCha8Rng::seed_from_u64(self.seed.wrapping_add(c as u64));
            let part = kmeans(x.slice(s![.., own.clone()]), k, metric, &mut rng);
            prototypes.slice_mut(s![.., own]).assign(&part);
        }
        Encoder::Nearest { prototypes, metric }
    }

    /// Tree encoder from a sample of rows; `shape` says what the leaves should agree in.
    fn tree(&self, x: ArrayView2<'_, f32>, mut shape: Shape) -> Encoder {
        let subspaces = self.spec.subspaces;
        let levels = self.spec.code_bits() as usize;
        let x = &self.jittered(x);
        let mut split = Array2::zeros((subspaces, levels));
        let mut threshold = Array2::zeros((subspaces, self.spec.prototypes - 1));
        for c in 0..subspaces {
            let own = subspace(x.ncols(), subspaces, c);
            let part = x.slice(s![.., own.clone()]);
            let learned = tree(part, shape.targets(part, c, subspaces).view(), levels);
            for (level, &j) in learned.split.iter().enumerate() {
                // Features are at most 1024: 8 heads of 128.
                split[[c, level]] = (own.start + j) as u32;
            }
            threshold.row_mut(c).assign(&ndarray::ArrayView1::from(&learned.threshold[..]));
            shape.explain(&learned.leaf);
        }
        Encoder::Tree { split, threshold }
    }

    /// `x` with a little noise, so that a threshold keeps away from values that many rows share, as those of a cls token:
    /// the hardware rounds, and they would all change sides together. The segments of the window are never rounded.
    fn jittered(&self, x: ArrayView2<'_, f32>) -> Array2<f32> {
        let mut x = x.to_owned();
        if self.fraction.is_none() {
            let mut rng = ChaCha8Rng::seed_from_u64(self.seed.wrapping_add(5000));
            for mut column in x.columns_mut() {
                let reach = JITTER * column.std(0.0);
                for v in &mut column {
                    *v += reach * rng.random_range(-1.0_f32..1.0);
                }
            }
        }
        x
    }

    /// A tree with a leaf for every value of every feature, and those values as prototypes; there is one if each
    /// subspace has one feature, a fraction of few enough bits. Values that were never seen are as exact as the others.
    fn every_value(&self, features: usize) -> Option<(Encoder, Array2<f32>)> {
        let KernelSpec { prototypes: k, subspaces, .. } = self.spec;
        self.fraction.filter(|&bits| features == subspaces && k >= 1 << bits)?;
        let levels = self.spec.code_bits() as usize;
        let split = Array2::from_shape_fn((subspaces, levels), |(c, _)| c as u32);
        let threshold = Array2::from_shape_fn((subspaces, k - 1), |(_, heap)| {
            let level = (heap + 1).ilog2();
            let node = heap + 1 - (1 << level);
            // Halfway below the first value that goes right: the hardware compares exactly, rounding or not.
            (2 * node + 1) as f32 / (2_u32 << level) as f32 - 0.5 / k as f32
        });
        let prototypes = Array2::from_shape_fn((k, features), |(code, _)| code as f32 / k as f32);
        Some((Encoder::Tree { split, threshold }, prototypes))
    }

    fn encode(&self, encoder: &Encoder, x: ArrayView2<'_, f32>) -> Array2<u16> {
        map_rows(x, |rows| encode(encoder, self.spec.subspaces, rows))
    }

    fn prototypes(&self, encoder: &Encoder, x: ArrayView2<'_, f32>, codes: &Array2<u16>) -> Array2<f32> {
        match encoder {
            Encoder::Tree { .. } => means(x, codes.view(), self.spec.prototypes),
            Encoder::Nearest { prototypes, .. } => prototypes.clone(),
        }
    }

    fn used(&self, codes: &Array2<u16>) -> Vec<usize> {
        (codes.columns().into_iter())
            .map(|column| Buckets::new(column, self.spec.prototypes).used())
            .collect()
    }
}

/// One table that shares an encoder with others.
pub(crate) struct Part<'a> {
    /// The exact kernel.
    pub(crate) dense: &'a Dense,
    /// Of the encoder's rows, those for which `wanted` is known; all, if `None`.
    pub(crate) rows: Option<&'a [usize]>,
    /// `[rows, outputs]`.
    pub(crate) wanted: &'a Array2<f32>,
}

/// Candidates for tables behind one encoder: each as the tables in the order of `parts`. `attention` are further weights
/// over the same features, towards whose outputs a tree may be split; see [`attention`].
pub(crate) fn linear(
    plan: &Plan,
    x: ArrayView2<'_, f32>,
    parts: &[Part<'_>],
    attention: Option<&Array2<f32>>,
    build: impl Fn(Encoder, Vec<Table>) -> Step,
) -> Vec<Learned> {
    let drawn = sample(x.nrows(), plan.samples, plan.seed);
    let few = x.select(Axis(0), &drawn);
    let every = plan.every_value(x.ncols()).filter(|_| plan.metric().is_none());
    let encoders = if let Some((encoder, _)) = &every {
        vec![("every value, ", encoder.clone())]
    } else if let Some(metric) = plan.metric() {
        vec![("", plan.nearest(few.view(), metric))]
    } else {
        (shapes(parts, attention, &drawn).into_iter())
            .map(|(name, shape)| (name, plan.tree(few.view(), shape)))
            .collect()
    };
    let mut learned = Vec::new();
    for (name, encoder) in encoders {
        let codes = plan.encode(&encoder, x);
        let used = plan.used(&codes);
        let prototypes = match &every {
            Some((_, prototypes)) => prototypes.clone(),
            None => plan.prototypes(&encoder, x, &codes),
        };
        let product: Vec<Table> = (parts.iter())
            .map(|part| Table {
                entries: products(part.dense, prototypes.view(), plan.spec.subspaces),
                bias: Some(part.dense.bias.clone()),
            })
            .collect();
        let fitted: Vec<Table> =
            (product.iter().zip(parts)).map(|(table, part)| refit(table, part, &codes, plan)).collect();
        let weights = weights(codes.view(), plan.spec.prototypes);
        for (fill, mut tables) in [("product", product), ("ridge", fitted)] {
            for table in &mut tables {
                grid::settle(table, &weights, plan.spec.bits, plan.apart);
            }
            learned.push(Learned {
                name: format!("{name}{fill}"),
                step: build(encoder.clone(), tables),
                used: used.clone(),
            });
        }
    }
    learned
}

/// What the trees of a linear kernel may minimise, the targets those of the rows `drawn`.
fn shapes(
    parts: &[Part<'_>],
    attention: Option<&Array2<f32>>,
    drawn: &[usize],
) -> Vec<(&'static str, Shape)> {
    let mut shapes = vec![("input splits, ", Shape::Input)];
    // What is computed of few rows only is no reason to keep the others apart.
    let weights: Vec<_> =
        parts.iter().filter(|part| part.rows.is_none()).map(|part| part.dense.weight.view()).collect();
    // Parts of one encoder have the same features, so they stack.
    if let Ok(weight) = concatenate(Axis(0), &weights) {
        shapes.push(("output splits, ", Shape::Metric(metric(weight.view()))));
    }
    if let Some(weight) = attention {
        shapes.push(("attention splits, ", Shape::Metric(metric(weight.view()))));
    }
    let whole: Vec<_> = (parts.iter())
        .filter(|part| part.rows.is_none())
        .map(|part| part.wanted.select(Axis(0), drawn))
        .collect();
    let views: Vec<_> = whole.iter().map(|y| y.view()).collect();
    if let Ok(wanted) = concatenate(Axis(1), &views) {
        shapes.push(("target splits, ", Shape::residual(&wanted)));
    }
    shapes
}

/// Weights whose outputs are what the attention makes of keys and values: products of a key with the directions in which
/// the queries `[rows, heads·size]` lie, and the values. The two halves are scaled to the same variance, that of `x̂`
/// being 1.
pub(crate) fn attention(
    queries: ArrayView2<'_, f32>,
    key: ArrayView2<'_, f32>,
    value: ArrayView2<'_, f32>,
    heads: usize,
) -> Array2<f32> {
    let size = queries.ncols() / heads;
    let seen: Vec<Array2<f32>> = (0..heads)
        .map(|head| {
            let own = s![.., head * size..(head + 1) * size];
            // |Lᵀ·k|² = kᵀ·(mean of q·qᵀ)·k
            let directions = root(metric(queries.slice(own)).view());
            directions.t().dot(&key.slice(s![head * size..(head + 1) * size, ..]))
        })
        .collect();
    let part = |weight: ArrayView2<'_, f32>| {
        let size = weight.iter().map(|w| w * w).sum::<f32>().sqrt();
        if size > 0.0 { &weight / size } else { weight.to_owned() }
    };
    let mut stacked = Array2::zeros((queries.ncols() + value.nrows(), key.ncols()));
    let (mut scores, mut values) = stacked.view_mut().split_at(Axis(0), queries.ncols());
    for (head, seen) in seen.iter().enumerate() {
        scores.slice_mut(s![head * size..(head + 1) * size, ..]).assign(seen);
    }
    let whole = part(scores.view());
    scores.assign(&whole);
    values.assign(&part(value));
    stacked
}

/// The table after ridge regression on at most [`FITTED`] of the rows.
fn refit(product: &Table, part: &Part<'_>, codes: &Array2<u16>, plan: &Plan) -> Table {
    let drawn = sample(part.wanted.nrows(), FITTED, plan.seed);
    let wanted = part.wanted.select(Axis(0), &drawn);
    let codes = match part.rows {
        None => codes.select(Axis(0), &drawn),
        Some(rows) => {
            let rows: Vec<usize> = drawn.iter().map(|&i| rows[i]).collect();
            codes.select(Axis(0), &rows)
        }
    };
    let mut residual = wanted - &look_up(product, codes.view());
    let mut table = product.clone();
    let mut change = ridge(table.entries.dim(), codes.view(), &mut residual);
    if plan.metric().is_none() {
        inherit(change.view_mut(), codes.view());
    }
    table.entries += &change;
    table
}

/// How often each code of each subspace occurs.
pub(crate) fn weights(codes: ArrayView2<'_, u16>, k: usize) -> Vec<Vec<f32>> {
    (codes.columns().into_iter())
        .map(|column| {
            let mut counts = vec![0.0; k];
            for &code in column {
                counts[usize::from(code)] += 1.0;
            }
            counts
        })
        .collect()
}

/// The exact product that a pair table stands for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Product {
    /// Products are multiplied by this,
    pub(crate) scale: f32,
    /// after a sigmoid of the left operand.
    pub(crate) sigmoid: bool,
    /// What the hardware multiplies the table's entries by.
    pub(crate) gain: f32,
}

/// Candidates for a pair: `wanted` `[(group, a), b]` is the exact product of `left` and `right`.
pub(crate) fn pair(
    plan: &Plan,
    (left, right): (ArrayView2<'_, f32>, ArrayView2<'_, f32>),
    group: (usize, usize),
    wanted: &Array2<f32>,
    product: &Product,
) -> Vec<Learned> {
    let Product { scale, sigmoid: squash, gain } = *product;
    let few = |x: ArrayView2<'_, f32>, seed| {
        x.select(Axis(0), &sample(x.nrows(), plan.samples, plan.seed.wrapping_add(seed)))
    };
    let (few_left, few_right) = (few(left, 0), few(right, 1));
    let squashed = |x: ArrayView2<'_, f32>| {
        if squash { x.mapv(sigmoid) } else { x.to_owned() }
    };
    let other = Plan { seed: plan.seed.wrapping_add(1000), ..*plan };
    let encoders = match plan.metric() {
        Some(metric) => {
            vec![("", plan.nearest(few_left.view(), metric), other.nearest(few_right.view(), metric))]
        }
        None => vec![
            (
                "input splits, ",
                plan.tree(few_left.view(), Shape::Input),
                plan.tree(few_right.view(), Shape::Input),
            ),
            (
                "output splits, ",
                plan.tree(
                    few_left.view(),
                    if squash {
                        Shape::Squashed(metric(few_right.view()))
                    } else {
                        Shape::Metric(metric(few_right.view()))
                    },
                ),
                plan.tree(few_right.view(), Shape::Metric(metric(squashed(few_left.view()).view()))),
            ),
        ],
    };
    let mut learned = Vec::new();
    for (name, l, r) in encoders {
        let (lc, rc) = (plan.encode(&l, left), plan.encode(&r, right));
        let used = [plan.used(&lc), plan.used(&rc)].concat();
        let lp = match &l {
            Encoder::Tree { .. } => plan.prototypes(&l, squashed(left).view(), &lc),
            Encoder::Nearest { prototypes, .. } => squashed(prototypes.view()),
        };
        let rp = plan.prototypes(&r, right, &rc);
        let product = pairs::products(lp.view(), rp.view(), plan.spec.subspaces, scale);
        let codes = pairs::Codes { left: lc.view(), right: rc.view(), group };
        let mut residual = pairs::remainder(&product, &codes, wanted);
        let mut change = pairs::ridge(product.dim(), &codes, &mut residual);
        if plan.metric().is_none() {
            pairs::inherit(&mut change, &codes);
        }
        let fitted = &product + &change;
        let weights = pairs::weights(&codes, product.dim());
        for (fill, mut table) in [("product", product), ("ridge", fitted)] {
            grid::settle_pair(&mut table, &weights, plan.spec.bits, gain);
            let pair = Pair { spec: plan.spec, left: l.clone(), right: r.clone(), table };
            learned.push(Learned {
                name: format!("{name}{fill}"),
                step: Step::Pair(PairStep::Table(Box::new(pair))),
                used: used.clone(),
            });
        }
    }
    learned
}

/// A linear kernel from its encoder and its one table.
pub(crate) fn one_table(spec: KernelSpec) -> impl Fn(Encoder, Vec<Table>) -> Step {
    move |encoder, mut tables| {
        Step::Linear(LinearStep::Table(Box::new(Linear { spec, encoder, table: tables.swap_remove(0) })))
    }
}

/// A qkv kernel from its encoder and its three tables.
pub(crate) fn three_tables(spec: KernelSpec) -> impl Fn(Encoder, Vec<Table>) -> Step {
    move |encoder, mut tables| {
        let v = tables.swap_remove(2);
        let k = tables.swap_remove(1);
        let q = tables.swap_remove(0);
        Step::Qkv(QkvStep::Table(Box::new(Qkv { spec, encoder, q, k, v })))
    }
}
