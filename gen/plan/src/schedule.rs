//! Design → Plan: the cycle of every row of every value.
//!
//! The schedule is static. A window is admitted every `interval` cycles at most; from then on nothing waits for
//! anything: each stage takes a row whenever one comes and hands on its own a fixed number of cycles later. Five kinds
//! of stage set a pace of their own (the sources: window, transpose, history, scores, mix); the rows of all others follow the
//! source before them. A history is sent in two parts: the newest row when it comes, the older rows of the next window before
//! that one comes. Back-pressure lives at the two ends only: a window is admitted when the output queue has a
//! place left for its result.

use serde::Serialize;
use tablewright_design::{Design, IntEncoder, IntEncoderKind, Node, NodeId, Op};

use crate::pipeline::{self, Directive, Directives, Elements};

/// Cycles from the last operand to the first element a sequencer issues: both operands seen complete, busy.
const SEQUENCER_START: u64 = 2;
/// Cycles from an issued element to the look-up's address: the selected codes are registered.
const SEQUENCER_SELECT: u64 = 1;
/// Cycles from a looked-up element to its place in the row.
const COLLECT: u64 = 1;
/// A nearest-prototype encoder reads one prototype a cycle; these come on top: the bank, the differences, the sum, and
/// the comparison.
const NEAREST_OVERHEAD: u64 = 4;

/// When one node's rows are valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Stage {
    /// Cycle in which row 0 is valid, or with a `gap` the last row; the window is accepted in cycle 0.
    pub first: u64,
    /// Cycles from one row to the next, or where several come at once from one such group to the next.
    pub row_interval: u64,
    /// Rows.
    pub rows: u64,
    /// First cycle in which the stage holds anything of a window.
    pub busy_from: u64,
    /// Last such cycle.
    pub busy_to: u64,
    /// Windows the stage has room for at a time.
    pub room: u64,
    /// How it is laid out.
    pub directive: Directive,
    /// Cycles that the rows of a first operand wait for the second ([`Elements::Parallel`]).
    pub delay: u64,
    /// Where all rows but the last are known before their access is accepted: cycles from the last row to row 0 of the
    /// access after it. 0 elsewhere.
    pub gap: u64,
}

impl Stage {
    /// Cycle in which the last row is valid.
    pub fn last(&self) -> u64 {
        if self.gap > 0 { self.first } else { self.first + self.span() }
    }

    /// Cycle in which row `r` is valid.
    pub fn row(&self, r: u64) -> u64 {
        debug_assert!(self.gap == 0 || r + 1 == self.rows, "row {r} is ahead of its access");
        if self.gap > 0 { self.first } else { self.first + r / self.at_once() * self.row_interval }
    }

    /// Rows that come in one cycle.
    pub fn at_once(&self) -> u64 {
        u64::from(self.directive.at_once)
    }

    /// Groups of rows that come at once.
    pub fn groups(&self) -> u64 {
        self.rows / self.at_once()
    }

    /// Rows that come ahead of their access, and the cycle of the first of them, counted from the acceptance of the access
    /// before.
    pub fn ahead(&self) -> Option<(u64, u64)> {
        (self.gap > 0).then(|| (self.rows - 1, self.first + self.gap))
    }

    /// Cycles from a reset's last edge to row 0 of a history that is sent ahead: as if an access had been accepted in the
    /// cycle before that edge.
    pub fn begin(&self) -> u64 {
        self.first + self.gap - 1
    }

    /// Cycles from row 0 to the last row, which have no other between them.
    fn span(&self) -> u64 {
        (self.groups() - 1) * self.row_interval
    }

    /// Of the `left` rows of a window, from which a pair table makes `rows`, those that wait for the right rows at a time.
    pub fn waiting_rows(&self, left: u64, rows: u64) -> u64 {
        let left_interval = (self.row_interval * rows).div_ceil(left);
        (self.delay / left_interval + 1).min(left)
    }

