//! Outputs of a circuit as functions of what came in before: registers are followed back in time until inputs or signals
//! that are cut are met. Circuit and mutant are unrolled into one graph, where what they share is there once.

use std::collections::HashMap;

use super::circuit::{Circuit, Variable};
use super::known::Known;

/// Gates times words of 64 values that are computed before a question is left to a solver.
const MOST_TRIED: u64 = 4_000_000_000;

/// A combinational and-inverter graph in which equal gates are one. Node 0 is false, literals are as in [`Circuit`].
#[derive(Debug)]
pub(super) struct Graph {
    /// Operands of a gate; free nodes have none.
    nodes: Vec<Option<[u32; 2]>>,
    gates: HashMap<[u32; 2], u32>,
}

impl Graph {
    pub(super) fn new() -> Self {
        Self { nodes: vec![None], gates: HashMap::new() }
    }

    fn free(&mut self) -> u32 {
        self.nodes.push(None);
        2 * (self.nodes.len() - 1) as u32
    }

    pub(super) fn and(&mut self, a: u32, b: u32) -> u32 {
        let [a, b] = [a.max(b), a.min(b)];
        match b {
            0 => 0,
            1 => a,
            _ if a == b => a,
            _ if a == b ^ 1 => 0,
            _ => *self.gates.entry([a, b]).or_insert_with(|| {
                self.nodes.push(Some([a, b]));
                2 * (self.nodes.len() - 1) as u32
            }),
        }
    }

    pub(super) fn or(&mut self, a: u32, b: u32) -> u32 {
        self.and(a ^ 1, b ^ 1) ^ 1
    }

    fn differ(&mut self, a: u32, b: u32) -> u32 {
        let (only_a, only_b) = (self.and(a, b ^ 1), self.and(a ^ 1, b));
        self.or(only_a, only_b)
    }

    /// Whether `literal` is ever 1 under 64 random values of the free nodes.
    pub(super) fn happens(&self, literal: u32, mut random: impl FnMut() -> u64) -> bool {
        let mut values = vec![0_u64; self.nodes.len()];
        let of = |values: &[u64], l: u32| values[l as usize / 2] ^ (0_u64.wrapping_sub(u64::from(l & 1)));
        for i in 1..self.nodes.len() {
            values[i] = self.nodes[i].map_or_else(&mut random, |[a, b]| of(&values, a) & of(&values, b));
        }
        of(&values, literal) != 0
    }

    /// Free nodes and gates that `literal` depends on, each in their order.
    fn cone(&self, literal: u32) -> (Vec<usize>, Vec<usize>) {
        let mut needed = vec![false; literal as usize / 2 + 1];
        needed[literal as usize / 2] = true;
        for i in (1..needed.len()).rev() {
            if let (true, Some([a, b])) = (needed[i], self.nodes[i]) {
                needed[a as usize / 2] = true;
                needed[b as usize / 2] = true;
            }
        }
        (1..needed.len()).filter(|&i| needed[i]).partition(|&i| self.nodes[i].is_none())
    }

