//! The register map of hardware whose tables are loaded: as a document, and as a header for whoever writes the driver.
//!
//! `hdl-templates/cells/tw_load_registers.v` answers at these addresses; a test reads them there.

use std::fmt::Write;

use tablewright_design::Protection;

use crate::loading::{FORMAT, LANE_BITS, Loading, MAGIC};
use crate::names::Names;

/// Bits of a byte address on the bus.
pub(crate) const ADDRESS_BITS: u32 = 8;

/// A register.
pub(crate) struct Register {
    /// Upper case, as in the header.
    pub name: &'static str,
    /// Byte address.
    pub address: u32,
    /// It is read; the others are written.
    pub read: bool,
    pub about: &'static str,
}

/// Some bits of a register.
pub(crate) struct Field {
    pub register: &'static str,
    pub name: &'static str,
    pub low: u32,
    pub width: u32,
    pub about: &'static str,
}

const fn read(name: &'static str, address: u32, about: &'static str) -> Register {
    Register { name, address, read: true, about }
}

/// All registers, by address.
pub(crate) const REGISTERS: &[Register] = &[
    read("ID", 0x00, "54574C31 (hexadecimal), `TWL1`"),
    read("SHAPE_LOW", 0x04, "shape of the hardware, lower half: an image must have the same"),
    read("SHAPE_HIGH", 0x08, "the same, upper half"),
    read("STATUS", 0x0c, "what loading is doing, by fields"),
    Register {
        name: "CONTROL",
        address: 0x10,
        read: false,
        about: "commands, by fields; byte 0 must be written",
    },
    read("ACTIVE_VERSION", 0x14, "version of the table set that predicts; 0 before the first"),
    read("LOADED_VERSION", 0x18, "version of the image that came last, or is coming"),
    read("PROGRESS", 0x1c, "words of that image that have come"),
    read("ACCEPTED", 0x20, "images accepted"),
    read("REFUSED", 0x24, "images refused"),
    read("SWAPPED", 0x28, "changes from one table set to another"),
    read("CORRECTED", 0x2c, "words that were wrong when they were read, and were put right"),
    read("UNCORRECTED", 0x30, "words that were wrong when they were read, and were used as they were"),
];

const fn field(
    register: &'static str,
    name: &'static str,
    low: u32,
    width: u32,
    about: &'static str,
) -> Field {
    Field { register, name, low, width, about }
}

/// Fields of the registers that have any.
pub(crate) const FIELDS: &[Field] = &[
    field("STATUS", "VALID", 0, 1, "a table set is active; nothing is predicted before"),
    field("STATUS", "LOADING", 1, 1, "an image is coming"),
    field("STATUS", "LOADED", 2, 1, "an image was accepted and waits for the change"),
    field("STATUS", "BUSY", 3, 1, "the change was asked for and waits until nobody is inside"),
    field("STATUS", "ERROR", 4, 3, "why the last image was refused"),
    field("STATUS", "PROTECTION", 8, 2, "0 none, 1 parity, 2 SECDED"),
    field("CONTROL", "SWAP", 0, 1, "change over to the image that waits"),
    field("CONTROL", "CLEAR", 1, 1, "set all counters to 0"),
];

/// Why an image is refused: the values of `STATUS.ERROR`.
pub(crate) const ERRORS: &[(&str, &str)] = &[
    ("NONE", "it was not"),
    ("MAGIC", "its first word is another"),
    ("FORMAT", "its format is another version"),
    ("SHAPE", "it is for hardware of another shape"),
    ("LENGTH", "it has another number of words"),
    ("CRC", "its CRC is wrong"),
    ("EARLY", "it ended early: tlast before the last word"),
    ("LATE", "it goes on behind its last word: no tlast"),
];

