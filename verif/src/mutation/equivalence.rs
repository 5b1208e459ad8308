//! Does a mutant change any row that a stage hands on? Asked stage by stage, of the whole core as one graph.
//!
//! A stage is proved to hand on the same rows in the same cycles, given the same operands. What is known of the operands is
//! brought in by taking the stages in front of it into the proof, step by step, as far as a [`Context`] says. Rows that are not
//! valid are not compared: whoever takes them looks at them only while they are valid. Since operands come from earlier
//! stages, and each stage that a mutant touches is proved, the core as a whole is unchanged.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tablewright_design::reach::{Places, Reach, reach};
use tablewright_design::{Design, NodeId, Op};
use tablewright_plan::Plan;

use crate::Error;

use super::circuit::{Circuit, Variable};
use super::decide::never;
use super::known::{Known, constants_of_both, touched};
use super::possible::possible;
use super::unroll::{Unrolled, held};

/// How far a proof looks back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Context {
    /// Operands are free.
    Operands,
    /// Operands are free among the rows that they can be.
    Possible,
    /// The codes of the encoders at this distance are free, and those in front of them; what is looked up for them comes from
    /// the tables.
    Codes(u32),
    /// The window's rows are free.
    Window,
}

impl Context {
    const ALL: [Self; 7] = [
        Self::Operands,
        Self::Possible,
        Self::Codes(1),
        Self::Codes(2),
        Self::Codes(3),
        Self::Codes(4),
        Self::Window,
    ];

    /// Whether the rows of a node are free that stands behind so many encoders, itself among them.
    fn cuts(self, op: &Op, distance: u32) -> bool {
        match (self, op) {
            (Self::Operands | Self::Possible, _) | (_, Op::Window { .. }) => true,
            (Self::Codes(far), Op::Encode { .. }) => distance >= far,
            _ => false,
        }
    }

    fn said(self) -> &'static str {
        match self {
            Self::Operands => {
                "no stage hands on anything else, whatever its operands; pipelines followed to their beginning, what is \
                 kept came before, counters equal by induction; all values tried, or SAT"
            }
            Self::Possible => {
                "no stage hands on anything else, whatever its operands of those that can be by the definitions \
                 (gen/design/src/reach.rs); pipelines followed to their beginning, what is kept came before, counters equal by \
                 induction; all values tried, or SAT"
            }
            Self::Codes(1) => {
                "no stage hands on anything else, whatever the codes in front of its look-ups that can be, tables as built; pipelines \
                 followed to their beginning, registers that keep a value equal by induction; all values tried, or SAT"
            }
            Self::Codes(_) => {
                "no stage hands on anything else, whatever the codes some encoders before it that can be, tables as built; pipelines \
                 followed to their beginning, single rows kept since the cycle of the plan, registers that keep a value equal \
                 by induction; all values tried, or SAT"
            }
            Self::Window => {
                "no stage hands on anything else, whatever the window; pipelines followed to their beginning, single rows kept \
                 since the cycle of the plan, what is kept else came before, counters equal by induction; all values tried, or \
                 SAT"
            }
        }
    }
}

/// Of a proof with free operands, which a proof with more context follows.
pub(super) const SHORT: Duration = Duration::from_secs(4);

/// Signals that must stay the same.
struct Target {
    /// Nodes before this one may be cut.
    node: usize,
    /// Always.
    strict: Vec<u32>,
    /// While this one is 1.
    valid: u32,
    data: Vec<u32>,
}

/// One mutant, and what is known of it.
struct Planted {
    number: usize,
    limit: Duration,
    touched: Vec<bool>,
    constants: Vec<Option<bool>>,
}

/// A core with the mutants in question.
pub(super) struct Equivalence<'a> {
    design: &'a Design,
    circuit: Circuit,
    plan: &'a Plan,
    /// Inputs that choose the mutant, and of which bit of its number.
    choice: HashMap<usize, u32>,
    targets: Vec<Target>,
    /// What the rows of each node can be.
    reach: Vec<Reach>,
    folder: PathBuf,
}

