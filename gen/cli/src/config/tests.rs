#![allow(clippy::unwrap_used)]

use super::*;

fn file(role: Role, text: String) -> Source {
    Source { role, name: "my.toml".into(), origin: "my.toml".into(), text }
}

/// The text of a preset with `old` replaced by `new`.
fn changed(role: Role, preset: &str, old: &str, new: &str) -> Source {
    let text = role.preset(preset).unwrap();
    assert!(text.contains(old), "the preset has no `{old}`");
    file(role, text.replacen(old, new, 1))
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
    let teacher = TeacherConfig::load("--config", "paper").unwrap().network;
    assert_eq!((teacher.layers, teacher.dim, teacher.heads, teacher.outputs), (4, 256, 8, 256));
}

#[test]
fn streaming_presets_differ_in_positions_and_pool_alone() {
    use tablewright_model::{Pool, Positions};
    for (streaming, plain) in [("stream-s", "dart-s"), ("stream", "dart")] {
        let (streaming, plain) = (Config::load(streaming).unwrap(), Config::load(plain).unwrap());
        let network =
            NetworkConfig { positions: Positions::Relative, pool: Pool::Last, ..plain.network.clone() };
        assert_eq!(streaming, Config { name: streaming.name.clone(), network, ..plain });
    }
}

#[test]
fn every_student_has_a_teacher_for_its_windows() {
    for (name, _) in STUDENTS {
        let mut student = Config::load(name).unwrap();
        let told = student.distillation.clone().unwrap();
        student.network.history = 7;
        student.input.page_bits = Some(12);
        let teacher = TeacherConfig::preset_for(&told.teacher, &student).unwrap().unwrap();
        assert_eq!((teacher.network.history, &teacher.input), (7, &student.input));
    }
    assert!(TeacherConfig::preset_for("my.toml", &Config::load("dart").unwrap()).is_none());
}

#[test]
fn tables_can_stand_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tables.toml");
    let network = Config::load("dart").unwrap().network;
    let text = "[tables]\nencoder = \"l2\"\nprototypes = 8\nsubspaces = 1\nbits = 6\n";
    fs::write(&path, text).unwrap();
    let config = TablesConfig::load(&path.display().to_string(), &network).unwrap();
    let spec = KernelSpec { encoder: EncoderKind::L2, prototypes: 8, subspaces: 1, bits: 6 };
    assert_eq!((config.tables.spec, config.max_windows), (spec, None));
    // The sections about the network are another's.
    fs::write(&path, format!("[network]\nsize = \"huge\"\n{text}")).unwrap();
    assert!(TablesConfig::load(&path.display().to_string(), &network).is_ok());
    fs::write(&path, text.replace('8', "7")).unwrap();
    let message = TablesConfig::load(&path.display().to_string(), &network).unwrap_err().to_string();
    assert!(message.contains("line 3: kernel `embed`: prototypes is 7"), "{message}");
}

#[test]
fn a_kernel_takes_from_the_tables_what_it_does_not_say() {
    let own = "\n[tables.kernels.\"layers.0.score\"]\nprototypes = 64\n";
    let text = format!("{}{own}", Role::Student.preset("dart-s").unwrap());
    let config = Config::of(file(Role::Student, text)).unwrap();
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
        ("bits = 4", "bits = 9"),
        ("activation_bits = 14", "activation_bits = 40"),
        ("subspaces = 2", "subspaces = 11"),
        ("prototypes = 64 ", "prototypes = 65 "),
        ("[tables.kernels.\"layers.0.score\"]", "[tables.kernels.\"layers.1.score\"]"),
        ("lr = 0.003", "lr = 3.0"),
        ("epochs = 20", "epochs = 0"),
        ("[network]", "[network"),
        ("alpha = 0.25", "alpha = 1.5"),
        ("temperature = 1.0", "temperature = 0.0"),
        ("teacher = \"cpu\"", ""),
        ("# page_bits = 12", "page_bits = 6"),
    ];
    let mut all: Vec<_> = cases
        .map(|(old, new)| {
            let message = Config::of(changed(Role::Student, "dart", old, new)).unwrap_err();
            format!("{new:?}\n    {message}")
        })
        .into();
    let cases = [("dim = 128", "dim = 600"), ("[training]", "[tables]\n[training]"), ("dim = 128", "")];
    all.extend(cases.map(|(old, new)| {
        let message = TeacherConfig::of(changed(Role::Teacher, "cpu", old, new)).unwrap_err();
        format!("teacher: {new:?}\n    {message}")
    }));
    insta::assert_snapshot!(all.join("\n"));
}
