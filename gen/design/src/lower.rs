//! `TableModel` → Design: every table to integers, every wire an exact format.
//!
//! The graph is the whole reference network, all rows of all layers. What need not be computed is removed by
//! [`crate::passes`], each pass on its own and proved by the golden model.

use ndarray::{Array1, Array2, Array3, ArrayView3, Axis, concatenate};
use tablewright_model::{
    Activation, AttentionActivation, Encoder, KernelSpec, Layer, Linear, NetworkConfig, Pair, Pool,
    Positions, Table, TableModel,
};

use crate::encoder::IntEncoder;
use crate::format::{Bounds, Format, Requantise, frac_for, to_raw};
use crate::graph::{Design, Node, NodeId, Op, Value};
use crate::loaded::{Fitted, Protection, clamp};
use crate::rescale::centred;
use crate::table::IntTable;
use crate::units::{GeluUnit, NormUnit, SoftmaxUnit};

/// Widest input of a GELU unit; its table index has 8 bits, more than 16 would only widen the subtractor.
const GELU_MAX_WIDTH: u32 = 16;

/// How many fraction bits the position constants may have beyond the embedding's own.
const POSITION_EXTRA_FRAC: i32 = 6;

/// How many fraction bits one operand of a residual may have beyond the other: what is finer is lost in the
/// requantise that follows, and the sum must stay within 63 bits.
const RESIDUAL_FRAC_SPREAD: i32 = 16;

/// Lowers a checked model.
pub fn lower(model: &TableModel) -> Design {
    lower_with(model, Contents::Frozen).design
}

/// What becomes of the contents of tables and encoders.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Contents<'a> {
    /// They are part of the hardware, which is made as narrow as they allow.
    Frozen,
    /// They are loaded.
    Loaded {
        /// What guards them.
        protection: Protection,
        /// The design whose scales are taken instead of the model's own, and the power of two that the logits were
        /// multiplied by.
        like: Option<(&'a Design, i32)>,
    },
}

/// [`lower`], [`crate::lower_loaded`] and [`crate::lower_like`].
pub(crate) fn lower_with(model: &TableModel, contents: Contents<'_>) -> Fitted {
    let mut b = Builder { nodes: Vec::new(), width: model.activation_bits, contents, beyond: Vec::new() };
    let net = &model.network;
    let lead = net.pool == Pool::Cls;

    let window = {
        let format =
            Format { signed: false, width: model.input.segment_bits, frac: model.input.segment_bits as i32 };
        let value = Value {
            rows: net.tokens(),
            rows_per_token: 1,
            lanes: net.segments,
            format,
            bounds: format.bounds(),
        };
        b.push("window", Op::Window { lead }, vec![], value)
    };
    let mut x = b.embedding(window, model, lead);
    for (i, layer) in model.layers.iter().enumerate() {
        x = b.layer(&format!("l{i}"), x, layer, model);
    }
    let pooled = match net.pool {
        Pool::Cls => b.select("pool", x, 0),
        Pool::Last => b.select("pool", x, net.tokens() - 1),
        Pool::Mean => b.sum_rows("pool", x),
    };
    // The sum of n rows is n times their mean: the normalisation divides that out, its eps grows by n².
    let eps =
        if net.pool == Pool::Mean { net.norm_eps * (net.tokens() as f64).powi(2) } else { net.norm_eps };
    let normed = b.norm("head_ln", pooled, eps);
    let logits = b.linear("head", normed, &model.head);
    // Rounded as where floats are scored: the way back from a probability must not end just above the logit that was
    // chosen, often a multiple of a power of two, and shut out the integers that are equal to it.
    let threshold = f64::from((model.threshold / (1.0 - model.threshold)).ln() as f32);
    let scaled = match contents {
        Contents::Loaded { like: Some((_, power)), .. } => threshold * f64::from(power).exp2(),
        _ => threshold,
    };
    b.threshold("bitmap", logits, scaled);
    let design = Design {
        name: model.name.clone(),
        network: net.clone(),
        input: model.input.clone(),
        streaming: false,
        loaded: match contents {
            Contents::Frozen => None,
            Contents::Loaded { protection, .. } => Some(protection),
        },
        nodes: b.nodes,
    };
    Fitted { design, beyond: b.beyond }
}

struct Builder<'a> {
    nodes: Vec<Node>,
    /// Activation bits.
    width: u32,
    contents: Contents<'a>,
    /// Values cut to their range, by node.
    beyond: Vec<(String, usize)>,
}

