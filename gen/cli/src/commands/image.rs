//! `tablewright image`: what is streamed into hardware whose tables are loaded.

use std::path::PathBuf;

use serde::Serialize;
use tablewright_emit::{Label, Loading};

use crate::built::Built;
use crate::failure::{Failure, Outcome};
use crate::outfile::{NewFile, check_place};
use crate::subject::{self, MANIFEST};
use crate::ui::{Render, Ui, count, pairs};

/// Write the tables of a model as hardware made by `build --loadable` takes them in
///
/// Any model of the shape that the build was made with fits: the same network, the same prototypes, subspaces and bits. Its
/// numbers are rounded to the scales of the build; what lies beyond their range is cut to it, and counted.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    tablewright build app.safetensors -o app.build --loadable --protect secded\n  \
    tablewright image other.safetensors --build app.build -o other.img\n  \
    tablewright sim app.build --tables other.safetensors\n  \
    tablewright run other.safetensors --build app.build --trace other.champsimtrace.xz\n\n\
    The file holds the 32-bit words of the load stream, each as four bytes, the lowest first; with --hex one word a line, for\n\
    $readmemh. REGISTERS.md in the build says how it is sent, and what the hardware answers.")]
pub(crate) struct Args {
    /// Table model (safetensors)
    pub(crate) model: PathBuf,
    /// The hardware it is for: what `tablewright build --loadable` wrote
    #[arg(long, value_name = "BUILD_DIR")]
    pub(crate) build: PathBuf,
    /// File to write
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Version of the table set, any number; a register shows it
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) set_version: u32,
    /// Let the hardware change over to it as soon as it is accepted, and not wait for a command
    #[arg(long)]
    pub(crate) activate: bool,
    /// Write text, one word a line in hexadecimal
    #[arg(long)]
    pub(crate) hex: bool,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Outcome, Failure> {
    let built = Built::open(&args.build)?;
    check_place(&args.output, &[&args.model, &built.dir.model(), &args.build.join(MANIFEST)])?;
    let model = subject::model(&args.model)?;
    let fitted = built.fit(&model, &args.model)?;
    let loading = Loading::of(&fitted.design, &built.plan)
        .ok_or_else(|| Failure::NotLoadable { path: args.build.clone() })?;
    let label = Label { version: args.set_version, activate: args.activate };
    let words = loading.image(label);
    let mut file = NewFile::begin(&args.output)?;
    file.write(|to| {
        for word in &words {
            if args.hex {
                writeln!(to, "{word:08x}")?;
            } else {
                to.write_all(&word.to_le_bytes())?;
            }
        }
        Ok(())
    })?;
    file.finish()?;
    ui.print(&About {
        file: args.output.display().to_string(),
        model: model.name,
        core: built.manifest.core,
        shape: format!("{:016x}", loading.shape),
        set_version: args.set_version,
        activate: args.activate,
        words: words.len(),
        memories: loading.memories.len(),
        values: loading.memories.iter().map(|memory| memory.values.len()).sum(),
        beyond: fitted.beyond.into_iter().map(|(kernel, values)| Beyond { kernel, values }).collect(),
    })?;
    Ok(Outcome::Done)
}

/// Values of a kernel that were cut to the range of the build's scale.
#[derive(Debug, Serialize)]
struct Beyond {
    kernel: String,
    values: usize,
}

#[derive(Debug, Serialize)]
struct About {
    file: String,
    model: String,
    core: String,
    shape: String,
    set_version: u32,
    activate: bool,
    words: usize,
    memories: usize,
    values: usize,
    beyond: Vec<Beyond>,
}

impl Render for About {
    fn text(&self) -> String {
        let change = if self.activate { "at once" } else { "on command" };
        let cut: usize = self.beyond.iter().map(|b| b.values).sum();
        let cut = if cut == 0 {
            "none: every value is within the range of the build's scales".to_owned()
        } else {
            let of: Vec<String> =
                self.beyond.iter().map(|b| format!("{} of {}", count(b.values as u64), b.kernel)).collect();
            format!("{} of {} values: {}", count(cut as u64), count(self.values as u64), of.join(", "))
        };
        pairs([
            ("image", self.file.clone()),
            ("tables of", self.model.clone()),
            ("for", format!("{}, shape {}", self.core, self.shape)),
            ("set", format!("version {}, becomes active {change}", self.set_version)),
            (
                "size",
                format!(
                    "{} words of 32 bits for {} memories; as many cycles to load",
                    count(self.words as u64),
                    self.memories
                ),
            ),
            ("cut", cut),
        ])
    }
}
