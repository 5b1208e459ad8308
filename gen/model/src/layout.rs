//! Which tensors a model or network consists of: the one place that knows names, types and shapes.

use std::collections::BTreeMap;

use ndarray::ArrayViewD;
use safetensors::Dtype;

use crate::kernels::{Form, KernelRef, Site};
use crate::network::{NetworkConfig, Pool};
use crate::table::{Encoder, EncoderKind, KernelSpec, Table, TableModel};
use crate::weights::{Dense, Network, Norm};

/// What the format says of one tensor.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    /// `F32` for all real numbers.
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
    /// Biases: absent means zero.
    pub(crate) optional: bool,
}

/// Tensors by name.
pub(crate) type Layout = BTreeMap<String, Expected>;

/// A tensor in memory.
pub(crate) enum View<'a> {
    /// Real numbers.
    Real(ArrayViewD<'a, f32>),
    /// Indices; `I32` is the integer type that every writer of safetensors has.
    Index(ArrayViewD<'a, u32>),
}

impl View<'_> {
    /// The type in memory; a file may have real numbers in fewer bits.
    pub(crate) fn dtype(&self) -> Dtype {
        match self {
            Self::Real(_) => Dtype::F32,
            Self::Index(_) => Dtype::I32,
        }
    }

    pub(crate) fn shape(&self) -> &[usize] {
        match self {
            Self::Real(array) => array.shape(),
            Self::Index(array) => array.shape(),
        }
    }
}

/// A name such as `layers.0.qkv` followed by its table `q` is `layers.0.q`.
pub(crate) fn sibling(site: &str, part: &str) -> String {
    match site.rsplit_once('.') {
        Some((parent, _)) => format!("{parent}.{part}"),
        None => part.to_owned(),
    }
}

fn real(layout: &mut Layout, name: String, shape: &[usize], optional: bool) {
    layout.insert(name, Expected { dtype: Dtype::F32, shape: shape.to_vec(), optional });
}

fn encoder(layout: &mut Layout, name: &str, features: usize, spec: &KernelSpec) {
    match spec.encoder {
        EncoderKind::Tree => {
            layout.insert(
                format!("{name}.split"),
                Expected {
                    dtype: Dtype::I32,
                    shape: vec![spec.subspaces, spec.code_bits() as usize],
                    optional: false,
                },
            );
            real(layout, format!("{name}.threshold"), &[spec.subspaces, spec.prototypes - 1], false);
        }
        EncoderKind::L2 | EncoderKind::L1 => {
            real(layout, format!("{name}.prototypes"), &[spec.prototypes, features], false);
        }
    }
}

fn table(layout: &mut Layout, name: &str, spec: &KernelSpec, outputs: usize) {
    real(layout, format!("{name}.table"), &[spec.subspaces, spec.prototypes, outputs], false);
    real(layout, format!("{name}.bias"), &[outputs], true);
}

/// The tensors of a table model whose configuration and kernel choices are within their limits.
pub(crate) fn of_model(network: &NetworkConfig, kernels: &[(Site, KernelSpec)]) -> Layout {
    let mut layout = Layout::new();
    for (site, spec) in kernels {
        let name = &site.name;
        match site.form {
            Form::Linear => {
                encoder(&mut layout, &format!("{name}.encoder"), site.features, spec);
                table(&mut layout, name, spec, site.outputs);
            }
            Form::Qkv => {
                encoder(&mut layout, &format!("{name}.encoder"), site.features, spec);
                for part in ["q", "k", "v"] {
                    table(&mut layout, &sibling(name, part), spec, network.inner());
                }
            }
            Form::Pair => {
                encoder(&mut layout, &format!("{name}.left"), site.features, spec);
                encoder(&mut layout, &format!("{name}.right"), site.features, spec);
                let shape = [spec.subspaces, spec.prototypes, spec.prototypes];
                real(&mut layout, format!("{name}.table"), &shape, false);
            }
        }
    }
    real(&mut layout, "position".into(), &network.position_shape(), false);
    layout
}