    /// Whether `literal` is ever 1, by all values of the free nodes that it depends on; nothing when these are more than
    /// [`MOST_TRIED`].
    pub(super) fn ever(&self, literal: u32) -> Option<bool> {
        /// Bit b of word k: bit k of b.
        const LOW: [u64; 6] = [
            0xAAAA_AAAA_AAAA_AAAA,
            0xCCCC_CCCC_CCCC_CCCC,
            0xF0F0_F0F0_F0F0_F0F0,
            0xFF00_FF00_FF00_FF00,
            0xFFFF_0000_FFFF_0000,
            0xFFFF_FFFF_0000_0000,
        ];
        let (free, gates) = self.cone(literal);
        let high = free.len().saturating_sub(LOW.len());
        let work = (gates.len() as u64 + 1).checked_shl(high as u32)?;
        if high > 40 || work >> high != gates.len() as u64 + 1 || work > MOST_TRIED {
            return None;
        }
        let mut place = vec![0_u32; literal as usize / 2 + 1];
        for (number, &node) in free.iter().chain(&gates).enumerate() {
            place[node] = number as u32 + 1;
        }
        let renamed = |l: u32| 2 * place[l as usize / 2] + (l & 1);
        let operands: Vec<[u32; 2]> =
            gates.iter().filter_map(|&gate| self.nodes[gate]).map(|both| both.map(renamed)).collect();
        let mut values = vec![0_u64; 1 + free.len() + gates.len()];
        values[1..].iter_mut().zip(LOW).take(free.len()).for_each(|(value, low)| *value = low);
        let of = |values: &[u64], l: u32| values[l as usize / 2] ^ 0_u64.wrapping_sub(u64::from(l & 1));
        for block in 0..1_u64 << high {
            for bit in 0..high {
                values[1 + LOW.len() + bit] = 0_u64.wrapping_sub(block >> bit & 1);
            }
            for (gate, &[a, b]) in operands.iter().enumerate() {
                values[1 + free.len() + gate] = of(&values, a) & of(&values, b);
            }
            if of(&values, renamed(literal)) != 0 {
                return Some(true);
            }
        }
        Some(false)
    }

    /// The cone of `literal` in the binary form of AIGER, one output.
    pub(super) fn aiger(&self, literal: u32) -> Vec<u8> {
        let (free, gates) = self.cone(literal);
        let mut number = vec![0_u32; self.nodes.len()];
        for (place, &node) in free.iter().chain(&gates).enumerate() {
            number[node] = place as u32 + 1;
        }
        let renamed = |l: u32| 2 * number[l as usize / 2] + (l & 1);
        let mut text = format!(
            "aig {} {} 0 1 {}\n{}\n",
            free.len() + gates.len(),
            free.len(),
            gates.len(),
            renamed(literal)
        )
        .into_bytes();
        for &node in &gates {
            let Some([a, b]) = self.nodes[node] else { continue };
            let (a, b) = (renamed(a).max(renamed(b)), renamed(a).min(renamed(b)));
            for mut value in [2 * number[node] - a, a - b] {
                while value > 127 {
                    text.push(value as u8 | 128);
                    value >>= 7;
                }
                text.push(value as u8);
            }
        }
        text
    }
}

/// Of a register that keeps values: when it takes one, and which; nothing where the mutant could change when.
pub(super) fn held(circuit: &Circuit, touched: &[bool], variable: u32) -> Option<[u32; 2]> {
    circuit.held(variable).filter(|[when, _]| !touched[*when as usize / 2])
}

/// A circuit and a mutant of it, unrolled. What a register keeps came in at some moment before, the same for all registers
/// that take their values together; moments that are not known to be the same are taken as independent.
pub(super) struct Unrolled<'a> {
    circuit: &'a Circuit,
    /// Variables that are free, and the same for circuit and mutant.
    cut: Vec<bool>,
    /// Inputs that choose the mutant: value for the circuit and for the mutant.
    choice: HashMap<usize, [u32; 2]>,
    /// What depends on that choice.
    touched: &'a [bool],
    /// The graph so far.
    pub graph: Graph,
    known: HashMap<(u32, u32, bool), u32>,
    /// Of a moment that lies back so far as a register has kept its value, by when it takes one and when it is looked at.
    moments: HashMap<(u32, u32), u32>,
    facts: &'a Known,
}

/// Cycles between two moments of which nobody knows how far they are apart: more than a pipeline has.
const APART: u32 = 1 << 16;

impl<'a> Unrolled<'a> {
    pub(super) fn new(
        circuit: &'a Circuit,
        cut: Vec<bool>,
        choice: HashMap<usize, [u32; 2]>,
        touched: &'a [bool],
        facts: &'a Known,
    ) -> Self {
        Self {
            circuit,
            cut,
            choice,
            touched,
            graph: Graph::new(),
            known: HashMap::new(),
            moments: HashMap::new(),
            facts,
        }
    }

