//! Every error with the message that a user reads, in the snapshots beside this file.
#![allow(clippy::unwrap_used)]

mod support;

use std::fmt::Write;
use std::path::Path;

use ndarray::Array2;
use serde_json::{Value, json};
use support::{Raw, config, model, network, origin, spec};
use tablewright_model::testing::random_model;
use tablewright_model::{
    EncoderKind, Error, Metric, Network, Pool, TableModel, load_model, load_network, model_from_bytes,
    model_to_bytes, network_from_bytes, network_to_bytes, save_model, sniff,
};

/// The messages of a list of cases.
#[derive(Default)]
struct Messages(String);

impl Messages {
    fn add<T>(&mut self, case: &str, result: Result<T, Error>) {
        let error = result.err().unwrap_or_else(|| panic!("{case}: no error"));
        assert!(!error.to_string().contains('\n'), "{case}: not one line");
        writeln!(self.0, "{case}\n    {error}").unwrap();
    }

    fn bytes(&mut self, case: &str, bytes: &[u8]) {
        self.add(case, model_from_bytes(bytes, origin()));
    }

    /// A model's file, changed.
    fn raw(&mut self, case: &str, change: impl FnOnce(&mut Raw)) {
        let mut raw = raw_model();
        change(&mut raw);
        self.bytes(case, &raw.bytes());
    }

    /// A model's metadata, changed.
    fn entry(&mut self, case: &str, change: impl FnOnce(&mut Value)) {
        self.raw(case, |raw| raw.edit(change));
    }

    /// A model in memory, changed.
    fn model(&mut self, case: &str, change: impl FnOnce(&mut TableModel)) {
        let mut model = model();
        change(&mut model);
        self.add(case, model.check());
        model_to_bytes(&model).expect_err("what fails the check is not saved");
    }

    /// A network in memory, changed.
    fn network(&mut self, case: &str, change: impl FnOnce(&mut Network)) {
        let mut network = network(&config());
        change(&mut network);
        self.add(case, network.check());
        network_to_bytes(&network).expect_err("what fails the check is not saved");
    }
}

fn raw_model() -> Raw {
    Raw::parse(&model_to_bytes(&model()).unwrap())
}

#[test]
fn paths() {
    let mut messages = Messages::default();
    let (missing, folder) = (Path::new("missing/m.safetensors"), Path::new("tests"));
    messages.add("no such model", load_model(missing));
    messages.add("no such network", load_network(missing));
    messages.add("what is nothing", sniff(missing));
    messages.add("a folder", load_model(folder));
    messages.add("what is a folder", sniff(folder));
    messages.add("save into no folder", save_model(&model(), missing));
    messages.add("save over a folder", save_model(&model(), folder));
    #[cfg(unix)]
    messages.add("a device", load_model(Path::new("/dev/zero")));
    insta::assert_snapshot!(messages.0);
}

