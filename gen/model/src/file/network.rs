//! A float network from and to its tensors.

use ndarray::{Array1, Array2};

use crate::error::{Error, Problem};
use crate::file::container::{self, Source, Tensors};
use crate::file::meta::NetworkEntry;
use crate::layout;
use crate::network::Pool;
use crate::weights::{Dense, LayerWeights, Network, Norm};

pub(super) fn read(mut source: Source<'_>) -> Result<Network, Error> {
    let header = source.header()?;
    let entry = NetworkEntry::read(header.entry()).map_err(|problem| source.blame(problem))?;
    let layout = layout::of_network(&entry.network);
    let tensors = source.tensors(&header, &layout)?;
    let build = || {
        let network = build(entry, &tensors)?;
        network.problem()?;
        Ok(network)
    };
    build().map_err(|problem| source.blame(problem))
}

pub(super) fn write(network: &Network) -> Result<Vec<u8>, Error> {
    network.check()?;
    NetworkEntry::write(network)
        .and_then(|entry| container::to_bytes(entry, &layout::views_of_network(network)))
        .map_err(|problem| problem.of(format!("network `{}`", network.name)))
}

fn build(entry: NetworkEntry, tensors: &Tensors) -> Result<Network, Problem> {
    let mut layers = Vec::new();
    for i in 0..entry.network.layers {
        let name = |part: &str| format!("layers.{i}.{part}");
        layers.push(LayerWeights {
            ln1: norm(tensors, &name("ln1"))?,
            qkv: dense(tensors, &name("qkv"))?,
            out: dense(tensors, &name("out"))?,
            ln2: norm(tensors, &name("ln2"))?,
            ff1: dense(tensors, &name("ff1"))?,
            ff2: dense(tensors, &name("ff2"))?,
        });
    }
    let cls = (entry.network.pool == Pool::Cls).then(|| tensors.real("cls")).transpose()?;
    Ok(Network {
        name: entry.name,
        config: entry.network,
        input: entry.input,
        embed: dense(tensors, "embed")?,
        cls,
        pos: tensors.real("pos")?,
        layers,
        ln: norm(tensors, "ln")?,
        head: dense(tensors, "head")?,
        provenance: entry.provenance,
    })
}

fn dense(tensors: &Tensors, name: &str) -> Result<Dense, Problem> {
    let weight: Array2<f32> = tensors.real(&format!("{name}.weight"))?;
    let bias = format!("{name}.bias");
    let bias = if tensors.has(&bias) { tensors.real(&bias)? } else { Array1::zeros(weight.nrows()) };
    Ok(Dense { weight, bias })
}

fn norm(tensors: &Tensors, name: &str) -> Result<Norm, Problem> {
    Ok(Norm {
        weight: tensors.real(&format!("{name}.weight"))?,
        bias: tensors.real(&format!("{name}.bias"))?,
    })
}
