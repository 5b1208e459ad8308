//! What is saved is what is loaded, for every kind of model and network.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;

use half::bf16;
use support::{Raw, config, model, network, origin, rounded, spec};
use tablewright_model::testing::{dart, dart_s, dart_s_spec, dart_spec, random_model, random_model_with};
use tablewright_model::{
    Activation, AttentionActivation, EncoderKind, FileKind, KernelSpec, NetworkConfig, Pool, load_model,
    load_network, model_from_bytes, model_to_bytes, network_from_bytes, network_to_bytes, save_model,
    save_network, sniff,
};

#[test]
fn every_kind_of_model() {
    for pool in [Pool::Cls, Pool::Last, Pool::Mean] {
        for attention in [AttentionActivation::Softmax, AttentionActivation::Sigmoid] {
            for activation in [Activation::Gelu, Activation::Relu] {
                for encoder in [EncoderKind::Tree, EncoderKind::L2, EncoderKind::L1] {
                    let network = NetworkConfig { pool, attention, activation, ..config() };
                    let model = random_model(&network, spec(encoder), 7);
                    let bytes = model_to_bytes(&model).unwrap();
                    assert_eq!(model_from_bytes(&bytes, origin()).unwrap(), model);
                }
            }
        }
    }
}

#[test]
fn a_choice_of_its_own_at_every_kernel() {
    let choices = [
        (EncoderKind::Tree, 2, 1, 4),
        (EncoderKind::L2, 8, 3, 6),
        (EncoderKind::L1, 16, 2, 12),
        (EncoderKind::Tree, 32, 16, 16),
        (EncoderKind::L2, 2, 16, 32),
    ];
    let kernels = config().kernels();
    let model = random_model_with(
        &config(),
        |site| {
            let place = kernels.iter().position(|other| other == site).unwrap();
            let (encoder, prototypes, subspaces, bits) = choices[place % choices.len()];
            KernelSpec { encoder, prototypes, subspaces, bits }
        },
        3,
    );
    let bytes = model_to_bytes(&model).unwrap();
    assert_eq!(model_from_bytes(&bytes, origin()).unwrap(), model);
}

#[test]
fn the_smallest_and_a_large_model() {
    let smallest = NetworkConfig {
        history: 1,
        segments: 1,
        positions: tablewright_model::Positions::Absolute,
        pool: Pool::Last,
        dim: 4,
        layers: 1,
        heads: 1,
        head_dim: 1,
        hidden: 1,
        outputs: 2,
        ..config()
    };
    let one_bit = KernelSpec { prototypes: 2, subspaces: 1, ..spec(EncoderKind::Tree) };
    let wide = KernelSpec { prototypes: 1024, subspaces: 16, ..spec(EncoderKind::Tree) };
    for (network, spec) in [(smallest, one_bit), (config(), wide)] {
        let model = random_model(&network, spec, 5);
        let bytes = model_to_bytes(&model).unwrap();
        assert_eq!(model_from_bytes(&bytes, origin()).unwrap(), model);
    }
}

#[test]
fn odd_values_survive() {
    let mut model = model();
    model.threshold = 0.1 + 0.2;
    model.network.norm_eps = 1.000_000_000_000_1e-6;
    model.position[[0, 0]] = -0.0;
    model.position[[0, 1]] = f32::from_bits(1);
    model.position[[0, 2]] = 1_048_576.0;
    model.embed.table.bias = None;
    model.layers[1].qkv.k.bias = None;
    model.provenance = BTreeMap::from([("\"quoted\"\n".into(), "Δ {} \\".into())]);
    let bytes = model_to_bytes(&model).unwrap();
    let loaded = model_from_bytes(&bytes, origin()).unwrap();
    assert_eq!(loaded, model);
    assert!(loaded.position[[0, 0]].is_sign_negative());
}