/// `REGISTERS.md`.
pub(crate) fn document(names: &Names, loading: &Loading) -> String {
    let mut text = format!(
        "# Tables of {core} and {prefetcher}\n\n\
         Both tops take tables in over `s_load_axis` (AXI4-Stream, {LANE_BITS} bits) and have registers on `s_axil` (AXI4-Lite, \
         {LANE_BITS} bits). Nothing is\npredicted before the first table set is active; a reset forgets it.\n\n\
         ## Loading\n\n\
         1. Make an image: `tablewright image MODEL --build BUILD_DIR -o FILE`.\n\
         2. Send it as one packet, `tlast` with the last word, with any pauses. The set that is active goes on predicting.\n\
         3. Read STATUS. LOADED says that the image was complete and right. Anything else is refused, ERROR says why, and nothing\n   \
         has changed; the next image may follow.\n\
         4. Write CONTROL.SWAP. Admission pauses until all predictions inside have left, whole, with the old set; the next one is\n   \
         made with the new set. A streaming core begins with an empty history then. An image made with `--activate` needs no\n   \
         command.\n\n\
         ## Registers\n\n| address | name | | |\n|---|---|---|---|\n",
        core = names.core(),
        prefetcher = names.prefetcher(),
    );
    for r in REGISTERS {
        let access = if r.read { "read" } else { "write" };
        let _ = writeln!(text, "| 0x{:02x} | {} | {access} | {} |", r.address, r.name, r.about);
    }
    text.push_str("\nAny other access is answered with SLVERR and changes nothing; so is SWAP while no image waits. Counters stay at their\ngreatest value.\n");
    for register in ["STATUS", "CONTROL"] {
        let _ = write!(text, "\n### {register}\n\n| bits | name | |\n|---|---|---|\n");
        for f in FIELDS.iter().filter(|f| f.register == register) {
            let bits =
                if f.width == 1 { f.low.to_string() } else { format!("{}:{}", f.low + f.width - 1, f.low) };
            let _ = writeln!(text, "| {bits} | {} | {} |", f.name, f.about);
        }
    }
    text.push_str("\n### STATUS.ERROR\n\n| value | name | the image was refused because |\n|---|---|---|\n");
    for (value, (name, about)) in ERRORS.iter().enumerate() {
        let _ = writeln!(text, "| {value} | {name} | {about} |");
    }
    let guard = match loading.protection {
        Protection::None => "not guarded".to_owned(),
        Protection::Parity => "guarded by a parity bit for each lane: one wrong bit is noticed".to_owned(),
        Protection::Secded => {
            "guarded by a Hamming code and parity for each lane: one wrong bit is corrected, two are noticed"
                .to_owned()
        }
    };
    let _ = write!(
        text,
        "\n## Image\n\n{words} words of {LANE_BITS} bits, in files as four bytes each, the lowest first.\n\n| word | |\n|---|---|\n\
         | 0 | {MAGIC:08x} |\n| 1 | bits 15:0 {FORMAT}, the version of this format; bit 16 change over as soon as it is accepted; 31:17 zero |\n\
         | 2, 3 | {low:08x}, {high:08x}: the shape of this hardware |\n| 4 | version of the table set, for the registers |\n\
         | 5 | {payload}, the number of words that follow, the last one excepted |\n| 6 … | the memories below, one behind the other: \
         word by word, lane by lane ({LANE_BITS} bits, the lowest first, the last one of a word filled up with zeros) |\n\
         | {last} | CRC-32 of all words before as bytes (polynomial 04c11db7, reflected, all ones before and after: that of zip) |\n\n\
         ## Memories\n\nTwo copies of each, {guard}.\n\n| | memory | words | bits of a word | lanes | a word is |\n|---|---|---|---|---|---|\n",
        words = loading.payload_words() + 7,
        payload = loading.payload_words(),
        last = loading.payload_words() + 6,
        low = loading.shape as u32,
        high = (loading.shape >> 32) as u32,
    );
    for (number, m) in loading.memories.iter().enumerate() {
        let name = m.file.trim_end_matches(".hex");
        let _ = writeln!(
            text,
            "| {number} | {name} | {} | {} | {} | {} {}s of {} bits |",
            m.words(),
            m.width(),
            m.width().div_ceil(LANE_BITS),
            m.lanes,
            m.lane_is,
            m.lane_bits,
        );
    }
    text
}

