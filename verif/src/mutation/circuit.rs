//! A core as an and-inverter graph with registers, read from an AIGER file that Yosys wrote.

use std::collections::BTreeMap;

use crate::Error;

/// An and-inverter graph with registers. A variable is an input, a register or a gate, in this order from 1 on; a literal
/// is twice the variable, and one more where it is inverted. Variable 0 is false.
#[derive(Debug, Default)]
pub(super) struct Circuit {
    /// Names of the inputs, with the bit where there are several.
    pub inputs: Vec<String>,
    /// What each register takes next.
    pub registers: Vec<u32>,
    /// Operands of each gate.
    pub gates: Vec<[u32; 2]>,
    /// Outputs, lowest bit first.
    pub outputs: BTreeMap<String, Vec<u32>>,
}

/// What a variable is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variable {
    /// Always 0.
    False,
    /// An input, by its place.
    Input(usize),
    /// A register and what it takes next.
    Register(u32),
    /// A gate and its operands.
    Gate([u32; 2]),
}

impl Circuit {
    /// Reads the binary form, with a table of symbols.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Error> {
        parse(bytes).ok_or_else(|| Error::Tool {
            program: "yosys".to_owned(),
            output: "the AIGER file it wrote cannot be read".to_owned(),
        })
    }

    /// What a variable is.
    pub(super) fn variable(&self, variable: u32) -> Variable {
        let (inputs, registers) = (self.inputs.len(), self.registers.len());
        match (variable as usize).checked_sub(1) {
            None => Variable::False,
            Some(i) if i < inputs => Variable::Input(i),
            Some(i) if i < inputs + registers => Variable::Register(self.registers[i - inputs]),
            Some(i) => Variable::Gate(self.gates[i - inputs - registers]),
        }
    }

    /// Of a register that takes a value or keeps its own: when it takes one, and which.
    pub(super) fn held(&self, variable: u32) -> Option<[u32; 2]> {
        let Variable::Register(next) = self.variable(variable) else {
            return None;
        };
        let gate = |literal: u32| match self.variable(literal / 2) {
            Variable::Gate(both) if literal & 1 == 1 => Some(both),
            _ => None,
        };
        // !(!(own & !when) & !(what & when)), in any order.
        let [a, b] = gate(next)?;
        let own = 2 * variable;
        [[a, b], [b, a]].into_iter().find_map(|[keeps, takes]| {
            let [left, right] = gate(keeps)?;
            let when = match [left, right] {
                [l, not] | [not, l] if l == own => not ^ 1,
                _ => return None,
            };
            match gate(takes)? {
                [what, w] | [w, what] if w == when => Some([when, what]),
                _ => None,
            }
        })
    }

    /// Variables, 0 included.
    pub(super) fn variables(&self) -> usize {
        1 + self.inputs.len() + self.registers.len() + self.gates.len()
    }

    /// Bits of an output; none when it has none of this name.
    pub(super) fn output(&self, name: &str) -> &[u32] {
        self.outputs.get(name).map_or(&[], Vec::as_slice)
    }
}

fn parse(bytes: &[u8]) -> Option<Circuit> {
    let mut at = 0;
    let mut line = || {
        let end = bytes[at..].iter().position(|&b| b == b'\n')?;
        let text = std::str::from_utf8(&bytes[at..at + end]).ok()?;
        at += end + 1;
        Some(text)
    };
    let header: Vec<usize> =
        line()?.strip_prefix("aig ")?.split(' ').map(str::parse).collect::<Result<_, _>>().ok()?;
    let [_, inputs, registers, outputs, gates, ..] = header[..] else {
        return None;
    };
    let first = |text: &str| text.split(' ').next()?.parse::<u32>().ok();
    let next: Vec<u32> = (0..registers).map(|_| line().and_then(first)).collect::<Option<_>>()?;
    let out: Vec<u32> = (0..outputs).map(|_| line().and_then(first)).collect::<Option<_>>()?;
    let mut delta = || {
        let mut value = 0_u32;
        for shift in (0..32).step_by(7) {
            let byte = *bytes.get(at)?;
            at += 1;
            value |= u32::from(byte & 127) << shift;
            if byte < 128 {
                return Some(value);
            }
        }
        None
    };
    let mut circuit = Circuit { inputs: vec![String::new(); inputs], registers: next, ..Circuit::default() };
    for gate in 0..gates {
        let own = 2 * (1 + inputs + registers + gate) as u32;
        let left = own.checked_sub(delta()?)?;
        circuit.gates.push([left, left.checked_sub(delta()?)?]);
    }
    let mut named: BTreeMap<String, BTreeMap<usize, u32>> = BTreeMap::new();
    for text in String::from_utf8_lossy(&bytes[at..]).lines().take_while(|l| *l != "c") {
        let (place, name) = text.split_once(' ')?;
        let number: usize = place.get(1..)?.parse().ok()?;
        match &place[..1] {
            "i" => name.clone_into(circuit.inputs.get_mut(number)?),
            "o" => {
                let bit = name.strip_suffix(']').and_then(|n| n.rsplit_once('['));
                let bit = bit.and_then(|(n, b)| Some((n, b.parse::<usize>().ok()?)));
                let (name, bit) = bit.unwrap_or((name, 0));
                named.entry(name.to_owned()).or_default().insert(bit, *out.get(number)?);
            }
            _ => {}
        }
    }
    circuit.outputs = named.into_iter().map(|(name, bits)| (name, bits.into_values().collect())).collect();
    Some(circuit)
}
