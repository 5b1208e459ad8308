//! Memories for tables and constants: frozen into ROMs, or loaded.

use tablewright_design::Protection;

use super::{Instance, Net, owned};
use crate::loading::{LANE_BITS, Loading};

/// Where the memories of one node come from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Store<'a> {
    loading: Option<&'a Loading>,
    /// Number of the node's first memory, and how many it has.
    memories: (usize, usize),
    /// The names of its memories begin so.
    stem: &'a str,
    /// Errors are told by the number in the whole predictor, or by that in the node's own module.
    inside: bool,
}

/// A memory to read from.
#[derive(Debug, Clone)]
pub(crate) struct Bank<'a> {
    /// The instance, `u_bank_0`.
    pub instance: String,
    /// Its name ends so: `bank0`.
    pub suffix: String,
    pub words: u64,
    pub width: u64,
    pub address_width: u32,
    /// Expressions and nets.
    pub address: String,
    pub data: String,
    /// 1 where the address means something.
    pub read: &'a str,
    /// What synthesis is to make of it if it is a ROM.
    pub style: &'a str,
}

impl<'a> Store<'a> {
    pub(super) fn new(loading: Option<&'a Loading>, node: &str, stem: &'a str) -> Self {
        let memories = loading.map_or((0, 0), |loading| loading.of_node(node));
        Self { loading, memories, stem, inside: false }
    }

    /// For what is inside the node's own module.
    pub(super) fn inside(self) -> Self {
        Self { inside: true, ..self }
    }

    pub(super) fn loaded(&self) -> bool {
        self.loading.is_some()
    }

    /// Memories of the node, if they are loaded.
    pub(super) fn count(&self) -> usize {
        self.memories.1
    }

    /// Connections of the node's own module.
    pub(super) fn ports(&self) -> Vec<(String, String)> {
        if self.count() == 0 {
            return Vec::new();
        }
        let (first, count) = self.memories;
        owned(vec![
            ("load", "load".to_owned()),
            ("active", "active".to_owned()),
            ("errors", format!("errors[{}:{}]", 2 * (first + count) - 1, 2 * first)),
        ])
    }

    pub(super) fn bank(&self, bank: Bank<'_>) -> Instance {
        let file = format!("{}_{}.hex", self.stem, bank.suffix);
        let sizes = vec![
            ("Words", bank.words.to_string()),
            ("Width", bank.width.to_string()),
            ("AddressWidth", bank.address_width.to_string()),
        ];
        let Some(loading) = self.loading else {
            let more =
                vec![("Style", format!("\"{}\"", bank.style)), ("File", format!("{{`TW_MEM, \"{file}\"}}"))];
            return Instance {
                module: "tw_rom".to_owned(),
                name: bank.instance,
                reset: false,
                parameters: owned([sizes, more].concat()),
                ports: owned(vec![("address", bank.address), ("data", bank.data)]),
            };
        };
        Instance {
            module: "tw_bank".to_owned(),
            name: bank.instance,
            reset: true,
            parameters: owned([sizes, Self::guard(loading, &file, bank.width)].concat()),
            ports: owned(vec![
                ("load", "load".to_owned()),
                ("active", "active".to_owned()),
                ("read", bank.read.to_owned()),
                ("address", bank.address),
                ("data", bank.data),
                ("errors", self.errors(loading, &file)),
            ]),
        }
    }

    /// Constants: the memory that they are loaded to, and the net that has them.
    pub(super) fn held(&self, suffix: &str, width: u64, net: String) -> Option<(Instance, Net)> {
        let loading = self.loading?;
        let file = format!("{}_{suffix}.hex", self.stem);
        let sizes = vec![("Width", width.to_string())];
        let instance = Instance {
            module: "tw_held".to_owned(),
            name: format!("u_{net}"),
            reset: true,
            parameters: owned([sizes, Self::guard(loading, &file, width)].concat()),
            ports: owned(vec![
                ("load", "load".to_owned()),
                ("active", "active".to_owned()),
                ("data", net.clone()),
                ("errors", self.errors(loading, &file)),
            ]),
        };
        Some((instance, Net { name: net, width }))
    }

    fn guard(loading: &Loading, file: &str, width: u64) -> Vec<(&'static str, String)> {
        let last = ((width - 1) % LANE_BITS) as u32 + 1;
        let kind = match loading.protection {
            Protection::None => 0,
            Protection::Parity => 1,
            Protection::Secded => 2,
        };
        vec![
            ("Memory", format!("12'd{}", loading.number(file))),
            ("Kind", kind.to_string()),
            ("Checks", loading.protection.check_bits(LANE_BITS as u32).to_string()),
            ("LastChecks", loading.protection.check_bits(last).to_string()),
        ]
    }

    fn errors(&self, loading: &Loading, file: &str) -> String {
        let number = loading.number(file) - if self.inside { self.memories.0 } else { 0 };
        format!("errors[{}:{}]", 2 * number + 1, 2 * number)
    }
}