/// Name of the signals of a node's rows in the flattened core: valid, then data.
pub(super) fn signals(design: &Design, node: usize) -> [String; 2] {
    let inside = if node + 1 == design.nodes.len() { "" } else { "u_predictor." };
    let name = &design.nodes[node].name;
    [format!("{inside}{name}_valid"), format!("{inside}{name}_data")]
}

impl<'a> Equivalence<'a> {
    /// Takes a graph in which the input `mutant` chooses.
    pub(super) fn new(
        design: &'a Design,
        plan: &'a Plan,
        bytes: &[u8],
        folder: &Path,
    ) -> Result<Self, Error> {
        let circuit = Circuit::read(bytes)?;
        let missing = |name: &str| Error::Tool {
            program: "yosys".to_owned(),
            output: format!("the graph of the core has no signal `{name}`"),
        };
        let found = |name: &str| {
            let bits = circuit.output(name);
            if bits.is_empty() { Err(missing(name)) } else { Ok(bits.to_vec()) }
        };
        let mut targets = Vec::new();
        for node in 0..design.nodes.len() {
            let [valid, data] = signals(design, node);
            let valid = found(&valid)?;
            targets.push(Target { node, valid: valid[0], strict: valid, data: found(&data)? });
        }
        let (ready, valid) = (found("s_axis_tready")?, found("m_axis_tvalid")?);
        targets.push(Target {
            node: design.nodes.len(),
            valid: valid[0],
            strict: [ready, valid].concat(),
            data: found("m_axis_tdata")?,
        });
        let mut choice = HashMap::new();
        for (place, name) in circuit.inputs.iter().enumerate() {
            let bit = name.strip_prefix("mutant").map(|rest| rest.trim_matches(['[', ']']));
            if let Some(bit) = bit {
                choice.insert(place, bit.parse().unwrap_or(0));
            }
        }
        let reach = reach(design).iter().map(Places::any).collect();
        Ok(Self { design, plan, circuit, choice, targets, reach, folder: folder.to_path_buf() })
    }

