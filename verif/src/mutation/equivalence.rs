//! Does a mutant change any row that a stage hands on? Asked stage by stage, of the whole core as one graph.
//!
//! A stage is proved to hand on the same rows in the same cycles, given the same operands. What is known of the operands is
//! brought in by taking the stages in front of it into the proof, step by step, as far as a [`Context`] says. Rows that are not
//! valid are not compared: whoever takes them looks at them only while they are valid. Since operands come from earlier
//! stages, and each stage that a mutant touches is proved, the core as a whole is unchanged.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tablewright_design::{Design, NodeId, Op};

use crate::Error;
use crate::tool::{run_for, tail};
use crate::vectors::Random;

use super::circuit::{Circuit, Variable};
use super::unroll::{Unrolled, held};

/// How far a proof looks back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Context {
    /// Operands are free.
    Operands,
    /// Codes are free, and what is looked up for them comes from the tables.
    Codes,
    /// The window's rows are free.
    Window,
}

impl Context {
    const ALL: [Self; 3] = [Self::Operands, Self::Codes, Self::Window];

    /// Whether the rows of such a node are free.
    fn cuts(self, op: &Op) -> bool {
        match self {
            Self::Operands => true,
            Self::Codes => matches!(op, Op::Encode { .. } | Op::Window { .. }),
            Self::Window => matches!(op, Op::Window { .. }),
        }
    }

    fn said(self) -> &'static str {
        match self {
            Self::Operands => {
                "no stage hands on anything else, whatever its operands; pipelines followed to their beginning, what is \
                 kept came before, counters equal by induction; all values tried, or SAT"
            }
            Self::Codes => {
                "no stage hands on anything else, whatever the codes in front of its look-ups, tables as built; pipelines \
                 followed to their beginning, registers that keep a value equal by induction; all values tried, or SAT"
            }
            Self::Window => {
                "no stage hands on anything else, whatever the window; pipelines followed to their beginning, what is \
                 kept came before, counters equal by induction; all values tried, or SAT"
            }
        }
    }
}

/// Of a proof with free operands, which a proof with more context follows.
const SHORT: Duration = Duration::from_secs(4);

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

