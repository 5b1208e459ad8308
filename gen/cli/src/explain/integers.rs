//! The golden model against the float tables, kernel by kernel.

// An `ArrayView` is a borrow; ndarray's own functions take it by value.
#![allow(clippy::needless_pass_by_value)]

use ndarray::{Array2, ArrayView3, Axis};
use rayon::prelude::*;
use tablewright_design::{Design, NodeId, Op};
use tablewright_golden::Golden;
use tablewright_model::{AttentionActivation, NetworkConfig, Pool, Positions, TableModel};
use tablewright_tabularize::explain::{Distance, codes};
use tablewright_tabularize::{Evaluator, Place};

/// Windows that one task works on. Fixed, so that results never depend on the number of threads.
const WINDOWS: usize = 128;

/// One kernel in integers, against the same kernel in float tables on the same windows.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct KernelIntegers {
    /// Of the output.
    pub(crate) distance: Distance,
    /// Codes at the input that are others than in float, and all codes.
    pub(crate) changed: u64,
    pub(crate) codes: u64,
}

/// What every kernel gives in integers, in the order of [`Place::all`]; `None` where the design has no node that
/// stands for it.
pub(crate) fn compare(
    design: &Design,
    model: &TableModel,
    tables: &Evaluator,
    windows: ArrayView3<'_, u8>,
) -> Vec<Option<KernelIntegers>> {
    let places: Vec<_> = Place::all(&design.network)
        .into_iter()
        .map(|place| (place, Probes::of(design, model, place)))
        .collect();
    let golden = Golden::new(design);
    let count = windows.dim().0;
    let parts: Vec<Vec<Option<KernelIntegers>>> = (0..count.div_ceil(WINDOWS))
        .into_par_iter()
        .map_init(
            || golden.clone(),
            |golden, i| {
                let range = i * WINDOWS..((i + 1) * WINDOWS).min(count);
                piece(golden, tables, &places, windows.slice_axis(Axis(0), range.into()))
            },
        )
        .collect();
    let mut sums = vec![None; places.len()];
    for part in parts {
        for (sum, part) in sums.iter_mut().zip(part) {
            let Some(part) = part else { continue };
            let held: KernelIntegers = sum.unwrap_or_default();
            *sum = Some(KernelIntegers {
                distance: held.distance.merge(part.distance),
                changed: held.changed + part.changed,
                codes: held.codes + part.codes,
            });
        }
    }
    sums
}

/// A node of the design whose rows and lanes are those of a matrix of the float tables, otherwise arranged.
struct Probe {
    node: NodeId,
    rows: usize,
    lanes: usize,
    layout: Layout,
    /// The value of one unit in the last place, in the unit of the float tables.
    unit: f64,
    /// Added in the design but not in the kernel's output, `[rows, lanes]`.
    extra: Option<Array2<f64>>,
}

/// How a node's elements stand in the float tables' matrix, whose rows are window by window.
#[derive(Clone, Copy)]
enum Layout {
    /// The same, but the first `lead` rows have no counterpart.
    Same { lead: usize },
    /// Rows (token, head) there (head, token).
    HeadsInRows(usize),
    /// Lanes (head, j), there rows (head, token) of j.
    HeadsInLanes(usize),
}

impl Probe {
    fn of(design: &Design, name: &str, layout: Layout) -> Option<Self> {
        let (node, found) = design.iter().find(|(_, node)| node.name == name)?;
        let value = found.value;
        Some(Self {
            node,
            rows: value.rows,
            lanes: value.lanes,
            layout,
            unit: value.format.ulp(),
            extra: None,
        })
    }

    /// Rows and columns of one window in the float tables' matrix.
    fn shape(&self) -> (usize, usize) {
        match self.layout {
            Layout::Same { lead } => (self.rows.saturating_sub(lead), self.lanes),
            Layout::HeadsInRows(_) => (self.rows, self.lanes),
            Layout::HeadsInLanes(heads) => (self.rows * heads, self.lanes / heads),
        }
    }

