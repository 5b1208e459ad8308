//! A table model from and to its tensors.

use crate::error::{Error, Problem};
use crate::file::container::{self, Source, Tensors};
use crate::file::meta::ModelEntry;
use crate::kernels::Site;
use crate::layout::{self, sibling};
use crate::table::{Encoder, EncoderKind, KernelSpec, Layer, Linear, Metric, Pair, Qkv, Table, TableModel};

pub(super) fn read(mut source: Source<'_>) -> Result<TableModel, Error> {
    let header = source.header()?;
    let (entry, specs) = ModelEntry::read(header.entry()).map_err(|problem| source.blame(problem))?;
    let layout = layout::of_model(&entry.network, &specs);
    let tensors = source.tensors(&header, &layout)?;
    let build = || {
        let model = build(entry, specs, &tensors)?;
        model.problem()?;
        Ok(model)
    };
    build().map_err(|problem| source.blame(problem))
}

pub(super) fn write(model: &TableModel) -> Result<Vec<u8>, Error> {
    model.check()?;
    ModelEntry::write(model)
        .and_then(|entry| container::to_bytes(entry, &layout::views_of_model(model)))
        .map_err(|problem| problem.of(format!("model `{}`", model.name)))
}

fn build(
    entry: ModelEntry,
    specs: Vec<(Site, KernelSpec)>,
    tensors: &Tensors,
) -> Result<TableModel, Problem> {
    let mut sites = specs.into_iter();
    let mut next = || sites.next().ok_or(Problem::MissingKernel { name: "head".to_owned() });
    let embed = linear(tensors, next()?)?;
    let mut layers = Vec::new();
    for _ in 0..entry.network.layers {
        layers.push(Layer {
            qkv: qkv(tensors, next()?)?,
            score: pair(tensors, next()?)?,
            mix: pair(tensors, next()?)?,
            out: linear(tensors, next()?)?,
            ff1: linear(tensors, next()?)?,
            ff2: linear(tensors, next()?)?,
        });
    }
    let head = linear(tensors, next()?)?;
    Ok(TableModel {
        name: entry.name,
        network: entry.network,
        input: entry.input,
        threshold: entry.threshold,
        activation_bits: entry.activation_bits,
        embed,
        position: tensors.real("position")?,
        layers,
        head,
        provenance: entry.provenance,
    })
}

fn encoder(tensors: &Tensors, name: &str, spec: &KernelSpec) -> Result<Encoder, Problem> {
    let metric = match spec.encoder {
        EncoderKind::Tree => {
            return Ok(Encoder::Tree {
                split: tensors.index(&format!("{name}.split"))?,
                threshold: tensors.real(&format!("{name}.threshold"))?,
            });
        }
        EncoderKind::L2 => Metric::L2,
        EncoderKind::L1 => Metric::L1,
    };
    Ok(Encoder::Nearest { prototypes: tensors.real(&format!("{name}.prototypes"))?, metric })
}

fn table(tensors: &Tensors, name: &str) -> Result<Table, Problem> {
    let bias = format!("{name}.bias");
    Ok(Table {
        entries: tensors.real(&format!("{name}.table"))?,
        bias: tensors.has(&bias).then(|| tensors.real(&bias)).transpose()?,
    })
}

fn linear(tensors: &Tensors, (site, spec): (Site, KernelSpec)) -> Result<Linear, Problem> {
    Ok(Linear {
        spec,
        encoder: encoder(tensors, &format!("{}.encoder", site.name), &spec)?,
        table: table(tensors, &site.name)?,
    })
}

fn qkv(tensors: &Tensors, (site, spec): (Site, KernelSpec)) -> Result<Qkv, Problem> {
    Ok(Qkv {
        spec,
        encoder: encoder(tensors, &format!("{}.encoder", site.name), &spec)?,
        q: table(tensors, &sibling(&site.name, "q"))?,
        k: table(tensors, &sibling(&site.name, "k"))?,
        v: table(tensors, &sibling(&site.name, "v"))?,
    })
}

fn pair(tensors: &Tensors, (site, spec): (Site, KernelSpec)) -> Result<Pair, Problem> {
    Ok(Pair {
        spec,
        left: encoder(tensors, &format!("{}.left", site.name), &spec)?,
        right: encoder(tensors, &format!("{}.right", site.name), &spec)?,
        table: tensors.real(&format!("{}.table", site.name))?,
    })
}
