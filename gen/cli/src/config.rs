//! What `train` is told: network, input, tables, training. A TOML file, or one of the presets, which are such files.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tablewright_model::{EncoderKind, InputConfig, KernelSpec, NetworkConfig};
use tablewright_tabularize::{Error as TableError, Options};
use toml::de::{DeTable, DeValue};

use crate::failure::Failure;

/// Presets by name, with their text.
const PRESETS: [(&str, &str); 3] = [
    ("dart-s", include_str!("../presets/dart-s.toml")),
    ("dart", include_str!("../presets/dart.toml")),
    ("dart-l", include_str!("../presets/dart-l.toml")),
];

/// A checked configuration.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Config {
    /// A preset, or the name of the file without its directory.
    pub(crate) name: String,
    pub(crate) network: NetworkConfig,
    pub(crate) input: InputConfig,
    /// The seed is not part of a configuration; it is 0 here.
    pub(crate) tables: Options,
    pub(crate) training: Training,
}

/// How the float network is trained; defaults are the trainer's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Training {
    pub(crate) epochs: usize,
    pub(crate) batch: usize,
    pub(crate) lr: f64,
    pub(crate) weight_decay: f64,
    pub(crate) patience: usize,
    /// Windows to learn from, at most; a quarter as many to choose on.
    pub(crate) max_windows: Option<usize>,
}

impl Default for Training {
    fn default() -> Self {
        Self { epochs: 20, batch: 256, lr: 0.003, weight_decay: 0.01, patience: 6, max_windows: None }
    }
}

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    network: NetworkConfig,
    #[serde(default)]
    input: InputConfig,
    tables: Tables,
    #[serde(default)]
    training: Training,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tables {
    encoder: EncoderKind,
    prototypes: usize,
    subspaces: usize,
    bits: u32,
    activation_bits: Option<u32>,
    samples: Option<usize>,
    encoder_samples: Option<usize>,
    valid_samples: Option<usize>,
    fine_tune: Option<bool>,
    #[serde(default)]
    kernels: BTreeMap<String, Kernel>,
}

/// One kernel's own choices.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kernel {
    encoder: Option<EncoderKind>,
    prototypes: Option<usize>,
    subspaces: Option<usize>,
    bits: Option<u32>,
}

impl Tables {
    fn options(&self) -> Options {
        let usual = Options::default();
        let spec = KernelSpec {
            encoder: self.encoder,
            prototypes: self.prototypes,
            subspaces: self.subspaces,
            bits: self.bits,
        };
        let own = |kernel: &Kernel| KernelSpec {
            encoder: kernel.encoder.unwrap_or(spec.encoder),
            prototypes: kernel.prototypes.unwrap_or(spec.prototypes),
            subspaces: kernel.subspaces.unwrap_or(spec.subspaces),
            bits: kernel.bits.unwrap_or(spec.bits),
        };
        Options {
            spec,
            kernels: self.kernels.iter().map(|(name, kernel)| (name.clone(), own(kernel))).collect(),
            samples: self.samples.unwrap_or(usual.samples),
            encoder_samples: self.encoder_samples.unwrap_or(usual.encoder_samples),
            valid_samples: self.valid_samples.unwrap_or(usual.valid_samples),
            activation_bits: self.activation_bits.unwrap_or(usual.activation_bits),
            fine_tune: self.fine_tune.unwrap_or(usual.fine_tune),
            ..usual
        }
    }
}

/// The text of a preset or file, with the name that errors give it.
pub(crate) fn text(name: &str) -> Result<(String, String), Failure> {
    if let Some((_, text)) = PRESETS.iter().find(|(preset, _)| *preset == name) {
        return Ok((format!("preset {name}"), (*text).to_owned()));
    }
    let path = Path::new(name);
    if !path.exists() {
        let presets = PRESETS.map(|(preset, _)| preset).join(", ");
        return Err(Failure::UnknownConfig { name: name.into(), presets });
    }
    let text = fs::read_to_string(path).map_err(|reason| Failure::Read { path: path.into(), reason })?;
    Ok((name.to_owned(), text))
}