    /// Where element (row, lane) stands there; `None` if it has no counterpart.
    fn place(&self, row: usize, lane: usize) -> Option<(usize, usize)> {
        match self.layout {
            Layout::Same { lead } => Some((row.checked_sub(lead)?, lane)),
            Layout::HeadsInRows(heads) => Some((row % heads * (self.rows / heads) + row / heads, lane)),
            Layout::HeadsInLanes(heads) => {
                let each = self.lanes / heads;
                Some((lane / each * self.rows + row, lane % each))
            }
        }
    }

    /// Calls `see` with the raw value and the place in the whole matrix of every element of consecutive windows.
    /// `None`, before any call, if the matrix has another shape.
    fn each(
        &self,
        raw: &[i64],
        matrix: (usize, usize),
        mut see: impl FnMut(usize, (usize, usize), i64),
    ) -> Option<()> {
        let size = (self.rows * self.lanes).max(1);
        let (rows, columns) = self.shape();
        if (raw.len() / size * rows, columns) != matrix {
            return None;
        }
        for (window, raw) in raw.chunks_exact(size).enumerate() {
            for (i, &raw) in raw.iter().enumerate() {
                if let Some((row, column)) = self.place(i / self.lanes, i % self.lanes) {
                    see(i, (window * rows + row, column), raw);
                }
            }
        }
        Some(())
    }
}

/// The nodes of one kernel: its outputs and the codes at its inputs, in the order of [`tablewright_tabularize::Tap`].
struct Probes {
    outputs: Vec<Probe>,
    codes: Vec<Probe>,
}

impl Probes {
    /// Nodes are named after kernels (`gen/design/src/lower.rs`).
    fn of(design: &Design, model: &TableModel, place: Place) -> Option<Self> {
        let NetworkConfig { heads, attention, pool, positions, .. } = design.network;
        let lead = usize::from(pool == Pool::Cls);
        let same = Layout::Same { lead: 0 };
        let probe = |name: &str, layout| Probe::of(design, name, layout);
        let linear = |name: &str| {
            Some(Self {
                outputs: vec![probe(name, same)?],
                codes: vec![probe(&format!("{name}_code"), same)?],
            })
        };
        match place {
            // Relative positions are added to the scores.
            Place::Embed if positions == Positions::Relative => linear("embed"),
            Place::Embed => {
                let mut output = probe("x0", Layout::Same { lead })?;
                // The embedding's offsets are added with the positions, so only the sum of both has a counterpart.
                if !matches!(design.node(output.node).op, Op::Position { .. }) {
                    return None;
                }
                output.extra = Some(model.position.mapv(f64::from));
                Some(Self { outputs: vec![output], codes: vec![probe("embed_code", Layout::Same { lead })?] })
            }
            Place::Qkv(l) => Some(Self {
                outputs: ["q", "k", "v"]
                    .iter()
                    .map(|part| probe(&format!("l{l}_{part}"), same))
                    .collect::<Option<_>>()?,
                codes: vec![probe(&format!("l{l}_qkv_code"), same)?],
            }),
            Place::Score(l) => {
                let mut output = probe(&format!("l{l}_score"), Layout::HeadsInRows(heads))?;
                if attention == AttentionActivation::Softmax {
                    // The design's softmax is in base 2.
                    output.unit /= std::f64::consts::LOG2_E;
                }
                let operand = |part| probe(&format!("l{l}_{part}_code"), Layout::HeadsInLanes(heads));
                Some(Self { outputs: vec![output], codes: vec![operand("q")?, operand("k")?] })
            }
            Place::Mix(l) => Some(Self {
                outputs: vec![probe(&format!("l{l}_mix"), Layout::HeadsInLanes(heads))?],
                codes: vec![
                    probe(&format!("l{l}_weight_code"), Layout::HeadsInRows(heads))?,
                    probe(&format!("l{l}_column_code"), same)?,
                ],
            }),
            Place::Out(l) => linear(&format!("l{l}_out")),
            Place::Ff1(l) => linear(&format!("l{l}_ff1")),
            Place::Ff2(l) => linear(&format!("l{l}_ff2")),
            Place::Head => linear("head"),
        }
    }
}