/// The parameters of a float network.
pub(crate) fn of_network(config: &NetworkConfig) -> Layout {
    let mut layout = Layout::new();
    let mut dense = |name: String, outputs, inputs| {
        real(&mut layout, format!("{name}.weight"), &[outputs, inputs], false);
        real(&mut layout, format!("{name}.bias"), &[outputs], true);
    };
    let (dim, inner) = (config.dim, config.inner());
    dense("embed".into(), dim, config.segments);
    for i in 0..config.layers {
        dense(format!("layers.{i}.qkv"), 3 * inner, dim);
        dense(format!("layers.{i}.out"), dim, inner);
        dense(format!("layers.{i}.ff1"), config.hidden, dim);
        dense(format!("layers.{i}.ff2"), dim, config.hidden);
    }
    dense("head".into(), config.outputs, dim);

    let mut norm = |name: String| {
        real(&mut layout, format!("{name}.weight"), &[dim], false);
        real(&mut layout, format!("{name}.bias"), &[dim], false);
    };
    for i in 0..config.layers {
        norm(format!("layers.{i}.ln1"));
        norm(format!("layers.{i}.ln2"));
    }
    norm("ln".into());
    if config.pool == Pool::Cls {
        real(&mut layout, "cls".into(), &[dim], false);
    }
    real(&mut layout, "pos".into(), &config.position_shape(), false);
    layout
}

/// Tensors in memory, by name.
pub(crate) type Views<'a> = BTreeMap<String, View<'a>>;

fn view_encoder<'a>(views: &mut Views<'a>, name: &str, encoder: &'a Encoder) {
    match encoder {
        Encoder::Tree { split, threshold } => {
            views.insert(format!("{name}.split"), View::Index(split.view().into_dyn()));
            views.insert(format!("{name}.threshold"), View::Real(threshold.view().into_dyn()));
        }
        Encoder::Nearest { prototypes, .. } => {
            views.insert(format!("{name}.prototypes"), View::Real(prototypes.view().into_dyn()));
        }
    }
}

fn view_table<'a>(views: &mut Views<'a>, name: &str, table: &'a Table) {
    views.insert(format!("{name}.table"), View::Real(table.entries.view().into_dyn()));
    if let Some(bias) = &table.bias {
        views.insert(format!("{name}.bias"), View::Real(bias.view().into_dyn()));
    }
}

/// The tensors of a table model.
pub(crate) fn views_of_model(model: &TableModel) -> Views<'_> {
    let mut views = Views::new();
    for (site, kernel) in model.kernels() {
        let name = &site.name;
        for (part, encoder) in kernel.encoders() {
            view_encoder(&mut views, &format!("{name}.{part}"), encoder);
        }
        match kernel {
            KernelRef::Linear(linear) => view_table(&mut views, name, &linear.table),
            KernelRef::Qkv(qkv) => {
                for (part, table) in [("q", &qkv.q), ("k", &qkv.k), ("v", &qkv.v)] {
                    view_table(&mut views, &sibling(name, part), table);
                }
            }
            KernelRef::Pair(pair) => {
                views.insert(format!("{name}.table"), View::Real(pair.table.view().into_dyn()));
            }
        }
    }
    views.insert("position".into(), View::Real(model.position.view().into_dyn()));
    views
}

/// The parameters of a float network.
pub(crate) fn views_of_network<'a>(network: &'a Network) -> Views<'a> {
    let mut dense: Vec<(String, &Dense)> =
        vec![("embed".into(), &network.embed), ("head".into(), &network.head)];
    let mut norms: Vec<(String, &Norm)> = vec![("ln".into(), &network.ln)];
    for (i, layer) in network.layers.iter().enumerate() {
        let name = |part: &str| format!("layers.{i}.{part}");
        dense.extend([
            (name("qkv"), &layer.qkv),
            (name("out"), &layer.out),
            (name("ff1"), &layer.ff1),
            (name("ff2"), &layer.ff2),
        ]);
        norms.extend([(name("ln1"), &layer.ln1), (name("ln2"), &layer.ln2)]);
    }
    let mut views = Views::new();
    let mut add = |name: String, array: ArrayViewD<'a, f32>| {
        views.insert(name, View::Real(array));
    };
    for (name, dense) in dense {
        add(format!("{name}.weight"), dense.weight.view().into_dyn());
        add(format!("{name}.bias"), dense.bias.view().into_dyn());
    }
    for (name, norm) in norms {
        add(format!("{name}.weight"), norm.weight.view().into_dyn());
        add(format!("{name}.bias"), norm.bias.view().into_dyn());
    }
    if let Some(cls) = &network.cls {
        add("cls".into(), cls.view().into_dyn());
    }
    add("pos".into(), network.pos.view().into_dyn());
    views
}