#[test]
fn half_the_bits_where_that_changes_nothing() {
    // 8-bit integers times a power of two, as the tables of a model for hardware.
    let mut model = random_model(&dart(), dart_spec(), 0);
    let whole = Raw::parse(&model_to_bytes(&model).unwrap()).body.len();
    for (at, value) in model.head.table.entries.iter_mut().enumerate() {
        *value = f32::from((37 * at) as i8) / 64.0;
    }
    let bytes = model_to_bytes(&model).unwrap();
    let raw = Raw::parse(&bytes);
    assert_eq!(whole - raw.body.len(), 2 * model.head.table.entries.len());
    assert_eq!((raw.dtype("head.table"), raw.dtype("embed.table")), ("F16", "F32"));
    assert_eq!(raw.dtype("head.encoder.split"), "I32");
    let loaded = model_from_bytes(&bytes, origin()).unwrap();
    assert_eq!(loaded, model);
    assert_eq!(model_to_bytes(&loaded).unwrap(), bytes);

    // Everything.
    let model = rounded(model);
    let bytes = model_to_bytes(&model).unwrap();
    let raw = Raw::parse(&bytes);
    for name in raw.header.as_object().unwrap().keys().filter(|name| *name != "__metadata__") {
        let part = name.rsplit('.').next().unwrap();
        assert_eq!(raw.dtype(name), if part == "split" { "I32" } else { "F16" }, "{name}");
    }
    assert_eq!(model_from_bytes(&bytes, origin()).unwrap(), model);
}

#[test]
fn one_value_decides_the_type_of_its_tensor() {
    let least = 1.0 / f32::from(1_u16 << 12) / f32::from(1_u16 << 12);
    for (value, expected) in [
        (-0.0, "F16"),
        (2047.0, "F16"),
        (2049.0, "F32"),
        (-65_504.0, "F16"),
        (65_520.0, "F32"),
        (1_048_576.0, "F32"),
        (least, "F16"),
        (-1023.0 * least, "F16"),
        (1.5 * least, "F32"),
        (0.5 * least, "F32"),
        (0.1, "F32"),
    ] {
        let mut model = rounded(model());
        model.embed.table.entries[[1, 2, 3]] = value;
        let bytes = model_to_bytes(&model).unwrap();
        let raw = Raw::parse(&bytes);
        assert_eq!((raw.dtype("embed.table"), raw.dtype("embed.bias")), (expected, "F16"), "{value}");
        let loaded = model_from_bytes(&bytes, origin()).unwrap();
        assert_eq!(loaded.embed.table.entries[[1, 2, 3]].to_bits(), value.to_bits());
        assert_eq!(loaded, model);
    }
}

#[test]
fn bfloat_is_read() {
    let mut expected = network(&config());
    expected.pos.mapv_inplace(|value| bf16::from_f32(value * 1e-9).to_f32());
    let mut raw = Raw::parse(&network_to_bytes(&expected).unwrap());
    assert_eq!(raw.dtype("pos"), "F32", "too small for F16");
    raw.remove("pos");
    raw.append("pos", "BF16", &[6, 8], 6 * 8 * 2);
    let start = raw.body.len() - 6 * 8 * 2;
    for (bytes, value) in raw.body[start..].chunks_mut(2).zip(&expected.pos) {
        bytes.copy_from_slice(&bf16::from_f32(*value).to_le_bytes());
    }
    assert_eq!(network_from_bytes(&raw.bytes(), origin()).unwrap(), expected);
}

#[test]
fn the_longest_provenance_survives() {
    // Control characters take the most room in JSON within JSON.
    let mut model = model();
    let text = "\u{1}".repeat((1 << 20) - 3);
    model.provenance = BTreeMap::from([("log".into(), text)]);
    let bytes = model_to_bytes(&model).unwrap();
    assert_eq!(model_from_bytes(&bytes, origin()).unwrap(), model);
}

#[test]
fn equal_models_give_equal_bytes_whatever_their_order_in_memory() {
    let model = model();
    let mut other = model.clone();
    other.position = model.position.t().as_standard_layout().reversed_axes().to_owned();
    assert!(!other.position.is_standard_layout());
    let bytes = model_to_bytes(&model).unwrap();
    assert_eq!(bytes, model_to_bytes(&other).unwrap());
    let loaded = model_from_bytes(&bytes, origin()).unwrap();
    assert_eq!(bytes, model_to_bytes(&loaded).unwrap());
}