    /// The proof that mutant `number` changes nothing, or none; each question within `limit`.
    pub(super) fn proof(&self, number: usize, limit: Duration) -> Result<Option<&'static str>, Error> {
        let bits = |number: usize| -> HashMap<usize, bool> {
            self.choice.iter().map(|(&place, bit)| (place, number >> bit & 1 == 1)).collect()
        };
        let choices = [bits(0), bits(number)];
        let mutant = Planted {
            number,
            limit,
            touched: touched(&self.circuit, [&choices[0], &choices[1]]),
            constants: constants_of_both(&self.circuit, [&choices[0], &choices[1]]),
        };
        let mut weakest = Context::Operands;
        for target in &self.targets {
            match self.unchanged(target, &mutant)? {
                Some(context) => weakest = weakest.max(context),
                None => return Ok(None),
            }
        }
        Ok(Some(weakest.said()))
    }

    /// The least context in which a target is the same.
    fn unchanged(&self, target: &Target, mutant: &Planted) -> Result<Option<Context>, Error> {
        let all = || target.strict.iter().chain(&target.data).copied();
        if all().all(|bit| !mutant.touched[bit as usize / 2]) {
            return Ok(Some(Context::Operands));
        }
        let distances = self.distances(target.node);
        let mut before = Vec::new();
        for context in Context::ALL {
            let free: Vec<usize> = (0..target.node)
                .filter(|&n| context.cuts(&self.design.node(NodeId(n)).op, distances[n]))
                .collect();
            // Nothing is there that would be looked at beyond the last time.
            if free == before && context != Context::Possible {
                continue;
            }
            let mut cut = vec![false; self.circuit.variables()];
            for &node in &free {
                let of = &self.targets[node];
                of.strict.iter().chain(&of.data).for_each(|bit| cut[*bit as usize / 2] = true);
            }
            // A bit that is constant stays what it is.
            cut[0] = false;
            let kept = self.kept(all(), &cut, mutant);
            for &register in &kept {
                cut[register as usize] = true;
            }
            if self.same(target, mutant, (&cut, &free), &kept, context)? {
                return Ok(Some(context));
            }
            before = free;
        }
        Ok(None)
    }

    /// Whether a target and what the registers `kept` take next are the same, for free values of what is cut: rows of the nodes
    /// `free`, and those registers.
    fn same(
        &self,
        target: &Target,
        mutant: &Planted,
        (cut, free): (&[bool], &[usize]),
        kept: &[u32],
        context: Context,
    ) -> Result<bool, Error> {
        let choice: HashMap<usize, [u32; 2]> = self
            .choice
            .iter()
            .map(|(&place, &bit)| (place, [0, u32::from(mutant.number >> bit & 1 == 1)]))
            .collect();
        let unrolled =
            |facts| Unrolled::new(&self.circuit, cut.to_vec(), choice.clone(), &mutant.touched, facts);
        let mut strict = target.strict.clone();
        strict.extend(kept.iter().filter_map(|&register| match self.circuit.variable(register) {
            Variable::Register(next) => Some(next),
            _ => None,
        }));
        let known = Known { constants: mutant.constants.clone(), ..Known::default() };
        let mut at_any_time = unrolled(&known);
        let strict = at_any_time.difference(&strict);
        if !self.never(&at_any_time, strict, (context, mutant.limit))? {
            return Ok(false);
        }
        // A row is looked at while it is valid, which of a single one says when those before it were.
        let known = Known {
            happened: self.happened(target.node),
            interval: u32::try_from(self.plan.interval).unwrap_or(u32::MAX),
            constants: mutant.constants.clone(),
        };
        let mut while_valid = unrolled(&known);
        let data = while_valid.difference(&target.data);
        if while_valid.graph.ever(data) == Some(false) {
            return Ok(true);
        }
        let mut data = while_valid.during(target.valid, data);
        if context != Context::Operands {
            data = self.possible(&mut while_valid, data, free);
        }
        self.never(&while_valid, data, (context, mutant.limit))
    }

    /// `literal`, while what is valid of the rows of these nodes can be.
    fn possible(&self, unrolled: &mut Unrolled<'_>, literal: u32, free: &[usize]) -> u32 {
        let mut found = literal;
        let needed = unrolled.free_in(literal);
        for &node in free {
            let of = &self.targets[node];
            let value = self.design.node(NodeId(node)).value;
            let width = value.format.width as usize;
            // Some rows may come at once.
            for row in of.data.chunks_exact(width * value.lanes) {
                let lanes: Vec<&[u32]> = row.chunks_exact(width).collect();
                let mut asked: BTreeMap<u32, BTreeSet<usize>> = BTreeMap::new();
                for (lane, bits) in lanes.iter().enumerate() {
                    for bit in *bits {
                        let first = needed.partition_point(|(variable, _)| *variable < bit / 2);
                        let of_bit = needed[first..].iter().take_while(|(variable, _)| *variable == bit / 2);
                        of_bit.for_each(|(_, ago)| _ = asked.entry(*ago).or_default().insert(lane));
                    }
                }
                for (ago, asked) in asked {
                    let asked: Vec<usize> = asked.into_iter().collect();
                    let reach = self.reach[node].on(&asked);
                    let mut bits = |lane: &usize| -> Vec<u32> {
                        lanes[*lane].iter().map(|&bit| unrolled.value(bit, ago, false)).collect()
                    };
                    let bits: Vec<Vec<u32>> = asked.iter().map(&mut bits).collect();
                    let can_be = possible(&mut unrolled.graph, &reach, &bits, value.format.signed);
                    let valid = unrolled.value(of.valid, ago, false);
                    let all = unrolled.graph.or(valid ^ 1, can_be);
                    found = unrolled.graph.and(found, all);
                }
            }
        }
        found
    }

    /// Of each node in front of a target the most encoders on a way to it, itself among them.
    fn distances(&self, target: usize) -> Vec<u32> {
        let nodes = &self.design.nodes;
        let mut far = vec![0; nodes.len() + 1];
        let encodes = |node: usize| u32::from(matches!(nodes[node].op, Op::Encode { .. }));
        for node in (0..nodes.len().min(target + 1)).rev() {
            for input in &nodes[node].inputs {
                let way = far[node] + encodes(input.0);
                far[input.0] = far[input.0].max(way);
            }
        }
        far
    }

    /// Valid bits of single rows, and how many cycles before a target's single row they were 1, by the plan.
    fn happened(&self, target: usize) -> HashMap<u32, u32> {
        let single = |node: usize| {
            let stage = self.plan.stage(NodeId(node));
            (stage.rows == 1).then_some(stage.first)
        };
        let Some(now) = (target < self.design.nodes.len()).then(|| single(target)).flatten() else {
            return HashMap::new();
        };
        let earlier = (0..target).filter_map(|node| {
            let ago = now.checked_sub(single(node)?)?;
            Some((self.targets[node].valid, u32::try_from(ago).ok()?))
        });
        earlier.collect()
    }

    /// Whether a literal is never 1.
    fn never(
        &self,
        unrolled: &Unrolled<'_>,
        literal: u32,
        (context, limit): (Context, Duration),
    ) -> Result<bool, Error> {
        // What needs no context is decided soon.
        let limit = if context == Context::Operands { limit.min(SHORT) } else { limit };
        Ok(never(&unrolled.graph, literal, &self.folder, limit)? == Some(true))
    }

    /// Registers, in front of these signals and behind what is cut, that depend on themselves: they keep something.
    fn kept(&self, signals: impl Iterator<Item = u32>, cut: &[bool], mutant: &Planted) -> Vec<u32> {
        // Tarjan's components, without recursion.
        let count = self.circuit.variables();
        let (mut order, mut low) = (vec![0_u32; count], vec![0_u32; count]);
        let (mut on_stack, mut stack, mut clock) = (vec![false; count], Vec::new(), 0_u32);
        let mut kept = Vec::new();
        let next = |variable: u32, place: usize| -> Option<u32> {
            let operands: [Option<u32>; 2] = match self.circuit.variable(variable) {
                _ if cut[variable as usize] || mutant.constants[variable as usize].is_some() => [None, None],
                Variable::Register(next) => [
                    Some(held(&self.circuit, &mutant.touched, variable).map_or(next, |[_, what]| what)),
                    None,
                ],
                Variable::Gate([a, b]) => [Some(a), Some(b)],
                _ => [None, None],
            };
            operands.get(place).copied().flatten().map(|literal| literal / 2)
        };
        for signal in signals {
            if order[signal as usize / 2] != 0 {
                continue;
            }
            let mut calls = vec![(signal / 2, 0)];
            while let Some((variable, place)) = calls.pop() {
                let own = variable as usize;
                if place == 0 {
                    clock += 1;
                    (order[own], low[own]) = (clock, clock);
                    stack.push(variable);
                    on_stack[own] = true;
                } else if let Some(done) = next(variable, place - 1) {
                    low[own] =
                        low[own].min(if on_stack[done as usize] { low[done as usize] } else { u32::MAX });
                }
                if let Some(operand) = next(variable, place) {
                    calls.push((variable, place + 1));
                    if order[operand as usize] == 0 {
                        calls.push((operand, 0));
                    } else if on_stack[operand as usize] {
                        low[own] = low[own].min(order[operand as usize]);
                    }
                    continue;
                }
                if low[own] < order[own] {
                    continue;
                }
                let from = stack.iter().rposition(|&v| v == variable).unwrap_or(0);
                let component = stack.split_off(from);
                for &part in &component {
                    on_stack[part as usize] = false;
                }
                let own_next = next(variable, 0) == Some(variable);
                if component.len() > 1 || own_next {
                    let register = |v: &u32| matches!(self.circuit.variable(*v), Variable::Register(_));
                    kept.extend(component.into_iter().filter(register));
                }
            }
        }
        kept
    }
}
