//! What the tests share: small models and networks of every kind, and files taken apart.
#![allow(dead_code, clippy::unwrap_used, unreachable_pub)]

use std::collections::BTreeMap;
use std::path::Path;

use half::f16;
use ndarray::{Array1, Array2};
use serde_json::Value;
use tablewright_model::testing::random_model;
use tablewright_model::{
    Activation, AttentionActivation, Dense, Encoder, EncoderKind, InputConfig, KernelSpec, LayerWeights,
    Linear, Network, NetworkConfig, Norm, Pool, Table, TableModel,
};

/// A network of odd, all different sizes, so that swapped dimensions cannot agree.
pub fn config() -> NetworkConfig {
    NetworkConfig {
        history: 5,
        segments: 3,
        positions: tablewright_model::Positions::Absolute,
        pool: Pool::Cls,
        dim: 8,
        layers: 2,
        heads: 2,
        head_dim: 7,
        hidden: 9,
        outputs: 10,
        attention: AttentionActivation::Softmax,
        activation: Activation::Gelu,
        norm_eps: 1e-5,
    }
}

pub fn spec(encoder: EncoderKind) -> KernelSpec {
    KernelSpec { encoder, prototypes: 4, subspaces: 2, bits: 8 }
}

pub fn model() -> TableModel {
    random_model(&config(), spec(EncoderKind::Tree), 1)
}

/// A network whose values are all different.
pub fn network(config: &NetworkConfig) -> Network {
    let mut value = 0.0;
    let mut next = move || {
        value += 0.25;
        value
    };
    let mut matrix = |rows, columns| Array2::from_shape_simple_fn((rows, columns), &mut next);
    let (dim, inner) = (config.dim, config.inner());
    let mut dense = |outputs, inputs| {
        let both = matrix(outputs, inputs + 1);
        Dense { weight: both.slice(ndarray::s![.., 1..]).to_owned(), bias: both.column(0).to_owned() }
    };
    let embed = dense(dim, config.segments);
    let layers = (0..config.layers)
        .map(|_| LayerWeights {
            ln1: norm(dense(dim, 1)),
            qkv: dense(3 * inner, dim),
            out: dense(dim, inner),
            ln2: norm(dense(dim, 1)),
            ff1: dense(config.hidden, dim),
            ff2: dense(dim, config.hidden),
        })
        .collect();
    Network {
        name: "net".into(),
        config: config.clone(),
        input: InputConfig::default(),
        embed,
        cls: (config.pool == Pool::Cls).then(|| Array1::from_elem(dim, -1.5)),
        pos: dense(config.tokens(), dim).weight,
        layers,
        ln: norm(dense(dim, 1)),
        head: dense(config.outputs, dim),
        provenance: BTreeMap::from([("note".into(), "made for a test".into())]),
    }
}

fn norm(dense: Dense) -> Norm {
    Norm { weight: dense.weight.column(0).to_owned(), bias: dense.bias }
}

/// The name that the files of these tests have in messages.
pub fn origin() -> &'static Path {
    Path::new("m.safetensors")
}

/// A safetensors file taken apart.
#[derive(Clone)]
pub struct Raw {
    pub header: Value,
    pub body: Vec<u8>,
}

impl Raw {
    pub fn parse(bytes: &[u8]) -> Self {
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        Self {
            header: serde_json::from_slice(&bytes[8..8 + length]).unwrap(),
            body: bytes[8 + length..].to_vec(),
        }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let header = serde_json::to_vec(&self.header).unwrap();
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header);
        bytes.extend(&self.body);
        bytes
    }

    pub fn entry(&self) -> Value {
        let text = self.header["__metadata__"]["tablewright"].as_str().unwrap();
        serde_json::from_str(text).unwrap()
    }

    pub fn set_entry(&mut self, text: &str) {
        self.header["__metadata__"]["tablewright"] = text.into();
    }

    /// Changes the metadata entry as JSON.
    pub fn edit(&mut self, change: impl FnOnce(&mut Value)) {
        let mut entry = self.entry();
        change(&mut entry);
        self.set_entry(&entry.to_string());
    }

    /// Overwrites four bytes of a tensor.
    pub fn poke(&mut self, tensor: &str, element: usize, word: [u8; 4]) {
        let start = self.header[tensor]["data_offsets"][0].as_u64().unwrap() as usize;
        self.body[start + 4 * element..][..4].copy_from_slice(&word);
    }

    /// Puts a tensor of bytes at the end.
    pub fn append(&mut self, name: &str, dtype: &str, shape: &[usize], bytes: usize) {
        let start = self.body.len();
        self.header[name] = serde_json::json!({
            "dtype": dtype, "shape": shape, "data_offsets": [start, start + bytes],
        });
        self.body.extend(vec![0; bytes]);
    }

    /// Renames a tensor.
    pub fn rename(&mut self, name: &str, new: &str) {
        let tensor = self.header.as_object_mut().unwrap().remove(name).unwrap();
        self.header[new] = tensor;
    }

    /// The type of a tensor.
    pub fn dtype(&self, name: &str) -> &str {
        self.header[name]["dtype"].as_str().unwrap()
    }

    /// Takes a tensor out, and its bytes with it.
    pub fn remove(&mut self, name: &str) {
        let tensors = self.header.as_object_mut().unwrap();
        let gone = tensors.remove(name).unwrap();
        let place = |value: &Value, i: usize| value["data_offsets"][i].as_u64().unwrap();
        let (start, end) = (place(&gone, 0), place(&gone, 1));
        self.body.drain(start as usize..end as usize);
        for (name, tensor) in tensors {
            if name != "__metadata__" && place(tensor, 0) >= end {
                for i in 0..2 {
                    tensor["data_offsets"][i] = (place(tensor, i) - (end - start)).into();
                }
            }
        }
    }
}

/// The model with every real number as `F16` has it, so that its file needs no more.
pub fn rounded(mut model: TableModel) -> TableModel {
    let round = |value: &mut f32| *value = f16::from_f32(*value).to_f32();
    let table = |table: &mut Table| {
        table.entries.iter_mut().chain(table.bias.iter_mut().flatten()).for_each(round);
    };
    let encoder = |encoder: &mut Encoder| match encoder {
        Encoder::Tree { threshold: reals, .. } | Encoder::Nearest { prototypes: reals, .. } => {
            reals.iter_mut().for_each(round);
        }
    };
    let linear = |linear: &mut Linear| {
        encoder(&mut linear.encoder);
        table(&mut linear.table);
    };
    model.position.iter_mut().for_each(round);
    linear(&mut model.embed);
    linear(&mut model.head);
    for layer in &mut model.layers {
        encoder(&mut layer.qkv.encoder);
        [&mut layer.qkv.q, &mut layer.qkv.k, &mut layer.qkv.v].into_iter().for_each(table);
        for pair in [&mut layer.score, &mut layer.mix] {
            encoder(&mut pair.left);
            encoder(&mut pair.right);
            pair.table.iter_mut().for_each(round);
        }
        [&mut layer.out, &mut layer.ff1, &mut layer.ff2].into_iter().for_each(linear);
    }
    model
}
