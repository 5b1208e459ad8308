//! The wires behind a bank: entries made of the bits of a stored word.

use tablewright_design::{Source, StoredBank};

/// Entry `lane` of the stored word `row`, signed and extended to `width` bits, with `shift` zeros below: a concatenation.
pub(super) fn entry(bank: &StoredBank, row: &str, lane: usize, width: u32, shift: u32) -> String {
    let bits = bank.bits as usize;
    let own = &bank.sources[lane * bits..][..bits];
    let sign = own[bits - 1];
    let extension = width as usize - bits - shift as usize;
    let zeros = std::iter::repeat_n(Source::Constant(false), shift as usize);
    let bits = std::iter::repeat_n(sign, extension).chain(own.iter().rev().copied()).chain(zeros);
    concatenation(row, &bits.collect::<Vec<_>>())
}

/// Bits from the highest to the lowest, in as few parts as they make.
fn concatenation(row: &str, bits: &[Source]) -> String {
    let mut parts = Vec::new();
    let mut rest = bits;
    while let [first, ..] = rest {
        let (part, taken) = match *first {
            Source::Constant(_) => constant(rest),
            Source::Stored { column, inverted } => {
                let not = if inverted { "~" } else { "" };
                let same = rest.iter().take_while(|bit| *bit == first).count();
                let falling = |(i, bit): &(usize, &Source)| {
                    Some(**bit) == column.checked_sub(*i).map(|column| Source::Stored { column, inverted })
                };
                let run = rest.iter().enumerate().take_while(falling).count();
                if same > 1 {
                    (format!("{{{same}{{{not}{row}[{column}]}}}}"), same)
                } else if run > 1 {
                    (format!("{not}{row}[{column}:{}]", column + 1 - run), run)
                } else {
                    (format!("{not}{row}[{column}]"), 1)
                }
            }
        };
        parts.push(part);
        rest = &rest[taken..];
    }
    format!("{{{}}}", parts.join(", "))
}

/// The constants that come first.
fn constant(bits: &[Source]) -> (String, usize) {
    let digits: String = bits
        .iter()
        .map_while(|bit| match bit {
            Source::Constant(value) => Some(if *value { '1' } else { '0' }),
            Source::Stored { .. } => None,
        })
        .collect();
    (format!("{}'b{digits}", digits.len()), digits.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_as_few_as_can_be() {
        let plain = |column| Source::Stored { column, inverted: false };
        let not = |column| Source::Stored { column, inverted: true };
        let zero = Source::Constant(false);
        let written = |bits: &[Source]| concatenation("row_0", bits);
        assert_eq!(written(&[plain(7), plain(6), plain(5)]), "{row_0[7:5]}");
        assert_eq!(written(&[plain(1), plain(1), plain(0), plain(9)]), "{{2{row_0[1]}}, row_0[0], row_0[9]}");
        assert_eq!(written(&[not(4), not(3), plain(2), plain(3)]), "{~row_0[4:3], row_0[2], row_0[3]}");
        assert_eq!(written(&[not(0), not(0), Source::Constant(true), zero]), "{{2{~row_0[0]}}, 2'b10}");
        assert_eq!(written(&[plain(0), zero, plain(0)]), "{row_0[0], 1'b0, row_0[0]}");
    }
}
