//! What is known of a circuit and one of its mutants before anything is unrolled: what never changes, what the mutant can
//! touch, and when rows came.

use std::collections::HashMap;

use super::circuit::{Circuit, Variable};

/// What is known of registers beside what they take next.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Of each variable the value it always has after a reset, if it is a register that has one, with the mutant and without.
    pub constants: Vec<Option<bool>>,
    /// Signals that were 1 so many cycles before the moment in question.
    pub happened: HashMap<u32, u32>,
    /// Cycles from one time such a signal is 1 to the next, at least.
    pub interval: u32,
}

impl Known {
    pub(super) fn constant(&self, variable: u32) -> Option<bool> {
        self.constants.get(variable as usize).copied().flatten()
    }

    /// When a register that takes a value by `when` took the one it has `ago` cycles before, if that is known: so many cycles
    /// before, and nothing came between.
    pub(super) fn taken(&self, circuit: &Circuit, when: u32, ago: u32) -> Option<u32> {
        let at = *self.happened.get(&self.simplified(circuit, when))?;
        (at > ago && at <= ago + self.interval).then_some(at)
    }

    /// A literal without what is always the same: a gate of which one operand is always 1 is the other one.
    fn simplified(&self, circuit: &Circuit, mut literal: u32) -> u32 {
        let always = |l: u32| self.constant(l / 2).is_some_and(|value| value ^ (l & 1 == 1));
        while let Variable::Gate([a, b]) = circuit.variable(literal / 2) {
            let rest = match [always(a), always(b)] {
                [true, _] => b,
                [false, true] => a,
                [false, false] => break,
            };
            literal = rest ^ (literal & 1);
        }
        literal
    }
}

/// Three-valued values of all variables in a cycle: inputs unknown, but those that choose the mutant, and the reset where it is
/// given.
fn values(circuit: &Circuit, known: &HashMap<usize, bool>, registers: &[Option<bool>]) -> Vec<Option<bool>> {
    let mut all = vec![None; circuit.variables()];
    all[0] = Some(false);
    for variable in 1..all.len() {
        all[variable] = match circuit.variable(variable as u32) {
            Variable::False => Some(false),
            Variable::Input(place) => known.get(&place).copied(),
            Variable::Register(_) => registers[variable],
            Variable::Gate(both) => match both.map(|l| of(&all, l)) {
                [Some(false), _] | [_, Some(false)] => Some(false),
                [Some(true), Some(true)] => Some(true),
                _ => None,
            },
        };
    }
    all
}

fn of(values: &[Option<bool>], literal: u32) -> Option<bool> {
    values[literal as usize / 2].map(|value| value ^ (literal & 1 == 1))
}

fn next(circuit: &Circuit, values: &[Option<bool>]) -> Vec<Option<bool>> {
    let step = |variable: usize| match circuit.variable(variable as u32) {
        Variable::Register(next) => of(values, next),
        _ => None,
    };
    (0..circuit.variables()).map(step).collect()
}

/// Registers that have one value for all time after a reset of a cycle, whatever they wake up with; `choice` says what the inputs
/// are that choose.
fn constants(circuit: &Circuit, choice: &HashMap<usize, bool>) -> Vec<Option<bool>> {
    let mut in_reset = choice.clone();
    if let Some(reset) = circuit.inputs.iter().position(|name| name == "rst_n") {
        in_reset.insert(reset, false);
    }
    let unknown = vec![None; circuit.variables()];
    let mut states = next(circuit, &values(circuit, &in_reset, &unknown));
    loop {
        let after = next(circuit, &values(circuit, choice, &states));
        let mut changed = false;
        for (state, after) in states.iter_mut().zip(after) {
            if state.is_some() && *state != after {
                *state = None;
                changed = true;
            }
        }
        if !changed {
            return states;
        }
    }
}

/// Registers that have one and the same value for all time in the circuit and in the mutant.
pub(super) fn constants_of_both(circuit: &Circuit, choices: [&HashMap<usize, bool>; 2]) -> Vec<Option<bool>> {
    let [without, with] = choices.map(|choice| constants(circuit, choice));
    without.into_iter().zip(with).map(|(a, b)| if a == b { a } else { None }).collect()
}

/// What can differ between the circuit and the mutant.
pub(super) fn touched(circuit: &Circuit, choices: [&HashMap<usize, bool>; 2]) -> Vec<bool> {
    let unknown = vec![None; circuit.variables()];
    let [without, with] = choices.map(|choice| values(circuit, choice, &unknown));
    let same = |variable: usize| without[variable].is_some() && without[variable] == with[variable];
    let mut touched = vec![false; circuit.variables()];
    for place in choices[0].keys() {
        touched[place + 1] = !same(place + 1);
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
            if depends && !touched[variable] && !same(variable) {
                touched[variable] = true;
                changed = true;
            }
        }
        if !changed {
            return touched;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1 `rst_n`, 2 data, 3 and 4 choose; 5 a counter that begins at 0 and never leaves it, 6 a register of data while the counter
    /// is 0, or of nothing where input 3 chooses.
    fn circuit() -> Circuit {
        Circuit {
            inputs: ["rst_n", "data", "mutant[0]", "mutant[1]"].map(str::to_owned).to_vec(),
            registers: vec![14, 18],
            // 7: counter & rst_n; 8: data & !counter; 9: that & !choice
            gates: vec![[10, 2], [4, 11], [16, 7]],
            ..Circuit::default()
        }
    }

    #[test]
    fn a_counter_that_never_counts_is_constant() {
        let none = HashMap::from([(2, false), (3, false)]);
        let one = HashMap::from([(2, true), (3, false)]);
        let constants = constants_of_both(&circuit(), [&none, &one]);
        assert_eq!(constants[5], Some(false));
        assert_eq!(constants[6], None);
        let known = Known { constants, happened: HashMap::from([(4, 3)]), interval: 4 };
        // Gate 8 is the data alone, so what is known of them is known of it.
        assert_eq!(known.taken(&circuit(), 16, 1), Some(3));
        assert_eq!(known.taken(&circuit(), 16, 3), None);
    }

    #[test]
    fn only_what_a_mutant_changes_is_touched() {
        let choices = [false, true].map(|chosen| HashMap::from([(2, chosen), (3, false)]));
        let touched = touched(&circuit(), [&choices[0], &choices[1]]);
        assert_eq!(touched, [false, false, false, true, false, false, true, false, false, true]);
        // The other one is not in this circuit.
        let choices = [false, true].map(|chosen| HashMap::from([(2, false), (3, chosen)]));
        let touched = super::touched(&circuit(), [&choices[0], &choices[1]]);
        assert_eq!(touched.iter().filter(|t| **t).count(), 1);
    }
}