    /// What `literal` was `ago` cycles before, in the circuit or in the mutant.
    pub(super) fn value(&mut self, literal: u32, ago: u32, mutant: bool) -> u32 {
        let mut open = vec![(literal / 2, ago, mutant)];
        while let Some(&(variable, ago, mutant)) = open.last() {
            let key = self.key(variable, ago, mutant);
            if self.known.contains_key(&key) {
                open.pop();
                continue;
            }
            let missing = open.len();
            let value = if self.cut[variable as usize] {
                Some(self.graph.free())
            } else if let Some(always) = self.facts.constant(variable) {
                Some(u32::from(always))
            } else {
                match self.circuit.variable(variable) {
                    Variable::False => Some(0),
                    Variable::Input(place) => Some(match self.choice.get(&place) {
                        Some(chosen) => chosen[usize::from(mutant)],
                        None => self.graph.free(),
                    }),
                    Variable::Register(next) => {
                        let (next, ago) = match held(self.circuit, self.touched, variable) {
                            Some([when, what]) => (what, self.moment(when, ago)),
                            None => (next, ago + 1),
                        };
                        let got = self.got(next, ago, mutant);
                        if got.is_none() {
                            open.push((next / 2, ago, mutant));
                        }
                        got
                    }
                    Variable::Gate([a, b]) => {
                        let both = [a, b].map(|l| {
                            let got = self.got(l, ago, mutant);
                            if got.is_none() {
                                open.push((l / 2, ago, mutant));
                            }
                            got
                        });
                        match both {
                            [Some(a), Some(b)] => Some(self.graph.and(a, b)),
                            _ => None,
                        }
                    }
                }
            };
            if let Some(value) = value {
                debug_assert_eq!(missing, open.len());
                self.known.insert(key, value);
                open.pop();
            }
        }
        self.known[&self.key(literal / 2, ago, mutant)] ^ (literal & 1)
    }

    /// A literal that is 1 when circuit and mutant differ in one of these bits.
    pub(super) fn difference(&mut self, bits: &[u32]) -> u32 {
        bits.iter().fold(0, |all, &bit| {
            let (right, changed) = (self.value(bit, 0, false), self.value(bit, 0, true));
            let one = self.graph.differ(right, changed);
            self.graph.or(all, one)
        })
    }

    /// Variables that are cut and that `literal` depends on, and how many cycles before.
    pub(super) fn free_in(&self, literal: u32) -> Vec<(u32, u32)> {
        let (free, _) = self.graph.cone(literal);
        let cut = self.known.iter().filter(|((variable, ..), _)| self.cut[*variable as usize]);
        let mut found: Vec<(u32, u32)> = cut
            .filter(|(_, value)| free.binary_search(&(**value as usize / 2)).is_ok())
            .map(|((variable, ago, _), _)| (*variable, *ago))
            .collect();
        found.sort_unstable();
        found
    }

    /// `literal`, while `valid` of the circuit.
    pub(super) fn during(&mut self, valid: u32, literal: u32) -> u32 {
        let valid = self.value(valid, 0, false);
        self.graph.and(valid, literal)
    }

    /// When registers that take a value by `when` took the one they have `ago` cycles before: one moment for all of them.
    fn moment(&mut self, when: u32, ago: u32) -> u32 {
        if let Some(at) = self.facts.taken(self.circuit, when, ago) {
            return at;
        }
        let next = (self.moments.len() as u32 + 1) * APART;
        *self.moments.entry((when, ago)).or_insert(next)
    }

    fn got(&self, literal: u32, ago: u32, mutant: bool) -> Option<u32> {
        self.known.get(&self.key(literal / 2, ago, mutant)).map(|&value| value ^ (literal & 1))
    }