impl Config {
    /// A preset by name, or a TOML file by path.
    pub(crate) fn load(name: &str) -> Result<Self, Failure> {
        let (origin, text) = text(name)?;
        let short =
            Path::new(name).file_name().map_or_else(|| name.into(), |n| n.to_string_lossy().into_owned());
        Self::parse(short, &origin, &text)
    }

    fn parse(name: String, origin: &str, text: &str) -> Result<Self, Failure> {
        let fail = |line, problem| Failure::Config { config: origin.to_owned(), line, problem };
        let file: File = read(text).map_err(|(line, problem)| fail(line, problem))?;
        let config = Self {
            name,
            tables: file.tables.options(),
            network: file.network,
            input: file.input,
            training: file.training,
        };
        let Some((field, problem)) = config.violation() else {
            return Ok(config);
        };
        let path: Vec<&str> = field.iter().map(String::as_str).collect();
        Err(fail(line_of(text, &path), problem))
    }

    /// The first field outside its limits: where it stands, and the sentence about it.
    fn violation(&self) -> Option<(Vec<String>, String)> {
        let mut limits = self.network.violations(tablewright_model::Purpose::Tables);
        limits.extend(self.input.violations(self.network.segments));
        if let Some(sentence) = limits.into_iter().next() {
            // Each begins with its field, `network.dim is …`.
            let field = sentence.split(' ').next().unwrap_or_default();
            return Some((field.split('.').map(str::to_owned).collect(), sentence));
        }
        if let Err(error) = self.tables.check(&self.network) {
            return Some(table_field(&error));
        }
        let Training { epochs, batch, lr, weight_decay, patience, max_windows } = self.training;
        let bad = |field: &str, value: String, allowed: &str| {
            Some((
                vec!["training".into(), field.to_owned()],
                format!("training.{field} is {value}, allowed are {allowed}"),
            ))
        };
        if !(1..=100_000).contains(&epochs) {
            return bad("epochs", epochs.to_string(), "1 to 100000");
        }
        if !(1..=65_536).contains(&batch) {
            return bad("batch", batch.to_string(), "1 to 65536");
        }
        if !(lr > 0.0 && lr <= 1.0) {
            return bad("lr", lr.to_string(), "numbers above 0, up to 1");
        }
        if !(0.0..=1.0).contains(&weight_decay) {
            return bad("weight_decay", weight_decay.to_string(), "0 to 1");
        }
        if patience == 0 {
            return bad("patience", patience.to_string(), "1 or more");
        }
        if max_windows == Some(0) {
            return bad("max_windows", "0".into(), "1 or more");
        }
        None
    }
}

/// Where the options say what the tabularizer refuses.
fn table_field(error: &TableError) -> (Vec<String>, String) {
    let own =
        |parts: &[&str]| ["tables"].iter().chain(parts).map(|&part| part.to_owned()).collect::<Vec<_>>();
    match error {
        TableError::Option { field, value, low, high } => {
            (own(&[field]), format!("tables.{field} is {value}, allowed are {low} to {high}"))
        }
        TableError::UnknownKernel { name, known } => {
            let problem = format!("tables.kernels has a section `{name}`, the network's kernels are {known}");
            (own(&["kernels", name]), problem)
        }
        TableError::Prototypes { kernel, .. } => (own(&["kernels", kernel, "prototypes"]), error.to_string()),
        TableError::Subspaces { kernel, .. } => (own(&["kernels", kernel, "subspaces"]), error.to_string()),
        TableError::Bits { kernel, .. } => (own(&["kernels", kernel, "bits"]), error.to_string()),
        other => (own(&[]), other.to_string()),
    }
}

/// Parses, or says in which line what is wrong.
fn read(text: &str) -> Result<File, (Option<usize>, String)> {
    const REMEDY: &str = "`tablewright train --config dart --print-config` shows a whole configuration";
    let line = |span: Option<Range<usize>>| span.map(|span| line_at(text, span.start));
    let deserializer = toml::Deserializer::parse(text)
        .map_err(|error| (line(error.span()), format!("no TOML: {}; {REMEDY}", one_line(error.message()))))?;
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let field = error.path().to_string();
        let reason = error.inner();
        let place = if field == "." { String::new() } else { format!("{field}: ") };
        (line(reason.span()), format!("{place}{}; {REMEDY}", one_line(reason.message())))
    })
}

