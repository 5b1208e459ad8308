//! The integer graph. Nodes are in topological order; each produces one matrix of rows × lanes.

use serde::{Deserialize, Serialize};
use tablewright_model::{InputConfig, NetworkConfig};

use crate::encoder::IntEncoder;
use crate::format::{Bounds, Format, Requantise};
use crate::loaded::Protection;
use crate::table::IntTable;
use crate::units::{GeluUnit, NormUnit, SoftmaxUnit};

/// Index of a node in [`Design::nodes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId(pub usize);

/// The matrix a node produces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value {
    /// Rows, produced one after the other.
    pub rows: usize,
    /// Consecutive rows that belong to one token: heads for what is computed per head, else 1.
    pub rows_per_token: usize,
    /// Elements of a row.
    pub lanes: usize,
    /// Of every element.
    pub format: Format,
    /// Of every element, proved by construction.
    pub bounds: Bounds,
}

/// What a node computes. `x` is the first input.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// The feature window, one row a token, oldest first; with `lead`, an all-zero row in front keeps the place of the
    /// cls token.
    Window {
        /// A zero row leads.
        lead: bool,
    },
    /// `groups` equal parts of a row, each turned into one code per subspace by the same encoder; lanes are group-major.
    Encode {
        /// Over `lanes(x) / groups` features.
        encoder: IntEncoder,
        /// Parts of a row; heads where the encoder is shared by all heads.
        groups: usize,
    },
    /// Look up one row per subspace and add them.
    Lookup {
        /// Addressed by a row of codes.
        table: IntTable,
    },
    /// x · 2^shift + constant of the row; with `lead`, row 0 is the constant alone.
    Position {
        /// `[rows, lanes]`, in the format of the sum.
        constants: Vec<i64>,
        /// Aligns x with the constants.
        shift: u32,
        /// Row 0 of x is a placeholder.
        lead: bool,
    },
    /// Add half, shift right, saturate.
    Requantise {
        /// The step.
        step: Requantise,
    },
    /// (x − mean) / sqrt(variance + eps) over the lanes of a row.
    Norm {
        /// Constants of the unit.
        unit: NormUnit,
        /// Lanes of x that come out, ascending.
        kept: Vec<usize>,
    },
    /// Inputs: query codes, key codes (lanes head-major). Row (token, head), lane j: `Σ_c` table[c, `q_c`, `k_c` of token j].
    Scores {
        /// Pair table.
        table: IntTable,
        /// Heads.
        heads: usize,
    },
    /// Scores against queries that are always the same. Input: key codes (lanes head-major). Row token, lane head:
    /// `Σ_c` table[head][c, `k_c`].
    ConstantScores {
        /// One for each head, with one output; in the same format.
        tables: Vec<IntTable>,
    },
    /// Softmax over the lanes of a row.
    Softmax {
        /// Constants of the unit.
        unit: SoftmaxUnit,
    },
    /// Rows become lanes and lanes rows.
    Transpose {
        /// A row that is always the same and does not come: its element of each lane stands in front of the others.
        lead: Option<Vec<i64>>,
    },
    /// x is one row; its rows for the last accesses, as many as the value has, oldest first. Zeros stand for accesses
    /// before the reset. All but the newest row are known before that comes: what follows may have a row for each access, of
    /// that access alone, until somebody keeps them all ([`crate::passes::stream`]).
    History,
    /// Inputs: codes of the weights, rows (token, head); codes of the columns of V, one a row, head by head.
    /// Row token, one lane a column: `Σ_c` table[c, `a_c`, `v_c`].
    Mix {
        /// Pair table.
        table: IntTable,
        /// Columns of each head, at least 1.
        columns: Vec<usize>,
    },
    /// Inputs: a, b. a · `2^a_shift` + b · `2^b_shift`.
    Residual {
        /// Aligns a.
        a_shift: u32,
        /// Aligns b.
        b_shift: u32,
    },
    /// x·Φ(x).
    Gelu {
        /// Constants of the unit.
        unit: GeluUnit,
    },
    /// max(x, 0).
    Relu,
    /// Keeps one row.
    Select {
        /// Which.
        row: usize,
    },
    /// The sum over all rows; a mean whose division the layer normalisation behind it makes needless.
    SumRows,
    /// 1 where x ≥ the threshold: the delta bitmap.
    Threshold {
        /// Raw, in the format of x.
        threshold: i64,
        /// The first rows after a reset, so many of them, are all zero whatever x is: the history is not full.
        warm_up: usize,
    },
}