    /// Cycles from one window to the next that the stage can bear.
    pub fn occupancy(&self) -> u64 {
        (self.busy_to - self.busy_from + 1).div_ceil(self.room)
    }
}

/// When and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// One for each node of the design.
    pub stages: Vec<Stage>,
    /// Cycles from the acceptance of a window to its bitmap at the output, nobody stalling.
    pub latency: u64,
    /// Cycles from one acceptance to the next, nobody stalling: the longest occupancy of any stage.
    pub interval: u64,
    /// Places in the output queue, so many that a consumer who is always ready never costs a cycle.
    pub queue: u64,
    /// Levels of logic between two registers, at most.
    pub depth: u32,
}

impl Plan {
    /// Every table has one read port and looks up one row a cycle, or a part of one; the rest is as the directives say.
    pub fn new(design: &Design, directives: &Directives) -> Self {
        let pace = paces(design, directives);
        let mut stages: Vec<Stage> = Vec::with_capacity(design.nodes.len());
        for (id, node) in design.iter() {
            let inputs: Vec<Stage> = node.inputs.iter().map(|i| stages[i.0]).collect();
            stages.push(stage(node, &inputs, pace[id.0], directives.of(id)));
        }
        come_ahead(design, &mut stages);
        // A row that waits for its partner costs a register row, not an adder: there is room for as many windows as
        // keep the waiting from being the bottleneck.
        let waits = |id: NodeId| matches!(design.node(id).op, Op::Residual { .. });
        let others =
            design.iter().filter(|(id, _)| !waits(*id)).map(|(id, _)| stages[id.0].occupancy()).max();
        for (id, _) in design.iter().filter(|(id, _)| waits(*id)) {
            let stage = &mut stages[id.0];
            stage.room = stage.occupancy().div_ceil(others.unwrap_or(1));
        }
        let latency = stages.last().map_or(0, Stage::last) + 1;
        let interval = stages.iter().map(Stage::occupancy).max().unwrap_or(1);
        let depth = pipeline::depth(design, directives);
        Self { stages, latency, interval, queue: (latency + 1).div_ceil(interval), depth }
    }

    /// With the directives that are taken where nobody says otherwise.
    pub fn automatic(design: &Design) -> Self {
        Self::new(design, &Directives::automatic(design))
    }

    /// The stage of a node.
    pub fn stage(&self, id: NodeId) -> Stage {
        self.stages[id.0]
    }

    /// The node whose occupancy sets the interval.
    pub fn bottleneck(&self) -> NodeId {
        let longest =
            self.stages.iter().enumerate().max_by_key(|(i, s)| (s.occupancy(), std::cmp::Reverse(*i)));
        NodeId(longest.map_or(0, |(i, _)| i))
    }

    /// Cycles that `windows` windows take from the first acceptance to the last bitmap, nobody stalling.
    pub fn cycles(&self, windows: u64) -> u64 {
        windows.saturating_sub(1) * self.interval + self.latency
    }
}

/// Sets the gap of all stages whose older rows come ahead: for all behind one history the shortest that whoever keeps rows
/// of an access and reads them allows, for the rows of the next one take their places.
fn come_ahead(design: &Design, stages: &mut [Stage]) {
    let mut gaps = vec![0; stages.len()];
    // The history that a node's rows come from.
    let mut source: Vec<usize> = Vec::with_capacity(stages.len());
    for (id, node) in design.iter() {
        let from_access = matches!(node.op, Op::Window { .. } | Op::History);
        source.push(node.inputs.first().filter(|_| !from_access).map_or(id.0, |x| source[x.0]));
        if stages[id.0].gap > 0 || matches!(node.op, Op::Select { .. }) {
            continue;
        }
        for x in &node.inputs {
            let kept = stages[x.0];
            if kept.gap == 0 {
                continue;
            }
            let stage = &mut stages[id.0];
            let read = stage.busy_to + 1 - kept.first;
            let gap = &mut gaps[source[x.0]];
            *gap = read.max(*gap);
            // Then the older rows come, and after them the newest.
            stage.busy_to = stage.busy_to.max(stage.busy_from + read + kept.span() - 1);
        }
    }
    for (stage, &source) in stages.iter_mut().zip(&source).filter(|(stage, _)| stage.gap > 0) {
        stage.gap = gaps[source].max(stage.row_interval);
    }
}

