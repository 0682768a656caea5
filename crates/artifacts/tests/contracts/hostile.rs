//! Bytes that are no artifact, or are made to look like one: decoding refuses them and does nothing else.

use std::fs;

use ossature_artifacts::{CONTRACTS, Envelope};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::decoding::decode;

/// Runs the body with the stack that a thread has at the least.
fn on_a_small_stack(body: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    thread.spawn(body).unwrap().join().unwrap();
}

/// The examples in both forms.
fn seeds() -> Vec<Vec<u8>> {
    let examples = CONTRACTS.iter().map(|it| (it.example)().unwrap());
    examples
        .flat_map(|example| {
            let json = example.to_json().unwrap().into_bytes();
            [example.to_msgpack().unwrap(), json]
        })
        .collect()
}

/// One thing that happens to bytes. Places are taken modulo the length.
#[derive(Debug, Clone)]
enum Damage {
    Flip {
        at: usize,
        bits: u8,
    },
    Cut {
        at: usize,
    },
    Drop {
        at: usize,
        length: usize,
    },
    Insert {
        at: usize,
        bytes: Vec<u8>,
    },
    /// A part of another example.
    Splice {
        at: usize,
        from: usize,
        start: usize,
        length: usize,
    },
    /// Lists or maps around what follows.
    Nest {
        at: usize,
        depth: usize,
        opening: &'static [u8],
    },
}

fn damages() -> impl Strategy<Value = Damage> {
    let at = any::<u16>().prop_map(usize::from).boxed();
    let openings = prop_oneof![
        Just(&[0x91][..]),
        Just(&[0x81, 0xa1, b'a'][..]),
        Just(&[0xdd, 0xff, 0xff, 0xff, 0xff][..]),
        Just(&b"["[..]),
        Just(&b"{\"a\":"[..]),
    ];
    prop_oneof![
        (at.clone(), 1_u8..).prop_map(|(at, bits)| Damage::Flip { at, bits }),
        at.clone().prop_map(|at| Damage::Cut { at }),
        (at.clone(), 1_usize..64).prop_map(|(at, length)| Damage::Drop { at, length }),
        (at.clone(), vec(any::<u8>(), 1..9)).prop_map(|(at, bytes)| Damage::Insert { at, bytes }),
        (at.clone(), at.clone(), at.clone(), 1_usize..256).prop_map(|(at, from, start, length)| {
            Damage::Splice {
                at,
                from,
                start,
                length,
            }
        }),
        (at, 1_usize..2_000, openings).prop_map(|(at, depth, opening)| Damage::Nest {
            at,
            depth,
            opening
        }),
    ]
}

fn damage(mut bytes: Vec<u8>, damage: &Damage, seeds: &[Vec<u8>]) -> Vec<u8> {
    if bytes.is_empty() {
        return bytes;
    }
    let place = |at: &usize| at % bytes.len();
    match damage {
        Damage::Flip { at, bits } => {
            let at = place(at);
            bytes[at] ^= bits;
        }
        Damage::Cut { at } => bytes.truncate(place(at)),
        Damage::Drop { at, length } => {
            let at = place(at);
            let end = (at + length).min(bytes.len());
            bytes.drain(at..end);
        }
        Damage::Insert { at, bytes: new } => {
            let at = place(at);
            bytes.splice(at..at, new.iter().copied());
        }
        Damage::Splice {
            at,
            from,
            start,
            length,
        } => {
            let at = place(at);
            let other = &seeds[from % seeds.len()];
            let start = start % other.len();
            let end = (start + length).min(other.len());
            bytes.splice(at..at, other[start..end].iter().copied());
        }
        Damage::Nest { at, depth, opening } => {
            let at = place(at);
            bytes.splice(at..at, opening.repeat(*depth));
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_bytes_are_refused_or_have_one_form(bytes in vec(any::<u8>(), 0..128)) {
        decode(&bytes);
    }

    #[test]
    fn a_damaged_example_is_refused_or_has_one_form(
        seed in any::<u16>(),
        damages in vec(damages(), 1..4),
    ) {
        let seeds = seeds();
        let start = seeds[usize::from(seed) % seeds.len()].clone();
        let bytes = damages.iter().fold(start, |bytes, it| damage(bytes, it, &seeds));
        decode(&bytes);
    }
}

#[test]
fn examples_are_what_the_body_says_of_artifacts() {
    for seed in seeds() {
        decode(&seed);
    }
}

#[test]
fn depth_is_refused_before_the_stack_ends() {
    let openings: [&[u8]; 9] = [
        &[0x91],
        &[0x81, 0xa1, b'a'],
        &[0x81],
        &[0xdd, 0x00, 0x00, 0x00, 0x01],
        &[0xc7, 0xff, 0x01],
        &[0xd4],
        b"[",
        b"{\"a\":",
        b"[{\"payload\":",
    ];
    on_a_small_stack(move || {
        for opening in openings {
            // Around the limits of the decoders, and far behind them.
            for depth in [
                100, 126, 127, 128, 129, 500, 1_022, 1_023, 1_024, 1_025, 100_000,
            ] {
                decode(&opening.repeat(depth));
                decode(&[&opening.repeat(depth), &[0xc0][..]].concat());
                let closing: &[u8] = if opening[0] == b'[' { b"]" } else { b"}" };
                decode(&[&opening.repeat(depth), &b"1"[..], &closing.repeat(depth)].concat());
            }
        }
    });
}

/// As deep as can be is inside of the envelope, where it also goes through the payload's type and the checker.
#[test]
fn depth_inside_of_a_payload_is_refused_before_the_stack_ends() {
    let example = (crate::contract("plan_artifact").example)()
        .unwrap()
        .to_json()
        .unwrap();
    on_a_small_stack(move || {
        let (before, after) = example.split_once("\"text\"").unwrap();
        for depth in [64, 125, 126, 127, 128, 1_000] {
            let (opening, closing) = ("[".repeat(depth), "]".repeat(depth));
            let text = format!("{before}{opening}{closing}{after}");
            decode(text.as_bytes());
            if let Ok(envelope) = Envelope::from_json(&text) {
                decode(&envelope.to_msgpack().unwrap());
            }
        }
    });
}

/// The largest size that the address space of this process had so far, where the system tells it.
fn address_space_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmPeak:"))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes << 10)
}

#[test]
fn a_length_that_is_only_claimed_takes_no_memory() {
    let all = [0xff; 4];
    let before = address_space_bytes();
    // Strings, binaries, extensions, lists and maps of 2^32 - 1 parts, alone, inside of lists and inside of an envelope.
    for marker in [0xdb, 0xc6, 0xc9, 0xdd, 0xdf] {
        let claim = [&[marker][..], &all].concat();
        decode(&claim);
        decode(&[&claim[..], &[0x01; 32]].concat());
        decode(&claim.repeat(100));
        let inside = [&[0x83, 0xa4][..], b"kind", &claim, &[0x01; 8]].concat();
        decode(&inside);
    }
    let after = address_space_bytes();
    if let (Some(before), Some(after)) = (before, after) {
        // Other tests run meanwhile; the least that is claimed here is four gibibytes.
        assert!(after - before < 1 << 30, "{before} bytes, then {after}");
    }
}