/// A core with the mutants in question.
pub(super) struct Equivalence<'a> {
    design: &'a Design,
    circuit: Circuit,
    /// Inputs that choose the mutant, and of which bit of its number.
    choice: HashMap<usize, u32>,
    /// What depends on the choice, through registers or not.
    touched: Vec<bool>,
    targets: Vec<Target>,
    folder: PathBuf,
    limit: Duration,
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
        bytes: &[u8],
        folder: &Path,
        limit: Duration,
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
        let touched = touched(&circuit, &choice);
        Ok(Self { design, circuit, choice, touched, targets, folder: folder.to_path_buf(), limit })
    }

    /// The proof that mutant `number` changes nothing, or none.
    pub(super) fn proof(&self, number: usize) -> Result<Option<&'static str>, Error> {
        let mut weakest = Context::Operands;
        for target in &self.targets {
            match self.unchanged(target, number)? {
                Some(context) => weakest = weakest.max(context),
                None => return Ok(None),
            }
        }
        Ok(Some(weakest.said()))
    }

    /// The least context in which a target is the same.
    fn unchanged(&self, target: &Target, number: usize) -> Result<Option<Context>, Error> {
        let all = || target.strict.iter().chain(&target.data);
        if all().all(|bit| !self.touched[*bit as usize / 2]) {
            return Ok(Some(Context::Operands));
        }
        for context in Context::ALL {
            let mut cut = vec![false; self.circuit.variables()];
            for node in (0..target.node).filter(|&n| context.cuts(&self.design.node(NodeId(n)).op)) {
                let before = &self.targets[node];
                for bit in before.strict.iter().chain(&before.data) {
                    cut[*bit as usize / 2] = true;
                }
            }
            // A bit that is constant stays what it is.
            cut[0] = false;
            let kept = self.kept(all().copied(), &cut);
            for &register in &kept {
                cut[register as usize] = true;
            }
            let number_of = |bit: u32| u32::from(number >> bit & 1 == 1);
            let choice = self.choice.iter().map(|(&place, &bit)| (place, [0, number_of(bit)])).collect();
            let mut unrolled = Unrolled::new(&self.circuit, cut, choice, &self.touched);
            let mut strict = target.strict.clone();
            strict.extend(kept.iter().filter_map(|&register| match self.circuit.variable(register) {
                Variable::Register(next) => Some(next),
                _ => None,
            }));
            let strict = unrolled.difference(&strict);
            let data = unrolled.difference(&target.data);
            if self.never(&unrolled, strict, context)?
                && (unrolled.graph.ever(data) == Some(false) || {
                    let valid = unrolled.during(target.valid, data);
                    self.never(&unrolled, valid, context)?
                })
            {
                return Ok(Some(context));
            }
        }
        Ok(None)
    }

    /// Whether a literal is never 1: by random values, by all values, by ABC.
    fn never(&self, unrolled: &Unrolled<'_>, literal: u32, context: Context) -> Result<bool, Error> {
        if literal == 0 {
            return Ok(true);
        }
        let mut random = Random::new(literal.into());
        let mut word = || u64::from(random.word()) << 32 | u64::from(random.word());
        if (0..64).any(|_| unrolled.graph.happens(literal, &mut word)) {
            return Ok(false);
        }
        match unrolled.graph.ever(literal) {
            Some(ever) => Ok(!ever),
            None => self.unsatisfiable(&unrolled.graph.aiger(literal), context),
        }
    }

    /// Whether the output of a combinational graph is 0 for all inputs, by ABC.
    fn unsatisfiable(&self, graph: &[u8], context: Context) -> Result<bool, Error> {
        let path = self.folder.join("difference.aig");
        std::fs::write(&path, graph)
            .map_err(|source| Error::Io { path: path.display().to_string(), source })?;
        // What needs no context is decided soon.
        let limit = if context == Context::Operands { self.limit.min(SHORT) } else { self.limit };
        let mut abc = Command::new("yosys-abc");
        abc.args(["-c", &format!("read_aiger {}; strash; iprove", path.display())]);
        let log = self.folder.join("difference.log");
        let Some(said) = run_for("yosys-abc", &abc, &log, limit)? else {
            return Ok(false);
        };
        let says = |word: &str| said.text.split_whitespace().any(|w| w == word);
        if says("UNSATISFIABLE") {
            Ok(true)
        } else if says("SATISFIABLE") || says("UNDECIDED") {
            Ok(false)
        } else {
            Err(Error::Tool { program: "yosys-abc".to_owned(), output: tail(&said.text) })
        }
    }

    /// Registers, in front of these signals and behind what is cut, that depend on themselves: they keep something.
    fn kept(&self, signals: impl Iterator<Item = u32>, cut: &[bool]) -> Vec<u32> {
        // Tarjan's components, without recursion.
        let count = self.circuit.variables();
        let (mut order, mut low) = (vec![0_u32; count], vec![0_u32; count]);
        let (mut on_stack, mut stack, mut clock) = (vec![false; count], Vec::new(), 0_u32);
        let mut kept = Vec::new();
        let next = |variable: u32, place: usize| -> Option<u32> {
            let operands: [Option<u32>; 2] = match self.circuit.variable(variable) {
                _ if cut[variable as usize] => [None, None],
                Variable::Register(next) => {
                    [Some(held(&self.circuit, &self.touched, variable).map_or(next, |[_, what]| what)), None]
                }
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

/// What depends on the choice.
fn touched(circuit: &Circuit, choice: &HashMap<usize, u32>) -> Vec<bool> {
    let mut touched = vec![false; circuit.variables()];
    for &place in choice.keys() {
        touched[place + 1] = true;
    }
    // Gates follow their operands; registers need as many rounds as there are of them one behind the other.
    loop {
        let mut changed = false;
        for variable in 1..circuit.variables() {
            let depends = match circuit.variable(variable as u32) {
                Variable::Register(next) => touched[next as usize / 2],
                Variable::Gate([a, b]) => touched[a as usize / 2] || touched[b as usize / 2],
                _ => false,
            };
            if depends && !touched[variable] {
                touched[variable] = true;
                changed = true;
            }
        }
        if !changed {
            return touched;
        }
    }
}