    /// What does not depend on the choice is the same for both.
    fn key(&self, variable: u32, ago: u32, mutant: bool) -> (u32, u32, bool) {
        let differs = self.touched[variable as usize] && !self.cut[variable as usize];
        (variable, ago, mutant && differs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One register behind `a & (a | mutant)` when `dead`, else behind `a & !mutant`; its output is valid while `b`.
    fn register(dead: bool) -> Circuit {
        // 1 a, 2 b, 3 mutant, 4 the register, 5 !a & !mutant, 6 what is kept
        let kept = if dead { [2, 11] } else { [2, 7] };
        Circuit {
            inputs: ["a", "b", "mutant"].map(str::to_owned).to_vec(),
            registers: vec![12],
            gates: vec![[3, 7], kept],
            ..Circuit::default()
        }
    }

    fn difference(circuit: &Circuit, valid: u32) -> (u32, Graph) {
        let touched = [false, false, false, true, true, true, true];
        let choice = HashMap::from([(2, [0, 1])]);
        let facts = Known::default();
        let mut unrolled = Unrolled::new(circuit, vec![false; 7], choice, &touched, &facts);
        let differs = unrolled.difference(&[8]);
        let literal = unrolled.during(valid, differs);
        (literal, unrolled.graph)
    }

    #[test]
    fn a_change_behind_a_register_is_seen_while_it_is_valid() {
        let (literal, graph) = difference(&register(false), 4);
        assert_eq!(graph.ever(literal), Some(true));
        // Never valid: never looked at.
        assert_eq!(difference(&register(false), 0).0, 0);
        let (literal, graph) = difference(&register(true), 4);
        assert_eq!(graph.ever(literal), Some(false));
    }

    #[test]
    fn a_kept_value_is_one_that_came() {
        // 1 data, 2 when, 3 mutant, 4 the register, 5 !(data & when), 6 !(own & !when), 7 next; 8: own & mutant
        let circuit = Circuit {
            inputs: ["data", "when", "mutant"].map(str::to_owned).to_vec(),
            registers: vec![15],
            gates: vec![[4, 2], [8, 5], [13, 11], [8, 6]],
            ..Circuit::default()
        };
        assert_eq!(circuit.held(4), Some([4, 2]));
        let touched = [false, false, false, true, false, false, false, false, true];
        let choice = HashMap::from([(2, [0, 1])]);
        let facts = Known::default();
        let mut unrolled = Unrolled::new(&circuit, vec![false; 9], choice, &touched, &facts);
        let differs = unrolled.difference(&[16]);
        assert_eq!(unrolled.graph.ever(differs), Some(true));
        // It depends on the data of one moment, and on nothing else.
        assert_eq!(unrolled.graph.cone(differs).0.len(), 1);
        // Of which moment is known where it is known when that was: two cycles ago is what the data were two cycles ago.
        let facts = Known { happened: HashMap::from([(4, 2)]), interval: 5, ..Known::default() };
        let choice = HashMap::from([(2, [0, 1])]);
        let mut unrolled = Unrolled::new(&circuit, vec![false; 9], choice, &touched, &facts);
        assert_eq!(unrolled.value(8, 0, false), unrolled.value(2, 2, false));
        assert_ne!(unrolled.value(8, 2, false), unrolled.value(2, 2, false));
    }

    #[test]
    fn every_value_is_tried() {
        let mut graph = Graph::new();
        let all: Vec<u32> = (0..12).map(|_| graph.free()).collect();
        // One of 4,096 values.
        let one =
            all.iter().enumerate().fold(1, |so_far, (i, &l)| graph.and(so_far, l ^ u32::from(i % 3 == 0)));
        assert_eq!(graph.ever(one), Some(true));
        // The same with a free node taken both ways is never.
        let (with, without) = (graph.and(one, all[7]), graph.and(one, all[7] ^ 1));
        assert_eq!((graph.ever(with), graph.ever(without)), (Some(true), Some(false)));
        let many = (0..80).map(|_| graph.free()).collect::<Vec<_>>();
        let wide = many.iter().fold(1, |so_far, &l| graph.and(so_far, l));
        assert_eq!(graph.ever(wide), None);
    }

    #[test]
    fn a_graph_is_read_as_it_was_written() {
        let (literal, graph) = difference(&register(false), 4);
        let circuit = Circuit::read(&graph.aiger(literal)).expect("its own form");
        assert_eq!((circuit.inputs.len(), circuit.registers.len()), (2, 0));
        assert!(!circuit.gates.is_empty());
        assert!(Circuit::read(b"aig 1 1 0 0").is_err());
    }
}