#[test]
fn containers() {
    let mut messages = Messages::default();
    let good = model_to_bytes(&model()).unwrap();
    let with_length = |length: u64| [&length.to_le_bytes(), &good[8..]].concat();
    messages.bytes("empty", b"");
    messages.bytes("seven bytes", &good[..7]);
    messages.bytes("a load trace", b"6, 11, 0x7f8010, 0x401ab3, 0\n");
    messages.bytes("an xz file", b"\xfd7zXZ\0\0\x04\xe6\xd6\xb4\x46\x02\0\x21\x01");
    messages.bytes("cut in the length", &good[..8]);
    messages.bytes("cut in the header", &good[..1000]);
    messages.bytes("cut in the tensors", &good[..good.len() - 1]);
    messages.bytes("a byte appended", &[&good[..], b"\n"].concat());
    messages.bytes("header of 2^60 bytes", &with_length(1 << 60));
    messages.bytes("header of 2^64 - 1 bytes", &with_length(u64::MAX));
    messages.bytes("header of no bytes", &with_length(0));
    messages.bytes("header of one byte", &with_length(1));
    let mut long = (20_u64 << 20).to_le_bytes().to_vec();
    long.extend(b"{}");
    long.resize(21 << 20, b' ');
    messages.bytes("header of 20 MiB", &long);
    messages.bytes("header no JSON", b"\x03\0\0\0\0\0\0\0{a}");
    messages.bytes("header half JSON", b"\x05\0\0\0\0\0\0\0{\"a\":");
    messages.bytes("header not UTF-8", b"\x05\0\0\0\0\0\0\0{\"\xff\"}");
    messages.raw("unknown type", |raw| {
        raw.header["position"]["dtype"] = "F31".into();
    });
    messages.raw("overlapping tensors", |raw| {
        // One value early, so that no two tensors start at the same place and their order is certain.
        for offset in raw.header["position"]["data_offsets"].as_array_mut().unwrap() {
            *offset = (offset.as_u64().unwrap() - 4).into();
        }
    });
    messages.raw("shape of another size", |raw| {
        raw.header["position"]["shape"] = json!([7, 8]);
    });
    messages.raw("shape of 2^80 values", |raw| {
        raw.header["position"]["shape"] = json!([1_u64 << 40, 1_u64 << 40]);
    });
    messages.bytes("no tensors, no metadata", b"\x02\0\0\0\0\0\0\0{}");
    messages.raw("metadata of others", |raw| {
        raw.header["__metadata__"] = json!({"format": "pt"});
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m");
    std::fs::write(&path, with_length(1 << 60)).unwrap();
    let error = sniff(&path).unwrap_err().to_string();
    let error = error.replace(&*path.to_string_lossy(), "m.safetensors");
    writeln!(messages.0, "what is a header of 2^60 bytes\n    {error}").unwrap();
    insta::assert_snapshot!(messages.0);
}

#[test]
fn metadata() {
    let mut messages = Messages::default();
    messages.raw("no JSON", |raw| raw.set_entry("{\"format\": table-model}"));
    messages.raw("half of it", |raw| {
        let text = raw.entry().to_string();
        raw.set_entry(&text[..text.len() / 2]);
    });
    messages.raw("two of them", |raw| {
        let text = raw.entry().to_string();
        raw.set_entry(&format!("{text}{text}"));
    });
    messages.raw("a list", |raw| raw.set_entry("[1]"));
    messages.entry("no format", |entry| {
        drop(entry.as_object_mut().unwrap().remove("format"));
    });
    messages.entry("another format", |entry| entry["format"] = "onnx".into());
    messages.entry("a network", |entry| entry["format"] = "network".into());
    messages.entry("another version", |entry| entry["version"] = 2.into());
    messages.entry("version of text", |entry| entry["version"] = "1".into());
    messages.entry("missing field", |entry| {
        entry["network"].as_object_mut().unwrap().remove("head_dim");
    });
    messages.entry("missing field at the top", |entry| {
        entry.as_object_mut().unwrap().remove("threshold");
    });
    messages.entry("misspelt field", |entry| {
        entry["network"]["dimm"] = 8.into();
    });
    messages.entry("misspelt field at the top", |entry| {
        entry["treshold"] = 0.5.into();
    });
    messages.entry("number of text", |entry| {
        entry["network"]["dim"] = "8".into();
    });
    messages.entry("negative number", |entry| {
        entry["input"]["degree"] = (-1).into();
    });
    messages.entry("number beyond 64 bits", |entry| {
        entry["network"]["dim"] = 1e30.into();
    });
    messages.entry("unknown pool", |entry| {
        entry["network"]["pool"] = "max".into();
    });
    messages.entry("unknown encoder", |entry| {
        entry["kernels"]["layers.1.ff2"]["encoder"] = "pq".into();
    });
    messages.entry("missing kernel", |entry| {
        entry["kernels"].as_object_mut().unwrap().remove("layers.1.mix");
    });
    messages.entry("extra kernel", |entry| {
        entry["kernels"]["layers.2.qkv"] = entry["kernels"]["head"].clone();
    });
    let mut raw = Raw::parse(&network_to_bytes(&network(&config())).unwrap());
    raw.edit(|entry| entry["threshold"] = 0.5.into());
    messages.add("network with a threshold", network_from_bytes(&raw.bytes(), origin()));
    messages.add("model as a network", network_from_bytes(&raw_model().bytes(), origin()));
    insta::assert_snapshot!(messages.0);
}

#[test]
fn limits() {
    let mut messages = Messages::default();
    for name in ["", "Model", "4bit", "a b", "a/../b", "ä", &"x".repeat(65)] {
        messages.entry("name", |entry| entry["name"] = name.into());
    }
    let largest = u64::MAX;
    for (field, values) in [
        ("history", [json!(0), json!(65)]),
        ("segments", [json!(0), json!(17)]),
        ("dim", [json!(3), json!(129)]),
        ("layers", [json!(0), json!(5)]),
        ("heads", [json!(0), json!(9)]),
        ("head_dim", [json!(0), json!(129)]),
        ("hidden", [json!(0), json!(513)]),
        ("outputs", [json!(0), json!(514)]),
        ("outputs", [json!(11), json!(largest)]),
        ("norm_eps", [json!(0.0), json!(1.5)]),
    ] {
        for value in values {
            messages.entry("network", |entry| entry["network"][field] = value);
        }
    }
    messages.entry("many at once", |entry| {
        for field in ["history", "segments", "heads", "head_dim", "layers"] {
            entry["network"][field] = largest.into();
        }
        entry["name"] = "X".into();
    });
    messages.entry("relative positions with the pool cls", |entry| {
        entry["network"]["layers"] = 1.into();
        entry["network"]["positions"] = "relative".into();
    });
    messages.entry("relative positions in two layers", |entry| {
        entry["network"]["pool"] = "last".into();
        entry["network"]["positions"] = "relative".into();
    });
    for (field, values) in [
        ("block_bits", vec![13]),
        ("segment_bits", vec![0, 9]),
        ("pc_segments", vec![4]),
        ("lookahead", vec![0, 1025]),
        ("degree", vec![0, 65]),
        ("filter", vec![257]),
    ] {
        for value in values {
            messages.entry("input", |entry| entry["input"][field] = value.into());
        }
    }
    messages.entry("segments beyond the address", |entry| {
        entry["network"]["segments"] = 16.into();
    });
    messages.entry("segments beyond the program counter", |entry| {
        entry["network"]["segments"] = 8.into();
        entry["input"]["pc_segments"] = 4.into();
    });
    for threshold in [0.0, 1.0, -0.5] {
        messages.entry("threshold", |entry| entry["threshold"] = threshold.into());
    }
    messages.model("threshold of NaN", |model| model.threshold = f64::NAN);
    for bits in [7, 25] {
        messages.entry("activation_bits", |entry| {
            entry["activation_bits"] = bits.into();
        });
    }
    for (field, values) in
        [("prototypes", vec![0, 1, 3, 2048]), ("subspaces", vec![0, 9, 17]), ("bits", vec![0, 5, 64])]
    {
        for value in values {
            messages.entry("kernel", |entry| {
                entry["kernels"]["layers.0.qkv"][field] = value.into();
            });
        }
    }
    messages.entry("more subspaces than segments", |entry| {
        entry["kernels"]["embed"]["subspaces"] = 4.into();
    });
    insta::assert_snapshot!(messages.0);
}

#[test]
fn tensors() {
    let mut messages = Messages::default();
    messages.raw("missing table", |raw| raw.remove("layers.0.q.table"));
    messages.raw("missing splits", |raw| raw.remove("head.encoder.split"));
    messages.entry("prototypes instead of a tree", |entry| {
        entry["kernels"]["head"]["encoder"] = "l2".into();
    });
    messages.raw("misspelt bias", |raw| {
        let tensor = raw.header.as_object_mut().unwrap().remove("layers.0.v.bias").unwrap();
        raw.header["layers.0.v.baias"] = tensor;
    });
    messages.raw("extra tensor", |raw| {
        raw.append("optimizer.step", "I64", &[1], 8);
    });
    messages.raw("double precision", |raw| {
        raw.remove("position");
        raw.append("position", "F64", &[6, 8], 6 * 8 * 8);
    });
    messages.raw("splits of floats", |raw| {
        raw.header["embed.encoder.split"]["dtype"] = "F32".into();
    });
    messages.raw("transposed", |raw| {
        raw.header["position"]["shape"] = json!([8, 6]);
    });
    messages.raw("flat", |raw| {
        raw.header["head.table"]["shape"] = json!([80]);
    });
    messages.entry("another K", |entry| {
        entry["kernels"]["layers.1.score"]["prototypes"] = 8.into();
    });
    messages.entry("another T", |entry| entry["network"]["history"] = 6.into());
    messages.raw("NaN", |raw| {
        raw.poke("embed.table", 9, f32::NAN.to_le_bytes());
    });
    messages.raw("a bias beyond any activation", |raw| {
        raw.poke("embed.bias", 1, 1e18_f32.to_le_bytes());
    });
    messages.raw("infinity", |raw| {
        raw.poke("layers.1.score.left.threshold", 5, f32::NEG_INFINITY.to_le_bytes());
    });
    messages.raw("split in the next subspace", |raw| {
        raw.poke("layers.1.ff1.encoder.split", 1, 4_i32.to_le_bytes());
    });
    messages.raw("split below its subspace", |raw| {
        raw.poke("layers.0.mix.right.split", 2, 0_i32.to_le_bytes());
    });
    messages.raw("negative split", |raw| {
        raw.poke("layers.0.qkv.encoder.split", 0, (-3_i32).to_le_bytes());
    });
    let mut raw = Raw::parse(&network_to_bytes(&network(&config())).unwrap());
    raw.remove("cls");
    messages.add("network without cls", network_from_bytes(&raw.bytes(), origin()));
    raw.edit(|entry| entry["network"]["pool"] = "mean".into());
    messages.add("network with a token too many", network_from_bytes(&raw.bytes(), origin()));
    raw.remove("layers.1.ln2.weight");
    raw.remove("pos");
    raw.append("pos", "F32", &[5, 8], 5 * 8 * 4);
    messages.add("network without a norm", network_from_bytes(&raw.bytes(), origin()));
    insta::assert_snapshot!(messages.0);
}

#[test]
fn in_memory() {
    let mut messages = Messages::default();
    messages.model("a layer too few", |model| drop(model.layers.pop()));
    messages.model("a layer too many", |model| {
        let layer = model.layers[0].clone();
        model.layers.push(layer);
    });
    messages.model("another encoder", |model| {
        model.layers[0].mix.spec.encoder = EncoderKind::L1;
    });
    messages.model("another metric", |model| {
        *model = random_model(&config(), spec(EncoderKind::L2), 1);
        let tablewright_model::Encoder::Nearest { metric, .. } = &mut model.head.encoder else {
            panic!("made with prototypes");
        };
        *metric = Metric::L1;
    });
    messages.model("a name for no file", |model| model.name = "../m".into());
    messages.model("a shape", |model| model.position = Array2::zeros((5, 8)));
    messages.model("a NaN", |model| {
        model.layers[1].mix.table[[1, 2, 3]] = f32::NAN;
    });
    messages.model("K of 6", |model| model.head.spec.prototypes = 6);
    messages.network("a layer too few", |network| drop(network.layers.pop()));
    messages.network("no cls", |network| network.cls = None);
    messages.network("cls and mean", |network| {
        network.config.pool = Pool::Mean;
        network.pos = Array2::zeros((5, 8));
    });
    messages.network("a shape", |network| {
        network.layers[1].out.weight = Array2::zeros((8, 8));
    });
    messages.network("an infinity", |network| {
        network.head.bias[3] = f32::INFINITY;
    });
    messages.model("provenance of 2 MiB", |model| {
        model.provenance.insert("log".into(), "x".repeat(2 << 20));
    });
    insta::assert_snapshot!(messages.0);
}