impl<'a> Builder<'a> {
    fn loaded(&self) -> bool {
        matches!(self.contents, Contents::Loaded { .. })
    }

    /// The node of this name in the design whose scales are taken.
    fn model_of(&self, name: &str) -> Option<&'a Node> {
        match self.contents {
            Contents::Loaded { like: Some((like, _)), .. } => {
                like.nodes.iter().find(|node| node.name == name)
            }
            _ => None,
        }
    }

    /// The integers of the table of node `name`.
    fn table(
        &mut self,
        name: &str,
        entries: &ArrayView3<'_, f32>,
        bias: Option<&Array1<f32>>,
        bits: u32,
    ) -> IntTable {
        let Contents::Loaded { protection, .. } = self.contents else {
            return IntTable::quantise(entries, bias, bits);
        };
        let like = self.model_of(name).and_then(|node| node.op.tables().first());
        // Hardware of another shape: the difference is found afterwards, node by node.
        let like = like.filter(|like| like.subspaces == entries.len_of(Axis(0)));
        let (table, beyond) = IntTable::quantise_loaded(entries, bias, bits, protection, like);
        self.count_beyond(name, beyond);
        table
    }

    fn count_beyond(&mut self, name: &str, beyond: usize) {
        if beyond > 0 {
            self.beyond.push((name.to_owned(), beyond));
        }
    }

    fn push(&mut self, name: &str, op: Op, inputs: Vec<NodeId>, value: Value) -> NodeId {
        self.nodes.push(Node { name: name.to_owned(), op, inputs, value });
        NodeId(self.nodes.len() - 1)
    }

    fn value(&self, id: NodeId) -> Value {
        self.nodes[id.0].value
    }

    /// Limits x to `width` bits and `max_frac` fraction bits; x itself when it is no wider.
    fn narrow(&mut self, name: &str, x: NodeId, width: u32, max_frac: i32) -> NodeId {
        let value = self.value(x);
        let needed = value.bounds.signed_width();
        let shift =
            needed.saturating_sub(width).max(value.format.frac.saturating_sub(max_frac).max(0) as u32);
        if shift == 0 && value.format.width + u32::from(!value.format.signed) <= width {
            return x;
        }
        let width = width.min(needed);
        // One shift beyond the width already rounds everything to zero.
        let step = Requantise { shift: shift.min(needed + 1), width };
        let bounds = Bounds { low: step.apply(value.bounds.low), high: step.apply(value.bounds.high) };
        let step = Requantise { width: bounds.signed_width(), ..step };
        let format = Format::signed(step.width, value.format.frac - shift as i32);
        self.push(&format!("{name}_rq"), Op::Requantise { step }, vec![x], Value { format, bounds, ..value })
    }

    /// One code per group and subspace. A tree compares in the producer's own format; distances are taken on
    /// activations of the model's width.
    fn encode(
        &mut self,
        name: &str,
        x: NodeId,
        groups: usize,
        encoder: &Encoder,
        spec: KernelSpec,
    ) -> NodeId {
        let x = match encoder {
            Encoder::Tree { .. } => x,
            Encoder::Nearest { .. } => self.narrow(name, x, self.width, i32::MAX),
        };
        let value = self.value(x);
        let features = value.lanes / groups;
        let encoder = IntEncoder::quantise(
            encoder,
            features,
            spec.subspaces,
            value.format,
            value.bounds,
            self.width,
            self.loaded(),
        );
        let format = Format::bits(encoder.code_bits);
        let out = Value { lanes: groups * encoder.subspaces, format, bounds: format.bounds(), ..value };
        self.push(&format!("{name}_code"), Op::Encode { encoder, groups }, vec![x], out)
    }

    /// The table of a kernel. Where it is loaded there is room for a bias, whether the model at hand has one or not.
    fn kernel(&mut self, name: &str, codes: NodeId, table: &Table, bits: u32) -> NodeId {
        if self.loaded() && table.bias.is_none() {
            let bias = Some(Array1::zeros(table.entries.len_of(Axis(2))));
            return self.lookup(name, codes, &Table { bias, ..table.clone() }, bits);
        }
        self.lookup(name, codes, table, bits)
    }

    fn lookup(&mut self, name: &str, codes: NodeId, table: &Table, bits: u32) -> NodeId {
        let table = self.table(name, &table.entries.view(), table.bias.as_ref(), bits);
        let value = Value {
            lanes: table.outputs,
            format: Format::signed(table.sum_width(), table.frac),
            bounds: table.bounds,
            ..self.value(codes)
        };
        self.push(name, Op::Lookup { table }, vec![codes], value)
    }

    fn linear(&mut self, name: &str, x: NodeId, kernel: &Linear) -> NodeId {
        let codes = self.encode(name, x, 1, &kernel.encoder, kernel.spec);
        self.kernel(name, codes, &kernel.table, kernel.spec.bits)
    }

    /// Embedded segments plus positions. The middle of each column of the tables moves to what is added anyway, the
    /// rows' constants or, where positions are relative, the bias: entries that swing around zero need fewer bits. Where
    /// they do not get a finer scale by it the columns stay, so that entries already rounded to their scale are kept as
    /// they are.
    fn embedding(&mut self, window: NodeId, model: &TableModel, lead: bool) -> NodeId {
        let embed = &model.embed;
        let bias = embed.table.bias.clone().unwrap_or_else(|| Array1::zeros(model.network.dim));
        let (mut entries, mut offset) = centred(&embed.table);
        let bits = embed.spec.bits;
        let finer = IntTable::quantise(&entries.view(), None, bits).frac
            > IntTable::quantise(&embed.table.entries.view(), None, bits).frac;
        // Where the scale is another model's, what swings around zero is beyond its range the least.
        if !finer && !self.loaded() {
            entries.clone_from(&embed.table.entries);
            offset = bias;
        }
        let codes = self.encode("embed", window, 1, &embed.encoder, embed.spec);
        let sum = match model.network.positions {
            Positions::Absolute => {
                let mut position = model.position.clone();
                for mut row in position.outer_iter_mut().skip(usize::from(lead)) {
                    row += &offset;
                }
                let sum = self.lookup("embed", codes, &Table { entries, bias: None }, bits);
                self.position("x0", sum, &position, lead, i32::MAX)
            }
            Positions::Relative => self.lookup("embed", codes, &Table { entries, bias: Some(offset) }, bits),
        };
        self.narrow("x0", sum, self.width, i32::MAX)
    }

    /// Adds constants `[rows, lanes]`, with as many fraction bits as they are worth: beyond those of x at most
    /// `max_frac`.
    fn position(
        &mut self,
        name: &str,
        x: NodeId,
        position: &Array2<f32>,
        lead: bool,
        max_frac: i32,
    ) -> NodeId {
        let value = self.value(x);
        let magnitude = position.iter().fold(0.0_f64, |m, v| m.max(f64::from(v.abs())));
        let wanted = frac_for(magnitude, self.width).unwrap_or(value.format.frac);
        let most = (value.format.frac + POSITION_EXTRA_FRAC).min(max_frac).max(value.format.frac);
        let own = wanted.clamp(value.format.frac, most);
        let like = self.model_of(name).map(|node| node.value);
        let frac = like.map_or(own, |like| like.format.frac).max(value.format.frac);
        let shift = (frac - value.format.frac) as u32;
        let zero_or_sum = if lead { Bounds::point(0).union(value.bounds) } else { value.bounds };
        let sum = zero_or_sum.shifted_left(shift);
        let mut constants: Vec<i64> = position.iter().map(|&v| to_raw(f64::from(v), frac)).collect();
        let mut range = Bounds::of(constants.iter().copied()).unwrap_or(Bounds::point(0));
        if self.loaded() {
            range = match like {
                Some(like) => Bounds { low: like.bounds.low - sum.low, high: like.bounds.high - sum.high },
                None => Format::signed(range.signed_width(), frac).bounds(),
            };
            let mut beyond = 0;
            // The row in the place of the cls token is the constant alone, within the same range.
            for constant in &mut constants {
                *constant = clamp(*constant, range, &mut beyond);
            }
            self.count_beyond(name, beyond);
        }
        let bounds = sum.plus(range);
        let operands = range.signed_width().max(value.format.width + shift);
        let out = Value { format: sum_format(bounds, operands, frac), bounds, ..value };
        self.push(name, Op::Position { constants, shift, lead }, vec![x], out)
    }

    fn norm(&mut self, name: &str, x: NodeId, eps: f64) -> NodeId {
        let x = self.narrow(name, x, NormUnit::MAX_INPUT_WIDTH, NormUnit::MAX_INPUT_FRAC);
        let value = self.value(x);
        let width = self.width.min(NormUnit::MAX_INPUT_WIDTH);
        let (unit, format, bounds) = NormUnit::new(value.lanes, value.bounds, value.format, eps, width);
        let kept = (0..value.lanes).collect();
        self.push(name, Op::Norm { unit, kept }, vec![x], Value { format, bounds, ..value })
    }

    fn layer(&mut self, name: &str, x: NodeId, layer: &Layer, model: &TableModel) -> NodeId {
        let net = &model.network;
        let normed = self.norm(&format!("{name}_ln1"), x, net.norm_eps);
        let codes = self.encode(&format!("{name}_qkv"), normed, 1, &layer.qkv.encoder, layer.qkv.spec);
        let bits = layer.qkv.spec.bits;
        let q = self.kernel(&format!("{name}_q"), codes, &layer.qkv.q, bits);
        let k = self.kernel(&format!("{name}_k"), codes, &layer.qkv.k, bits);
        let v = self.kernel(&format!("{name}_v"), codes, &layer.qkv.v, bits);
        let mixed = self.attention(name, [q, k, v], layer, model);
        let out = self.linear(&format!("{name}_out"), mixed, &layer.out);
        let x = self.residual(&format!("{name}_mid"), x, out);

        let normed = self.norm(&format!("{name}_ln2"), x, net.norm_eps);
        let hidden = self.linear(&format!("{name}_ff1"), normed, &layer.ff1);
        let active = match net.activation {
            Activation::Gelu => self.gelu(&format!("{name}_act"), hidden),
            Activation::Relu => self.relu(&format!("{name}_act"), hidden),
        };
        let out = self.linear(&format!("{name}_ff2"), active, &layer.ff2);
        self.residual(&format!("{name}_x"), x, out)
    }

    fn attention(&mut self, name: &str, [q, k, v]: [NodeId; 3], layer: &Layer, model: &TableModel) -> NodeId {
        let NetworkConfig { attention, positions, heads, .. } = model.network;
        let Pair { spec, left, right, table } = &layer.score;
        let q_codes = self.encode(&format!("{name}_q"), q, heads, left, *spec);
        let k_codes = self.encode(&format!("{name}_k"), k, heads, right, *spec);
        let softmax = attention == AttentionActivation::Softmax;
        let scale = if softmax { std::f32::consts::LOG2_E } else { 1.0 };
        let table = table.mapv(|v| (v * scale).clamp(f32::MIN, f32::MAX));
        let table = self.table(&format!("{name}_score"), &pairs(&table).view(), None, spec.bits);
        let tokens = self.value(q_codes).rows;
        let value = Value {
            rows: tokens * heads,
            rows_per_token: heads,
            lanes: self.value(k_codes).rows,
            format: Format::signed(table.sum_width(), table.frac),
            bounds: table.bounds,
        };
        let mut weights =
            self.push(&format!("{name}_score"), Op::Scores { table, heads }, vec![q_codes, k_codes], value);
        if positions == Positions::Relative {
            // The head runs fastest among the rows. Only the newest token's rows mean something; they are the last.
            let wanted = model.position.mapv(|v| v * scale);
            let every: Vec<_> = (0..tokens).map(|_| wanted.view()).collect();
            let every = concatenate(Axis(0), &every).unwrap_or_else(|_| unreachable!("equal shapes"));
            // A softmax reads no more fraction bits than its own.
            let max_frac = if softmax { SoftmaxUnit::FRACTION_BITS as i32 } else { i32::MAX };
            weights = self.position(&format!("{name}_position"), weights, &every, false, max_frac);
        }
        if softmax {
            let value = self.value(weights);
            let (unit, format, bounds) = SoftmaxUnit::new(value.lanes, value.format, self.width);
            weights = self.push(
                &format!("{name}_weight"),
                Op::Softmax { unit },
                vec![weights],
                Value { format, bounds, ..value },
            );
        }

        let Pair { spec, left, right, table } = &layer.mix;
        let a_codes = self.encode(&format!("{name}_weight"), weights, 1, left, *spec);
        let v_value = self.value(v);
        let columns = self.push(
            &format!("{name}_column"),
            Op::Transpose { lead: None },
            vec![v],
            Value { rows: v_value.lanes, rows_per_token: 1, lanes: v_value.rows, ..v_value },
        );
        let v_codes = self.encode(&format!("{name}_column"), columns, 1, right, *spec);
        let table = self.table(&format!("{name}_mix"), &pairs(table).view(), None, spec.bits);
        let value = Value {
            rows: tokens,
            rows_per_token: 1,
            lanes: v_value.lanes,
            format: Format::signed(table.sum_width(), table.frac),
            bounds: table.bounds,
        };
        let columns = vec![v_value.lanes / heads; heads];
        self.push(&format!("{name}_mix"), Op::Mix { table, columns }, vec![a_codes, v_codes], value)
    }

    fn residual(&mut self, name: &str, a: NodeId, b: NodeId) -> NodeId {
        let coarser = self.value(a).format.frac.min(self.value(b).format.frac);
        let a = self.narrow(&format!("{name}_a"), a, u32::MAX, coarser + RESIDUAL_FRAC_SPREAD);
        let b = self.narrow(&format!("{name}_b"), b, u32::MAX, coarser + RESIDUAL_FRAC_SPREAD);
        let (va, vb) = (self.value(a), self.value(b));
        let frac = va.format.frac.max(vb.format.frac);
        let (a_shift, b_shift) = ((frac - va.format.frac) as u32, (frac - vb.format.frac) as u32);
        let bounds = va.bounds.shifted_left(a_shift).plus(vb.bounds.shifted_left(b_shift));
        let operands = (va.format.width + a_shift).max(vb.format.width + b_shift);
        let value = Value { format: sum_format(bounds, operands, frac), bounds, ..va };
        let sum = self.push(name, Op::Residual { a_shift, b_shift }, vec![a, b], value);
        self.narrow(name, sum, self.width, i32::MAX)
    }

    fn gelu(&mut self, name: &str, x: NodeId) -> NodeId {
        let x = self.narrow(name, x, GELU_MAX_WIDTH.min(self.width), i32::MAX);
        let value = self.value(x);
        let (unit, format, bounds) = GeluUnit::new(value.bounds, value.format);
        self.push(name, Op::Gelu { unit }, vec![x], Value { format, bounds, ..value })
    }

    fn relu(&mut self, name: &str, x: NodeId) -> NodeId {
        let value = self.value(x);
        let bounds = Bounds { low: value.bounds.low.max(0), high: value.bounds.high.max(0) };
        let format = value.format;
        self.push(name, Op::Relu, vec![x], Value { format, bounds, ..value })
    }

    fn select(&mut self, name: &str, x: NodeId, row: usize) -> NodeId {
        let value = Value { rows: 1, ..self.value(x) };
        self.push(name, Op::Select { row }, vec![x], value)
    }

    fn sum_rows(&mut self, name: &str, x: NodeId) -> NodeId {
        let value = self.value(x);
        let bounds = value.bounds.times(value.rows as i64);
        let format = sum_format(bounds, value.format.width, value.format.frac);
        let value = Value { rows: 1, format, bounds, ..value };
        self.push(name, Op::SumRows, vec![x], value)
    }

    /// sigmoid(x) ≥ θ is x ≥ logit(θ); raw x is an integer, so the bound is rounded up.
    fn threshold(&mut self, name: &str, logits: NodeId, logit: f64) -> NodeId {
        let value = self.value(logits);
        let raw = (logit * f64::from(value.format.frac).exp2()).ceil();
        let threshold = if raw > value.bounds.high as f64 {
            value.bounds.high + 1
        } else {
            (raw as i64).max(value.bounds.low)
        };
        let format = Format::bits(1);
        self.push(
            name,
            Op::Threshold { threshold, warm_up: 0 },
            vec![logits],
            Value { format, bounds: format.bounds(), ..value },
        )
    }
}

/// The format of an exact sum: its bounds, and no narrower than an aligned operand, so that operands are extended and
/// never cut.
fn sum_format(bounds: Bounds, operand_width: u32, frac: i32) -> Format {
    Format::signed(bounds.signed_width().max(operand_width), frac)
}

/// `[C, K, K]` as a table of K² rows of one entry.
fn pairs(table: &Array3<f32>) -> Array3<f32> {
    let (c, left, right) = table.dim();
    let rows: Vec<f32> = table.iter().copied().collect();
    Array3::from_shape_vec((c, left * right, 1), rows)
        .unwrap_or_else(|_| unreachable!("the same number of entries"))
}