/// All kernels over a few windows.
fn piece(
    golden: &mut Golden,
    tables: &Evaluator,
    places: &[(Place, Option<Probes>)],
    windows: ArrayView3<'_, u8>,
) -> Vec<Option<KernelIntegers>> {
    let probes =
        || places.iter().flat_map(|(_, probes)| probes).flat_map(|p| p.outputs.iter().chain(&p.codes));
    let mut raw: Vec<Vec<i64>> = probes().map(|_| Vec::new()).collect();
    for window in windows.outer_iter() {
        let window: Vec<u8> = window.iter().copied().collect();
        golden.run(&window);
        for (probe, raw) in probes().zip(&mut raw) {
            golden.extend_with(probe.node, raw);
        }
    }
    let mut raw = raw.iter();
    places
        .iter()
        .map(|(place, probes)| {
            let probes = probes.as_ref()?;
            let mut taken = |probes: &[Probe]| raw.by_ref().take(probes.len()).collect::<Vec<_>>();
            let (output_raw, code_raw) = (taken(&probes.outputs), taken(&probes.codes));
            let tap = tables.tap(*place, windows)?;
            let mut found = KernelIntegers::default();
            for ((probe, raw), truth) in probes.outputs.iter().zip(output_raw).zip(&tap.outputs) {
                let extra = probe.extra.as_ref().and_then(|extra| extra.as_slice());
                probe.each(raw, truth.dim(), |i, at, raw| {
                    let extra = extra.and_then(|extra| extra.get(i)).copied().unwrap_or(0.0);
                    found.distance.add(f64::from(truth[at]), raw as f64 * probe.unit - extra);
                })?;
            }
            let float = codes(tables, *place, &tap);
            for ((probe, raw), truth) in probes.codes.iter().zip(code_raw).zip(&float) {
                probe.each(raw, truth.dim(), |_, at, raw| {
                    found.codes += 1;
                    found.changed += u64::from(raw != i64::from(truth[at]));
                })?;
            }
            Some(found)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use ndarray::Array3;
    use tablewright_design::{lower, passes};
    use tablewright_model::testing::{dart_s, random_model};
    use tablewright_model::{EncoderKind, KernelSpec};

    use super::*;

    fn windows(network: &NetworkConfig, count: usize) -> Array3<u8> {
        let mut state = 1_u64;
        Array3::from_shape_simple_fn((count, network.history, network.segments), || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 58) as u8
        })
    }

    /// A wrong arrangement would compare unrelated numbers. A rounding error that moves one vector to another code changes
    /// a whole row of a random model, so they are not quite equal.
    #[test]
    fn fine_integers_are_the_float_tables_in_every_variant() {
        let spec = KernelSpec { encoder: EncoderKind::Tree, prototypes: 8, subspaces: 2, bits: 32 };
        for (i, pool) in [Pool::Cls, Pool::Last, Pool::Mean].into_iter().enumerate() {
            for attention in [AttentionActivation::Softmax, AttentionActivation::Sigmoid] {
                let network = NetworkConfig { pool, attention, layers: 1 + i % 2, outputs: 32, ..dart_s() };
                let mut model = random_model(&network, spec, i as u64);
                model.activation_bits = 24;
                let design = lower(&model);
                let tables = Evaluator::of_model(&model).unwrap();
                // More windows than one task takes.
                let windows = windows(&network, WINDOWS + 10);
                let found = compare(&passes::optimise(&design), &model, &tables, windows.view());
                for (place, found) in Place::all(&network).into_iter().zip(found) {
                    let found = found.unwrap_or_else(|| panic!("{pool:?} {place}: no node"));
                    let (cosine, changed) =
                        (found.distance.cosine(), found.changed as f64 / found.codes as f64);
                    assert!(cosine > 0.9, "{pool:?} {attention:?} {place}: cosine {cosine}");
                    assert!(changed < 0.1, "{pool:?} {attention:?} {place}: {changed} of the codes differ");
                }
            }
        }
    }
}