/// `tw_NAME_load.h`: addresses, fields and the image's constants for C.
pub(crate) fn header(names: &Names, loading: &Loading) -> String {
    let guard = format!("{}_LOAD_H", names.stem().to_uppercase());
    let stem = format!("TW_{}", names.stem().to_uppercase());
    let mut text = format!(
        "/* Registers and images of the tables of {core} and {prefetcher}. REGISTERS.md explains them. */\n\
         #ifndef TW_{guard}\n#define TW_{guard}\n\n#include <stdint.h>\n\n/* Byte addresses on s_axil. */\n",
        core = names.core(),
        prefetcher = names.prefetcher(),
    );
    for r in REGISTERS {
        let _ = writeln!(text, "#define TW_LOAD_{} UINT32_C(0x{:02x}) /* {} */", r.name, r.address, r.about);
    }
    text.push_str("\n/* Fields. */\n");
    for f in FIELDS {
        let mask = ((1_u64 << f.width) - 1) << f.low;
        let name = format!("TW_LOAD_{}_{}", f.register, f.name);
        let _ = writeln!(text, "#define {name} UINT32_C(0x{mask:x}) /* {} */", f.about);
        if f.width > 1 {
            let _ = writeln!(text, "#define {name}_SHIFT {}", f.low);
        }
    }
    text.push_str("\n/* STATUS.ERROR: the image was refused because */\n");
    for (value, (name, about)) in ERRORS.iter().enumerate() {
        let _ = writeln!(text, "#define TW_LOAD_ERROR_{name} {value} /* {about} */");
    }
    let _ = write!(
        text,
        "\n/* Images. */\n#define TW_LOAD_IMAGE_MAGIC UINT32_C(0x{MAGIC:08x})\n#define TW_LOAD_IMAGE_FORMAT {FORMAT}\n\
         #define {stem}_LOAD_SHAPE UINT64_C(0x{shape:016x})\n#define {stem}_LOAD_IMAGE_WORDS {words}\n\n#endif\n",
        shape = loading.shape,
        words = loading.payload_words() + 7,
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERILOG: &str = include_str!("../../../hdl-templates/cells/tw_load_registers.v");

    /// Register NAME stands in the Verilog as `Name = 6'dN`, N counting words.
    #[test]
    fn the_verilog_has_these_addresses() {
        for r in REGISTERS {
            let camel: String =
                r.name.split('_').map(|part| part[..1].to_owned() + &part[1..].to_lowercase()).collect();
            let written = format!("{camel} = 6'd{}", r.address / 4);
            let found = VERILOG
                .match_indices(&written)
                .any(|(at, _)| !VERILOG[at + written.len()..].starts_with(|c: char| c.is_ascii_digit()));
            assert!(found, "`{written}` is not in the Verilog");
        }
        assert_eq!(VERILOG.matches("= 6'd").count(), REGISTERS.len(), "each is described");
    }

    /// The status word is one concatenation; its fields stand from the highest down.
    #[test]
    fn the_status_is_put_together_so() {
        assert!(VERILOG.contains("{22'd0, Kind, 1'b0, error, busy, loaded, loading, valid}"));
        let of_status: Vec<_> =
            FIELDS.iter().filter(|f| f.register == "STATUS").map(|f| (f.name, f.low, f.width)).collect();
        assert_eq!(
            of_status,
            [
                ("VALID", 0, 1),
                ("LOADING", 1, 1),
                ("LOADED", 2, 1),
                ("BUSY", 3, 1),
                ("ERROR", 4, 3),
                ("PROTECTION", 8, 2)
            ]
        );
    }
}