/// Cycles from a vector to its code.
pub fn encode_latency(encoder: &IntEncoder, cuts: u32) -> u64 {
    match encoder.kind {
        IntEncoderKind::Tree { .. } => u64::from(cuts.count_ones()),
        IntEncoderKind::Nearest { .. } => encoder.prototypes() as u64 + NEAREST_OVERHEAD,
    }
}

/// Cycles from one vector to the next, at least.
pub fn encode_occupancy(encoder: &IntEncoder) -> u64 {
    match encoder.kind {
        IntEncoderKind::Tree { .. } => 1,
        IntEncoderKind::Nearest { .. } => encoder.prototypes() as u64 + 1,
    }
}

/// Cycles a stage needs for one row before it can take another.
fn row_occupancy(node: &Node, fold: u32) -> u64 {
    match &node.op {
        Op::Encode { encoder, .. } => encode_occupancy(encoder),
        Op::Lookup { .. } => u64::from(fold),
        _ => 1,
    }
}

/// The operand whose rows a node follows. Of two the later one decides, the other waits in a buffer; of a pair table that is
/// no source, the left one.
fn decisive(node: &Node) -> Option<NodeId> {
    match &node.op {
        Op::Scores { .. } | Op::Mix { .. } => node.inputs.first().copied(),
        _ => node.inputs.last().copied(),
    }
}

/// Cycles between the rows of each source, and how many rows of each other node one row of its source makes.
///
/// A source waits for its slowest follower, and its rows come so far apart that all heads of one fit evenly between them.
fn paces(design: &Design, directives: &Directives) -> Vec<u64> {
    let nodes = design.nodes.len();
    let mut source: Vec<usize> = Vec::with_capacity(nodes);
    let mut pace = vec![1; nodes];
    let mut parts = vec![1; nodes];
    // A fraction: behind queries that are taken apart there are more rows, behind heads that are joined fewer.
    let mut rate: Vec<(u64, u64)> = vec![(1, 1); nodes];
    for (id, node) in design.iter() {
        let parallel = directives.of(id).elements == Elements::Parallel;
        let own = match &node.op {
            Op::Window { .. } | Op::Transpose { .. } | Op::History => Some(1),
            Op::Scores { .. } | Op::Mix { .. } if !parallel => Some(node.value.lanes as u64),
            _ => None,
        };
        if let Some(own) = own {
            source.push(id.0);
            pace[id.0] = own;
            continue;
        }
        let before = decisive(node).map_or(0, |i| i.0);
        let followed = source[before];
        source.push(followed);
        let (more, fewer) = rate[before];
        rate[id.0] = match &node.op {
            Op::Scores { heads, .. } => {
                parts[followed] = *heads as u64 * more;
                (more * *heads as u64, fewer)
            }
            Op::Mix { columns, .. } => (more, fewer * columns.len() as u64),
            _ => (more, fewer),
        };
        if node.value.rows > 1 {
            pace[followed] =
                pace[followed].max((row_occupancy(node, directives.of(id).fold) * more).div_ceil(fewer));
        }
    }
    source.iter().map(|&s| pace[s].next_multiple_of(parts[s])).collect()
}