impl Op {
    /// The kind as people call it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Window { .. } => "window",
            Self::Encode { .. } => "encode",
            Self::Lookup { .. } => "lookup",
            Self::Position { .. } => "position",
            Self::Requantise { .. } => "requantise",
            Self::Norm { .. } => "norm",
            Self::Scores { .. } => "scores",
            Self::ConstantScores { .. } => "constant-scores",
            Self::Softmax { .. } => "softmax",
            Self::Transpose { .. } => "transpose",
            Self::History => "history",
            Self::Mix { .. } => "mix",
            Self::Residual { .. } => "residual",
            Self::Gelu { .. } => "gelu",
            Self::Relu => "relu",
            Self::Select { .. } => "select",
            Self::SumRows => "sum-rows",
            Self::Threshold { .. } => "threshold",
        }
    }

    /// The tables the node looks up in: none, one, or one for each head.
    pub fn tables(&self) -> &[IntTable] {
        match self {
            Self::Lookup { table } | Self::Scores { table, .. } | Self::Mix { table, .. } => {
                std::slice::from_ref(table)
            }
            Self::ConstantScores { tables } => tables,
            _ => &[],
        }
    }
}

/// One step of the computation.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Lower case, `_` between parts; the name of the signal in the Verilog.
    pub name: String,
    /// What is computed.
    pub op: Op,
    /// Where the operands come from; earlier nodes only.
    pub inputs: Vec<NodeId>,
    /// What comes out.
    pub value: Value,
}

/// A table model in integers.
#[derive(Debug, Clone, PartialEq)]
pub struct Design {
    /// Of the model.
    pub name: String,
    /// Sizes and choices.
    pub network: NetworkConfig,
    /// How an access becomes segments and a bitmap becomes prefetches.
    pub input: InputConfig,
    /// It takes one access at a time and keeps what it needs of earlier ones ([`crate::passes::stream`]), instead of a
    /// window at a time.
    pub streaming: bool,
    /// The contents of tables, encoders and constants are loaded at run time, guarded so ([`crate::lower_loaded`]); where
    /// nothing is said they are part of the hardware.
    pub loaded: Option<Protection>,
    /// In topological order; the first is the window, the last the threshold.
    pub nodes: Vec<Node>,
}

impl Design {
    /// A node by index.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// All nodes with their indices.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        self.nodes.iter().enumerate().map(|(i, n)| (NodeId(i), n))
    }

    /// The node whose rows are the logits.
    pub fn logits(&self) -> NodeId {
        self.nodes[self.nodes.len() - 1].inputs[0]
    }

    /// The decision threshold, raw in the logits' format.
    pub fn threshold(&self) -> i64 {
        match self.nodes.last().map(|n| &n.op) {
            Some(Op::Threshold { threshold, .. }) => *threshold,
            _ => unreachable!("a design ends in its threshold"),
        }
    }

    /// Accesses that the design takes at a time: the whole history, or one.
    pub fn accesses(&self) -> usize {
        if self.streaming { 1 } else { self.network.history }
    }

    /// Bitmaps after a reset that are all zero because the history is not full yet.
    pub fn warm_up(&self) -> usize {
        if self.streaming { self.network.history - 1 } else { 0 }
    }

    /// Table words read for one inference: one per subspace, row and output of every look-up.
    pub fn words_per_inference(&self) -> u64 {
        let words = |n: &Node| {
            let each = n.op.tables().first().map_or(0, |table| table.subspaces as u64);
            each * (n.value.rows * n.value.lanes) as u64
        };
        self.nodes.iter().map(words).sum()
    }

    /// Bits of all tables.
    pub fn table_bits(&self) -> u64 {
        self.nodes.iter().flat_map(|n| n.op.tables()).map(IntTable::storage_bits).sum()
    }

    /// Bits of all encoders' thresholds or prototypes, each encoder counted once however often it is instantiated.
    pub fn encoder_bits(&self) -> u64 {
        let bits = |n: &Node| match &n.op {
            Op::Encode { encoder, .. } => encoder.storage_bits(),
            _ => 0,
        };
        self.nodes.iter().map(bits).sum()
    }
}
