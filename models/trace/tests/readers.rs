//! Both kinds of trace in every packing, and everything that can be wrong with a file.
#![allow(clippy::unwrap_used, missing_docs)]
#[allow(dead_code)]
mod common;

use common::{gz, load, record, xz};
use proptest::prelude::*;
use tablewright_trace::{
    AddressSpace, CacheConfig, Compression, Trace, TraceFormat, TraceKind, write_prefetches,
};

/// 300 instructions that each load a block of their own.
fn instructions() -> Vec<u8> {
    (0..300u64).flat_map(|i| record(0x40_0000 + 4 * i, &[0x7f00_0000_0000 + 64 * i], &[])).collect()
}

const LOADS: &str = "7, 13, 28e837c5e240, 408e04, 0\r\n\n5,15,0x28e837c5fa00,0X408e0e,1\n0, 16, 40, 1, 0\n9, 17, 28e837c60c40, 408e16, 0";

#[test]
fn both_kinds_in_every_packing() {
    for (data, kind, accesses) in [
        (instructions(), TraceKind::ChampsimInstructions, 300),
        (LOADS.as_bytes().to_vec(), TraceKind::MldpcLoads, 3),
    ] {
        for (bytes, compression) in
            [(data.clone(), Compression::None), (xz(&data), Compression::Xz), (gz(&data), Compression::Gzip)]
        {
            let trace = load(&bytes).unwrap();
            assert_eq!((trace.kind, trace.info.compression), (kind, compression));
            assert_eq!(trace.accesses, load(&data).unwrap().accesses);
            assert_eq!(trace.accesses.len(), accesses);
        }
    }
}

#[test]
fn several_streams_are_one_trace() {
    let data = instructions();
    let (a, b) = data.split_at(64 * 100 + 7);
    assert_eq!(load(&[xz(a), xz(b)].concat()).unwrap().accesses.len(), 300);
    assert_eq!(load(&[gz(a), gz(b)].concat()).unwrap().accesses.len(), 300);
}

#[test]
fn load_lines_are_read_and_cold_ones_dropped() {
    let trace = load(LOADS.as_bytes()).unwrap();
    let ids: Vec<u64> = trace.accesses.iter().map(|access| access.id).collect();
    assert_eq!(ids, [7, 5, 9]);
    assert_eq!((trace.accesses[1].address, trace.accesses[1].ip), (0x28e8_37c5_fa00, 0x40_8e0e));
    assert_eq!((trace.info.records, trace.info.dropped, trace.info.accesses), (4, 1, 3));
    assert_eq!(trace.info.addresses, AddressSpace::PossiblyPhysical);
    assert!(trace.info.warning.unwrap().contains("4 KB page"));
}

#[test]
fn instructions_read_before_they_write_and_count_from_one() {
    let data = [record(1, &[64, 128], &[192]), record(2, &[64], &[320])].concat();
    let trace = load(&data).unwrap();
    let seen: Vec<(u64, u64, u64)> = trace.accesses.iter().map(|a| (a.id, a.address, a.ip)).collect();
    assert_eq!(seen, [(1, 64, 1), (1, 128, 1), (1, 192, 1), (2, 320, 2)]);
    let info = &trace.info;
    assert_eq!((info.records, info.loads, info.stores, info.llc_loads, info.llc_rfos), (2, 3, 2, 2, 2));
    assert_eq!((info.unique_blocks, info.unique_pages, info.unique_ips), (4, 1, 2));
    assert_eq!((info.addresses, info.warning), (AddressSpace::Virtual, None));
    assert!((info.deltas_in_range - 1.0).abs() < 1e-12 && (info.deltas_in_page - 1.0).abs() < 1e-12);
    assert!(serde_json::to_string(info).unwrap().contains("\"kind\":\"champsim-instructions\""));
}

#[test]
fn progress_ends_at_the_file_size() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.xz");
    std::fs::write(&path, xz(&instructions().repeat(200))).unwrap();
    let mut calls = Vec::new();
    Trace::load_with(&path, &CacheConfig::default(), &mut |done, total| {
        calls.push((done, total));
    })
    .unwrap();
    let size = std::fs::metadata(&path).unwrap().len();
    assert!(calls.len() > 2 && calls.is_sorted());
    assert_eq!(calls.last(), Some(&(size, size)));
    let format = TraceFormat::of_file(&path).unwrap().to_string();
    assert_eq!(format, "ChampSim instruction trace (64-byte records, xz)");
}

/// The rendered message of loading these bytes.
fn message(bytes: &[u8]) -> String {
    load(bytes).unwrap_err().to_string()
}

#[test]
fn messages_of_damaged_content() {
    assert_eq!(message(b""), "t is empty; a trace has at least one record, copy or record it again");
    assert_eq!(
        message(&xz(b"")),
        "t is empty inside its xz data; a trace has at least one record, copy or record it again"
    );
    assert_eq!(
        message(&instructions()[..64 * 5 + 3]),
        "t: 323 bytes are 5 whole ChampSim records of 64 bytes and 3 bytes of another; the trace was cut short: copy it \
         again, or keep the whole records with `head -c 320` on the raw trace"
    );
    let mut late = instructions();
    late[64 * 200 + 9] = 7;
    assert_eq!(
        message(&late),
        "t: record 201 (byte 12800): field taken is 7, it must be 0 or 1; the trace is damaged or lost its 64-byte \
         alignment there, copy it again"
    );
}