fn stage(node: &Node, inputs: &[Stage], pace: u64, directive: Directive) -> Stage {
    let rows = node.value.rows as u64;
    let registers = u64::from(directive.cuts.count_ones());
    let follow = |latency: u64| {
        let input = inputs[inputs.len() - 1];
        Stage {
            first: input.first + latency,
            row_interval: input.row_interval,
            rows,
            busy_from: input.first,
            busy_to: input.first + input.span() + row_occupancy(node, directive.fold) - 1,
            room: 1,
            directive,
            delay: 0,
            gap: input.gap,
        }
    };
    // A sequencer keeps both operands, then issues one element a cycle, `lanes` to a row.
    let sequence = || {
        let lanes = node.value.lanes as u64;
        let issue = inputs[0].last().max(inputs[1].last()) + SEQUENCER_START;
        Stage {
            first: issue + SEQUENCER_SELECT + registers + COLLECT + lanes - 1,
            row_interval: pace,
            rows,
            busy_from: inputs[0].first.min(inputs[1].first),
            busy_to: issue + (rows - 1) * pace + lanes - 1,
            room: 1,
            directive,
            delay: 0,
            gap: 0,
        }
    };
    match &node.op {
        Op::Window { .. } => Stage {
            first: 1,
            row_interval: pace,
            rows,
            busy_from: 1,
            busy_to: 1 + (rows - 1) * pace,
            room: 1,
            directive,
            delay: 0,
            gap: 0,
        },
        Op::Encode { encoder, .. } => follow(encode_latency(encoder, directive.cuts)),
        // The last part is looked up `fold` − 1 cycles after the first.
        Op::Lookup { .. } if directive.fold > 1 => {
            follow(u64::from(directive.fold) - 1 + registers + COLLECT)
        }
        Op::Lookup { .. }
        | Op::ConstantScores { .. }
        | Op::Position { .. }
        | Op::Requantise { .. }
        | Op::Relu
        | Op::Threshold { .. }
        | Op::Norm { .. }
        | Op::Softmax { .. }
        | Op::Gelu { .. } => follow(registers),
        Op::Scores { .. } | Op::Mix { .. } if directive.elements == Elements::Parallel => {
            let (left, right) = (inputs[0], inputs[1]);
            // A right row can be selected from the cycle after it came; the bank takes one.
            let delay = right.last().saturating_sub(left.first);
            // Weights come a row for each head, and make one row; queries come with all heads, and are taken apart.
            let (first, row_interval, last) = if let Op::Mix { columns, .. } = &node.op {
                let heads = columns.len() as u64;
                (left.row(heads - 1) + COLLECT, left.row_interval * heads, left.last())
            } else {
                let heads = rows / left.rows;
                let step = left.row_interval / heads;
                (left.first, step, left.last() + (heads - 1) * step)
            };
            Stage {
                first: first + delay + registers,
                row_interval,
                rows,
                busy_from: left.first.min(right.first),
                busy_to: last + delay + 1,
                room: 1,
                directive,
                delay,
                gap: 0,
            }
        }
        Op::Scores { .. } | Op::Mix { .. } => sequence(),
        // The access itself goes on at once, the newest row. How long after it the others follow is up to who reads them.
        Op::History => Stage {
            first: inputs[0].last(),
            row_interval: pace,
            rows,
            busy_from: inputs[0].first,
            busy_to: inputs[0].first + rows * pace - 1,
            room: 1,
            directive,
            delay: 0,
            gap: pace,
        },
        // What is kept leaves once it is whole, and must have left before more comes.
        Op::Transpose { .. } => {
            let first = inputs[0].last() + 1;
            Stage {
                first,
                row_interval: pace,
                rows,
                busy_from: inputs[0].first,
                busy_to: first + (rows / u64::from(directive.at_once) - 1) * pace,
                room: 1,
                directive,
                delay: 0,
                gap: 0,
            }
        }
        Op::Residual { .. } => Stage { busy_from: inputs[0].first.min(inputs[1].first), ..follow(registers) },
        Op::Select { row } => Stage { first: inputs[0].row(*row as u64), rows: 1, gap: 0, ..follow(0) },
        Op::SumRows => Stage { first: inputs[0].last() + 1, rows: 1, ..follow(1) },
    }
}