fn one_line(message: &str) -> String {
    message.split('\n').map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(", ")
}

fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|&byte| byte == b'\n').count() + 1
}

/// The line of a field. A kernel without a choice of its own has that of `[tables]`.
fn line_of(text: &str, path: &[&str]) -> Option<usize> {
    fn find(table: &DeTable<'_>, path: &[&str]) -> Option<usize> {
        let (first, rest) = path.split_first()?;
        let (key, value) = table.iter().find(|(key, _)| key.get_ref() == first)?;
        match value.get_ref() {
            DeValue::Table(inner) if !rest.is_empty() => find(inner, rest),
            _ => rest.is_empty().then(|| key.span().start),
        }
    }
    let document = DeTable::parse(text).ok()?;
    let place = find(document.get_ref(), path).or_else(|| match path {
        ["tables", "kernels", _, field] => find(document.get_ref(), &["tables", field]),
        _ => None,
    });
    place.map(|offset| line_at(text, offset))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// The message about the DART preset with `old` replaced by `new`.
    fn message(old: &str, new: &str) -> String {
        let text = PRESETS[1].1;
        assert!(text.contains(old), "the preset has no `{old}`");
        Config::parse("my.toml".into(), "my.toml", &text.replacen(old, new, 1)).unwrap_err().to_string()
    }

    #[test]
    fn presets_are_the_published_configurations() {
        let size = |name| {
            let config = Config::load(name).unwrap();
            let (n, spec) = (&config.network, config.tables.spec);
            assert_eq!((n.head_dim, n.hidden, n.heads, n.outputs), (n.dim, n.dim, 2, 256));
            (n.layers, n.dim, spec.prototypes, spec.subspaces)
        };
        assert_eq!(size("dart-s"), (1, 16, 16, 1));
        assert_eq!(size("dart"), (1, 32, 128, 2));
        assert_eq!(size("dart-l"), (2, 32, 256, 2));
    }

    #[test]
    fn a_kernel_takes_from_the_tables_what_it_does_not_say() {
        let text = format!("{}\n[tables.kernels.\"layers.0.score\"]\nprototypes = 64\n", PRESETS[1].1);
        let config = Config::parse("my.toml".into(), "my.toml", &text).unwrap();
        let spec = config.tables.spec_of("layers.0.score");
        assert_eq!(spec, KernelSpec { prototypes: 64, ..config.tables.spec });
        assert_eq!(config.tables.spec_of("head"), config.tables.spec);
    }

    #[test]
    fn messages_name_file_line_field_and_remedy() {
        let cases = [
            ("dim = 32", "dim = 200"),
            ("dim = 32", "dim = \"wide\""),
            ("dim = 32", "dims = 32"),
            ("history = 10", ""),
            ("pool = \"cls\"", "pool = \"first\""),
            ("degree = 16", "degree = 0"),
            ("prototypes = 128", "prototypes = 100"),
            ("bits = 8", "bits = 9"),
            ("activation_bits = 12", "activation_bits = 40"),
            ("subspaces = 2", "subspaces = 11"),
            (
                "# [tables.kernels.\"layers.0.score\"]\n# prototypes = 64",
                "[tables.kernels.\"layers.0.score\"]\nprototypes = 65",
            ),
            ("# [tables.kernels.\"layers.0.score\"]", "[tables.kernels.\"layers.1.score\"]"),
            ("lr = 0.003", "lr = 3.0"),
            ("epochs = 20", "epochs = 0"),
            ("[network]", "[network"),
        ];
        let all: Vec<_> = cases.map(|(old, new)| format!("{new:?}\n    {}", message(old, new))).into();
        insta::assert_snapshot!(all.join("\n"));
    }
}