#[test]
fn every_kind_of_network() {
    for pool in [Pool::Cls, Pool::Last, Pool::Mean] {
        let network = network(&NetworkConfig { pool, ..config() });
        let bytes = network_to_bytes(&network).unwrap();
        assert_eq!(network_from_bytes(&bytes, origin()).unwrap(), network);
    }
}

#[test]
fn absent_biases_of_a_network_are_zero() {
    let mut expected = network(&config());
    let mut raw = Raw::parse(&network_to_bytes(&expected).unwrap());
    raw.remove("layers.0.qkv.bias");
    raw.remove("head.bias");
    expected.layers[0].qkv.bias.fill(0.0);
    expected.head.bias.fill(0.0);
    let loaded = network_from_bytes(&raw.bytes(), origin()).unwrap();
    assert_eq!(loaded, expected);
}

#[test]
fn through_the_file_system() {
    let folder = tempfile::tempdir().unwrap();
    let (model, network) = (model(), network(&config()));
    let path = folder.path().join("m.safetensors");
    save_model(&model, &path).unwrap();
    assert_eq!(load_model(&path).unwrap(), model);
    assert_eq!(sniff(&path).unwrap(), FileKind::Model);

    // Over the old file.
    save_network(&network, &path).unwrap();
    assert_eq!(load_network(&path).unwrap(), network);
    assert_eq!(sniff(&path).unwrap(), FileKind::Network);

    let names: Vec<_> = folder.path().read_dir().unwrap().collect();
    assert_eq!(names.len(), 1, "a temporary file was left: {names:?}");
}

#[cfg(unix)]
#[test]
fn others_may_read_a_saved_model() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (ours, usual) = (folder.path().join("ours"), folder.path().join("usual"));
    save_model(&model(), &ours).unwrap();
    std::fs::write(&usual, "").unwrap();
    let mode = |path| std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&ours), mode(&usual));
}

#[test]
fn a_failed_save_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.safetensors");
    std::fs::write(&path, "old").unwrap();
    let mut broken = model();
    broken.threshold = 2.0;
    save_model(&broken, &path).unwrap_err();
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
}

#[test]
fn sniffing_other_files() {
    let folder = tempfile::tempdir().unwrap();
    let kind = |bytes: &[u8]| {
        let path = folder.path().join("file");
        std::fs::write(&path, bytes).unwrap();
        sniff(&path).unwrap()
    };
    let bytes = model_to_bytes(&model()).unwrap();
    let mut raw = Raw::parse(&bytes);
    raw.edit(|entry| entry["version"] = 2.into());
    assert_eq!(kind(&raw.bytes()), FileKind::Model);
    raw.edit(|entry| entry["format"] = "else".into());
    assert_eq!(kind(&raw.bytes()), FileKind::OtherSafetensors);
    raw.header.as_object_mut().unwrap().remove("__metadata__");
    assert_eq!(kind(&raw.bytes()), FileKind::OtherSafetensors);
    // The tensors are not looked at.
    assert_eq!(kind(&bytes[..bytes.len() - 100]), FileKind::Model);
    for other in [&b""[..], b"abc", b"12345678", b"6, 11, 0x7f8010, 0x401ab3, 0\n", &[0; 64]] {
        assert_eq!(kind(other), FileKind::NotSafetensors, "{other:?}");
    }
}

#[test]
fn sizes_of_the_reference_models() {
    let model = random_model(&dart(), dart_spec(), 0);
    // C·K·(32 embed + 3·64 qkv + 128 score + 128 mix + 32 out + 32 ff1 + 32 ff2 + 256 head)
    assert_eq!(model.table_entries(), 2 * 128 * 832);
    assert_eq!(model.table_bits(), 8 * 2 * 128 * 832);
    let small = random_model(&dart_s(), dart_s_spec(), 0);
    assert_eq!(small.table_entries(), 16 * (16 + 96 + 16 + 16 + 16 + 16 + 16 + 256));
    for model in [model, small] {
        model.check().unwrap();
        let names: Vec<_> = model.kernels().into_iter().map(|(site, _)| site.name).collect();
        assert_eq!(
            names,
            [
                "embed",
                "layers.0.qkv",
                "layers.0.score",
                "layers.0.mix",
                "layers.0.out",
                "layers.0.ff1",
                "layers.0.ff2",
                "head"
            ]
        );
    }
}