#[test]
fn messages_of_damaged_lines() {
    assert_eq!(
        message(b"1, 2, 40, 4, 0\n\n2, 3, 4x0, 4, 0\n"),
        "t: line 3: field hex_address is \"4x0\", it must be a hexadecimal number below 2^64"
    );
    assert_eq!(
        message(b"1, 2, 40, 4, 0\n2, 3, 40\n"),
        "t: line 2 has 3 fields, not the 5 of `instr_id, cycle, hex_address, hex_ip, hit`: \"2, 3, 40\""
    );
    assert_eq!(message(b"1, 2, 40, 4, 2\n"), "t: line 1: field hit is \"2\", it must be 0 or 1");
    assert_eq!(
        message(b"id,cycle,addr,ip,hit\n1,2,40,4,0\n"),
        "t: line 1: field instr_id is \"id\", it must be a decimal number below 2^64"
    );
    for bad in
        ["-1, 2, 40, 4, 0", "+1, 2, 40, 4, 0", "1, 2, 11112222333344445, 4, 0", "1, 2, 0x, 4, 0", "1,,40,4,0"]
    {
        assert!(message(bad.as_bytes()).contains("line 1: field"), "{bad}");
    }
    let endless = [&b"1, 2, 40, 4, 0\n"[..], &[b'1'; 5000]].concat();
    assert!(message(&endless).contains("line 2: field line is \"1111"), "{}", message(&endless));
}

#[test]
fn messages_of_damaged_streams() {
    let data: Vec<u8> = (0..20_000u64).flat_map(|i| record(i * i + 1, &[i * 7919 * 64], &[])).collect();
    for (packed, name) in [(xz(&data), "xz"), (gz(&data), "gzip")] {
        for keep in [packed.len() / 2, packed.len() - 1, 20] {
            let cut = message(&packed[..keep]);
            assert!(cut.starts_with(&format!("t: the {name} data stops before its end, after ")), "{cut}");
            assert!(cut.ends_with(&format!("check it with `{name} -t`")), "{cut}");
        }
        let mut damaged = packed.clone();
        let middle = packed.len() / 2;
        damaged[middle..middle + 64].fill(0x5a);
        // gzip has one checksum, at its end: a wrong record may be met first.
        let text = message(&damaged);
        assert!(text.contains(" is damaged "), "{text}");
        let trailing = [&packed[..], b"trailing garbage"].concat();
        assert!(
            message(&trailing).contains(&format!("the {name} data is damaged after ")),
            "{}",
            message(&trailing)
        );
    }
}

#[test]
fn messages_of_other_files() {
    for (bytes, looks) in [
        (&b"hello world\n"[..], "text whose first line is \"hello world\""),
        (b"\n\n", "text with nothing but blank lines"),
        (b"BZh91AY&SY", "a bzip2 file"),
        (b"\x7fELF\x02\x01\x01", "a program (ELF)"),
        (b"\x10\0\0\0\0\0\0\0{\"a\":1}        ", "a safetensors file"),
        (b"\x01\x02\x03", "3 bytes of binary data, less than one record"),
        (&[0; 640], "zero bytes"),
        (&[0xf1; 640].map(|b: u8| b ^ 0x80), "text whose"),
        (&[0x03; 640], "its is_branch would be 3, not 0 or 1"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a git-lfs pointer"),
    ] {
        let text = message(bytes);
        assert!(text.starts_with("t is not a trace: it looks like "), "{text}");
        assert!(text.contains(looks), "{text} / {looks}");
    }
    assert!(message(&xz(&gz(&instructions()))).contains("a gzip file inside another compressed file"));
}

#[test]
fn messages_of_paths() {
    let folder = tempfile::tempdir().unwrap();
    let of = |path: &std::path::Path| Trace::load(path, &CacheConfig::default()).unwrap_err().to_string();
    assert!(of(folder.path()).contains("is a directory; give one trace file"));
    assert!(of(&folder.path().join("none")).contains("none: there is no such file"));
}

#[test]
fn prefetch_lines() {
    let mut out = Vec::new();
    write_prefetches(&mut out, 12, &[0xabc0, 0x40]).unwrap();
    write_prefetches(&mut out, 13, &[]).unwrap();
    assert_eq!(out, b"12 abc0\n12 40\n");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = load(&bytes);
        let _ = load(&xz(&bytes));
        let _ = load(&gz(&bytes));
    }

    #[test]
    fn lines_never_panic(text in "([0-9a-fxX, +-]{0,12}[,\n\r]){0,40}") {
        let _ = load(text.as_bytes());
    }

    #[test]
    fn damaged_packings_never_panic(at in 0usize..400, with in any::<u8>(), keep in 0usize..400) {
        for mut packed in [xz(&instructions()), gz(&instructions()), instructions()] {
            let (at, keep) = (at % packed.len(), keep % packed.len());
            packed[at] = with;
            let _ = load(&packed);
            packed.truncate(keep);
            let _ = load(&packed);
        }
    }

    #[test]
    fn written_lines_read_back(lines in proptest::collection::vec((1u64.., any::<u64>(), any::<u64>()), 1..50)) {
        let text: Vec<String> =
            lines.iter().map(|(id, address, ip)| format!("{id}, 1, {address:x}, {ip:x}, 0")).collect();
        let text = text.join("\n");
        let trace = load(text.as_bytes()).unwrap();
        let back: Vec<_> = trace.accesses.iter().map(|a| (a.id, a.address, a.ip)).collect();
        prop_assert_eq!(back, lines);
    }
}
